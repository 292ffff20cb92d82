"""Anything that posts over HTTP: CloudEvents, Standard Webhooks, or any body with a mapping."""
