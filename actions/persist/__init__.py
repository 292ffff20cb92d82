"""Persistence hooks: what is kept after a step."""
