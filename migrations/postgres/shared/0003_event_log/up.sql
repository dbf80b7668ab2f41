-- How far each publisher came with the events. It is locked by every claim, and by every
-- settlement before it writes anything, so these never meet. An update finds room in its page.
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
    CONSTRAINT waiting_standing_check CHECK (due_at IS NULL OR parked_at IS NULL)
);

CREATE INDEX waiting_subject_idx ON tessera.waiting (publisher, tenant_id, subject, position);
CREATE INDEX waiting_due_idx ON tessera.waiting (publisher, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX waiting_parked_idx ON tessera.waiting (publisher, position)
    WHERE parked_at IS NOT NULL;

-- Positions that were missing when a publisher went past them. Whoever holds one had its
-- transaction id before, and `seen` is a later one: once all before `seen` are over, what is missing
-- stays so.
CREATE TABLE tessera.gaps (
    publisher text COLLATE "C" NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    seen xid8 NOT NULL,
    CONSTRAINT gaps_pkey PRIMARY KEY (publisher, first),
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
ALTER TABLE tessera.events ALTER COLUMN position SET DEFAULT tessera.next_position();
