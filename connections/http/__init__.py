"""The one outbound HTTP client: bounded in time and size, with no way to private addresses.

Adapters and actions call `client`; settings of hosts are read by `addresses`; what runs a step says
so to `bulkhead`.
"""
