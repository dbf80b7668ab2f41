//! Change the address of one's account: nothing changes until the new address confirms it.

use std::sync::Arc;

use tessera_app::{
    Awaited, ChangeEmailError, Letter, MailedTokenError, RefreshTokens, TenantHints,
};
use tessera_domain::{
    Actor, EmailAddress, EventKind, MailKind, MailedTokenPolicy, MailedTokenPurpose, Subject, User,
};

use tokio::task::JoinSet;

use crate::world::{PASSWORD, World, new_user, registration, shown};

#[tokio::test]
async fn asking_for_another_address_changes_nothing_and_tells_both() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let before = world.ada().await;
    let asking = world.ask_to_change(&caller, "Lovelace@Example.com");
    let (answer, done) = world.watch(asking).await;
    answer.unwrap();
    assert_eq!((done.verified, done.hashed, done.commits), (0, 0, 1));
    assert!(done.events.is_empty());
    let (to_new, to_old) = pair(&world, MailKind::ChangeEmailRequested).await;
    assert_eq!(to_new.to.as_str(), "Lovelace@Example.com");
    assert_eq!(to_new.new_email.as_ref(), Some(&to_new.to));
    assert!(to_new.link.is_some());
    assert_eq!(to_old.to.as_str(), "Ada@Example.com");
    assert_eq!((&to_old.link, &to_old.new_email), (&None, &None));
    let version = before.version;
    let after = world.ada().await;
    assert_eq!(User { version, ..after }, before);
}

#[tokio::test]
async fn the_new_address_confirms_and_the_old_one_is_told() {
    let world = World::new().await;
    let (grace, _) = world.sign_up().await;
    let grant = world.try_log_in("grace", PASSWORD).await.unwrap();
    let shown = world.mailed(MailedTokenPurpose::ChangeEmail).await;
    let confirming = world.tessera.confirm_email(shown);
    let (answer, done) = world.watch(confirming).await;
    answer.unwrap();
    assert_eq!((done.verified, done.hashed, done.commits), (0, 0, 1));
    let email = "Hopper@Example.com".to_owned();
    assert_eq!(done.kinds(), [EventKind::UserEmailChanged { email }]);
    assert_eq!(done.subjects(), [Subject::User(grace.id)]);
    let notice = world.letter(MailKind::EmailChanged).await;
    assert_eq!(notice.to.as_str(), "Grace@Example.com");
    let now_at = notice.new_email.as_ref().map(EmailAddress::as_str);
    assert_eq!(now_at, Some("Hopper@Example.com"));
    assert_eq!(notice.link, None);
    let grace = world.grace().await;
    assert!(grace.email_verified, "whoever confirms reads its mails");
    world.assert_works(&grant).await;
    world
        .try_log_in("HOPPER@example.com", PASSWORD)
        .await
        .unwrap();
    world
        .try_log_in("grace@example.com", PASSWORD)
        .await
        .unwrap_err();
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn the_old_address_is_free_then() {
    let world = World::new().await;
    world.sign_up().await;
    let shown = world.mailed(MailedTokenPurpose::ChangeEmail).await;
    world.tessera.confirm_email(shown).await.unwrap();
    world.letters().await;
    let mut command = registration("grace@example.com");
    command.username = None;
    world.tessera.register(command).await.unwrap();
    world.letter(MailKind::VerifyEmail).await;
}

#[tokio::test]
async fn an_address_of_somebody_else_is_answered_the_same_and_leads_nowhere() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    world
        .create_user(&tenant, "taken@example.com", "noah")
        .await;
    let caller = world.log_in_as("ada").await;
    let mut costs = Vec::new();
    for email in ["free@example.com", "TAKEN@example.com"] {
        let (answer, done) = world.watch(world.ask_to_change(&caller, email)).await;
        answer.unwrap();
        costs.push((done.verified, done.hashed, done.commits, done.names()));
    }
    assert_eq!(costs[0], costs[1]);
    let letters = world.letters().await;
    let leading = letters.iter().filter(|letter| letter.link.is_some());
    let to: Vec<&str> = leading.map(|letter| letter.to.as_str()).collect();
    assert_eq!(to, ["free@example.com"]);
}

#[tokio::test]
async fn an_address_that_somebody_takes_before_it_is_confirmed_stays_theirs() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let email = "wanted@example.com";
    world.ask_to_change(&caller, email).await.unwrap();
    let (letter, _) = pair(&world, MailKind::ChangeEmailRequested).await;
    world
        .tessera
        .register(registration("WANTED@example.com"))
        .await
        .unwrap();
    let (answer, done) = world
        .watch(world.tessera.confirm_email(shown(&letter)))
        .await;
    assert!(matches!(answer, Err(MailedTokenError::Invalid)));
    assert_eq!(done.commits, 0);
    assert_eq!(
        world.ada().await.email,
        EmailAddress::parse("Ada@Example.com").ok()
    );
    let grace = world.grace().await;
    assert_eq!(grace.email, EmailAddress::parse("WANTED@example.com").ok());
}

#[tokio::test]
async fn of_two_who_confirm_one_address_at_the_same_time_one_gets_it() {
    let world = World::new().await;
    world.sign_up().await;
    let mut links = Vec::new();
    for login in ["ada", "grace"] {
        let caller = world.log_in_as(login).await;
        let email = "wanted@example.com";
        world.ask_to_change(&caller, email).await.unwrap();
        links.push(shown(&pair(&world, MailKind::ChangeEmailRequested).await.0));
    }
    let other = world.restarted().await;
    let [one, two] = [links.remove(0), links.remove(0)];
    let purpose = MailedTokenPurpose::ChangeEmail;
    let (one, two) = tokio::join!(world.show(purpose, &one), other.show(purpose, &two));
    assert!(one != two);
    world.assert_events_are_gapless();
}

#[tokio::test]
async fn another_spelling_of_the_own_address_is_a_change_too() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    world
        .ask_to_change(&caller, "ada@example.com")
        .await
        .unwrap();
    let (letter, _) = pair(&world, MailKind::ChangeEmailRequested).await;
    world.tessera.confirm_email(shown(&letter)).await.unwrap();
    let email = world.ada().await.email.unwrap();
    assert_eq!(email.as_str(), "ada@example.com");
}

#[tokio::test]
async fn of_two_changes_that_were_asked_for_the_first_confirmed_ends_the_other() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let mut links = Vec::new();
    for email in ["one@example.com", "two@example.com"] {
        world.ask_to_change(&caller, email).await.unwrap();
        links.push(shown(&pair(&world, MailKind::ChangeEmailRequested).await.0));
    }
    let purpose = MailedTokenPurpose::ChangeEmail;
    assert!(world.show(purpose, &links[1]).await);
    assert!(!world.show(purpose, &links[0]).await);
    let email = world.ada().await.email.unwrap();
    assert_eq!(email.as_str(), "two@example.com");
}

#[tokio::test]
async fn a_flood_of_changes_is_a_few_mails_and_kills_no_link() {
    let most = MailedTokenPolicy::default().most;
    for at_once in [true, false] {
        let world = World::new().await;
        let caller = world.log_in_as("ada").await;
        let mut letters = Vec::new();
        for number in 0..3 * most {
            let email = format!("ada-{number}@example.com");
            world.ask_to_change(&caller, &email).await.unwrap();
            if !at_once {
                letters.extend(world.letters().await);
            }
        }
        letters.extend(world.letters().await);
        letters.retain(|letter| letter.kind == MailKind::ChangeEmail);
        assert_eq!(letters.len(), most, "{at_once}");
        let purpose = MailedTokenPurpose::ChangeEmail;
        assert!(world.show(purpose, &shown(&letters[0])).await);
    }
}

#[tokio::test]
async fn of_many_changes_asked_for_at_the_same_time_a_few_are_mailed() {
    let most = MailedTokenPolicy::default().most;
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let asking = (0..3 * most).map(|number| {
        let (tessera, caller) = (Arc::clone(&world.tessera), caller.clone());
        let email = EmailAddress::parse(&format!("ada-{number}@example.com")).unwrap();
        async move { tessera.change_email(&caller, email).await }
    });
    for answer in asking.collect::<JoinSet<_>>().join_all().await {
        answer.unwrap();
    }
    let mut letters = world.letters().await;
    letters.retain(|letter| letter.kind == MailKind::ChangeEmail);
    assert_eq!(letters.len(), most);
}

#[tokio::test]
async fn a_change_that_the_end_of_the_session_overtakes_mails_nothing() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let (tessera, of_ada) = (Arc::clone(&world.tessera), caller.clone());
    world.store.before_next_commit(async move {
        tessera.log_out_everywhere(&of_ada).await.unwrap();
    });
    let answer = world.ask_to_change(&caller, "two@example.com").await;
    assert!(matches!(answer, Err(ChangeEmailError::Invalid)));
    assert_eq!(world.letters().await, []);
}

#[tokio::test]
async fn a_user_without_an_address_gets_one() {
    let world = World::new().await;
    let tenant = world.tenant().await;
    let noah = new_user("noah@example.com", "noah");
    let noah = world
        .tessera
        .create_user(&Actor::Operator, &tenant, noah)
        .await
        .unwrap();
    let bare = User {
        email: None,
        email_verified: false,
        ..noah
    };
    let changes = tessera_domain::Changes {
        users: vec![tessera_domain::Change::Update(bare)],
        ..Default::default()
    };
    tessera_app::Store::commit(&world.store, &tenant, changes)
        .await
        .unwrap();
    let caller = world.log_in_as("noah").await;
    world
        .ask_to_change(&caller, "noah@example.org")
        .await
        .unwrap();
    let letter = world.letter(MailKind::ChangeEmail).await;
    world.tessera.confirm_email(shown(&letter)).await.unwrap();
    assert_eq!(world.letters().await, [], "there is no old address to tell");
    world
        .try_log_in("noah@example.org", PASSWORD)
        .await
        .unwrap();
}

#[tokio::test]
async fn tokens_given_after_a_change_say_the_new_address() {
    let world = World::new().await;
    world.sign_up().await;
    let grant = world.try_log_in("grace", PASSWORD).await.unwrap();
    let shown = world.mailed(MailedTokenPurpose::ChangeEmail).await;
    world.tessera.confirm_email(shown).await.unwrap();
    let command = RefreshTokens {
        hints: TenantHints::default(),
        token: grant.refresh.unwrap(),
        ip: None,
        awaited: Awaited::default(),
    };
    let grant = world.tessera.refresh(command).await.unwrap();
    let claims = world.caller(&grant).await.claims;
    assert_eq!(claims.email.as_deref(), Some("Hopper@Example.com"));
}

/// The letter to the new address, and the other one.
async fn pair(world: &World, other: MailKind) -> (Letter, Letter) {
    let letters = world.letters().await;
    let of = |kind| letters.iter().find(|one| one.kind == kind).unwrap().clone();
    assert_eq!(letters.len(), 2, "{letters:?}");
    (of(MailKind::ChangeEmail), of(other))
}

#[tokio::test]
async fn an_address_in_the_domain_of_another_tenant_is_refused() {
    let world = World::new().await;
    world.create_tenant("Acme", &["acme.example"]).await;
    let caller = world.log_in_as("ada").await;
    let asking = |email: &str| {
        let email = EmailAddress::parse(email).unwrap();
        world.tessera.change_email(&caller, email)
    };
    let (answer, done) = world.watch(asking("ada@acme.example")).await;
    assert!(
        matches!(answer, Err(ChangeEmailError::ForeignDomain)),
        "{answer:?}"
    );
    assert_eq!(done.commits, 0);
    asking("ada@king.example").await.unwrap();
}
