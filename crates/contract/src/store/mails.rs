//! How mails wait, and are given out.

use core::time::Duration;
use std::sync::Arc;

use tessera_app::{Backlog, QueuedMail, Unique};
use tessera_domain::{
    Addressee, Change, Changes, EmailAddress, Epoch, Id, Mail, MailKind, Tenant, Timestamp, User,
};
use tokio::task::JoinSet;

use crate::fixture::{mails, tenants, users};
use crate::values::NOW;
use crate::{Fixture, values};

pub(super) async fn every_field_of_a_mail_comes_back(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let email = EmailAddress::parse("Straße+Ada@Bücher.example").unwrap();
    let addressees = [
        Addressee::Account("o'ada+ß@example.com".to_owned()),
        Addressee::Address {
            email,
            user: values::id(2),
        },
        Addressee::User(values::id(3)),
    ];
    let all = addressees.iter().flat_map(|to| {
        let of_kind = |kind| (kind, to.clone());
        MailKind::ALL.map(of_kind)
    });
    let sent: Vec<Mail> = (1..)
        .zip(all)
        .map(|(number, (kind, to))| Mail {
            kind,
            to,
            at: after(u64::from(number)),
            ..values::mail(number, &acme)
        })
        .collect();
    fixture.write(&acme, mails(sent.clone())).await;
    let expected: Vec<QueuedMail> = sent
        .into_iter()
        .map(|mail| QueuedMail { mail, tries: 0 })
        .collect();
    let taken = fixture.take_mails(after(100), after(200)).await;
    assert_eq!(taken, expected);
}

pub(super) async fn a_mail_is_given_out_once_in_the_order_mails_are_due(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    for (number, micros) in [(1, 20), (4, 0), (2, 10), (3, 30)] {
        let mail = due(&acme, number, micros);
        fixture.write(&acme, mails([mail])).await;
    }
    let taken = fixture.take_mails(after(99), after(100)).await;
    assert_eq!(numbers(&taken), [4, 2, 1, 3]);
    assert_eq!(fixture.take_mails(after(99), after(100)).await, []);
}

pub(super) async fn a_mail_is_not_given_out_before_it_is_due(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fixture.write(&acme, mails([due(&acme, 1, 10)])).await;
    assert_eq!(fixture.take_mails(after(9), after(99)).await, []);
    assert_eq!(fixture.take_mails(after(10), after(99)).await.len(), 1);
}

pub(super) async fn a_mail_that_was_taken_comes_again_once_its_time_is_over(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let mail = values::mail(1, &acme);
    fixture.write(&acme, mails([mail.clone()])).await;
    let first = fixture.take_mails(NOW, after(10)).await;
    assert_eq!(fixture.take_mails(after(9), after(20)).await, []);
    let again = fixture.take_mails(after(10), after(20)).await;
    assert_eq!(again, first, "to be taken is no try");
    assert_eq!(again, [QueuedMail { mail, tries: 0 }]);
    assert_eq!(fixture.take_mails(after(19), after(30)).await, []);
}

pub(super) async fn taking_stops_at_its_limit(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let five = [5, 4, 3, 2, 1].map(|number| due(&acme, number, number.into()));
    fixture.write(&acme, mails(five)).await;
    let expected: [(usize, &[u32]); 5] =
        [(0, &[]), (2, &[1, 2]), (2, &[3, 4]), (2, &[5]), (2, &[])];
    for (limit, expected) in expected {
        let taken = fixture.mails.take_mails(after(9), after(99), limit);
        assert_eq!(numbers(&taken.await.unwrap()), expected);
    }
}

pub(super) async fn a_deferred_mail_comes_when_it_is_due_with_one_more_try(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let two = [1, 2].map(|number| values::mail(number, &acme));
    fixture.write(&acme, mails(two)).await;
    for tries in 0..3 {
        let at = after(u64::from(tries) * 10);
        let taken = fixture.take_mails(at, after(1_000)).await;
        let expected = if tries == 0 { vec![1, 2] } else { vec![1] };
        assert_eq!(numbers(&taken), expected);
        assert_eq!(taken.first().map(|one| one.tries), Some(tries));
        let due = at + Duration::from_micros(10);
        fixture.mails.defer_mail(values::id(1), due).await.unwrap();
        let before = at + Duration::from_micros(9);
        assert_eq!(fixture.take_mails(before, after(1_000)).await, []);
    }
    let both = fixture.take_mails(after(1_000), after(2_000)).await;
    let tries: Vec<_> = both.iter().map(|one| (one.mail.id, one.tries)).collect();
    assert_eq!(tries, [(values::id(1), 3), (values::id(2), 0)]);
}

pub(super) async fn a_mail_that_is_given_back_comes_when_it_is_due_with_no_more_tries(
    fixture: &Fixture,
) {
    let acme = fixture.tenant("Acme").await;
    let two = [1, 2].map(|number| values::mail(number, &acme));
    fixture.write(&acme, mails(two)).await;
    let (one, later) = (values::id(1), after(20));
    fixture.mails.defer_mail(one, NOW).await.unwrap();
    fixture.take_mails(NOW, after(1_000)).await;
    fixture.mails.give_back_mail(one, later).await.unwrap();
    assert_eq!(fixture.take_mails(after(19), after(1_000)).await, []);
    let taken = fixture.take_mails(later, after(1_000)).await;
    assert_eq!(numbers(&taken), [1]);
    assert_eq!(taken.first().map(|one| one.tries), Some(1));
    fixture.mails.drop_mail(one).await.unwrap();
    fixture.mails.give_back_mail(one, later).await.unwrap();
    let left = fixture.take_mails(after(1_000), after(2_000)).await;
    assert_eq!(numbers(&left), [2]);
}

pub(super) async fn a_dropped_mail_is_gone(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let two = [1, 2].map(|number| values::mail(number, &acme));
    fixture.write(&acme, mails(two)).await;
    fixture.take_mails(NOW, after(10)).await;
    fixture.mails.drop_mail(values::id(1)).await.unwrap();
    let left = fixture.take_mails(after(10), after(20)).await;
    assert_eq!(numbers(&left), [2]);
    fixture.mails.drop_mail(values::id(2)).await.unwrap();
    assert_eq!(fixture.take_mails(after(20), after(30)).await, []);
}

pub(super) async fn what_is_gone_is_neither_deferred_nor_dropped_again(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let two = [1, 2].map(|number| values::mail(number, &acme));
    fixture.write(&acme, mails(two)).await;
    for gone in [values::id(1), values::id(9)] {
        for _ in 0..2 {
            fixture.mails.drop_mail(gone).await.unwrap();
            fixture.mails.defer_mail(gone, NOW).await.unwrap();
        }
    }
    let left = fixture.take_mails(NOW, after(10)).await;
    assert_eq!(numbers(&left), [2]);
    assert_eq!(left.first().map(|one| one.tries), Some(0));
}

pub(super) async fn racing_takes_never_give_out_the_same_mail(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let many = (1..=MANY).map(|number| values::mail(number, &acme));
    fixture.write(&acme, mails(many.collect::<Vec<_>>())).await;
    let mut takers = JoinSet::new();
    for _ in 0..TAKERS {
        let queue = Arc::clone(&fixture.mails);
        takers.spawn(async move {
            let mut taken = Vec::new();
            // Whoever finds others at all of the first ones goes away with less, or with nothing.
            for _ in 0..MANY {
                let some = queue.take_mails(NOW, after(10), 3).await.unwrap();
                assert!(some.len() <= 3, "{some:?}");
                taken.extend(some);
            }
            taken
        });
    }
    let taken: Vec<QueuedMail> = takers.join_all().await.into_iter().flatten().collect();
    let mut numbers = numbers(&taken);
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=MANY).collect::<Vec<_>>());
}

pub(super) async fn a_mail_of_a_refused_commit_is_never_given_out(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let ada = values::named_user(1, "ada");
    fixture.inserted_user(&acme, ada.clone()).await;
    let stale = Changes {
        epochs: vec![(ada.id, Epoch::new(7))],
        ..mails([values::mail(1, &acme)])
    };
    fixture.stale(&acme, stale).await;
    let namesake = User {
        username: None,
        ..values::named_user(2, "ada")
    };
    let namesake = Changes {
        mails: vec![values::mail(1, &acme)],
        ..users([Change::Insert(namesake)])
    };
    fixture.duplicate(&acme, namesake, Unique::Email).await;
    assert_eq!(fixture.take_mails(NOW, NOW).await, []);
    assert_eq!(fixture.mails.backlog().await.unwrap(), Backlog::default());
}

pub(super) async fn a_mail_takes_no_other_ones_place(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fixture.write(&acme, mails([values::mail(1, &acme)])).await;
    let namesake = Mail {
        kind: MailKind::Invitation,
        ..values::mail(1, &acme)
    };
    fixture.stale(&acme, mails([namesake])).await;
    let kept = fixture.take_mails(NOW, NOW).await;
    let kinds: Vec<MailKind> = kept.iter().map(|one| one.mail.kind).collect();
    assert_eq!(kinds, [MailKind::ResetPassword]);
}

pub(super) async fn a_mail_of_a_tenant_that_is_gone_is_refused(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let last = Changes {
        mails: vec![values::mail(1, &acme)],
        ..tenants([Change::Remove(acme.id)])
    };
    fixture.stale(&acme, last).await;
    assert_eq!(fixture.take_mails(NOW, NOW).await, []);
    let removal = tenants([Change::Remove(acme.id)]);
    fixture.write(&acme, removal).await;
    fixture.stale(&acme, mails([values::mail(1, &acme)])).await;
    assert_eq!(fixture.take_mails(NOW, NOW).await, []);
}

pub(super) async fn the_mails_of_all_tenants_come_from_one_queue(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    for (tenant, number) in [(&acme, 1), (&other, 2), (&acme, 3), (&other, 4)] {
        let mail = due(tenant, number, number.into());
        fixture.write(tenant, mails([mail])).await;
    }
    let taken = fixture.take_mails(after(9), after(99)).await;
    let found: Vec<Id<Tenant>> = taken.iter().map(|one| one.mail.tenant).collect();
    assert_eq!(found, [acme.id, other.id, acme.id, other.id]);
}

pub(super) async fn a_removed_tenant_takes_its_mails_along(fixture: &Fixture) {
    let [acme, other] = [fixture.tenant("Acme").await, fixture.tenant("Other").await];
    let two = [1, 2].map(|number| values::mail(number, &acme));
    fixture.write(&acme, mails(two)).await;
    fixture
        .write(&other, mails([values::mail(3, &other)]))
        .await;
    let first = fixture.mails.take_mails(NOW, after(10), 1).await.unwrap();
    assert_eq!(numbers(&first), [1]);

    fixture
        .write(&acme, tenants([Change::Remove(acme.id)]))
        .await;
    let left = fixture.take_mails(after(10), after(20)).await;
    assert_eq!(numbers(&left), [3]);
}

pub(super) async fn racing_orders_and_removals_leave_no_mail_of_nobody(fixture: &Fixture) {
    for number in 1..=8 {
        let acme = fixture.tenant("Acme").await;
        let order = Changes {
            mails: vec![values::mail(number, &acme)],
            ..users([Change::Insert(values::user(1))])
        };
        let removal = tenants([Change::Remove(acme.id)]);
        let mut racers = JoinSet::new();
        for changes in [order, removal] {
            let (store, of) = (Arc::clone(&fixture.store), acme.clone());
            racers.spawn(async move { store.commit(&of, changes).await.is_ok() });
        }
        let answers = racers.join_all().await;
        assert!(answers.contains(&true), "{answers:?}");
        assert_eq!(fixture.find_tenant(&acme).await, None);
        assert_eq!(fixture.take_mails(NOW, NOW).await, []);
    }
}

pub(super) async fn a_removed_user_leaves_the_mails_about_it(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let ada = fixture.inserted_user(&acme, values::user(1)).await;
    fixture.write(&acme, mails([values::mail(1, &acme)])).await;
    let last = Changes {
        mails: vec![values::mail(2, &acme)],
        ..users([Change::Remove(ada.id)])
    };
    fixture.write(&acme, last).await;
    let left = fixture.take_mails(NOW, after(10)).await;
    assert_eq!(numbers(&left), [1, 2]);
}

pub(super) async fn the_backlog_tells_how_many_wait_since_when_and_until_when(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    let is = async |mails, oldest: Option<u64>, next_due: Option<u64>| {
        let expected = Backlog {
            mails,
            oldest: oldest.map(after),
            next_due: next_due.map(after),
        };
        assert_eq!(fixture.mails.backlog().await.unwrap(), expected);
    };
    is(0, None, None).await;
    let two = [due(&acme, 1, 1), due(&acme, 2, 2)];
    fixture.write(&acme, mails(two)).await;
    is(2, Some(1), Some(1)).await;
    fixture
        .mails
        .take_mails(after(1), after(10), 1)
        .await
        .unwrap();
    is(2, Some(1), Some(2)).await;
    let due = after(20);
    fixture.mails.defer_mail(values::id(2), due).await.unwrap();
    is(2, Some(1), Some(10)).await;
    fixture.mails.drop_mail(values::id(1)).await.unwrap();
    is(1, Some(2), Some(20)).await;
    fixture.mails.drop_mail(values::id(2)).await.unwrap();
    is(0, None, None).await;
}

pub(super) async fn a_commit_with_mails_is_told_to_all_who_wait_for_news_of_mails(
    fixture: &Fixture,
) {
    let acme = fixture.tenant("Acme").await;
    let mut senders = [fixture.mails.mail_news(), fixture.mails.mail_news()];
    fixture.write(&acme, mails([values::mail(1, &acme)])).await;
    for news in &mut senders {
        news.changed().await.unwrap();
    }
    assert_eq!(fixture.take_mails(NOW, NOW).await.len(), 1);
}

pub(super) async fn a_commit_without_mails_is_no_news_of_mails(fixture: &Fixture) {
    let acme = fixture.tenant("Acme").await;
    fixture.write(&acme, mails([values::mail(1, &acme)])).await;
    let news = fixture.mails.mail_news();
    let without = Changes {
        events: vec![values::event(1, &acme, values::created(1))],
        ..users([Change::Insert(values::user(1))])
    };
    fixture.write(&acme, without).await;
    // One of the same id as is there.
    fixture.stale(&acme, mails([values::mail(1, &acme)])).await;
    assert!(!news.has_changed().unwrap());
}

/// The mail with that number, so long after the beginning.
fn due(tenant: &Tenant, number: u32, micros: u64) -> Mail {
    Mail {
        at: after(micros),
        ..values::mail(number, tenant)
    }
}

fn after(micros: u64) -> Timestamp {
    NOW + Duration::from_micros(micros)
}

fn numbers(taken: &[QueuedMail]) -> Vec<u32> {
    let number = |one: &QueuedMail| (1..=MANY).find(|number| values::id(*number) == one.mail.id);
    taken.iter().filter_map(number).collect()
}

const MANY: u32 = 60;
const TAKERS: usize = 8;
