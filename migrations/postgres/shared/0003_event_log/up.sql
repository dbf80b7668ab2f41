-- How far each publisher came with the events. It is locked by every claim that has something to do,
-- by every settlement and by who removes it, before they touch a row of the tables below: so these
-- never meet. An update finds room in its page.
CREATE TABLE tessera.publishers (
    name text COLLATE "C" NOT NULL,
    cursor bigint NOT NULL,
    sent bigint NOT NULL,
    claims bigint NOT NULL,
    holder uuid,
    lease_until bigint,
    CONSTRAINT publishers_pkey PRIMARY KEY (name),
    CONSTRAINT publishers_lease_check CHECK ((holder IS NULL) = (lease_until IS NULL))
) WITH (fillfactor = 50);

-- What a publisher went past without sending it: due, parked, or (neither) behind an earlier event
-- of the same subject. Only the first of a subject is due or parked.
CREATE TABLE tessera.waiting (
    publisher text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    tenant_id uuid NOT NULL,
    subject text COLLATE "C" NOT NULL,
    rejections bigint NOT NULL,
    holds bigint NOT NULL,
    due_at bigint,
    parked_at bigint,
    reason text,
    CONSTRAINT waiting_pkey PRIMARY KEY (publisher, position),
    CONSTRAINT waiting_publisher_fkey FOREIGN KEY (publisher)
        REFERENCES tessera.publishers (name) ON DELETE CASCADE,
    CONSTRAINT waiting_standing_check CHECK (due_at IS NULL OR parked_at IS NULL)
);

CREATE INDEX waiting_subject_idx ON tessera.waiting (publisher, tenant_id, subject, position);
CREATE INDEX waiting_due_idx ON tessera.waiting (publisher, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX waiting_parked_idx ON tessera.waiting (publisher, position)
    WHERE parked_at IS NOT NULL;
CREATE INDEX waiting_pending_idx ON tessera.waiting (publisher, position)
    WHERE parked_at IS NULL;

-- Positions that were missing when a publisher went past them. Whoever holds one had its
-- transaction id before, and `seen` is a later one: once all before `seen` are over, what is missing
-- stays so.
CREATE TABLE tessera.gaps (
    publisher text COLLATE "C" NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    seen xid8 NOT NULL,
    CONSTRAINT gaps_pkey PRIMARY KEY (publisher, first),
    CONSTRAINT gaps_publisher_fkey FOREIGN KEY (publisher)
        REFERENCES tessera.publishers (name) ON DELETE CASCADE,
    CONSTRAINT gaps_order_check CHECK (first <= last)
);

CREATE SEQUENCE tessera.positions AS bigint;

-- Takes the transaction's id before the position, which `gaps` relies on.
CREATE FUNCTION tessera.next_position() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_current_xact_id();
    RETURN nextval('tessera.positions');
END
$$;

LOCK TABLE tessera.events IN ACCESS EXCLUSIVE MODE;
SELECT setval('tessera.positions', last_value, is_called) FROM tessera.events_position_seq;
ALTER TABLE tessera.events ALTER COLUMN position DROP IDENTITY;

-- Events leave by the million, a partition at a time: `events_N` begins at position N, and what no
-- partition is made for lands in `events_rest`. That a subject has an event of a sequence once is
-- guarded within each partition; what changes a subject guards it by the subject's own version. The
-- first partition's guard is called as it was, so that the previous version of the service knows it.
ALTER TABLE tessera.events RENAME TO events_1;
ALTER TABLE tessera.events_1 RENAME CONSTRAINT events_pkey TO events_1_pkey;
CREATE INDEX events_1_tenant_idx ON tessera.events_1 (tenant_id, position);

CREATE TABLE tessera.events (
    position bigint NOT NULL DEFAULT tessera.next_position(),
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    subject text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    type text NOT NULL,
    time bigint NOT NULL,
    body text NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (position),
    CONSTRAINT events_sequence_check CHECK (sequence > 0)
) PARTITION BY RANGE (position);

CREATE TABLE tessera.events_rest PARTITION OF tessera.events (
    CONSTRAINT events_rest_sequence_key UNIQUE (tenant_id, subject, sequence)
) DEFAULT;

-- By which the pages of one tenant are read. A partition has its own before it has this one, so
-- that it has a name.
CREATE INDEX events_rest_tenant_idx ON tessera.events_rest (tenant_id, position);
CREATE INDEX events_tenant_idx ON tessera.events (tenant_id, position);

-- Made apart and attached, a partition stops nobody who writes.
CREATE FUNCTION tessera.make_partition(first bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    called text := 'events_' || first;
BEGIN
    EXECUTE format('CREATE TABLE tessera.%I (
        LIKE tessera.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
        CONSTRAINT %I PRIMARY KEY (position),
        CONSTRAINT %I UNIQUE (tenant_id, subject, sequence))',
        called, called || '_pkey', called || '_sequence_key');
    EXECUTE format('CREATE INDEX %I ON tessera.%I (tenant_id, position)',
        called || '_tenant_idx', called);
    EXECUTE format('ALTER TABLE tessera.events ATTACH PARTITION tessera.%I
        FOR VALUES FROM (%s) TO (%s)', called, first, first + 1000000);
END
$$;

DO $$
DECLARE
    beyond bigint := (SELECT last_value FROM tessera.positions) / 1000000 * 1000000 + 1000001;
BEGIN
    EXECUTE format('ALTER TABLE tessera.events ATTACH PARTITION tessera.events_1
        FOR VALUES FROM (MINVALUE) TO (%s)', beyond);
    FOR ahead IN 0..2 LOOP
        PERFORM tessera.make_partition(beyond + ahead * 1000000);
    END LOOP;
END
$$;

-- The partitions but `events_rest`, by their first position; `next` is the first of the next one.
CREATE FUNCTION tessera.partitions() RETURNS TABLE (first bigint, next bigint)
LANGUAGE sql STABLE AS $$
    SELECT start, lead(start) OVER (ORDER BY start) FROM pg_class
    CROSS JOIN LATERAL (SELECT substring(relname FROM '^events_([0-9]+)$')::bigint) AS found (start)
    WHERE relnamespace = 'tessera'::regnamespace AND relkind = 'r' AND start IS NOT NULL
    ORDER BY start
$$;

-- Makes partitions where fewer than two are left ahead, beyond whatever is in `events_rest`.
CREATE FUNCTION tessera.make_partitions() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    head bigint := (SELECT last_value FROM tessera.positions);
    beyond bigint := (SELECT max(first) + 1000000 FROM tessera.partitions());
BEGIN
    IF beyond - head > 2000000 THEN
        RETURN;
    END IF;
    IF beyond <= head THEN
        beyond := head / 1000000 * 1000000 + 2000001;
    END IF;
    WHILE beyond - head <= 3000000 LOOP
        PERFORM tessera.make_partition(beyond);
        beyond := beyond + 1000000;
    END LOOP;
END
$$;

-- Drops the first partition in which everything is from before `before` and sent to all; answers
-- whether there was one. The one that is written to, and those ahead, are none.
--
-- Times are nearly in the order of positions, as an event has both from one commit. So the last few
-- thousand tell of all, which are too many to be read; one before these is younger by moments only.
CREATE FUNCTION tessera.drop_partition(before bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    head bigint := (SELECT last_value FROM tessera.positions);
    part record;
    young boolean;
BEGIN
    FOR part IN
        SELECT 'events_' || first AS called FROM tessera.partitions() AS parts
        WHERE next <= head
            AND NOT EXISTS (SELECT FROM tessera.publishers WHERE cursor < next - 1)
            AND NOT EXISTS (SELECT FROM tessera.waiting
                WHERE position >= parts.first AND position < parts.next)
            AND NOT EXISTS (SELECT FROM tessera.gaps
                WHERE gaps.last >= parts.first AND gaps.first < parts.next)
        ORDER BY parts.first
    LOOP
        EXECUTE format('SELECT coalesce(max(time) >= $1, false) FROM (
            SELECT time FROM tessera.%I ORDER BY position DESC LIMIT 5000) AS lasts', part.called)
            INTO young USING before;
        IF NOT young THEN
            EXECUTE format('DROP TABLE tessera.%I', part.called);
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;

-- Removes at most `few` of the first events that are from before `before` and sent to all; answers
-- how many. Those of a partition that is full have another day, so that they may leave with it.
CREATE FUNCTION tessera.delete_events(before bigint, few bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    head bigint := (SELECT last_value FROM tessera.positions);
    sent bigint := (SELECT coalesce(min(cursor), 9223372036854775807) FROM tessera.publishers);
    written bigint := (SELECT max(first) FROM tessera.partitions() WHERE first <= head);
    removed bigint;
BEGIN
    DELETE FROM tessera.events WHERE position IN (
        SELECT position FROM (
            SELECT position, time FROM tessera.events AS event
            WHERE position <= sent
                AND NOT EXISTS (SELECT FROM tessera.waiting
                    WHERE waiting.position = event.position)
                AND NOT EXISTS (SELECT FROM tessera.gaps
                    WHERE event.position BETWEEN gaps.first AND gaps.last)
            ORDER BY position LIMIT few
        ) AS firsts
        WHERE time < before - CASE WHEN position < written THEN 86400000000 ELSE 0 END);
    GET DIAGNOSTICS removed = ROW_COUNT;
    RETURN removed;
END
$$;

-- Keeps partitions ahead and lets go of what is old and sent; answers whether more may be left. It
-- is no hurry: it gives way to another one that does the same, and to all who have the table, and
-- waits so short a time for these that nobody notices who waits behind it.
--
-- Who has the table for long, as a dump does, keeps it from some of its work and not from the rest.
-- What locks others out comes last, as it does so until the end.
CREATE FUNCTION tessera.expire(before bigint, few bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    more boolean := false;
    dropped boolean := false;
BEGIN
    IF NOT pg_try_advisory_xact_lock(84737, 1) THEN
        RETURN false;
    END IF;
    PERFORM set_config('lock_timeout', '100ms', true);
    BEGIN
        more := tessera.delete_events(before, few) = few;
    EXCEPTION WHEN lock_not_available THEN
        NULL;
    END;
    BEGIN
        PERFORM tessera.make_partitions();
    EXCEPTION WHEN lock_not_available THEN
        NULL;
    END;
    BEGIN
        dropped := tessera.drop_partition(before);
    EXCEPTION WHEN lock_not_available THEN
        NULL;
    END;
    RETURN more OR dropped;
END
$$;
