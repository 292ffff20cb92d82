"""What runs wait for, and how they end from outside: events, times, people's answers, cancellation.

`waits` is the only writer of the rows, `waiting` the pure part; people answer through `approvals`,
and `endings` ends runs and tells who waits for them.
"""
