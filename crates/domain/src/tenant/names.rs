//! What tenants are called and where they are found.

use core::fmt;

use crate::email::ascii_domain;
use crate::fold::{fold, invisible};

/// What a tenant is called: one namespace with the schema names, whatever the case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantName(String);

impl TenantName {
    /// Reads a name; white space around it does not count.
    pub fn parse(text: &str) -> Result<Self, TenantNameError> {
        let name = text.trim();
        if name.is_empty() {
            return Err(TenantNameError::Empty);
        }
        if name.chars().count() > MAX_NAME_CHARS {
            return Err(TenantNameError::TooLong);
        }
        if name.contains(|c: char| invisible(c) || "/\\\"".contains(c)) {
            return Err(TenantNameError::Malformed);
        }
        Ok(Self(name.to_owned()))
    }

    /// A name that a store kept.
    pub fn restore(name: String) -> Self {
        Self(name)
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is unique by, together with [`SchemaName::key`].
    pub fn key(&self) -> String {
        tenant_key(&self.0)
    }
}

/// The schema a tenant lives in: what it is to a database, and `tenant_schema` in a token.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct SchemaName(String);

impl SchemaName {
    /// The schema name of the default tenant.
    pub const DEFAULT: &str = "public";

    /// Reads a schema name: an ASCII letter or `_`, then letters, digits, `_` and `-`; 63 at most.
    pub fn parse(text: &str) -> Result<Self, TenantNameError> {
        if text.is_empty() {
            return Err(TenantNameError::Empty);
        }
        if text.len() > MAX_SCHEMA_BYTES {
            return Err(TenantNameError::TooLong);
        }
        let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let rest = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !starts || !text.chars().all(rest) {
            return Err(TenantNameError::Malformed);
        }
        let key = text.to_ascii_lowercase();
        if key.starts_with("pg_") || RESERVED.contains(&key.as_str()) {
            return Err(TenantNameError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    /// The schema name that a tenant's name suggests.
    pub fn suggest(name: &TenantName) -> Result<Self, TenantNameError> {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut schema: String = name.as_str().to_lowercase().chars().map(plain).collect();
        if !schema.starts_with(|c: char| c.is_ascii_alphabetic()) {
            schema.insert_str(0, "t_");
        }
        Self::parse(&schema)
    }

    /// The schema name of the default tenant.
    pub fn of_default_tenant() -> Self {
        Self(Self::DEFAULT.to_owned())
    }

    /// A schema name that a store kept, or that a verified token names.
    pub fn restore(schema: String) -> Self {
        Self(schema)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is unique by, together with [`TenantName::key`].
    pub fn key(&self) -> String {
        tenant_key(&self.0)
    }
}

impl fmt::Debug for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not a tenant's name or schema name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TenantNameError {
    /// There is nothing in it.
    #[error("a tenant needs a name")]
    Empty,
    /// It has a character that a name may not have.
    #[error(
        "a schema name starts with a letter and has letters, digits, `_` and `-`; a tenant's name \
         has no slash, quote or invisible character"
    )]
    Malformed,
    /// Postgres or Tessera uses the name.
    #[error("this name is reserved")]
    Reserved,
    /// It has more than 63 bytes (schema) or 100 characters (name).
    #[error("a schema name has at most 63 characters, a tenant's name 100")]
    TooLong,
}

/// A host name in lower-case ASCII, without port or final dot.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct HostName(String);

impl HostName {
    /// Reads a host name, with or without a port.
    pub fn parse(text: &str) -> Result<Self, HostNameError> {
        let text = text.trim();
        let host = match text.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            Some(_) | None => text,
        };
        ascii_domain(host).map(Self).ok_or(HostNameError)
    }

    /// A host name that a store kept.
    pub fn restore(host: String) -> Self {
        Self(host)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not a host name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a host name")]
pub struct HostNameError;

/// Tenants' names and schema names are one namespace: equal keys collide.
pub(crate) fn tenant_key(name: &str) -> String {
    fold(name.trim())
}

const MAX_NAME_CHARS: usize = 100;
const MAX_SCHEMA_BYTES: usize = 63;
const RESERVED: [&str; 5] = [
    "information_schema",
    "public",
    "tessera",
    "tessera_public",
    "tessera_shared",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_name_that_postgres_reserves_or_cuts_is_refused() {
        for reserved in [
            "pg_temp",
            "PG_x",
            "information_schema",
            "Information_Schema",
            "tessera",
            "tessera_public",
            "tessera_shared",
            "TESSERA_Shared",
            "public",
            "Public",
        ] {
            assert_eq!(SchemaName::parse(reserved), Err(TenantNameError::Reserved));
        }
        let long = "a".repeat(64);
        assert_eq!(SchemaName::parse(&long), Err(TenantNameError::TooLong));
        assert!(SchemaName::parse(&long[1..]).is_ok());
        for malformed in [
            "a.b", "a\"b", "a'b", "1a", "a b", "a ", " a", "public ", "a\0", "a\n", "ä", "ａ",
        ] {
            assert_eq!(
                SchemaName::parse(malformed),
                Err(TenantNameError::Malformed)
            );
        }
        assert_eq!(SchemaName::parse("Acme-2").unwrap().as_str(), "Acme-2");
    }

    #[test]
    fn names_that_differ_in_case_alone_are_one() {
        let key = |name: &str| TenantName::parse(name).unwrap().key();
        for same in ["STRASSE", "Strasse", " straße ", "ＳＴＲＡＳＳＥ"] {
            assert_eq!(key(same), key("Straße"), "{same}");
        }
        let schema = |name: &str| SchemaName::parse(name).unwrap().key();
        assert_eq!(schema("ACME"), schema("acme"));
        assert_eq!(schema("acme"), key("Acme"), "one namespace");
        assert_ne!(key("acme"), key("acme_"));
    }

    #[test]
    fn a_name_with_what_cannot_be_seen_or_would_end_a_path_is_refused() {
        for malformed in ["a\0b", "a\nb", "pub\u{200b}lic", "a/b", "a\\b", "a\"b"] {
            assert_eq!(
                TenantName::parse(malformed),
                Err(TenantNameError::Malformed),
                "{malformed:?}"
            );
        }
        assert_eq!(TenantName::parse(" \t"), Err(TenantNameError::Empty));
    }

    #[test]
    fn a_name_suggests_a_schema_name() {
        let suggested = |name: &str| SchemaName::suggest(&TenantName::parse(name).unwrap());
        assert_eq!(suggested("Acme Corp.").unwrap().as_str(), "acme_corp_");
        assert_eq!(suggested("3M").unwrap().as_str(), "t_3m");
        for reserved in ["public", " Public ", "PG Toast", "information schema"] {
            assert_eq!(suggested(reserved), Err(TenantNameError::Reserved));
        }
        let long = suggested(&"a".repeat(64));
        assert_eq!(long, Err(TenantNameError::TooLong), "and never cut");
    }

    #[test]
    fn a_host_name_loses_port_case_and_final_dot() {
        assert_eq!(
            HostName::parse("BÜCHER.example.:8000").unwrap().as_str(),
            "xn--bcher-kva.example"
        );
        assert_eq!(HostName::parse("[::1]:8000"), Err(HostNameError));
        assert_eq!(HostName::parse(""), Err(HostNameError));
    }
}
