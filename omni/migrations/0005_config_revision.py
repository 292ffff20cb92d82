"""One number for the configuration, and the function of the triggers that raise it.

The function takes any row of the topic that no other transaction holds, or makes one: a writer
never waits for another. It raises once in a transaction; that is enough, because nobody else sees
a part of a transaction.
"""

from django.db import migrations, models

FORWARD = """
CREATE FUNCTION omni_config_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    me bigint := pg_current_xact_id()::text::bigint;
BEGIN
    IF EXISTS (SELECT FROM omni_config_revision WHERE topic = TG_ARGV[0] AND writer = me) THEN
        RETURN NULL;
    END IF;
    UPDATE omni_config_revision SET number = number + 1, writer = me WHERE id = (
        SELECT id FROM omni_config_revision WHERE topic = TG_ARGV[0]
        ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);
    IF NOT FOUND THEN
        INSERT INTO omni_config_revision (topic, number, writer) VALUES (TG_ARGV[0], 1, me);
    END IF;
    PERFORM pg_notify('omni_config', '');
    RETURN NULL;
END $$;
"""
BACKWARD = "DROP FUNCTION omni_config_changed();"


class Migration(migrations.Migration):
    dependencies = [("omni", "0004_sign_in_tries")]

    operations = [
        migrations.CreateModel(
            name="ConfigRevision",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("topic", models.CharField(max_length=32)),
                ("number", models.BigIntegerField()),
                ("writer", models.BigIntegerField()),
            ],
            options={"db_table": "omni_config_revision"},
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
