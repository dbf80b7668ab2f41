//! Column types: how one value of the domain is kept in one column.

use core::fmt::Debug;
use core::time::Duration;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, Text};
use diesel::sqlite::{Sqlite, SqliteValue};
use tessera_domain::{
    Algorithm, Id, JobRoleBy, KeyOrigin, KeyPurpose, MailKind, MailedDigest, MailedTokenPurpose,
    Origin, Registration, Role, SessionEnd, TenantLayout, TenantStatus, Timestamp, TokenIssuer,
    UserStatus,
};
use uuid::Uuid;

/// An id, as 16 bytes.
#[derive(AsExpression, Clone, Copy, Debug, Eq, FromSqlRow, PartialEq)]
#[diesel(sql_type = Binary)]
pub(crate) struct Uid(Uuid);

impl Uid {
    pub(crate) fn id<T>(self) -> Id<T> {
        Id::from(self.0)
    }
}

impl<T> From<Id<T>> for Uid {
    fn from(id: Id<T>) -> Self {
        Self(id.uuid())
    }
}

impl ToSql<Binary, Sqlite> for Uid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<Binary, Sqlite> for Uid {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.read_blob())?))
    }
}

/// A number that counts something.
#[derive(AsExpression, Clone, Copy, Debug, Eq, FromSqlRow, PartialEq)]
#[diesel(sql_type = BigInt)]
pub(crate) struct Count(pub(crate) u64);

impl ToSql<BigInt, Sqlite> for Count {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(i64::try_from(self.0)?);
        Ok(IsNull::No)
    }
}

impl FromSql<BigInt, Sqlite> for Count {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(u64::try_from(value.read_long())?))
    }
}

/// A moment, in microseconds.
#[derive(AsExpression, Clone, Copy, Debug, Eq, FromSqlRow, PartialEq)]
#[diesel(sql_type = BigInt)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl ToSql<BigInt, Sqlite> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_micros());
        Ok(IsNull::No)
    }
}

impl FromSql<BigInt, Sqlite> for Moment {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Timestamp::from_micros(value.read_long())))
    }
}

/// What identifies a mailed token, as 32 bytes.
#[derive(AsExpression, Clone, Copy, Debug, Eq, FromSqlRow, PartialEq)]
#[diesel(sql_type = Binary)]
pub(crate) struct Digest(pub(crate) MailedDigest);

impl ToSql<Binary, Sqlite> for Digest {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<Binary, Sqlite> for Digest {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let bytes = <[u8; 32]>::try_from(value.read_blob())?;
        Ok(Self(MailedDigest::restore(bytes)))
    }
}

/// Names of roles in their order, with commas between them: no name has one.
#[derive(AsExpression, Clone, Debug, Eq, FromSqlRow, PartialEq)]
#[diesel(sql_type = Text)]
pub(crate) struct Roles(pub(crate) Vec<Role>);

impl ToSql<Text, Sqlite> for Roles {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        let names: Vec<&str> = self.0.iter().map(Role::as_str).collect();
        out.set_value(names.join(","));
        Ok(IsNull::No)
    }
}

impl FromSql<Text, Sqlite> for Roles {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let names = value.read_text();
        let roles = names.split(',').filter(|name| !name.is_empty());
        Ok(Self(
            roles.map(|name| Role::restore(name.to_owned())).collect(),
        ))
    }
}

/// Origins in their order, with blanks between them: none has one.
#[derive(AsExpression, Clone, Debug, Eq, FromSqlRow, PartialEq)]
#[diesel(sql_type = Text)]
pub(crate) struct Origins(pub(crate) Vec<Origin>);

impl ToSql<Text, Sqlite> for Origins {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        let origins: Vec<&str> = self.0.iter().map(Origin::as_str).collect();
        out.set_value(origins.join(" "));
        Ok(IsNull::No)
    }
}

impl FromSql<Text, Sqlite> for Origins {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let origins = value.read_text().split_ascii_whitespace();
        let origins = origins.map(|origin| Origin::restore(origin.to_owned()));
        Ok(Self(origins.collect()))
    }
}

/// A span of whole seconds.
#[derive(AsExpression, Clone, Copy, Debug, Eq, FromSqlRow, PartialEq)]
#[diesel(sql_type = BigInt)]
pub(crate) struct Seconds(pub(crate) Duration);

impl ToSql<BigInt, Sqlite> for Seconds {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(i64::try_from(self.0.as_secs())?);
        Ok(IsNull::No)
    }
}

impl FromSql<BigInt, Sqlite> for Seconds {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let seconds = u64::try_from(value.read_long())?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// One of a few values, by its name.
#[derive(AsExpression, Clone, Copy, Debug, Eq, FromSqlRow, PartialEq)]
#[diesel(sql_type = Text)]
pub(crate) struct Named<T: Debug>(pub(crate) T);

impl<T: Name> ToSql<Text, Sqlite> for Named<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.name());
        Ok(IsNull::No)
    }
}

impl<T: Name> FromSql<Text, Sqlite> for Named<T> {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let name = value.read_text();
        let all = T::ALL.iter().copied();
        let named = all.into_iter().find(|one| one.name() == name);
        named.map(Self).ok_or_else(|| UnknownName.into())
    }
}

/// What has few values, each with a name that the schema's checks know.
pub(crate) trait Name: Copy + Debug + 'static {
    const ALL: &'static [Self];

    fn name(&self) -> &'static str;
}

/// A column holds a name that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("an unknown name in the database")]
struct UnknownName;

impl Name for Registration {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(&self) -> &'static str {
        self.as_str()
    }
}

impl Name for JobRoleBy {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(&self) -> &'static str {
        self.as_str()
    }
}

impl Name for TenantLayout {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(&self) -> &'static str {
        self.as_str()
    }
}

impl Name for TokenIssuer {
    const ALL: &'static [Self] = &Self::ALL;

    fn name(&self) -> &'static str {
        self.as_str()
    }
}

impl Name for Algorithm {
    const ALL: &'static [Self] = &[
        Self::EdDsa,
        Self::Es256,
        Self::Hs256,
        Self::Ps256,
        Self::Rs256,
    ];

    fn name(&self) -> &'static str {
        self.as_str()
    }
}

impl Name for KeyOrigin {
    const ALL: &'static [Self] = &[Self::Configured, Self::Generated];

    fn name(&self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Generated => "generated",
        }
    }
}

impl Name for KeyPurpose {
    const ALL: &'static [Self] = &[Self::Access, Self::Refresh];

    fn name(&self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

impl Name for MailKind {
    const ALL: &'static [Self] = &MailKind::ALL;

    fn name(&self) -> &'static str {
        self.as_str()
    }
}

impl Name for MailedTokenPurpose {
    const ALL: &'static [Self] = &[Self::ChangeEmail, Self::ResetPassword, Self::VerifyEmail];

    fn name(&self) -> &'static str {
        self.as_str()
    }
}

impl Name for SessionEnd {
    const ALL: &'static [Self] = &[
        Self::Deleted,
        Self::Disabled,
        Self::Guessing,
        Self::Limit,
        Self::LogOut,
        Self::LogOutEverywhere,
        Self::Operator,
        Self::PasswordChange,
        Self::Reuse,
        Self::Revoked,
    ];

    fn name(&self) -> &'static str {
        match self {
            // It goes with its user: no row has this.
            Self::Deleted => "deleted",
            Self::Disabled => "disabled",
            Self::Guessing => "guessing",
            Self::Limit => "limit",
            Self::LogOut => "log_out",
            Self::LogOutEverywhere => "log_out_everywhere",
            Self::Operator => "operator",
            Self::PasswordChange => "password_change",
            Self::Reuse => "reuse",
            Self::Revoked => "revoked",
        }
    }
}

impl Name for TenantStatus {
    const ALL: &'static [Self] = &[Self::Active, Self::Suspended];

    fn name(&self) -> &'static str {
        match self {
            Self::Active => "active",
            // Another column says so: the previous version takes it for this.
            Self::Deleting | Self::Suspended => "suspended",
        }
    }
}

impl Name for UserStatus {
    const ALL: &'static [Self] = &[Self::Active, Self::Disabled];

    fn name(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}
