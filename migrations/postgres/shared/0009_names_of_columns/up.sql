-- Where a name is that of a column, PL/pgSQL does not look for a variable of that name, too. It has to
-- look at each of sixty for each of forty columns, and plans anew at nearly every request where each
-- tenant has a schema.

CREATE OR REPLACE FUNCTION tessera.session_where_it_is(shown text, session_id uuid) RETURNS TABLE (
    s_tenant_id uuid, s_id uuid, s_user_id uuid, s_epoch bigint, s_generation bigint,
    s_refreshed_at bigint, s_idle_end bigint, s_absolute_end bigint, s_key text,
    s_created_at bigint, s_ip text, s_user_agent text, s_wrong_passwords bigint,
    s_ended_at bigint, s_ended_why text, s_version bigint, u_tenant_id uuid, u_id uuid, u_external_id text, u_email text,
    u_email_key text, u_email_verified boolean, u_username text, u_username_key text,
    u_first_name text, u_last_name text, u_job_role text, u_roles text[],
    u_is_superuser boolean, u_status text, u_password text, u_failures bigint,
    u_last_failure bigint, u_locked_until bigint, u_epoch bigint, u_joined_at bigint,
    u_last_login bigint, u_events bigint, u_version bigint, t_id uuid, t_external_id text,
    t_name text, t_schema text, t_status text, t_created_at bigint, t_events bigint,
    t_version bigint, t_registration text, t_password_chars bigint, t_job_role_by text,
    t_is_deleting boolean, t_layout text, t_moving_to text, t_access_seconds bigint,
    t_refresh_seconds bigint, t_allowed_origins text[], t_mail_from text, t_issuer text,
    hosts text[], primaries boolean[]
) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
BEGIN
    SELECT
        t.id, t.external_id, t.name, t.schema, t.status, t.created_at, t.events, t.version,
        t.registration, t.password_chars, t.job_role_by, t.is_deleting, t.layout, t.moving_to,
        t.access_seconds, t.refresh_seconds, t.allowed_origins, t.mail_from, t.issuer,
        ARRAY(SELECT d.host FROM tessera.tenant_domains d
              WHERE d.tenant_id = t.id ORDER BY d.place),
        ARRAY(SELECT d.is_primary FROM tessera.tenant_domains d
              WHERE d.tenant_id = t.id ORDER BY d.place)
    INTO
        t_id, t_external_id, t_name, t_schema, t_status, t_created_at, t_events, t_version,
        t_registration, t_password_chars, t_job_role_by, t_is_deleting, t_layout, t_moving_to,
        t_access_seconds, t_refresh_seconds, t_allowed_origins, t_mail_from, t_issuer,
        hosts, primaries
    FROM tessera.tenants t WHERE t.schema = shown;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF t_moving_to IS NOT NULL THEN
        PERFORM tessera.elsewhere(t_id);
    END IF;
    PERFORM tessera.settle_in(t_id, tessera.place(t_layout, t_schema));
    SELECT
        s.tenant_id, s.id, s.user_id, s.epoch, s.generation, s.refreshed_at, s.idle_end,
        s.absolute_end, s.key, s.created_at, s.ip, s.user_agent, s.wrong_passwords,
        s.ended_at, s.ended_why, s.version
    INTO
        s_tenant_id, s_id, s_user_id, s_epoch, s_generation, s_refreshed_at, s_idle_end,
        s_absolute_end, s_key, s_created_at, s_ip, s_user_agent, s_wrong_passwords,
        s_ended_at, s_ended_why, s_version
    FROM sessions s WHERE s.tenant_id = t_id AND s.id = session_id;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT
        u.tenant_id, u.id, u.external_id, u.email, u.email_key, u.email_verified, u.username,
        u.username_key, u.first_name, u.last_name, u.job_role, u.roles, u.is_superuser, u.status,
        u.password, u.failures, u.last_failure, u.locked_until, u.epoch, u.joined_at, u.last_login,
        u.events, u.version
    INTO STRICT
        u_tenant_id, u_id, u_external_id, u_email, u_email_key, u_email_verified, u_username,
        u_username_key, u_first_name, u_last_name, u_job_role, u_roles, u_is_superuser, u_status,
        u_password, u_failures, u_last_failure, u_locked_until, u_epoch, u_joined_at, u_last_login,
        u_events, u_version
    FROM users u WHERE u.tenant_id = t_id AND u.id = s_user_id;
    RETURN NEXT;
END
$$;
