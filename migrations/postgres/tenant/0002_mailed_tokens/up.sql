-- What is kept of tokens that were mailed; of the token itself, nothing.
CREATE TABLE mailed_tokens (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    digest bytea NOT NULL,
    purpose text NOT NULL,
    user_id uuid NOT NULL,
    email text NOT NULL,
    email_key text COLLATE "C" NOT NULL,
    account_key text COLLATE "C",
    epoch bigint NOT NULL,
    expires_at bigint NOT NULL,
    CONSTRAINT mailed_tokens_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT mailed_tokens_digest_key UNIQUE (tenant_id, digest),
    CONSTRAINT mailed_tokens_user_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT mailed_tokens_digest_check CHECK (length(digest) = 32),
    CONSTRAINT mailed_tokens_purpose_check CHECK (purpose IN ('change_email', 'reset_password',
        'verify_email'))
);

CREATE INDEX mailed_tokens_user_idx ON mailed_tokens (tenant_id, user_id, id);
CREATE INDEX mailed_tokens_end_idx ON mailed_tokens (tenant_id, expires_at);
