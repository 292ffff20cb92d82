"""Meta actions: analytics and notifications."""
