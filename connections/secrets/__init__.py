"""Secrets people give: how their texts are read, where they are kept, and in which forms they are
masked.

Adapters ask `texts`, the engine asks `store`; whatever is shown or logged goes through `forms`.
"""
