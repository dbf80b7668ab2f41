-- The mails of all tenants that are not sent yet. The user has no foreign key: that an account is no
-- more is told to somebody who is no user then.
CREATE TABLE mails (
    id BLOB NOT NULL,
    tenant_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    account_key TEXT,
    user_id BLOB,
    email TEXT,
    email_key TEXT,
    asked_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    CONSTRAINT mails_pkey PRIMARY KEY (id),
    CONSTRAINT mails_tenant_id_fkey FOREIGN KEY (tenant_id)
        REFERENCES tenants (id) ON DELETE CASCADE,
    CONSTRAINT mails_id_check CHECK (length(id) = 16),
    CONSTRAINT mails_kind_check CHECK (kind IN (
        'account_deleted', 'already_registered', 'change_email', 'change_email_requested',
        'email_changed', 'invitation', 'password_changed', 'reset_password', 'verify_email'
    )),
    CONSTRAINT mails_addressee_check CHECK ((account_key IS NULL) <> (user_id IS NULL)),
    CONSTRAINT mails_user_id_check CHECK (length(user_id) = 16),
    CONSTRAINT mails_email_check CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT mails_email_user_check CHECK (email IS NULL OR user_id IS NOT NULL),
    CONSTRAINT mails_tries_check CHECK (tries >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX mails_due_at_idx ON mails (due_at);

CREATE INDEX mails_tenant_id_idx ON mails (tenant_id);

-- What is kept of tokens that were mailed; of the token itself, nothing. The key is led by the user:
-- with (tenant_id, id) for a key, the planner would take that for the tokens of one user, and go
-- through all of the tenant.
CREATE TABLE mailed_tokens (
    tenant_id BLOB NOT NULL,
    id BLOB NOT NULL,
    digest BLOB NOT NULL,
    purpose TEXT NOT NULL,
    user_id BLOB NOT NULL,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    account_key TEXT,
    epoch INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CONSTRAINT mailed_tokens_pkey PRIMARY KEY (tenant_id, user_id, id),
    CONSTRAINT mailed_tokens_tenant_id_id_key UNIQUE (tenant_id, id),
    CONSTRAINT mailed_tokens_tenant_id_digest_key UNIQUE (tenant_id, digest),
    CONSTRAINT mailed_tokens_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT mailed_tokens_id_check CHECK (length(id) = 16),
    CONSTRAINT mailed_tokens_digest_check CHECK (length(digest) = 32),
    CONSTRAINT mailed_tokens_purpose_check CHECK (
        purpose IN ('change_email', 'reset_password', 'verify_email')
    ),
    CONSTRAINT mailed_tokens_epoch_check CHECK (epoch >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX mailed_tokens_tenant_id_expires_at_idx ON mailed_tokens (tenant_id, expires_at);
