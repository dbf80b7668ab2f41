//! The relay of mails: each goes out, whatever fails, and says what it has to.

use core::future::pending;
use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use tessera_app::{
    ChangePassword, Letter, MailError, MailQueue, MailRelay, MailStep, MailTally, Mailer, Settings,
    Store,
};
use tessera_domain::{
    Change, Changes, EmailAddress, Id, Mail, MailKind, MailedTokenPolicy, MailedTokenPurpose,
    Tenant, TenantStatus, Timestamp,
};
use tessera_memory::MemoryMailer;
use tokio::task::yield_now;

use crate::world::{
    OTHER, PASSWORD, World, ask, command, cut, registration, settings, shown, typed,
};

#[tokio::test]
async fn a_mail_goes_out_once() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    let relay = world.mail_relay();
    let sent = MailTally {
        sent: 1,
        ..MailTally::default()
    };
    assert_eq!(relay.step().await.unwrap(), MailStep::Progress(sent));
    assert_eq!(relay.step().await.unwrap(), MailStep::Quiet(None));
    assert_eq!(world.mailer.sent().len(), 1);
    assert_eq!(world.store.memory().mails(), []);
}

#[tokio::test]
async fn a_mail_that_nobody_needs_is_counted_and_gone() {
    let world = World::new().await;
    world.forgot("nobody@example.com").await;
    let unneeded = MailTally {
        unneeded: 1,
        ..MailTally::default()
    };
    let step = world.mail_relay().step().await.unwrap();
    assert_eq!(step, MailStep::Progress(unneeded));
    assert_eq!(world.store.memory().mails(), []);
}

#[tokio::test]
async fn the_relay_is_woken_by_what_is_to_be_sent() {
    let world = World::new().await;
    let mut news = world.store.mail_news();
    world.log_in().await;
    assert!(!news.has_changed().unwrap(), "no mail is in it");
    world.forgot("ada@example.com").await;
    assert!(news.has_changed().unwrap());
    news.mark_unchanged();
}

#[tokio::test]
async fn links_lead_to_the_page_that_is_configured_or_to_the_issuer() {
    for (page, base) in [
        (Some("https://app.example"), "https://app.example"),
        (Some("https://app.example/"), "https://app.example"),
        (Some("https://app.example/a/b/"), "https://app.example/a/b"),
        (None, "https://login.example/account"),
    ] {
        let world = World::with(Settings {
            web_page_url: page.map(str::to_owned),
            ..settings()
        })
        .await;
        let (grace, verify) = world.sign_up().await;
        for purpose in [
            MailedTokenPurpose::ChangeEmail,
            MailedTokenPurpose::ResetPassword,
        ] {
            world.mailed(purpose).await;
        }
        let mut signing_up = registration("grace@example.com");
        signing_up.username = None;
        world.tessera.register(signing_up).await.unwrap();
        let known = world.letter(MailKind::AlreadyRegistered).await;
        let sent = world.mailer.sent();
        let of = |kind| sent.iter().find(|letter| letter.kind == kind).unwrap();
        for (letter, path) in [
            (&verify, "verify-email"),
            (of(MailKind::ChangeEmail), "change-email"),
            (of(MailKind::ResetPassword), "reset-password"),
            (&known, "reset-password"),
        ] {
            let link = letter.link.as_ref().unwrap();
            let (uid, token) = (&link.uid, &link.token);
            let expected = format!("{base}/{path}?uid={uid}&token={token}");
            assert_eq!(link.url, expected, "nothing of it has to be escaped");
            assert_eq!(decoded(uid), grace.id.to_string());
        }
    }
}

#[tokio::test]
async fn a_mail_that_leads_nowhere_has_no_link() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    world.tessera.delete_account(&caller).await.unwrap();
    assert_eq!(world.letter(MailKind::AccountDeleted).await.link, None);
}

#[tokio::test]
async fn a_letter_is_as_old_as_what_asked_for_it_and_a_repeat_has_its_id() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    let asked_at = world.now();
    let [mail] = &world.store.memory().mails()[..] else {
        panic!("one mail");
    };
    fail(&world, unavailable());
    world.mail_relay().step().await.unwrap();
    world.wait(60);
    world.mailer.fail(None);
    let letter = world.letter(MailKind::ResetPassword).await;
    assert_eq!((letter.id, letter.at), (mail.id, asked_at));
    let hour = Duration::from_hours(1);
    assert_eq!(letter.link.unwrap().expires_at, world.now() + hour);
}

#[tokio::test]
async fn while_the_server_is_away_mails_wait_and_come_later() {
    let world = World::new().await;
    for _ in 0..3 {
        world.forgot("ada@example.com").await;
    }
    fail(&world, unavailable());
    let relay = world.mail_relay();
    let MailStep::Paused(tally, why, until) = relay.step().await.unwrap() else {
        panic!("the server is away");
    };
    assert_eq!((tally, &*why), (MailTally::default(), "away"));
    assert!(until > world.now());
    assert_eq!(relay.step().await.unwrap(), MailStep::Quiet(Some(until)));
    world.mailer.fail(None);
    assert_eq!(world.letters().await, [], "nothing is tried before");
    world.wait(60);
    let letters = world.letters().await;
    assert_eq!(letters.len(), 3);
    for letter in letters {
        let shown = shown(&letter);
        let verified = world.show(MailedTokenPurpose::VerifyEmail, &shown).await;
        assert!(!verified);
    }
}

#[tokio::test]
async fn a_mail_that_is_held_waits_alone() {
    let world = World::new().await;
    let addresses = world.ask_for_mails(3).await;
    let held = |why: &str| MailError::Held(why.to_owned());
    let picky = Picky::about(&world.mailer, &addresses[0], held("mailbox full"));
    let relay = MailRelay::new(Arc::clone(&world.tessera), picky);
    let first = world.store.memory().mails()[0].id;
    let mut whole = Duration::from_secs(1);
    for sent in [2, 0, 0] {
        let expected = MailTally {
            sent,
            held: vec![(first, "mailbox full".to_owned())],
            ..MailTally::default()
        };
        assert_eq!(relay.step().await.unwrap(), MailStep::Progress(expected));
        let MailStep::Quiet(Some(due)) = relay.step().await.unwrap() else {
            panic!("it comes again");
        };
        let now = world.now();
        assert!(now + whole / 2 <= due && due <= now + whole, "{whole:?}");
        whole *= 2;
        wait_until(&world, due);
    }
    assert_eq!(world.letter(MailKind::ResetPassword).await.id, first);
}

#[tokio::test]
async fn a_mail_that_the_server_never_answers_to_shields_no_other() {
    let world = World::new().await;
    let addresses = world.ask_for_mails(20).await;
    let picky = Picky::about(&world.mailer, &addresses[0], unavailable());
    let relay = MailRelay::new(Arc::clone(&world.tessera), picky);
    let mut paused = 0;
    while world.mailer.sent().len() < 19 {
        match relay.step().await.unwrap() {
            MailStep::Paused(_, _, until) => {
                paused += 1;
                wait_until(&world, until);
            }
            MailStep::Progress(_) => {}
            MailStep::Quiet(due) => wait_until(&world, due.unwrap()),
        }
    }
    assert_eq!(paused, 1, "the others come first then");
}

#[tokio::test]
async fn mails_that_were_not_tried_are_given_back_with_no_try_counted() {
    let world = World::new().await;
    world.ask_for_mails(3).await;
    fail(&world, unavailable());
    let MailStep::Paused(_, _, until) = world.mail_relay().step().await.unwrap() else {
        panic!("the server is away");
    };
    wait_until(&world, until + Duration::from_secs(1));
    let now = world.now();
    let waiting = world.store.take_mails(now, now, 9).await.unwrap();
    let tries: Vec<u32> = waiting.iter().map(|one| one.tries).collect();
    assert_eq!(tries, [0, 0, 1], "the one that was tried comes last");
}

#[tokio::test]
async fn a_mail_of_a_tenant_that_cannot_be_read_waits_alone_and_is_given_up_after_a_day() {
    let world = World::new().await;
    let acme = world.create_tenant("Acme", &["acme.example"]).await;
    world.create_user(&acme, "ada@acme.example", "ada").await;
    world.forgot("ada@acme.example").await;
    let (bad, asked_at) = (world.store.memory().mails()[0].id, world.now());
    world.forgot("ada@example.com").await;
    world.store.break_tenant(Some(acme.id));
    let relay = world.mail_relay();
    let why = "the mail cannot be made: a table is missing";
    let held = MailTally {
        sent: 1,
        held: vec![(bad, why.to_owned())],
        ..MailTally::default()
    };
    assert_eq!(relay.step().await.unwrap(), MailStep::Progress(held));
    loop {
        match relay.step().await.unwrap() {
            MailStep::Progress(tally) if tally.failed.is_empty() => {}
            MailStep::Progress(tally) => {
                assert_eq!(tally.failed, [(bad, why.to_owned())]);
                break;
            }
            MailStep::Quiet(due) => wait_until(&world, due.unwrap()),
            MailStep::Paused(..) => panic!("no server is away"),
        }
    }
    assert!(world.now() > asked_at + Duration::from_hours(24));
    assert_eq!(world.store.memory().mails(), []);
}

#[tokio::test]
async fn a_mail_of_a_suspended_tenant_waits_until_it_is_resumed() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    world.suspend("public").await;
    let MailStep::Progress(tally) = world.mail_relay().step().await.unwrap() else {
        panic!("it is due");
    };
    assert_eq!((tally.unneeded, tally.held.len()), (0, 1));
    let tenant = Tenant {
        status: TenantStatus::Active,
        ..world.tenant().await
    };
    let changes = Changes {
        tenants: vec![Change::Update(tenant.clone())],
        ..Changes::default()
    };
    world.store.commit(&tenant, changes).await.unwrap();
    world.wait(60);
    world.letter(MailKind::ResetPassword).await;
}

#[tokio::test]
async fn the_longer_the_server_is_away_the_longer_the_relay_waits() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    fail(&world, unavailable());
    let relay = world.mail_relay();
    let mut whole = Duration::from_secs(1);
    let longest = Duration::from_mins(5);
    for _ in 0..12 {
        let now = world.now();
        let MailStep::Paused(_, _, until) = relay.step().await.unwrap() else {
            panic!("the server is away");
        };
        assert!(
            now + whole / 2 <= until && until <= now + whole,
            "{whole:?}"
        );
        whole = (whole * 2).min(longest);
        wait_until(&world, until);
    }
}

#[tokio::test]
async fn what_the_server_rejects_is_dropped_and_told_and_blocks_no_other() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    let [mail] = &world.store.memory().mails()[..] else {
        panic!("one mail");
    };
    fail(&world, MailError::Rejected("no such mailbox".to_owned()));
    let rejected = MailTally {
        failed: vec![(mail.id, "no such mailbox".to_owned())],
        ..MailTally::default()
    };
    let relay = world.mail_relay();
    assert_eq!(relay.step().await.unwrap(), MailStep::Progress(rejected));
    assert_eq!(relay.step().await.unwrap(), MailStep::Quiet(None));
    world.mailer.fail(None);
    world.forgot("ada@example.com").await;
    world.letter(MailKind::ResetPassword).await;
}

#[tokio::test]
async fn a_mail_is_given_up_after_a_day_and_not_before() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    let (mail, asked_at) = (world.store.memory().mails()[0].id, world.now());
    fail(&world, unavailable());
    let relay = world.mail_relay();
    let day = Duration::from_hours(24);
    loop {
        match relay.step().await.unwrap() {
            MailStep::Paused(tally, _, until) => {
                assert!(world.now() <= asked_at + day);
                assert_eq!(tally.failed, []);
                wait_until(&world, until);
            }
            MailStep::Progress(tally) => {
                assert!(world.now() > asked_at + day);
                assert_eq!(tally.failed, [(mail, "away".to_owned())]);
                break;
            }
            MailStep::Quiet(_) => panic!("it waits still"),
        }
    }
    assert_eq!(world.store.memory().mails(), []);
}

#[tokio::test]
async fn two_relays_at_the_same_time_send_each_mail_once() {
    let world = World::new().await;
    for number in 0..30 {
        let mut signing_up = registration(&format!("user-{number}@example.com"));
        signing_up.username = None;
        world.tessera.register(signing_up).await.unwrap();
    }
    let other = world.restarted().await;
    tokio::join!(world.letters(), other.letters());
    let mut sent: HashMap<String, usize> = HashMap::new();
    for letter in world.mailer.sent() {
        *sent.entry(letter.to.as_str().to_owned()).or_default() += 1;
    }
    assert_eq!(sent.len(), 30);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
}

#[tokio::test]
async fn of_a_mail_that_came_twice_either_link_works_once_and_it_is_told_once() {
    for kind in [
        MailKind::ChangeEmail,
        MailKind::ResetPassword,
        MailKind::VerifyEmail,
    ] {
        for used in [0, 1] {
            let world = World::new().await;
            world.sign_up().await;
            let purpose = world.ask_for(kind).await;
            let slow = Slow::to(&world.mailer, Some(kind));
            let relay = MailRelay::new(Arc::clone(&world.tessera), slow);
            // The letter arrives, and nobody hears of it.
            let (first, done) = world.watch(async { cut(relay.step(), 64) }).await;
            assert!(first.is_none());
            let told = usize::from(kind == MailKind::ResetPassword);
            assert_eq!(done.names().len(), told);
            world.wait(3 * 60);
            let (_, done) = world.watch(world.letters()).await;
            assert_eq!(done.names(), [""; 0]);
            let mut sent = world.mailer.sent().split_off(1);
            sent.retain(|letter| letter.kind == kind);
            let [one, two] = &sent[..] else {
                panic!("it came twice: {sent:?}");
            };
            assert_eq!(one.id, two.id);
            assert_ne!(one.copy, two.copy, "a mail program may hide it");
            let links = [shown(one), shown(two)];
            assert!(world.show(purpose, &links[used]).await, "{kind} {used}");
            for link in &links {
                assert!(!world.show(purpose, link).await, "{kind} {used}");
            }
        }
    }
}

#[tokio::test]
async fn however_often_a_mail_comes_it_counts_once_and_its_first_and_last_links_work() {
    let most = MailedTokenPolicy::default().most;
    for first_works in [true, false] {
        let world = World::new().await;
        for _ in 0..most {
            world.forgot("ada@example.com").await;
        }
        for _ in 0..6 {
            let slow = Slow::to(&world.mailer, Some(MailKind::ResetPassword));
            let relay = MailRelay::new(Arc::clone(&world.tessera), slow);
            assert!(cut(relay.step(), 64).is_none());
            world.wait(3 * 60);
        }
        world.letters().await;
        let sent = world.mailer.sent();
        let mails: HashSet<Id<Mail>> = sent.iter().map(|letter| letter.id).collect();
        assert_eq!(mails.len(), most);
        let first = sent.first().unwrap();
        let last = sent.iter().rfind(|letter| letter.id == first.id);
        let link = shown(if first_works { first } else { last.unwrap() });
        world.reset(&link).await.unwrap();
    }
}

#[tokio::test]
async fn a_mail_that_leads_nowhere_is_the_same_when_it_comes_again() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    world.tessera.delete_account(&caller).await.unwrap();
    let slow = Slow::to(&world.mailer, Some(MailKind::AccountDeleted));
    let relay = MailRelay::new(Arc::clone(&world.tessera), slow);
    assert!(cut(relay.step(), 64).is_none());
    world.wait(3 * 60);
    let again = world.letter(MailKind::AccountDeleted).await;
    assert_eq!(world.mailer.sent(), [again.clone(), again]);
}

#[tokio::test]
async fn of_a_mail_that_is_rejected_no_token_is_left() {
    for kind in [
        MailKind::ChangeEmail,
        MailKind::ResetPassword,
        MailKind::VerifyEmail,
    ] {
        let world = World::new().await;
        let (grace, letter) = world.sign_up().await;
        world.ask_for(kind).await;
        fail(&world, MailError::Rejected("no such mailbox".to_owned()));
        world.mail_relay().step().await.unwrap();
        let left = world.mailed_tokens(&world.tenant().await, &grace).await;
        assert_eq!(left.len(), 1, "{kind}");
        let purpose = MailedTokenPurpose::VerifyEmail;
        assert!(world.show(purpose, &shown(&letter)).await, "{kind}");
    }
}

#[tokio::test]
async fn a_repeat_after_its_token_was_used_lets_nobody_change_the_address_again() {
    let world = World::new().await;
    let caller = world.log_in_as("ada").await;
    let wanted = "wanted@example.com";
    world.ask_to_change(&caller, wanted).await.unwrap();
    let slow = Slow::to(&world.mailer, Some(MailKind::ChangeEmail));
    let relay = MailRelay::new(Arc::clone(&world.tessera), slow);
    assert!(cut(relay.step(), 64).is_none());
    let sent = world.mailer.sent();
    let first = sent.iter().find(|one| one.kind == MailKind::ChangeEmail);
    world
        .tessera
        .confirm_email(shown(first.unwrap()))
        .await
        .unwrap();
    world.wait(3 * 60);
    let letters = world.letters().await;
    let mut kinds: Vec<MailKind> = letters.iter().map(|one| one.kind).collect();
    kinds.sort_by_key(|kind| kind.as_str());
    kinds.dedup();
    assert!(!kinds.contains(&MailKind::ChangeEmail), "{kinds:?}");
}

#[tokio::test]
async fn mails_of_a_user_who_was_disabled_meanwhile_lead_nowhere() {
    let world = World::new().await;
    let (grace, _) = world.sign_up().await;
    let caller = world.log_in_as("grace").await;
    world.forgot("grace@example.com").await;
    world
        .ask_to_change(&caller, "hopper@example.com")
        .await
        .unwrap();
    let tenant = world.tenant().await;
    world.tessera.disable_user(&tenant, grace.id).await.unwrap();
    let letters = world.letters().await;
    let leading = letters.iter().filter(|letter| letter.link.is_some());
    assert_eq!(leading.count(), 0, "{letters:?}");
}

#[tokio::test]
async fn what_happened_to_an_account_is_told_at_the_address_that_it_had() {
    for kind in [
        MailKind::ChangeEmailRequested,
        MailKind::EmailChanged,
        MailKind::PasswordChanged,
    ] {
        let world = World::new().await;
        world.sign_up().await;
        let caller = world.log_in_as("grace").await;
        if kind == MailKind::EmailChanged {
            let link = world.mailed(MailedTokenPurpose::ChangeEmail).await;
            world.tessera.confirm_email(link).await.unwrap();
        } else if kind == MailKind::PasswordChanged {
            let (old, new) = (typed(PASSWORD), typed(OTHER));
            let command = ChangePassword { old, new };
            let changing = world.tessera.change_password(&caller, command);
            changing.await.unwrap();
        } else {
            let asking = world.ask_to_change(&caller, "hopper@example.com");
            asking.await.unwrap();
        }
        world.move_grace("elsewhere@example.com").await;
        let letters = world.letters().await;
        let notice = letters.iter().find(|letter| letter.kind == kind).unwrap();
        assert_eq!(notice.to.as_str(), "Grace@Example.com", "{kind}");
    }
}

#[tokio::test]
async fn that_a_reset_set_another_password_is_told_at_the_address_that_had_the_link() {
    let world = World::new().await;
    world.sign_up().await;
    let link = world.mailed(MailedTokenPurpose::ResetPassword).await;
    world.reset(&link).await.unwrap();
    world.move_grace("elsewhere@example.com").await;
    let notice = world.letter(MailKind::PasswordChanged).await;
    assert_eq!(notice.to.as_str(), "Grace@Example.com");
}

#[tokio::test]
async fn a_password_changed_while_a_token_is_made_leaves_one_that_works() {
    for kind in [MailKind::AlreadyRegistered, MailKind::ResetPassword] {
        let world = World::new().await;
        if kind == MailKind::ResetPassword {
            world.forgot("ada@example.com").await;
        } else {
            let signing_up = registration("ada@example.com");
            world.tessera.register(signing_up).await.unwrap();
        }
        let (tessera, tenant) = (Arc::clone(&world.tessera), world.tenant().await);
        let ada = world.ada().await.id;
        world.store.before_next_commit(async move {
            let password = typed("first horse battery");
            tessera.set_password(&tenant, ada, password).await.unwrap();
        });
        let letter = world.letter(kind).await;
        world.reset(&shown(&letter)).await.unwrap();
    }
}

#[tokio::test]
async fn without_the_store_no_letter_goes_out_and_none_is_lost() {
    let world = World::new().await;
    world.forgot("ada@example.com").await;
    world.store.memory().unavailable(true);
    world.mail_relay().step().await.unwrap_err();
    world.store.memory().unavailable(false);
    world.letter(MailKind::ResetPassword).await;
}

#[tokio::test]
async fn a_relay_dropped_at_any_await_loses_no_mail() {
    for polls in 1.. {
        let world = World::new().await;
        for number in 0..3 {
            let mut signing_up = registration(&format!("user-{number}@example.com"));
            signing_up.username = None;
            world.tessera.register(signing_up).await.unwrap();
        }
        world.forgot("ada@example.com").await;
        let slow = Slow::to(&world.mailer, None);
        let relay = MailRelay::new(Arc::clone(&world.tessera), slow);
        let whole = cut(relay.step(), polls).is_some();
        drop(relay);
        world.wait(3 * 60);
        world.restarted().await.letters().await;
        assert_eq!(world.store.memory().mails(), []);
        let mut last: HashMap<String, Letter> = HashMap::new();
        let sent = world.mailer.sent();
        assert!(sent.len() <= 5, "one may come twice");
        for letter in sent {
            last.insert(letter.to.as_str().to_owned(), letter);
        }
        assert_eq!(last.len(), 4, "after {polls} polls");
        for letter in last.into_values() {
            let purpose = if letter.kind == MailKind::ResetPassword {
                MailedTokenPurpose::ResetPassword
            } else {
                MailedTokenPurpose::VerifyEmail
            };
            assert!(world.show(purpose, &shown(&letter)).await);
        }
        world.assert_events_are_gapless();
        if whole {
            break;
        }
    }
}

#[tokio::test]
async fn a_dead_mail_server_changes_no_answer() {
    let world = World::new().await;
    fail(&world, unavailable());
    let signing_up = registration("grace@example.com");
    world.tessera.register(signing_up).await.unwrap();
    world.forgot("ada@example.com").await;
    world.mail_relay().step().await.unwrap();
    let login = command("grace", PASSWORD);
    world.tessera.log_in(login).await.unwrap();
}

/// A mailer that takes a while, before and after a letter arrives.
#[derive(Clone)]
struct Slow {
    inner: MemoryMailer,
    /// What takes for ever after it arrived.
    hangs_after: Option<MailKind>,
}

impl Slow {
    fn to(inner: &MemoryMailer, hangs_after: Option<MailKind>) -> Arc<Self> {
        let inner = inner.clone();
        Arc::new(Self { inner, hangs_after })
    }
}

#[async_trait]
impl Mailer for Slow {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        yield_now().await;
        self.inner.send(letter).await?;
        if self.hangs_after == Some(letter.kind) {
            pending::<()>().await;
        }
        yield_now().await;
        Ok(())
    }
}

/// A mailer that fails with one address alone.
struct Picky {
    inner: MemoryMailer,
    address: String,
    error: MailError,
}

impl Picky {
    fn about(inner: &MemoryMailer, address: &str, error: MailError) -> Arc<Self> {
        let (inner, address) = (inner.clone(), address.to_owned());
        Arc::new(Self {
            inner,
            address,
            error,
        })
    }
}

#[async_trait]
impl Mailer for Picky {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        if letter.to.as_str() == self.address {
            return Err(self.error.clone());
        }
        self.inner.send(letter).await
    }
}

impl World {
    /// Asks for a mail of that kind, as `grace`; answers what its link is good for.
    async fn ask_for(&self, kind: MailKind) -> MailedTokenPurpose {
        if kind == MailKind::ChangeEmail {
            let caller = self.log_in_as("grace").await;
            let asking = self.ask_to_change(&caller, "hopper@example.com");
            asking.await.unwrap();
            return MailedTokenPurpose::ChangeEmail;
        }
        if kind == MailKind::ResetPassword {
            self.forgot("grace@example.com").await;
            return MailedTokenPurpose::ResetPassword;
        }
        let command = ask("grace@example.com");
        self.tessera.resend_verification(command).await.unwrap();
        MailedTokenPurpose::VerifyEmail
    }

    /// Gives `grace` another address, from behind.
    async fn move_grace(&self, email: &str) {
        let email = EmailAddress::parse(email).unwrap();
        let (tenant, (moved, _)) = (self.tenant().await, self.grace().await.change_email(email));
        let changes = Changes {
            users: vec![Change::Update(moved)],
            ..Changes::default()
        };
        self.store.commit(&tenant, changes).await.unwrap();
    }

    /// So many accounts of the default tenant that forgot their passwords, one after the other.
    async fn ask_for_mails(&self, count: usize) -> Vec<String> {
        let tenant = self.tenant().await;
        let mut addresses = Vec::new();
        for number in 0..count {
            let email = format!("user-{number}@example.com");
            self.create_user(&tenant, &email, &format!("user-{number}"))
                .await;
            self.forgot(&email).await;
            self.clock.advance(Duration::from_millis(1));
            addresses.push(email);
        }
        addresses
    }
}

fn fail(world: &World, error: MailError) {
    world.mailer.fail(Some(error));
}

fn unavailable() -> MailError {
    MailError::Unavailable("away".to_owned())
}

fn wait_until(world: &World, until: Timestamp) {
    world.clock.advance(until.since(world.now()));
}

/// Base64url without padding (RFC 4648), as a web page reads it.
fn decoded(text: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut count, mut bytes) = (0_usize, 0, Vec::new());
    for letter in text.chars() {
        bits = bits << 6 | alphabet.find(letter).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
        bits &= (1 << count) - 1;
    }
    String::from_utf8(bytes).unwrap()
}
