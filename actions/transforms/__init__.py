"""Transforms: one content becomes another."""
