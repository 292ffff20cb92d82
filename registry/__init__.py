"""Workflows people stored, and the engine that runs them."""
