-- Ids are the 16 bytes of a UUID, times microseconds UTC since 1970, booleans 0 or 1.

CREATE TABLE installation (
    id INTEGER NOT NULL,
    public_url TEXT NOT NULL,
    CONSTRAINT installation_pkey PRIMARY KEY (id),
    CONSTRAINT installation_id_check CHECK (id = 1)
) STRICT;

CREATE TABLE tenants (
    id BLOB NOT NULL,
    external_id TEXT,
    name TEXT NOT NULL,
    schema TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    events INTEGER NOT NULL,
    version INTEGER NOT NULL,
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_schema_key UNIQUE (schema),
    CONSTRAINT tenants_id_check CHECK (length(id) = 16),
    CONSTRAINT tenants_status_check CHECK (status IN ('active', 'suspended')),
    CONSTRAINT tenants_events_check CHECK (events >= 0),
    CONSTRAINT tenants_version_check CHECK (version >= 1)
) STRICT, WITHOUT ROWID;

-- The keys of names and of schema names: one namespace.
CREATE TABLE tenant_names (
    key TEXT NOT NULL,
    tenant_id BLOB NOT NULL,
    CONSTRAINT tenant_names_pkey PRIMARY KEY (key),
    CONSTRAINT tenant_names_tenant_id_fkey FOREIGN KEY (tenant_id)
        REFERENCES tenants (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX tenant_names_tenant_id_idx ON tenant_names (tenant_id);

CREATE TABLE tenant_domains (
    host TEXT NOT NULL,
    tenant_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    is_primary INTEGER NOT NULL,
    CONSTRAINT tenant_domains_pkey PRIMARY KEY (host),
    CONSTRAINT tenant_domains_tenant_id_position_key UNIQUE (tenant_id, position),
    CONSTRAINT tenant_domains_tenant_id_fkey FOREIGN KEY (tenant_id)
        REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT tenant_domains_is_primary_check CHECK (is_primary IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    tenant_id BLOB NOT NULL,
    id BLOB NOT NULL,
    external_id TEXT,
    email TEXT,
    email_key TEXT,
    email_verified INTEGER NOT NULL,
    username TEXT,
    username_key TEXT,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    job_role TEXT NOT NULL,
    roles TEXT NOT NULL,
    is_superuser INTEGER NOT NULL,
    status TEXT NOT NULL,
    password TEXT,
    failures INTEGER NOT NULL,
    last_failure INTEGER,
    locked_until INTEGER,
    epoch INTEGER NOT NULL,
    joined_at INTEGER NOT NULL,
    last_login INTEGER,
    events INTEGER NOT NULL,
    version INTEGER NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT users_tenant_id_email_key_key UNIQUE (tenant_id, email_key),
    CONSTRAINT users_tenant_id_username_key_key UNIQUE (tenant_id, username_key),
    CONSTRAINT users_tenant_id_fkey FOREIGN KEY (tenant_id)
        REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT users_id_check CHECK (length(id) = 16),
    CONSTRAINT users_email_check CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT users_email_verified_check CHECK (email_verified IN (0, 1)),
    CONSTRAINT users_username_check CHECK ((username IS NULL) = (username_key IS NULL)),
    CONSTRAINT users_is_superuser_check CHECK (is_superuser IN (0, 1)),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'disabled')),
    CONSTRAINT users_failures_check CHECK (failures >= 0),
    CONSTRAINT users_epoch_check CHECK (epoch >= 0),
    CONSTRAINT users_events_check CHECK (events >= 0),
    CONSTRAINT users_version_check CHECK (version >= 1)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    tenant_id BLOB NOT NULL,
    id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    idle_end INTEGER NOT NULL,
    absolute_end INTEGER NOT NULL,
    key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    ip TEXT,
    user_agent TEXT,
    wrong_passwords INTEGER NOT NULL,
    ended_at INTEGER,
    ended_why TEXT,
    version INTEGER NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT sessions_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT sessions_id_check CHECK (length(id) = 16),
    CONSTRAINT sessions_epoch_check CHECK (epoch >= 0),
    CONSTRAINT sessions_generation_check CHECK (generation >= 0),
    CONSTRAINT sessions_ended_check CHECK ((ended_at IS NULL) = (ended_why IS NULL)),
    CONSTRAINT sessions_ended_why_check CHECK (ended_why IN (
        'disabled', 'guessing', 'limit', 'log_out', 'log_out_everywhere', 'operator',
        'password_change', 'reuse', 'revoked'
    )),
    CONSTRAINT sessions_version_check CHECK (version >= 1)
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_tenant_id_user_id_idx ON sessions (tenant_id, user_id);

CREATE TABLE keys (
    id BLOB NOT NULL,
    kid TEXT NOT NULL,
    purpose TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    origin TEXT NOT NULL,
    public TEXT,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    signs_from INTEGER NOT NULL,
    verifies_until INTEGER,
    events INTEGER NOT NULL,
    version INTEGER NOT NULL,
    CONSTRAINT keys_pkey PRIMARY KEY (id),
    CONSTRAINT keys_kid_key UNIQUE (kid),
    CONSTRAINT keys_id_check CHECK (length(id) = 16),
    CONSTRAINT keys_purpose_check CHECK (purpose IN ('access', 'refresh')),
    CONSTRAINT keys_algorithm_check CHECK (
        algorithm IN ('EdDSA', 'ES256', 'HS256', 'PS256', 'RS256')
    ),
    CONSTRAINT keys_origin_check CHECK (origin IN ('configured', 'generated')),
    CONSTRAINT keys_events_check CHECK (events >= 0),
    CONSTRAINT keys_version_check CHECK (version >= 1)
) STRICT, WITHOUT ROWID;

-- No foreign key: the log outlives what it tells of. A position is never given twice.
CREATE TABLE events (
    position INTEGER CONSTRAINT events_pkey PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL,
    tenant_id BLOB NOT NULL,
    subject TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    type TEXT NOT NULL,
    time INTEGER NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT events_tenant_id_subject_sequence_key UNIQUE (tenant_id, subject, sequence),
    CONSTRAINT events_id_check CHECK (length(id) = 16),
    CONSTRAINT events_sequence_check CHECK (sequence >= 1)
) STRICT;
