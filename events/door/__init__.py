"""How deliveries come in: from the first byte of a request to the commit that is acknowledged.

The order is `admission.admit`, then `receive.take_in`; both doors, `lane` and `views`, follow it.
"""
