"""A row in django-q2's table wakes the broker, which then needs to look once a second only."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("registry", "0008_run_lines"), ("django_q", "0018_task_success_index")]

    operations = [migrations.RunSQL(
        """
        CREATE FUNCTION omni_task_added() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify('omni_tasks', '');
            RETURN NULL;
        END $$;
        CREATE TRIGGER task_added AFTER INSERT ON django_q_ormq FOR EACH STATEMENT
            EXECUTE FUNCTION omni_task_added();
        """,
        """
        DROP TRIGGER task_added ON django_q_ormq;
        DROP FUNCTION omni_task_added();
        """)]
