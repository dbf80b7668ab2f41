-- What holds for the accounts of one tenant; what is NULL, the installation says.
ALTER TABLE tenants ADD COLUMN registration TEXT
    CONSTRAINT tenants_registration_check CHECK (registration IN ('closed', 'invite', 'open'));
ALTER TABLE tenants ADD COLUMN password_chars INTEGER
    CONSTRAINT tenants_password_chars_check CHECK (password_chars BETWEEN 8 AND 64);
ALTER TABLE tenants ADD COLUMN job_role_by TEXT NOT NULL DEFAULT 'administrators'
    CONSTRAINT tenants_job_role_by_check CHECK (job_role_by IN ('administrators', 'users'));
