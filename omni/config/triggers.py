"""What migrations add to a table of the configuration, so that its changes raise the number."""

from collections.abc import Sequence

from django.db.migrations import RunSQL


def raising(table: str, *, topic: str, columns: Sequence[str], many: bool = False) -> RunSQL:
    """Rows that come or go raise the number, and those of which one of these columns changes.

    Values are compared, so that saving a row with nothing changed, or other columns of it, raises
    nothing. many: compare none, where one statement may write a hundred thousand rows.
    """
    old, new = (", ".join(f"{row}.{name}" for name in columns) for row in ("OLD", "NEW"))
    which = f"OF {', '.join(columns)} " if many else ""
    each = "STATEMENT" if many else f"ROW WHEN (ROW({old}) IS DISTINCT FROM ROW({new}))"
    return RunSQL(
        f"""CREATE TRIGGER omni_config_rows AFTER INSERT OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION omni_config_changed('{topic}');
            CREATE TRIGGER omni_config_values AFTER UPDATE {which}ON {table}
            FOR EACH {each} EXECUTE FUNCTION omni_config_changed('{topic}');""",
        f"""DROP TRIGGER omni_config_rows ON {table};
            DROP TRIGGER omni_config_values ON {table};""")
