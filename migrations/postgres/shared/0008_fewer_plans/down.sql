DROP FUNCTION tessera.update_session_in_epoch;

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
DECLARE
    t tessera.tenants;
BEGIN
    SELECT * INTO t FROM tessera.tenants WHERE tenants.schema = shown;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF t.moving_to IS NOT NULL THEN
        PERFORM tessera.elsewhere(t.id);
    END IF;
    PERFORM tessera.settle_in(t.id, tessera.place(t.layout, t.schema));
    RETURN QUERY SELECT
        s.tenant_id, s.id, s.user_id, s.epoch, s.generation, s.refreshed_at, s.idle_end,
        s.absolute_end, s.key, s.created_at, s.ip, s.user_agent, s.wrong_passwords,
        s.ended_at, s.ended_why, s.version, u.tenant_id, u.id, u.external_id, u.email, u.email_key,
        u.email_verified, u.username, u.username_key, u.first_name, u.last_name, u.job_role,
        u.roles, u.is_superuser, u.status, u.password, u.failures, u.last_failure, u.locked_until,
        u.epoch, u.joined_at, u.last_login, u.events, u.version, t.id, t.external_id, t.name,
        t.schema, t.status, t.created_at, t.events, t.version, t.registration, t.password_chars,
        t.job_role_by, t.is_deleting, t.layout, t.moving_to, t.access_seconds, t.refresh_seconds,
        t.allowed_origins, t.mail_from, t.issuer,
        ARRAY(SELECT d.host FROM tessera.tenant_domains d
              WHERE d.tenant_id = t.id ORDER BY d.place),
        ARRAY(SELECT d.is_primary FROM tessera.tenant_domains d
              WHERE d.tenant_id = t.id ORDER BY d.place)
    FROM sessions s
    JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
    WHERE s.tenant_id = t.id AND s.id = session_id;
END
$$;

CREATE OR REPLACE FUNCTION tessera.settle_in(tenant uuid, place text) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF place = 'tessera_shared' THEN
        PERFORM tessera.refuse_unbound();
    END IF;
    PERFORM set_config('search_path', quote_ident(place), true),
        set_config('tessera.tenant', tenant::text, true);
    RETURN true;
END
$$;
