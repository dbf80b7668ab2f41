-- The mails of all tenants that are not sent yet. Whom they are about has no foreign key: that an
-- account is no more is told to somebody who is no user then.
CREATE TABLE tessera.mails (
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    account_key text,
    user_id uuid,
    email text,
    email_key text,
    asked_at bigint NOT NULL,
    due_at bigint NOT NULL,
    tries bigint NOT NULL,
    CONSTRAINT mails_pkey PRIMARY KEY (id),
    CONSTRAINT mails_tenant_fkey FOREIGN KEY (tenant_id)
        REFERENCES tessera.tenants (id) ON DELETE CASCADE,
    CONSTRAINT mails_kind_check CHECK (kind IN ('account_deleted', 'already_registered',
        'change_email', 'change_email_requested', 'email_changed', 'invitation', 'password_changed',
        'reset_password', 'verify_email')),
    CONSTRAINT mails_addressee_check CHECK ((account_key IS NULL) <> (user_id IS NULL)),
    CONSTRAINT mails_email_check CHECK ((email IS NULL) = (email_key IS NULL)),
    CONSTRAINT mails_email_user_check CHECK (email IS NULL OR user_id IS NOT NULL)
);

CREATE INDEX mails_due_idx ON tessera.mails (due_at, id);
CREATE INDEX mails_tenant_idx ON tessera.mails (tenant_id);
