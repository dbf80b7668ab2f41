-- Moments are microseconds since 1970, UTC. What is compared or sorted by is COLLATE "C": by its
-- bytes, as the service compares it, whatever the locale of the database.

CREATE TABLE tessera.installation (
    singleton boolean NOT NULL,
    public_url text NOT NULL,
    CONSTRAINT installation_pkey PRIMARY KEY (singleton),
    CONSTRAINT installation_singleton_check CHECK (singleton)
);

CREATE TABLE tessera.tenants (
    id uuid NOT NULL,
    external_id text,
    name text NOT NULL,
    schema text COLLATE "C" NOT NULL,
    status text NOT NULL,
    created_at bigint NOT NULL,
    events bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT tenants_schema_key UNIQUE (schema),
    CONSTRAINT tenants_status_check CHECK (status IN ('active', 'suspended')),
    CONSTRAINT tenants_version_check CHECK (version > 0)
);

-- Names and schema names are one namespace: each tenant has the key of both.
CREATE TABLE tessera.tenant_names (
    key text COLLATE "C" NOT NULL,
    tenant_id uuid NOT NULL,
    CONSTRAINT tenant_names_pkey PRIMARY KEY (key),
    CONSTRAINT tenant_names_tenant_fkey FOREIGN KEY (tenant_id)
        REFERENCES tessera.tenants (id) ON DELETE CASCADE
);

CREATE INDEX tenant_names_tenant_idx ON tessera.tenant_names (tenant_id);

CREATE TABLE tessera.tenant_domains (
    host text COLLATE "C" NOT NULL,
    tenant_id uuid NOT NULL,
    place bigint NOT NULL,
    is_primary boolean NOT NULL,
    CONSTRAINT tenant_domains_pkey PRIMARY KEY (host),
    CONSTRAINT tenant_domains_place_key UNIQUE (tenant_id, place),
    CONSTRAINT tenant_domains_tenant_fkey FOREIGN KEY (tenant_id)
        REFERENCES tessera.tenants (id) ON DELETE CASCADE
);

CREATE TABLE tessera.keys (
    id uuid NOT NULL,
    kid text COLLATE "C" NOT NULL,
    purpose text NOT NULL,
    algorithm text NOT NULL,
    origin text NOT NULL,
    public text,
    sealed bytea NOT NULL,
    created_at bigint NOT NULL,
    signs_from bigint NOT NULL,
    verifies_until bigint,
    events bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT keys_pkey PRIMARY KEY (id),
    CONSTRAINT keys_kid_key UNIQUE (kid),
    CONSTRAINT keys_purpose_check CHECK (purpose IN ('access', 'refresh')),
    CONSTRAINT keys_algorithm_check CHECK (algorithm IN ('EdDSA', 'ES256', 'HS256', 'PS256', 'RS256')),
    CONSTRAINT keys_origin_check CHECK (origin IN ('configured', 'generated')),
    CONSTRAINT keys_version_check CHECK (version > 0)
);

-- Of every tenant, so that one relay reads one table. It outlives the tenants it tells of.
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
    CONSTRAINT events_sequence_key UNIQUE (tenant_id, subject, sequence),
    CONSTRAINT events_sequence_check CHECK (sequence > 0)
);

-- Refuses the transaction it is called in. COMMIT travels together with the writes, before their
-- row counts are known, so a guard that finds nothing has to raise.
CREATE FUNCTION tessera.stale() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RAISE EXCEPTION 'changed since it was read'
        USING ERRCODE = 'TS001', CONSTRAINT = 'tessera_stale';
END
$$;

-- Refuses the transaction as the registry does that has the name already.
CREATE FUNCTION tessera.taken() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RAISE EXCEPTION 'the schema exists, and is not of this registry'
        USING ERRCODE = 'unique_violation', CONSTRAINT = 'tenants_schema_key';
END
$$;
