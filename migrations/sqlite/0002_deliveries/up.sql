-- How far each publisher came with the log, and who has the right to bring it further.
CREATE TABLE publishers (
    name TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    claims INTEGER NOT NULL,
    holder BLOB,
    lease_until INTEGER,
    CONSTRAINT publishers_pkey PRIMARY KEY (name),
    CONSTRAINT publishers_cursor_check CHECK (cursor >= 0),
    CONSTRAINT publishers_sent_check CHECK (sent >= 0),
    CONSTRAINT publishers_claims_check CHECK (claims >= 0),
    CONSTRAINT publishers_holder_check CHECK (length(holder) = 16),
    CONSTRAINT publishers_lease_check CHECK ((holder IS NULL) = (lease_until IS NULL))
) STRICT, WITHOUT ROWID;

-- The events that a publisher went past without sending them: due, parked, or, with neither time,
-- behind an earlier one of the same subject, which is always the only one that is due or parked.
-- The key is led by the subject: with (publisher, position) for a key, the planner would take that
-- for the events of one subject, and go through all that waits.
CREATE TABLE waiting (
    publisher TEXT NOT NULL,
    tenant_id BLOB NOT NULL,
    subject TEXT NOT NULL,
    position INTEGER NOT NULL,
    rejections INTEGER NOT NULL,
    holds INTEGER NOT NULL,
    due_at INTEGER,
    parked_at INTEGER,
    reason TEXT,
    CONSTRAINT waiting_pkey PRIMARY KEY (publisher, tenant_id, subject, position),
    CONSTRAINT waiting_position_publisher_key UNIQUE (position, publisher),
    CONSTRAINT waiting_publisher_fkey FOREIGN KEY (publisher)
        REFERENCES publishers (name) ON DELETE CASCADE,
    CONSTRAINT waiting_tenant_id_check CHECK (length(tenant_id) = 16),
    CONSTRAINT waiting_rejections_check CHECK (rejections >= 0),
    CONSTRAINT waiting_holds_check CHECK (holds >= 0),
    CONSTRAINT waiting_standing_check CHECK (due_at IS NULL OR parked_at IS NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX waiting_publisher_due_at_idx ON waiting (publisher, due_at, position)
    WHERE due_at IS NOT NULL;

-- Few are parked: among them an event is found by its id without an index on all events.
CREATE INDEX waiting_publisher_parked_at_idx ON waiting (publisher, parked_at)
    WHERE parked_at IS NOT NULL;

CREATE INDEX events_tenant_id_position_idx ON events (tenant_id, position);
