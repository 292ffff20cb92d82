"""Omni: an event fabric and action engine for messaging."""

__version__ = "0.1.0"
