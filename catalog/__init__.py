"""What this installation can do: its actions and its providers."""
