"""The database's clock, which all processes share and tests can move."""

from django.db.models import DateTimeField, Func


class DatabaseNow(Func):
    """`omni_now()` as a value to write or to compare with."""

    function = "omni_now"
    arity = 0
    output_field = DateTimeField()
