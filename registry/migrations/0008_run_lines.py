"""The line of a slot is kept by the database when a run enters and leaves it.

Of the runs of one key as many as its limit are queued or at work; the others are blocked, and the
next by ticket is queued when one leaves. A claim then looks at queued runs only. Triggers, because
many write runs and none may forget it. All of them hold the key, so that of an enterer and a
leaver the second sees what the first did (each query of a volatile function has a snapshot of its
own). Callers that hold a run's row take the key first (`registry.engine.work.queue.lock_slots`).
"""

from django.db import migrations

_ENTERS = """
CREATE FUNCTION omni_run_enters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.slot_key, 0));
    NEW.ticket := nextval('omni_run_tickets');
    IF EXISTS (SELECT 1 FROM omni_runs WHERE slot_key = NEW.slot_key AND state = 'blocked')
        OR (SELECT count(*) FROM (
            SELECT 1 FROM omni_runs WHERE slot_key = NEW.slot_key AND id <> NEW.id
            AND state IN ('queued', 'running') LIMIT NEW.slot_limit) held) >= NEW.slot_limit
    THEN
        NEW.state := 'blocked';
        NEW.lease_owner := '';
        NEW.lease_until := NULL;
        IF TG_OP = 'INSERT' THEN
            NEW.token := 0;
            NEW.started_at := NULL;
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER run_enters_new BEFORE INSERT ON omni_runs FOR EACH ROW
    WHEN (NEW.slot_key IS NOT NULL AND NEW.state IN ('queued', 'running'))
    EXECUTE FUNCTION omni_run_enters();
CREATE TRIGGER run_enters_again BEFORE UPDATE OF state ON omni_runs FOR EACH ROW
    WHEN (NEW.slot_key IS NOT NULL AND OLD.state = 'waiting' AND NEW.state = 'queued')
    EXECUTE FUNCTION omni_run_enters();
"""
_LEAVES = """
CREATE FUNCTION omni_next_in_line(line text) RETURNS SETOF bigint LANGUAGE sql AS $$
    UPDATE omni_runs SET state = 'queued' WHERE id = ANY(ARRAY(
        SELECT b.id FROM omni_runs b
        WHERE b.slot_key = line AND b.state = 'blocked' AND NOT EXISTS (
            SELECT 1 FROM omni_workflows w WHERE w.id = b.workflow_id AND w.mode = 'paused')
        ORDER BY b.ticket
        LIMIT greatest(0, coalesce((SELECT f.slot_limit FROM omni_runs f
                   WHERE f.slot_key = line AND f.state = 'blocked' ORDER BY f.ticket LIMIT 1), 0)
               - (SELECT count(*) FROM omni_runs h
                  WHERE h.slot_key = line AND h.state IN ('queued', 'running')))))
    RETURNING id;
$$;
CREATE FUNCTION omni_run_leaves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(OLD.slot_key, 0));
    IF EXISTS (SELECT omni_next_in_line(OLD.slot_key)) THEN
        PERFORM pg_notify('omni_work', '');  -- where nobody stands in line, nobody is told
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER run_leaves AFTER UPDATE OF state ON omni_runs FOR EACH ROW
    WHEN (OLD.slot_key IS NOT NULL AND OLD.state IN ('queued', 'running')
          AND NEW.state NOT IN ('queued', 'running'))
    EXECUTE FUNCTION omni_run_leaves();
"""
_AS_THEY_STAND = """
UPDATE omni_runs r SET state = 'blocked' FROM (
    SELECT id, row_number() OVER (PARTITION BY slot_key ORDER BY (state = 'queued'), ticket) AS n
    FROM omni_runs WHERE slot_key IS NOT NULL AND state IN ('queued', 'running')) line
WHERE r.id = line.id AND r.state = 'queued' AND line.n > r.slot_limit;
UPDATE omni_runs r SET state = 'blocked' FROM omni_workflows w
WHERE w.id = r.workflow_id AND w.mode = 'paused' AND r.state = 'queued';
"""
_BACK = """
DROP TRIGGER run_enters_new ON omni_runs;
DROP TRIGGER run_enters_again ON omni_runs;
DROP TRIGGER run_leaves ON omni_runs;
DROP FUNCTION omni_run_enters();
DROP FUNCTION omni_run_leaves();
DROP FUNCTION omni_next_in_line(text);
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0007_run_line_indexes")]

    operations = [
        migrations.RunSQL(_AS_THEY_STAND,
                          "UPDATE omni_runs SET state = 'queued' WHERE state = 'blocked'"),
        migrations.RunSQL(_ENTERS + _LEAVES, _BACK),
    ]
