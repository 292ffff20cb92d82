"""Routes: where an event, an answer or a message goes."""
