"""`omni_now()`: the clock of everything that waits.

It is the database's own, so that all workers agree. `ALTER DATABASE … SET omni.clock_offset` moves
it for sessions that begin afterwards: tests of long waits do that instead of sleeping.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION omni_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT statement_timestamp()
        + coalesce(nullif(current_setting('omni.clock_offset', true), '')::interval, interval '0')
$$;
"""
BACKWARD = "DROP FUNCTION omni_now();"


class Migration(migrations.Migration):
    dependencies = [("omni", "0002_audit_log_append_only")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
