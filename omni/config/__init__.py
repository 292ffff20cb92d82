"""The configuration in force: its number, and what a process remembers of it."""
