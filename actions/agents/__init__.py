"""Agents: who writes an answer. One module per kind; `kinds` is the table."""
