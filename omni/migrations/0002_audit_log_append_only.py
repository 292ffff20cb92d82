"""The audit log only grows: the database refuses changes and deletions."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION omni_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER omni_audit_append_only BEFORE UPDATE OR DELETE ON omni_audit_log
    FOR EACH ROW EXECUTE FUNCTION omni_refuse_audit_change();
"""
BACKWARD = """
DROP TRIGGER omni_audit_append_only ON omni_audit_log;
DROP FUNCTION omni_refuse_audit_change();
"""


class Migration(migrations.Migration):
    dependencies = [("omni", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
