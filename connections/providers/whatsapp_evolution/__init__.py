"""WhatsApp through Evolution API (1.x and 2.x): webhooks in, its REST API out.

Source: Evolution API 2.3.6 (webhook and message services), captured bodies of 1.6 to 2.3.7.
"""
