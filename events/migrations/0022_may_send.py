"""What the limiter asks and says, as functions: `omni_may_send` is part of the statement that
begins a send, so that nobody comes between the look and the send.
"""

from django.db import migrations

# Every name of a place: what one is asked for counts under all of them (phone and LID).
NAMES = """
CREATE FUNCTION omni_names_of(account bigint, place text) RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    WITH kept AS (
        SELECT coalesce(c.merged_into_id, c.id) AS id FROM omni_conversations c
        WHERE c.instance_id = account AND c.ref = place
        UNION
        SELECT coalesce(c.merged_into_id, c.id) FROM omni_conversation_aliases a
        JOIN omni_conversations c ON c.id = a.conversation_id
        WHERE a.instance_id = account AND a.ref = place)
    SELECT place
    UNION SELECT c.ref FROM kept k JOIN omni_conversations c ON c.id = k.id
    UNION SELECT a.ref FROM kept k JOIN omni_conversation_aliases a ON a.conversation_id = k.id
$$;
"""
# Runs that answered a place within a minute (the cause came from there, or is gone), and whether it
# was stopped before.
LOOP = """
CREATE FUNCTION omni_loop_of(account bigint, place text, apart_from bigint, pause float)
RETURNS TABLE (stopped bool, runs bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE names text[] := ARRAY(SELECT omni_names_of(account, place));
BEGIN
    RETURN QUERY SELECT
        EXISTS (SELECT 1 FROM omni_events e
            WHERE e.instance_id = account AND e.event_type = 'system.loop.stopped'
            AND e.conversation_ref = ANY(names)
            AND e.occurred_at > omni_now() - pause * interval '1 minute'),
        (SELECT count(DISTINCT o.run_id) FROM omni_outbox o
            LEFT JOIN omni_events c ON c.id = o.caused_by_id
            WHERE o.instance_id = account AND o.recipient = ANY(names)
            AND o.run_id IS NOT NULL AND o.run_id <> apart_from
            AND o.started_at > omni_now() - interval '1 minute'
            AND (c.id IS NULL OR (c.instance_id = o.instance_id AND (
                c.conversation_id = o.conversation_id OR c.conversation_ref = ANY(names)))));
END $$;
"""
# The sliding minute: what began within it and the turns that were given are one line, and a send
# fits when the one `most` places before it is a minute ago. Sends that were put off go before those
# that come anew; they are measured by what really began, since they may come late. Who is given a
# moment after theirs gets a second more, so that being late by less than that puts nobody off again.
# Each statement of a VOLATILE function sees what was committed before it, so the lock makes looking
# and beginning one. The clock is read below the lock: moments are in the order of the line.
LINE = """
CREATE FUNCTION omni_next_send(account bigint, names text[], most int, moment timestamptz,
                               has_turn bool) RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT line.at + interval '1 minute' FROM (
        (SELECT o.started_at AS at FROM omni_outbox o
         WHERE o.run_id IS NOT NULL AND o.instance_id = account
         AND (names IS NULL OR o.recipient = ANY(names))
         AND o.started_at > moment - interval '1 minute' ORDER BY o.started_at DESC LIMIT most)
        UNION ALL
        (SELECT t.at + interval '1 second' FROM omni_send_turns t
         WHERE NOT has_turn AND t.instance_id = account
         AND CASE WHEN names IS NULL THEN t.recipient IS NULL ELSE t.recipient = ANY(names) END
         AND t.at > moment - interval '1 minute' ORDER BY t.at DESC LIMIT most)) line
    ORDER BY line.at DESC OFFSET most - 1 LIMIT 1
$$;
"""
MAY_SEND = """
CREATE FUNCTION omni_may_send(account bigint, place text, run bigint, key text, is_answer bool,
    per_minute int, per_person int, replies int, pause float)
RETURNS TABLE (verdict text, seconds float, runs bigint, at timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
    names text[];
    moment timestamptz;
    mine timestamptz;
    due timestamptz;
    whose text := '';
    loop_found record;
BEGIN
    IF is_answer AND replies > 0 THEN
        SELECT * INTO loop_found FROM omni_loop_of(account, place, run, pause);
        IF loop_found.stopped OR loop_found.runs >= replies THEN
            RETURN QUERY SELECT CASE WHEN loop_found.stopped THEN 'stopped' ELSE 'loop' END,
                0::float, loop_found.runs, omni_now();
            RETURN;
        END IF;
    END IF;
    IF per_minute <= 0 AND per_person <= 0 THEN
        RETURN QUERY SELECT '', 0::float, 0::bigint, omni_now();
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('send:' || account, 0));
    moment := omni_now() + (clock_timestamp() - statement_timestamp());
    SELECT t.at, CASE WHEN t.recipient IS NULL THEN 'account' ELSE 'person' END
        INTO mine, whose FROM omni_send_turns t
        WHERE t.effect_key = key AND t.instance_id = account;
    IF mine > moment THEN  -- it was waked before its time
        RETURN QUERY SELECT whose, extract(epoch FROM mine - moment)::float, 0::bigint, moment;
        RETURN;
    END IF;
    IF per_person > 0 THEN
        names := ARRAY(SELECT omni_names_of(account, place));
        due := omni_next_send(account, names, per_person, moment, mine IS NOT NULL);
        whose := 'person';
    END IF;
    IF per_minute > 0 AND (due IS NULL OR due <= moment) THEN
        due := omni_next_send(account, NULL, per_minute, moment, mine IS NOT NULL);
        whose := 'account';
    END IF;
    IF due > moment THEN
        INSERT INTO omni_send_turns (effect_key, instance_id, recipient, at)
        VALUES (key, account, CASE WHEN whose = 'person' THEN place END, due)
        ON CONFLICT (effect_key) DO UPDATE SET instance_id = excluded.instance_id,
            recipient = excluded.recipient, at = excluded.at;
        DELETE FROM omni_send_turns t WHERE t.instance_id = account
            AND t.at < moment - interval '1 hour';  -- of runs that never came for them
        RETURN QUERY SELECT whose, extract(epoch FROM due - moment)::float, 0::bigint, moment;
        RETURN;
    END IF;
    IF mine IS NOT NULL THEN
        DELETE FROM omni_send_turns t WHERE t.effect_key = key;
    END IF;
    RETURN QUERY SELECT '', 0::float, 0::bigint, moment;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0021_send_turns"), ("omni", "0003_database_clock")]

    operations = [
        migrations.RunSQL(NAMES, "DROP FUNCTION omni_names_of(bigint, text)"),
        migrations.RunSQL(LOOP, "DROP FUNCTION omni_loop_of(bigint, text, bigint, float)"),
        migrations.RunSQL(
            LINE, "DROP FUNCTION omni_next_send(bigint, text[], int, timestamptz, bool)"),
        migrations.RunSQL(MAY_SEND, "DROP FUNCTION omni_may_send(bigint, text, bigint, text, bool, "
                                    "int, int, int, float)"),
    ]
