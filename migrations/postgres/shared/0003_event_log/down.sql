DROP FUNCTION tessera.expire(bigint, bigint);
DROP FUNCTION tessera.delete_events(bigint, bigint);
DROP FUNCTION tessera.drop_partition(bigint);
DROP FUNCTION tessera.make_partitions();
DROP FUNCTION tessera.partitions();
DROP FUNCTION tessera.make_partition(bigint);

LOCK TABLE tessera.events IN ACCESS EXCLUSIVE MODE;
ALTER TABLE tessera.events RENAME TO parted;
ALTER TABLE tessera.parted RENAME CONSTRAINT events_pkey TO parted_pkey;

CREATE TABLE tessera.events (
    position bigint GENERATED ALWAYS AS IDENTITY,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    subject text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    type text NOT NULL,
    time bigint NOT NULL,
    body text NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (position),
    CONSTRAINT events_sequence_check CHECK (sequence > 0)
);

INSERT INTO tessera.events (position, id, tenant_id, subject, sequence, type, time, body)
OVERRIDING SYSTEM VALUE
SELECT position, id, tenant_id, subject, sequence, type, time, body FROM tessera.parted;
SELECT setval('tessera.events_position_seq', last_value, is_called) FROM tessera.positions;

-- The first partition's guard may still have the name until here.
DROP TABLE tessera.parted;
ALTER TABLE tessera.events
    ADD CONSTRAINT events_sequence_key UNIQUE (tenant_id, subject, sequence);
DROP FUNCTION tessera.next_position();
DROP SEQUENCE tessera.positions;
DROP TABLE tessera.gaps;
DROP TABLE tessera.waiting;
DROP TABLE tessera.publishers;
