"""What runs wait for and how they end: events, times, people, other runs, and ends from outside.

Approvals are answered through `approvals.answer`; reruns and cancellations through `reruns` and
`endings`.
"""
