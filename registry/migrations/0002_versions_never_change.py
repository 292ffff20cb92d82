"""A published version is never edited: runs are pinned to its text."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION omni_refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.text IS DISTINCT FROM OLD.text OR NEW.sha256 IS DISTINCT FROM OLD.sha256
       OR NEW.compiled IS DISTINCT FROM OLD.compiled OR NEW.number IS DISTINCT FROM OLD.number
       OR NEW.workflow_id IS DISTINCT FROM OLD.workflow_id THEN
        RAISE EXCEPTION 'a published workflow version never changes; publish a new one';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER omni_version_immutable BEFORE UPDATE ON omni_workflow_versions
    FOR EACH ROW EXECUTE FUNCTION omni_refuse_version_change();
"""
BACKWARD = """
DROP TRIGGER omni_version_immutable ON omni_workflow_versions;
DROP FUNCTION omni_refuse_version_change();
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
