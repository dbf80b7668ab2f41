//! The tables as Diesel sees them; `migrations/sqlite` makes them.

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    installation (id) {
        id -> BigInt,
        public_url -> Text,
    }
}

table! {
    tenants (id) {
        id -> Binary,
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
        allowed_origins -> Text,
        mail_from -> Nullable<Text>,
        issuer -> Text,
    }
}

table! {
    tenant_names (key) {
        key -> Text,
        tenant_id -> Binary,
    }
}

table! {
    tenant_domains (host) {
        host -> Text,
        tenant_id -> Binary,
        position -> BigInt,
        is_primary -> Bool,
    }
}

table! {
    users (tenant_id, id) {
        tenant_id -> Binary,
        id -> Binary,
        external_id -> Nullable<Text>,
        email -> Nullable<Text>,
        email_key -> Nullable<Text>,
        email_verified -> Bool,
        username -> Nullable<Text>,
        username_key -> Nullable<Text>,
        first_name -> Text,
        last_name -> Text,
        job_role -> Text,
        roles -> Text,
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

table! {
    sessions (tenant_id, id) {
        tenant_id -> Binary,
        id -> Binary,
        user_id -> Binary,
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

table! {
    keys (id) {
        id -> Binary,
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

table! {
    mails (id) {
        id -> Binary,
        tenant_id -> Binary,
        kind -> Text,
        account_key -> Nullable<Text>,
        user_id -> Nullable<Binary>,
        email -> Nullable<Text>,
        email_key -> Nullable<Text>,
        asked_at -> BigInt,
        due_at -> BigInt,
        tries -> BigInt,
    }
}

table! {
    mailed_tokens (tenant_id, id) {
        tenant_id -> Binary,
        id -> Binary,
        digest -> Binary,
        purpose -> Text,
        user_id -> Binary,
        email -> Text,
        email_key -> Text,
        account_key -> Nullable<Text>,
        epoch -> BigInt,
        expires_at -> BigInt,
    }
}

table! {
    events (position) {
        position -> BigInt,
        id -> Binary,
        tenant_id -> Binary,
        subject -> Text,
        sequence -> BigInt,
        #[sql_name = "type"]
        event_type -> Text,
        time -> BigInt,
        body -> Text,
    }
}

table! {
    audit (time, id) {
        time -> BigInt,
        id -> Binary,
        tenant_id -> Binary,
        #[sql_name = "type"]
        event_type -> Text,
        subject -> Text,
        user_id -> Nullable<Binary>,
        actor -> Text,
        actor_id -> Nullable<Binary>,
        actor_tenant_id -> Nullable<Binary>,
        ip -> Nullable<Text>,
        data -> Text,
    }
}

table! {
    audit_expiry (id) {
        id -> BigInt,
        before -> BigInt,
    }
}

table! {
    publishers (name) {
        name -> Text,
        cursor -> BigInt,
        sent -> BigInt,
        claims -> BigInt,
        holder -> Nullable<Binary>,
        lease_until -> Nullable<BigInt>,
    }
}

table! {
    waiting (publisher, tenant_id, subject, position) {
        publisher -> Text,
        tenant_id -> Binary,
        subject -> Text,
        position -> BigInt,
        rejections -> BigInt,
        holds -> BigInt,
        due_at -> Nullable<BigInt>,
        parked_at -> Nullable<BigInt>,
        reason -> Nullable<Text>,
    }
}

table! {
    migrations (version) {
        version -> BigInt,
        name -> Text,
        checksum -> Text,
        applied_at -> BigInt,
    }
}

table! {
    sqlite_sequence (name) {
        name -> Text,
        seq -> BigInt,
    }
}

table! {
    sqlite_schema (name) {
        name -> Text,
    }
}

allow_tables_to_appear_in_same_query!(events, publishers, waiting);
allow_tables_to_appear_in_same_query!(sessions, tenant_domains, tenant_names, tenants, users,);
