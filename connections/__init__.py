"""What a provider speaks, and the configured accounts."""
