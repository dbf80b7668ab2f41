-- Run with the tenant's schema as the only one in search_path, so no table is named in full.
-- Every key begins with tenant_id: the same tables hold many tenants where these share a schema.

CREATE TABLE users (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    external_id text,
    email text,
    email_key text COLLATE "C",
    email_verified boolean NOT NULL,
    username text,
    username_key text COLLATE "C",
    first_name text NOT NULL,
    last_name text NOT NULL,
    job_role text NOT NULL,
    roles text[] NOT NULL,
    is_superuser boolean NOT NULL,
    status text NOT NULL,
    password text,
    failures bigint NOT NULL,
    last_failure bigint,
    locked_until bigint,
    epoch bigint NOT NULL,
    joined_at bigint NOT NULL,
    last_login bigint,
    events bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT users_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT users_email_key UNIQUE (tenant_id, email_key),
    CONSTRAINT users_username_key UNIQUE (tenant_id, username_key),
    CONSTRAINT users_email_check CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT users_username_check CHECK ((username IS NULL) = (username_key IS NULL)),
    CONSTRAINT users_status_check CHECK (status IN ('active', 'disabled')),
    CONSTRAINT users_version_check CHECK (version > 0)
) WITH (fillfactor = 80);

-- A refresh changes no indexed column and finds room in its page, so it touches no index.
CREATE TABLE sessions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    epoch bigint NOT NULL,
    generation bigint NOT NULL,
    refreshed_at bigint NOT NULL,
    idle_end bigint NOT NULL,
    absolute_end bigint NOT NULL,
    key text NOT NULL,
    created_at bigint NOT NULL,
    ip text,
    user_agent text,
    wrong_passwords bigint NOT NULL,
    ended_at bigint,
    ended_why text,
    version bigint NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT sessions_user_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT sessions_ended_check CHECK ((ended_at IS NULL) = (ended_why IS NULL)),
    CONSTRAINT sessions_ended_why_check CHECK (ended_why IN ('disabled', 'guessing', 'limit', 'log_out',
        'log_out_everywhere', 'operator', 'password_change', 'reuse', 'revoked')),
    CONSTRAINT sessions_version_check CHECK (version > 0)
) WITH (fillfactor = 70);

CREATE INDEX sessions_user_idx ON sessions (tenant_id, user_id);
