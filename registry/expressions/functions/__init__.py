"""The registered pure functions an expression can call, as `lower(x)` or as `x.lower()`.

A null text gives null, false, "" or an empty list; only `len` and the number functions say that
null is not what they need. The time is a name (`now`, recorded with the run), not a function.
"""

from registry.expressions.functions import lists, numbers, text, times
from registry.expressions.functions.table import FUNCTIONS, Function

__all__ = ["FUNCTIONS", "Function", "lists", "numbers", "text", "times"]
