"""Whom an action is about: contact lists, who is let in, audiences, phones, and recipients.

Actions of every kind call it; nothing of the engine does.
"""
