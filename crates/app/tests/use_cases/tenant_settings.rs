//! What holds for one tenant and not for the whole installation.

use core::time::Duration;
use std::sync::Arc;

use tessera_app::{
    AskForMail, AuditQuery, ChangePassword, ChangePasswordError, ChangeSettingsError,
    ChangeUserError, CreateUser, CreateUserError, FirstPassword, Grant, InviteUser, LogIn, Purview,
    Register, RegisterError, ResetPassword, ResetPasswordError, SettingsAdministration,
    UserAdministration,
};
use tessera_domain::{
    Actor, EmailAddress, JobRoleBy, MailKind, MailSender, PasswordChars, PasswordWeakness, Profile,
    Registration, TenantSettings, TenantSettingsError, TokenPolicy,
};

use crate::world::{
    Done, World, ask, command, explicit, new_user, registration, shown, typed, with_tokens,
};

#[tokio::test]
async fn a_change_is_told_once_with_who_made_it() {
    let world = World::new().await;
    let of = SettingsAdministration::of_operator(world.tenant().await);
    let decide = |so_far| TenantSettings {
        registration: Some(Registration::Closed),
        ..so_far
    };
    let changing = || world.tessera.change_tenant_settings(&of, decide);
    let (changed, done) = world.watch(changing()).await;
    assert_eq!(changed.unwrap(), world.tenant().await);
    assert_eq!(done.names(), ["TenantSettingsChanged"]);
    assert_eq!(done.commits, 1);
    let (again, done): (_, Done) = world.watch(changing()).await;
    assert_eq!(again.unwrap(), world.tenant().await);
    assert_eq!((done.commits, done.events.len()), (0, 0));
    let newest = AuditQuery {
        limit: 1,
        ..AuditQuery::default()
    };
    let trail = world
        .tessera
        .audit_page(Purview::Installation, None, newest);
    let entries = trail.await.unwrap().entries;
    assert_eq!(entries[0].actor, Actor::Operator);
}

#[tokio::test]
async fn of_two_changes_at_once_neither_takes_the_other_back() {
    let world = World::new().await;
    let of = SettingsAdministration::of_operator(world.tenant().await);
    let (tessera, same) = (Arc::clone(&world.tessera), of.clone());
    world.store.before_next_commit(async move {
        let decide = |so_far| TenantSettings {
            job_role: JobRoleBy::Users,
            ..so_far
        };
        let changed = tessera.change_tenant_settings(&same, decide).await;
        changed.unwrap();
    });
    let decide = |so_far| TenantSettings {
        registration: Some(Registration::Invite),
        ..so_far
    };
    let changed = world.tessera.change_tenant_settings(&of, decide).await;
    let settings = changed.unwrap().settings;
    assert_eq!(settings.job_role, JobRoleBy::Users);
    assert_eq!(settings.registration, Some(Registration::Invite));
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn a_tenant_has_shorter_lives_than_the_installation_and_no_longer_ones() {
    let world = World::new().await;
    world.create_tenant("Acme", &[]).await;
    world.change_settings("public", lives(60, 120)).await;
    let grant = world.log_in().await;
    assert_eq!(lives_of(&world, &grant), (60, 120));
    assert_eq!(grant.expires_in, Duration::from_mins(1));
    let caller = world.caller(&grant).await;
    assert_eq!(
        caller.claims.expires_at,
        world.now() + Duration::from_mins(1)
    );
    world.wait(59);
    world.assert_works(&grant).await;
    world.wait(1);
    assert!(world.validate(&grant).await.is_err());
    let second = world.refresh(&grant).await.unwrap();
    assert_eq!(lives_of(&world, &second), (60, 120));
    world.wait(120);
    world.assert_dead(&second).await;

    let policy = TokenPolicy::default();
    let most = policy.access_lifetime.as_secs();
    let of = SettingsAdministration::of_operator(world.tenant().await);
    let longer = world
        .tessera
        .change_tenant_settings(&of, lives(most + 1, 120));
    let bound = TenantSettingsError::AccessLifetime {
        least: Duration::from_mins(1),
        most: policy.access_lifetime,
    };
    match longer.await {
        Err(ChangeSettingsError::Invalid(error)) => assert_eq!(error, bound),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_installation_lowers_counts_below_what_a_tenant_said_before() {
    let world = World::new().await;
    world.change_settings("public", lives(600, 6_000)).await;
    let lowered = with_tokens(TokenPolicy {
        access_lifetime: Duration::from_secs(90),
        refresh_lifetime: Duration::from_mins(15),
        ..TokenPolicy::default()
    });
    let world = world.another_process_with(lowered, None);
    world.tessera.prepare().await.unwrap();
    let grant = world.log_in().await;
    assert_eq!(lives_of(&world, &grant), (90, 900));
    assert_eq!(grant.expires_in, Duration::from_secs(90));
    let other = |so_far| TenantSettings {
        registration: Some(Registration::Invite),
        ..so_far
    };
    let changed = world.change_settings("public", other).await;
    assert_eq!(
        changed.settings.access_lifetime,
        Some(Duration::from_mins(10))
    );
}

#[tokio::test]
async fn a_life_that_gets_shorter_counts_from_the_next_refresh() {
    let world = World::new().await;
    let grant = world.log_in().await;
    let (_, before) = lives_of(&world, &grant);
    let (changed, done) = world
        .watch(world.change_settings("public", lives(60, 120)))
        .await;
    assert!(done.ended().is_empty());
    assert_eq!(
        changed.settings.refresh_lifetime,
        Some(Duration::from_mins(2))
    );
    world.wait(121);
    let second = world.refresh(&grant).await.unwrap();
    assert!(before > 121);
    assert_eq!(lives_of(&world, &second), (60, 120));
}

#[tokio::test]
async fn the_fewest_characters_of_a_password_count_wherever_one_is_set() {
    let world = World::new().await;
    let tenant = world.create_tenant("Acme", &[]).await;
    let ada = world.create_user(&tenant, "ada@example.com", "ada").await;
    let least = |so_far| TenantSettings {
        password_chars: PasswordChars::new(40),
        ..so_far
    };
    let tenant = world.change_settings("Acme", least).await;
    let (tessera, short, long) = (&world.tessera, pass_phrase(39), pass_phrase(40));

    let of = UserAdministration::of_operator(tenant.clone());
    let invited = InviteUser {
        email: EmailAddress::parse("eve@example.com").unwrap(),
        username: None,
        profile: Profile::default(),
        roles: Vec::new(),
        is_superuser: false,
    };
    tessera.invite_user(&of, invited).await.unwrap();
    let by_mail = shown(&world.letter(MailKind::Invitation).await);
    let ask = AskForMail {
        hints: explicit(&["acme"]),
        ..ask("ada@example.com")
    };
    tessera.forgot_password(ask).await.unwrap();
    let forgotten = shown(&world.letter(MailKind::ResetPassword).await);
    for token in [by_mail, forgotten] {
        let reset = |password: &str| {
            tessera.reset_password(ResetPassword {
                shown: token.clone(),
                password: typed(password),
            })
        };
        let ResetPasswordError::WeakPassword(why) = reset(&short).await.unwrap_err() else {
            panic!("another reason");
        };
        assert_eq!(why, PasswordWeakness::TooShort { min: 40 });
        reset(&long).await.unwrap();
    }

    let log_in = LogIn {
        hints: explicit(&["acme"]),
        ..command("ada", &long)
    };
    let caller = world.caller(&tessera.log_in(log_in).await.unwrap()).await;
    let change = |password: &str| {
        let (old, new) = (typed(&long), typed(password));
        tessera.change_password(&caller, ChangePassword { old, new })
    };
    let refused = change(&short).await;
    assert!(matches!(refused, Err(ChangePasswordError::WeakPassword(_))));
    change(&pass_phrase(41)).await.unwrap();

    let set = |password: &str| tessera.set_password(&tenant, ada.id, typed(password));
    let refused = set(&short).await;
    assert!(matches!(refused, Err(ChangeUserError::WeakPassword(_))));
    set(&long).await.unwrap();
    let create = |email: &str, password: &str| {
        let command = CreateUser {
            password: FirstPassword::Given(typed(password)),
            username: None,
            ..new_user(email, "x")
        };
        tessera.create_user(&Actor::Operator, &tenant, command)
    };
    let refused = create("bob@example.com", &short).await;
    assert!(matches!(refused, Err(CreateUserError::WeakPassword(_))));
    create("bob@example.com", &long).await.unwrap();
}

#[tokio::test]
async fn a_tenant_that_lets_nobody_sign_up_still_invites() {
    let world = World::new().await;
    let tenant = world.create_tenant("Acme", &[]).await;
    for (number, mode) in [Registration::Closed, Registration::Invite]
        .into_iter()
        .enumerate()
    {
        let decide = |so_far| TenantSettings {
            registration: Some(mode),
            ..so_far
        };
        world.change_settings("Acme", decide).await;
        let sign_up = Register {
            hints: explicit(&["acme"]),
            ..registration("eve@example.com")
        };
        let refused = world.tessera.register(sign_up).await.unwrap_err();
        let expected = match mode {
            Registration::Closed => matches!(refused, RegisterError::Closed),
            Registration::Invite => matches!(refused, RegisterError::InvitationOnly),
            Registration::Open => false,
        };
        assert!(expected, "{refused:?}");
        let of = UserAdministration::of_operator(tenant.clone());
        let invited = InviteUser {
            email: EmailAddress::parse(&format!("bob-{number}@example.com")).unwrap(),
            username: None,
            profile: Profile::default(),
            roles: Vec::new(),
            is_superuser: false,
        };
        world.tessera.invite_user(&of, invited).await.unwrap();
        let letter = world.letter(MailKind::Invitation).await;
        world.reset(&shown(&letter)).await.unwrap();
        world.letter(MailKind::PasswordChanged).await;
    }
    let elsewhere = world.tessera.register(registration("eve@example.com"));
    elsewhere.await.unwrap();
}

#[tokio::test]
async fn a_letter_says_of_which_tenant_it_is_and_whom_that_wants_it_to_be_from() {
    let world = World::new().await;
    world.create_tenant("Acme Corp", &["acme.example"]).await;
    let sender = MailSender::parse("Acme <post@acme.example>").ok();
    let decide = |so_far| TenantSettings {
        mail_from: sender.clone(),
        ..so_far
    };
    world.change_settings("Acme Corp", decide).await;
    for (tenant, schema, from) in [
        ("acme_corp", "acme_corp", sender.clone()),
        ("public", "public", None),
    ] {
        let sign_up = Register {
            hints: explicit(&[tenant]),
            ..registration("eve@example.com")
        };
        world.tessera.register(sign_up).await.unwrap();
        let letter = world.letter(MailKind::VerifyEmail).await;
        assert_eq!((letter.schema.as_str(), letter.from), (schema, from));
    }
}

/// A password of that many characters.
fn pass_phrase(chars: usize) -> String {
    "right horse battery "
        .chars()
        .cycle()
        .take(chars - 1)
        .chain(['!'])
        .collect()
}

fn lives(access: u64, refresh: u64) -> impl Fn(TenantSettings) -> TenantSettings + Send + Sync {
    move |so_far| TenantSettings {
        access_lifetime: Some(Duration::from_secs(access)),
        refresh_lifetime: Some(Duration::from_secs(refresh)),
        ..so_far
    }
}

/// The seconds that the tokens of a grant live from now on.
fn lives_of(world: &World, grant: &Grant) -> (u64, u64) {
    let left = grant.session.idle_end.since(world.now());
    (grant.expires_in.as_secs(), left.as_secs())
}
