//! Values to test with: the least that there can be, and the most.

use core::cell::Cell;
use core::time::Duration;

use tessera_domain::{
    Addressee, Algorithm, Device, EmailAddress, Epoch, Event, Fact, Generation, HostName, Id,
    JobRoleBy, Key, KeyId, KeyOrigin, KeyPurpose, Lockout, Mail, MailKind, MailSender,
    MailedDigest, MailedToken, MailedTokenPurpose, NewUser, Origin, PasswordChars, PasswordRecord,
    Profile, Registration, Role, SchemaName, Session, SessionEnd, SessionEnded, Tenant,
    TenantDomain, TenantLayout, TenantName, TenantSettings, TenantStatus, Timestamp, TokenIssuer,
    TokenPolicy, User, UserStatus, Username,
};

/// The moment at which everything here was made; it has microseconds.
pub const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_123_457);

/// From now on, on this thread, tenants are made in that layout: a store that has more than one
/// passes the suite in each.
pub fn lay_out(layout: TenantLayout) {
    LAYOUT.set(layout);
}

thread_local! {
    static LAYOUT: Cell<TenantLayout> = const { Cell::new(TenantLayout::Schema) };
}

/// The id with that number; ids sort as their numbers do.
pub fn id<T>(number: u32) -> Id<T> {
    let [a, b, c, d] = number.to_be_bytes();
    Id::new(NOW, [0, 0, 0, 0, 0, 0, a, b, c, d])
}

/// A new tenant without domains, in the schema that its name suggests.
pub fn tenant(name: &str) -> Tenant {
    let name = TenantName::parse(name).unwrap();
    let schema = SchemaName::suggest(&name).unwrap();
    tenant_in(name.as_str(), schema)
}

/// A new tenant without domains, in a schema of any name.
pub fn tenant_in(name: &str, schema: SchemaName) -> Tenant {
    let number = name
        .bytes()
        .fold(1_u32, |hash, byte| hash.wrapping_mul(31) ^ u32::from(byte));
    let name = TenantName::parse(name).unwrap();
    Tenant::create(name, schema, LAYOUT.get(), id(number), NOW).0
}

/// A tenant with a value in every field.
pub fn full_tenant() -> Tenant {
    Tenant {
        external_id: Some("4711-ä".to_owned()),
        domains: vec![domain("z.example", false), domain("a.example", true)],
        status: TenantStatus::Suspended,
        settings: TenantSettings {
            registration: Some(Registration::Invite),
            password_chars: PasswordChars::new(12),
            job_role: JobRoleBy::Users,
            access_lifetime: Some(Duration::from_mins(5)),
            refresh_lifetime: Some(Duration::from_hours(24)),
            allowed_origins: ["https://a.example", "http://localhost:3000"]
                .map(|origin| Origin::parse(origin).unwrap())
                .to_vec(),
            mail_from: MailSender::parse("Bücher & Söhne <post@a.example>").ok(),
            issuer: TokenIssuer::Tenant,
        },
        events: 3,
        ..tenant("Bücher & Söhne 🗝")
    }
}

/// A domain.
pub fn domain(host: &str, primary: bool) -> TenantDomain {
    TenantDomain {
        host: HostName::parse(host).unwrap(),
        primary,
    }
}

/// A new user without a name, an address and a password.
pub fn user(number: u32) -> User {
    User::create(NewUser::default(), id(number), NOW).0
}

/// A new user with the username `name` and an address made of it.
pub fn named_user(number: u32, name: &str) -> User {
    User {
        email: Some(EmailAddress::parse(&format!("{name}@example.com")).unwrap()),
        username: Some(Username::parse(name).unwrap()),
        ..user(number)
    }
}

/// A user with a value in every field.
pub fn full_user(number: u32) -> User {
    User {
        id: id(number),
        external_id: Some("00042".to_owned()),
        email: Some(EmailAddress::parse("Straße+Ada@Bücher.example").unwrap()),
        email_verified: true,
        username: Some(Username::parse("ÅDA \"the\" 🗝").unwrap()),
        profile: Profile {
            first_name: "Ada".to_owned(),
            last_name: "O'Lovelace \\ %_ 王".to_owned(),
            job_role: "analyst,\tfirst class\n".to_owned(),
        },
        roles: ["tenant-admin", "editor", "Übersetzer {\"x\"}"]
            .map(|name| Role::parse(name).unwrap())
            .to_vec(),
        is_superuser: true,
        status: UserStatus::Disabled,
        password: Some(PasswordRecord::new(
            "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA".to_owned(),
        )),
        lockout: Lockout {
            failures: u32::MAX >> 1,
            last_failure: Some(NOW + Duration::from_micros(1)),
            until: Some(NOW + Duration::from_micros(2)),
        },
        epoch: Epoch::new(BEYOND_DOUBLES),
        joined_at: NOW,
        last_login: Some(NOW + Duration::from_micros(3)),
        events: BEYOND_DOUBLES,
        version: 0,
    }
}

/// A session that `user` began just now.
pub fn session(user: &User, number: u32) -> Session {
    let policy = TokenPolicy::default();
    Session::begin(user, id(number), kid(1), Device::default(), NOW, &policy)
}

/// A session with a value in every field.
pub fn full_session(user: &User, number: u32, why: SessionEnd) -> Session {
    Session {
        epoch: Epoch::new(BEYOND_DOUBLES),
        generation: Generation::new(BEYOND_DOUBLES),
        refreshed_at: NOW + Duration::from_micros(1),
        idle_end: NOW + Duration::from_micros(2),
        absolute_end: NOW + Duration::from_micros(3),
        device: Device::new(Some("2001:db8::7".to_owned()), Some(&"🗝\"\\'".repeat(100))),
        wrong_passwords: 3,
        ended: Some(SessionEnded {
            at: NOW + Duration::from_micros(4),
            why,
        }),
        ..session(user, number)
    }
}

/// A new key for access tokens, which nothing can be signed with.
pub fn key(number: u32) -> Key {
    Key {
        id: id(number),
        kid: kid(number),
        purpose: KeyPurpose::Access,
        algorithm: Algorithm::Es256,
        origin: KeyOrigin::Generated,
        public: None,
        sealed: Vec::new(),
        created_at: NOW,
        signs_from: NOW,
        verifies_until: None,
        events: 0,
        version: 0,
    }
}

/// A key with a value in every field.
pub fn full_key(number: u32, algorithm: Algorithm) -> Key {
    Key {
        purpose: KeyPurpose::Refresh,
        algorithm,
        origin: KeyOrigin::Configured,
        public: Some("{\"kty\":\"OKP\",\"x\":\"ü\"}".to_owned()),
        sealed: (0..=u8::MAX).collect(),
        signs_from: NOW + Duration::from_micros(1),
        verifies_until: Some(NOW + Duration::from_micros(2)),
        events: 2,
        ..key(number)
    }
}

/// The `kid` of the key with that number.
pub fn kid(number: u32) -> KeyId {
    KeyId::new(format!("kid-{number}"))
}

/// The mail with that number, of `tenant`, to user 1 and due at once.
pub fn mail(number: u32, tenant: &Tenant) -> Mail {
    Mail {
        id: id(number),
        tenant: tenant.id,
        kind: MailKind::ResetPassword,
        to: Addressee::User(id(1)),
        at: NOW,
    }
}

/// The mailed token with that number, of `user` and over in a second.
pub fn mailed_token(number: u32, user: &User) -> MailedToken {
    let email = EmailAddress::parse("Ada@example.com").unwrap();
    let purpose = MailedTokenPurpose::ResetPassword;
    let end = NOW + Duration::from_secs(1);
    MailedToken::new(id(number), digest(number), purpose, user, email, end)
}

/// A mailed token with a value in every field.
pub fn full_mailed_token(number: u32, user: &User, purpose: MailedTokenPurpose) -> MailedToken {
    MailedToken {
        purpose,
        email: EmailAddress::parse("Straße+Ada@Bücher.example").unwrap(),
        account_key: Some("ada@old.example".to_owned()),
        epoch: Epoch::new(BEYOND_DOUBLES),
        expires_at: NOW + Duration::from_micros(1),
        ..mailed_token(number, user)
    }
}

/// The digest of the mailed token with that number; it has every kind of byte.
pub fn digest(number: u32) -> MailedDigest {
    let [a, b, c, d] = number.to_be_bytes();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&[0, 0xff, 0x80, b'\'', a, b, c, d]);
    MailedDigest::restore(bytes)
}

/// That the user with that number was made: its first event.
pub fn created(number: u32) -> Fact {
    User::create(NewUser::default(), id(number), NOW).1
}

/// The event with that number, of `tenant`, telling `fact`.
pub fn event(number: u32, tenant: &Tenant, fact: Fact) -> Event {
    Event {
        id: id(number),
        at: NOW,
        tenant: tenant.id,
        fact,
    }
}

/// A number that a floating-point column would round.
const BEYOND_DOUBLES: u64 = (1 << 53) + 1;
