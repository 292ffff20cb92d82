"""What migrations add to a table of the configuration, so that its changes raise the number."""

from collections.abc import Sequence

from django.db.migrations import RunSQL


def raising(table: str, *, topic: str, columns: Sequence[str], many: bool = False,
            alone: bool = False) -> RunSQL:
    """Rows that come or go raise the number, and those of which one of these columns changes.

    Values are compared, so that saving a row with nothing changed, or other columns of it, raises
    nothing. many: compare none, where one statement may write a hundred thousand rows.
    alone: rows mean nothing by themselves, so that only changes of their columns count. A column
    that is named cannot change its type before the triggers are dropped.
    """
    old, new = (", ".join(f"{row}.{name}" for name in columns) for row in ("OLD", "NEW"))
    which = f"OF {', '.join(columns)} " if many else ""
    each = "STATEMENT" if many else f"ROW WHEN (ROW({old}) IS DISTINCT FROM ROW({new}))"
    call = f"EXECUTE FUNCTION omni_config_changed('{topic}')"
    made = {"omni_config_values": f"AFTER UPDATE {which}ON {table} FOR EACH {each} {call}"}
    if not alone:
        made["omni_config_rows"] = (
            f"AFTER INSERT OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT {call}")
    return RunSQL([f"CREATE TRIGGER {name} {what}" for name, what in made.items()],
                  [f"DROP TRIGGER {name} ON {table}" for name in made])
