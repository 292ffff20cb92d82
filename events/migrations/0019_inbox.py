"""Events that are not routed yet are rows of a small table of their own.

An index of `routed_at` would make every mark of an event rewrite all of its indexes. Triggers,
because whoever stores an event, or takes its mark away, must not forget the row.
"""

from django.db import migrations, models

_TRIGGERS = """
CREATE FUNCTION omni_event_arrives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO omni_inbox (instance_id, event_id)
    SELECT instance_id, id FROM arrived WHERE routed_at IS NULL ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER event_arrives AFTER INSERT ON omni_events
    REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION omni_event_arrives();

CREATE FUNCTION omni_event_routed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM omni_inbox WHERE instance_id = NEW.instance_id AND event_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER event_routed AFTER UPDATE OF routed_at ON omni_events FOR EACH ROW
    WHEN (OLD.routed_at IS NULL AND NEW.routed_at IS NOT NULL)
    EXECUTE FUNCTION omni_event_routed();

CREATE FUNCTION omni_event_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO omni_inbox (instance_id, event_id) VALUES (NEW.instance_id, NEW.id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER event_again AFTER UPDATE OF routed_at ON omni_events FOR EACH ROW
    WHEN (OLD.routed_at IS NOT NULL AND NEW.routed_at IS NULL)
    EXECUTE FUNCTION omni_event_again();

INSERT INTO omni_inbox (instance_id, event_id)
SELECT instance_id, id FROM omni_events WHERE routed_at IS NULL;
ALTER TABLE omni_inbox SET (autovacuum_vacuum_scale_factor = 0,
                            autovacuum_vacuum_threshold = 2000);
ALTER TABLE omni_events SET (fillfactor = 90);
"""
_BACK = """
DROP TRIGGER event_arrives ON omni_events;
DROP TRIGGER event_routed ON omni_events;
DROP TRIGGER event_again ON omni_events;
DROP FUNCTION omni_event_arrives();
DROP FUNCTION omni_event_routed();
DROP FUNCTION omni_event_again();
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0018_alias_is_guess")]

    operations = [
        migrations.CreateModel(
            name="InboxEntry",
            fields=[
                ("pk", models.CompositePrimaryKey("instance_id", "event_id", blank=True,
                                                  editable=False, primary_key=True,
                                                  serialize=False)),
                ("instance_id", models.BigIntegerField()),
                ("event_id", models.BigIntegerField()),
            ],
            options={"db_table": "omni_inbox"},
        ),
        migrations.RunSQL(_TRIGGERS, _BACK),
    ]
