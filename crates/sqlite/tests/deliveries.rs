//! How events are given out of a file: what is of its steps, its versions, and its other users.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tessera_app::{Claim, Claimed, CommitError, EventLog, Lease, Settlement, Store};
use tessera_contract::values::{self, NOW};
use tessera_domain::{Change, Changes, Standing, Tenant, Waiting};
use tessera_sqlite::{SqliteSettings, SqliteStore};
use tokio::time::timeout;

#[tokio::test]
async fn a_log_of_the_first_version_keeps_its_events_and_gives_out_later_ones() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("t.db"));
    let migrations = store.migrate().await.unwrap();
    make(&store).await;
    let acme = values::tenant("Acme");
    happen(&store, &acme, 1, 1..=2).await;
    store.down(migrations.len() - 1).await.unwrap();

    store.migrate().await.unwrap();
    let kept = store.events(Some(acme.id), 0, 10).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(claim(&store, 10).await.events.is_empty());
    happen(&store, &acme, 1, 3..=3).await;
    let claim = claim(&store, 10).await;
    let sequences: Vec<u64> = claim.events.iter().map(|one| one.event.sequence).collect();
    assert_eq!(sequences, [3]);
}

#[tokio::test]
async fn expiry_goes_in_bounded_steps_past_what_waits() {
    let (_folder, store) = fresh().await;
    store.enrol("p").await.unwrap();
    let acme = values::tenant("Acme");
    happen(&store, &acme, 1, 1..=1_200).await;
    happen(&store, &acme, 2, 1..=1_300).await;
    let claim = claim(&store, 5_000).await;
    let mut settlement = Settlement::default();
    for position in claim.events.iter().map(|claimed| claimed.event.position) {
        match position {
            1 => settlement.waiting.push((position, PARKED, None)),
            2..=1_200 => settlement.waiting.push((position, Waiting::BEHIND, None)),
            _ => settlement.sent.push(position),
        }
    }
    store
        .settle(&lease(), NOW, claim, settlement)
        .await
        .unwrap();

    assert!(!store.expire(NOW).await.unwrap(), "none is old enough");
    let old = NOW + Duration::from_micros(1);
    assert!(store.expire(old).await.unwrap());
    assert_eq!(store.events(None, 0, 5_000).await.unwrap().len(), 1_500);
    assert!(!store.expire(old).await.unwrap());
    assert_eq!(store.events(None, 0, 5_000).await.unwrap().len(), 1_200);
    assert_eq!(store.waiting(None, 0, 5_000).await.unwrap().len(), 1_200);
}

#[tokio::test]
async fn without_a_publisher_all_that_is_old_expires_and_no_position_comes_again() {
    let (_folder, store) = fresh().await;
    let acme = values::tenant("Acme");
    happen(&store, &acme, 1, 1..=3).await;
    store.expire(NOW + Duration::from_micros(1)).await.unwrap();
    assert!(store.events(None, 0, 10).await.unwrap().is_empty());
    store.enrol("p").await.unwrap();
    happen(&store, &acme, 1, 4..=4).await;
    let claim = claim(&store, 10).await;
    let positions: Vec<u64> = claim.events.iter().map(|one| one.event.position).collect();
    assert_eq!(positions, [4]);
}

#[tokio::test]
async fn of_two_processes_that_claim_one_is_told_who_has_it() {
    let (folder, one) = fresh().await;
    let other = open(&folder.path().join("t.db"));
    one.enrol("p").await.unwrap();
    happen(&one, &values::tenant("Acme"), 1, 1..=1).await;
    claim(&one, 10).await;
    let rival = Lease {
        holder: values::id(2),
        ..lease()
    };
    let answer = other.claim(&rival, NOW, 10).await.unwrap();
    assert_eq!(answer, Claimed::Elsewhere(lease().until));
    one.release(&lease()).await.unwrap();
    let answer = other.claim(&rival, NOW, 10).await.unwrap();
    assert!(matches!(answer, Claimed::Ours(_)), "{answer:?}");
}

#[tokio::test]
async fn a_log_at_rest_is_not_written_to() {
    let (folder, store) = fresh().await;
    store.enrol("p").await.unwrap();
    let written = || fs::metadata(folder.path().join("t.db-wal")).unwrap().len();
    let before = written();
    for _ in 0..3 {
        let nothing = claim(&store, 10).await;
        assert!(nothing.events.is_empty() && !nothing.more);
    }
    assert_eq!(written(), before);
}

#[tokio::test]
async fn what_was_refused_is_not_counted_as_pending() {
    let (_folder, store) = fresh().await;
    store.enrol("p").await.unwrap();
    let acme = values::tenant("Acme");
    happen(&store, &acme, 1, 1..=1).await;
    let refused = store.commit(&acme, told(&acme, 1, [2, 3, 1])).await;
    assert!(matches!(refused, Err(CommitError::Stale)), "{refused:?}");
    happen(&store, &acme, 1, 2..=2).await;
    let progress = store.progress().await.unwrap();
    let pending: Vec<u64> = progress.iter().map(|progress| progress.pending).collect();
    assert_eq!(pending, [2]);
}

#[tokio::test]
async fn news_is_told_of_what_is_committed_though_nobody_waits_for_it() {
    let (_folder, store) = fresh().await;
    let acme = values::tenant("Acme");
    happen(&store, &acme, 1, 1..=1).await;
    let mut news = store.news();
    let refused = store.commit(&acme, told(&acme, 1, [1])).await;
    assert!(refused.is_err());
    assert!(!news.has_changed().unwrap());

    let commit = store.commit(&acme, told(&acme, 1, [2]));
    // Polled once, which queues it, and dropped.
    let _ = timeout(Duration::ZERO, commit).await;
    let told = timeout(Duration::from_secs(10), news.changed()).await;
    told.unwrap().unwrap();
    assert_eq!(store.events(None, 0, 10).await.unwrap().len(), 2);
}

async fn fresh() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("t.db"));
    store.migrate().await.unwrap();
    make(&store).await;
    (folder, store)
}

/// Makes the tenant of which everything is told.
async fn make(store: &SqliteStore) {
    let acme = values::tenant("Acme");
    let changes = Changes {
        tenants: vec![Change::Insert(acme.clone())],
        ..Changes::default()
    };
    store.commit(&acme, changes).await.unwrap();
}

fn open(file: &Path) -> SqliteStore {
    SqliteStore::open(SqliteSettings::new(file)).unwrap()
}

/// Commits events of that user, with these sequences.
async fn happen(
    store: &SqliteStore,
    tenant: &Tenant,
    user: u32,
    sequences: impl IntoIterator<Item = u64>,
) {
    let changes = told(tenant, user, sequences);
    store.commit(tenant, changes).await.unwrap();
}

fn told(tenant: &Tenant, user: u32, sequences: impl IntoIterator<Item = u64>) -> Changes {
    let event = |sequence| {
        let mut fact = values::created(user);
        fact.sequence = sequence;
        values::event(
            10_000 * user + u32::try_from(sequence).unwrap(),
            tenant,
            fact,
        )
    };
    Changes {
        events: sequences.into_iter().map(event).collect(),
        ..Changes::default()
    }
}

async fn claim(store: &SqliteStore, limit: usize) -> Claim {
    match store.claim(&lease(), NOW, limit).await.unwrap() {
        Claimed::Elsewhere(until) => panic!("another has it until {until:?}"),
        Claimed::Ours(claim) => claim,
    }
}

fn lease() -> Lease {
    Lease {
        publisher: "p",
        holder: values::id(1),
        until: NOW + Duration::from_mins(1),
    }
}

const PARKED: Waiting = Waiting {
    rejections: 5,
    holds: 0,
    standing: Standing::Parked(NOW),
};
