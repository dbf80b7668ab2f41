//! The tables, as Diesel knows them. Those of a tenant have no schema: its search path finds them.

diesel::table! {
    tessera.installation (singleton) {
        singleton -> Bool,
        public_url -> Text,
    }
}

diesel::table! {
    tessera.tenants (id) {
        id -> Uuid,
        external_id -> Nullable<Text>,
        name -> Text,
        schema -> Text,
        status -> Text,
        created_at -> BigInt,
        events -> BigInt,
        version -> BigInt,
        registration -> Nullable<Text>,
        password_chars -> Nullable<BigInt>,
        job_role_by -> Text,
        is_deleting -> Bool,
        layout -> Text,
        moving_to -> Nullable<Text>,
        access_seconds -> Nullable<BigInt>,
        refresh_seconds -> Nullable<BigInt>,
        allowed_origins -> Array<Text>,
        mail_from -> Nullable<Text>,
        issuer -> Text,
    }
}

diesel::table! {
    tessera.tenant_names (key) {
        key -> Text,
        tenant_id -> Uuid,
    }
}

diesel::table! {
    tessera.tenant_domains (host) {
        host -> Text,
        tenant_id -> Uuid,
        place -> BigInt,
        is_primary -> Bool,
    }
}

diesel::table! {
    tessera.keys (id) {
        id -> Uuid,
        kid -> Text,
        purpose -> Text,
        algorithm -> Text,
        origin -> Text,
        public -> Nullable<Text>,
        sealed -> Binary,
        created_at -> BigInt,
        signs_from -> BigInt,
        verifies_until -> Nullable<BigInt>,
        events -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    tessera.events (position) {
        position -> BigInt,
        id -> Uuid,
        tenant_id -> Uuid,
        subject -> Text,
        sequence -> BigInt,
        #[sql_name = "type"]
        kind -> Text,
        time -> BigInt,
        body -> Text,
    }
}

diesel::table! {
    tessera.audit (time, id) {
        time -> BigInt,
        id -> Uuid,
        tenant_id -> Uuid,
        #[sql_name = "type"]
        kind -> Text,
        subject -> Text,
        user_id -> Nullable<Uuid>,
        actor -> Text,
        actor_id -> Nullable<Uuid>,
        actor_tenant_id -> Nullable<Uuid>,
        ip -> Nullable<Text>,
        data -> Text,
    }
}

diesel::table! {
    tessera.mails (id) {
        id -> Uuid,
        tenant_id -> Uuid,
        kind -> Text,
        account_key -> Nullable<Text>,
        user_id -> Nullable<Uuid>,
        email -> Nullable<Text>,
        email_key -> Nullable<Text>,
        asked_at -> BigInt,
        due_at -> BigInt,
        tries -> BigInt,
    }
}

diesel::table! {
    tessera.migrations (schema, version) {
        schema -> Text,
        version -> Integer,
        name -> Text,
        checksum -> Text,
    }
}

diesel::table! {
    users (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        external_id -> Nullable<Text>,
        email -> Nullable<Text>,
        email_key -> Nullable<Text>,
        email_verified -> Bool,
        username -> Nullable<Text>,
        username_key -> Nullable<Text>,
        first_name -> Text,
        last_name -> Text,
        job_role -> Text,
        roles -> Array<Text>,
        is_superuser -> Bool,
        status -> Text,
        password -> Nullable<Text>,
        failures -> BigInt,
        last_failure -> Nullable<BigInt>,
        locked_until -> Nullable<BigInt>,
        epoch -> BigInt,
        joined_at -> BigInt,
        last_login -> Nullable<BigInt>,
        events -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    sessions (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        user_id -> Uuid,
        epoch -> BigInt,
        generation -> BigInt,
        refreshed_at -> BigInt,
        idle_end -> BigInt,
        absolute_end -> BigInt,
        key -> Text,
        created_at -> BigInt,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        wrong_passwords -> BigInt,
        ended_at -> Nullable<BigInt>,
        ended_why -> Nullable<Text>,
        version -> BigInt,
    }
}

diesel::table! {
    mailed_tokens (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        digest -> Binary,
        purpose -> Text,
        user_id -> Uuid,
        email -> Text,
        email_key -> Text,
        account_key -> Nullable<Text>,
        epoch -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    sessions,
    tenant_domains,
    tenant_names,
    tenants,
    users
);
