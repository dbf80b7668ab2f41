//! What concurrency and lost interest may not do to a commit.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use std::sync::Arc;

use tessera_app::{CommitError, Unique, UserFilter, UserKey};
use tessera_domain::{Change, Changes, Id, SchemaName, Session, Tenant, User};
use tokio::task::JoinSet;

use crate::fixture::{tenants, users};
use crate::{Fixture, values};

pub(super) async fn of_racing_updates_of_one_version_one_wins(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let ada = fixture.inserted_user(&acme, values::user(1)).await;
    let racing = (1..=RACERS).map(|number| {
        let changes = Changes {
            sessions: vec![Change::Insert(values::session(&ada, number))],
            ..users([Change::Update(marked(&ada, number))])
        };
        (acme.clone(), changes)
    });
    let answers = race(fixture, racing).await;
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    let stale = |answer: &&Answer| matches!(answer, Err(CommitError::Stale));
    let lost = answers.iter().filter(stale).count();
    assert_eq!((won, lost), (1, answers.len() - 1), "{answers:?}");

    let written = fixture.user(&acme, ada.id).await.unwrap();
    let sessions = fixture.store.sessions(&acme, ada.id).await.unwrap();
    assert_eq!(written.version, ada.version + 1);
    let of_winner = |session: &Session| written == winner(&ada, session.id);
    assert!(sessions.len() == 1 && sessions.iter().all(of_winner));
}

pub(super) async fn of_racing_inserts_of_one_address_one_wins(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let racing = (1..=RACERS).map(|number| {
        let ada = User {
            email: values::named_user(number, "ada").email,
            ..values::user(number)
        };
        (acme.clone(), users([Change::Insert(ada)]))
    });
    let answers = race(fixture, racing).await;
    assert_one_won(&answers, Unique::Email);
    let written = fixture
        .store
        .users(&acme, &UserFilter::default(), None, 100)
        .await
        .unwrap();
    assert_eq!(written.len(), 1);
}

pub(super) async fn of_racing_inserts_of_one_tenant_name_one_wins(fixture: &Fixture) {
    let racing = (1..=4).map(|number| {
        let schema = SchemaName::parse(&format!("acme_{number}")).unwrap();
        let tenant = Tenant {
            id: values::id(number),
            ..values::tenant_in("Acme", schema)
        };
        let insert = tenants([Change::Insert(tenant.clone())]);
        (tenant, insert)
    });
    let answers = race(fixture, racing).await;
    assert_one_won(&answers, Unique::Tenant);
    assert_eq!(fixture.store.tenants().await.unwrap().len(), 1);
}

pub(super) async fn racing_commits_that_share_nothing_all_go_through(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    let racing = (1..=RACERS).map(|number| {
        let tenant = if number % 2 == 0 { &acme } else { &other };
        let changes = Changes {
            events: vec![values::event(number, tenant, values::created(number))],
            ..users([Change::Insert(values::user(number))])
        };
        (tenant.clone(), changes)
    });
    let answers = race(fixture, racing).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let stored = fixture.events().await;
    let distinct = stored.is_sorted_by(|one, next| one.position < next.position);
    assert!(distinct && stored.len() == answers.len(), "{stored:?}");
}

/// Drops a commit at its first await, then another at its second, until one gets to its end.
pub(super) async fn a_commit_that_is_dropped_is_whole_or_nothing(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let mut ada = fixture.inserted_user(&acme, values::user(1)).await;
    for polls in 1..=MOST_POLLS {
        let commit = fixture.commit(&acme, interrupted(&acme, &ada, polls));
        let answer = cut(commit, polls).await;
        let whole = settled(fixture, &acme, &mut ada, polls).await;
        if let Some(answer) = answer {
            answer.unwrap();
            assert!(whole);
            return;
        }
    }
    panic!("a commit takes more than {MOST_POLLS} polls");
}

/// Aborts a commit almost at once, then others later and later, until one gets to its end first.
pub(super) async fn a_commit_that_is_aborted_is_whole_or_nothing(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let mut ada = fixture.inserted_user(&acme, values::user(1)).await;
    let mut yields = 1_u32;
    for number in 1.. {
        let changes = interrupted(&acme, &ada, number);
        let (store, tenant) = (Arc::clone(&fixture.store), acme.clone());
        let mut task = JoinSet::new();
        task.spawn(async move { store.commit(&tenant, changes).await });
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        task.abort_all();
        let finished = task.join_next().await.unwrap();
        let whole = settled(fixture, &acme, &mut ada, number).await;
        if let Ok(answer) = finished {
            answer.unwrap();
            assert!(whole);
            return;
        }
        yields += yields.div_ceil(4);
    }
}

pub(super) async fn a_tenant_whose_making_is_dropped_is_whole_or_nothing(fixture: &Fixture) {
    for polls in 1..=MOST_POLLS {
        let tenant = values::tenant(&format!("Acme {polls}"));
        let insert = || tenants([Change::Insert(tenant.clone())]);
        let finished = cut(fixture.commit(&tenant, insert()), polls).await;
        let namesake = Tenant {
            id: values::id(polls),
            ..tenant.clone()
        };
        let again = tenants([Change::Insert(namesake.clone())]);
        let made = match fixture.commit(&namesake, again).await {
            Ok(()) => namesake,
            Err(CommitError::Duplicate(Unique::Tenant)) => tenant,
            Err(error) => panic!("{error:?}"),
        };
        let made = fixture.find_tenant(&made).await.unwrap();
        fixture.inserted_user(&made, values::user(1)).await;
        if let Some(answer) = finished {
            answer.unwrap();
            return;
        }
    }
    panic!("a commit takes more than {MOST_POLLS} polls");
}

pub(super) async fn a_read_that_is_dropped_leaves_no_trace(fixture: &Fixture) {
    let [(acme, ada), (other, eve)] = namesakes(fixture).await;
    let key = UserKey::Email("ada@example.com".to_owned());
    let session = values::session(&ada, 1);
    fixture.inserted_session(&acme, session.clone()).await;
    let (store, all) = (&fixture.store, UserFilter::default());
    for polls in 1..=MOST_POLLS {
        let finished = [
            cut(store.session(&acme.schema, session.id), polls)
                .await
                .is_some(),
            cut(store.sessions(&acme, ada.id), polls).await.is_some(),
            cut(store.mailed_tokens(&acme, ada.id), polls)
                .await
                .is_some(),
            cut(store.user(&acme, &key), polls).await.is_some(),
            cut(store.users(&acme, &all, None, 9), polls)
                .await
                .is_some(),
            cut(store.prune(&acme, values::NOW, 9), polls)
                .await
                .is_some(),
        ];
        let found = store.user(&other, &key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&eve));
        let found = store.user(&acme, &key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&ada));
        if !finished.contains(&false) {
            return;
        }
    }
    panic!("a read takes more than {MOST_POLLS} polls");
}

pub(super) async fn racing_reads_of_two_tenants_see_each_its_own(fixture: &Fixture) {
    let [here, there] = namesakes(fixture).await;
    let mut tasks = JoinSet::new();
    for number in 1..=RACERS {
        let (tenant, user) = if number % 2 == 0 { &here } else { &there };
        let (tenant, user) = (tenant.clone(), user.clone());
        let store = Arc::clone(&fixture.store);
        tasks.spawn(async move {
            let key = UserKey::Username("ada".to_owned());
            for _ in 0..RACERS {
                let found = store.user(&tenant, &key).await.unwrap();
                assert_eq!(found.as_ref(), Some(&user));
                let page = store
                    .users(&tenant, &UserFilter::default(), None, 9)
                    .await
                    .unwrap();
                assert_eq!(page, core::slice::from_ref(&user));
            }
        });
    }
    tasks.join_all().await;
}

/// Two tenants, each with a user who goes by the same address and username.
async fn namesakes(fixture: &Fixture) -> [(Tenant, User); 2] {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    let ada = values::named_user(1, "ada");
    let ada = fixture.inserted_user(&acme, ada).await;
    let eve = values::named_user(2, "ada");
    let eve = fixture.inserted_user(&other, eve).await;
    [(acme, ada), (other, eve)]
}

type Answer = Result<(), CommitError>;

/// Commits all of `racing` at once, each in a task of its own.
async fn race(fixture: &Fixture, racing: impl Iterator<Item = (Tenant, Changes)>) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for (tenant, changes) in racing {
        let store = Arc::clone(&fixture.store);
        tasks.spawn(async move { store.commit(&tenant, changes).await });
    }
    tasks.join_all().await
}

fn assert_one_won(answers: &[Answer], taken: Unique) {
    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = |answer: &&Answer| matches!(answer, Err(CommitError::Duplicate(unique)) if *unique == taken);
    let lost = answers.iter().filter(refused).count();
    assert_eq!((won, lost), (1, answers.len() - 1), "{answers:?}");
}

/// What the user is once the racer who began `session` has won.
fn winner(user: &User, session: Id<Session>) -> User {
    let number = (1..=RACERS).find(|number| values::id(*number) == session);
    User {
        version: user.version + 1,
        ..marked(user, number.unwrap())
    }
}

/// A commit of a changed user, a session, a mail, a mailed token and an event, all of them with that
/// number.
fn interrupted(tenant: &Tenant, user: &User, number: u32) -> Changes {
    let mut fact = values::created(1);
    fact.sequence = u64::from(number);
    Changes {
        sessions: vec![Change::Insert(values::session(user, number))],
        mails: vec![values::mail(number, tenant)],
        mailed_tokens: vec![values::mailed_token(number, user)],
        events: vec![values::event(number, tenant, fact)],
        ..users([Change::Update(marked(user, number))])
    }
}

fn marked(user: &User, number: u32) -> User {
    let mut user = user.clone();
    user.profile.job_role = format!("mark {number}");
    user
}

/// Whether the interrupted commit took place; panics when it did in part.
///
/// It may still be on its way. A commit of the same user either waits for it, or makes it stale:
/// once that is through, the answer is final.
async fn settled(fixture: &Fixture, tenant: &Tenant, user: &mut User, number: u32) -> bool {
    let id = user.id;
    loop {
        *user = fixture.user(tenant, id).await.unwrap();
        let touch = users([Change::Update(user.clone())]);
        match fixture.commit(tenant, touch).await {
            Ok(()) => break,
            Err(CommitError::Stale) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    *user = fixture.user(tenant, id).await.unwrap();
    let updated = *user == marked(user, number);
    let session = fixture.session(tenant, values::id(number)).await;
    let events = fixture.events().await;
    let told = |sequence| events.iter().any(|event| event.sequence == sequence);
    assert_eq!(session.is_some(), updated, "the session of {number}");
    assert_eq!(told(u64::from(number)), updated, "the event of {number}");
    let mails = fixture.take_mails(values::NOW, values::NOW).await;
    let ordered = mails.iter().any(|one| one.mail.id == values::id(number));
    assert_eq!(ordered, updated, "the mail of {number}");
    let tokens = fixture.mailed_tokens(tenant, id).await;
    let kept = tokens.iter().any(|token| token.id == values::id(number));
    assert_eq!(kept, updated, "the mailed token of {number}");
    updated
}

/// Polls a future at most so many times, then drops it.
async fn cut<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
            Poll::Ready(output) => Poll::Ready(Some(output)),
        }
    })
    .await
}

const RACERS: u32 = 16;
const MOST_POLLS: u32 = 256;
