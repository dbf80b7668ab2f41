//! Which files are opened, and what becomes of those that are not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use tempfile::TempDir;
use tessera_app::{Store, Unready};
use tessera_contract::values;
use tessera_domain::{Change, Changes, Tenant};
use tessera_sqlite::{OpenError, SqliteSettings, SqliteStore};

#[tokio::test]
async fn what_was_written_is_there_after_a_new_start() {
    let folder = Folder::new();
    let acme = folder.filled().await;
    let again = open(&folder.file()).unwrap();
    assert!(again.check().await.is_ok());
    assert_eq!(again.tenants().await.unwrap(), [acme]);
}

#[tokio::test]
async fn closing_empties_the_log_into_a_sound_file() {
    let folder = Folder::new();
    folder.filled().await;
    assert_eq!(folder.names(), ["t.db"]);
    assert_eq!(integrity(&folder.file()), "ok");
}

#[tokio::test]
async fn what_a_killed_process_left_is_recovered() {
    let folder = Folder::new();
    folder.filled().await;
    let running = open(&folder.file()).unwrap();
    let other = values::tenant("Other");
    running.commit(&other, inserted(&other)).await.unwrap();

    let left = Folder::new();
    fs::copy(folder.file(), left.file()).unwrap();
    fs::copy(folder.log(), left.log()).unwrap();
    let recovered = open(&left.file()).unwrap();
    assert_eq!(recovered.tenants().await.unwrap().len(), 2);
    drop(recovered);
    assert_eq!(integrity(&left.file()), "ok");
}

#[tokio::test]
async fn a_log_that_was_emptied_in_part_is_recovered() {
    let folder = Folder::new();
    let _running = folder.store().await;
    let whole = Folder::new();
    fs::copy(folder.file(), whole.file()).unwrap();
    fs::copy(folder.log(), whole.log()).unwrap();
    drop(open(&whole.file()).unwrap());

    let left = Folder::new();
    let first_page = &fs::read(whole.file()).unwrap()[..4_096];
    fs::write(left.file(), first_page).unwrap();
    fs::copy(folder.log(), left.log()).unwrap();
    let recovered = open(&left.file()).unwrap();
    assert!(recovered.check().await.is_ok());
    drop(recovered);
    assert_eq!(integrity(&left.file()), "ok");
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let _running = folder.store().await;
    let names = folder.names();
    assert_eq!(names, ["t.db", "t.db-shm", "t.db-wal"]);
    for name in names {
        let mode = fs::metadata(folder.0.path().join(name)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_path_of_any_characters_is_taken_as_it_is() {
    let folder = Folder::new();
    let file = folder.0.path().join("a b?mode=ro#50%25 ü.db");
    let store = open(&file).unwrap();
    store.migrate().await.unwrap();
    assert!(file.exists());
}

#[test]
fn an_empty_file_becomes_a_database() {
    let folder = Folder::new();
    fs::write(folder.file(), "").unwrap();
    assert!(open(&folder.file()).is_ok());
}

#[test]
fn a_text_file_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    for text in ["dear diary\n".to_owned(), "dear diary\n".repeat(1_000)] {
        fs::write(folder.file(), text).unwrap();
        let refused = refusal_of(&folder);
        assert!(matches!(refused, OpenError::Foreign(_)), "{refused}");
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let setups = [
        "CREATE TABLE users (id)",
        "PRAGMA application_id = 42; CREATE TABLE users (id)",
        "PRAGMA journal_mode = WAL; PRAGMA application_id = 42; CREATE TABLE users (id)",
    ];
    for setup in setups {
        let folder = Folder::new();
        direct(&folder.file()).batch_execute(setup).unwrap();
        let refused = refusal_of(&folder);
        assert!(matches!(refused, OpenError::Foreign(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_truncated_file_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    folder.filled().await;
    let whole = fs::read(folder.file()).unwrap();
    for length in [50, 1_000, 5_000, whole.len() / 2, whole.len() - 1] {
        fs::write(folder.file(), &whole[..length]).unwrap();
        refusal_of(&folder);
    }
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    folder.filled().await;
    let whole = fs::read(folder.file()).unwrap();
    for start in (0..whole.len()).step_by(4_096) {
        let mut damaged = whole.clone();
        damaged[start..start + 2_048].fill(0xa5);
        fs::write(folder.file(), damaged).unwrap();
        refusal_of(&folder);
    }
}

#[tokio::test]
async fn a_log_without_its_file_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    let _running = folder.store().await;
    let left = Folder::new();
    fs::copy(folder.log(), left.log()).unwrap();
    let refused = refusal_of(&left);
    assert!(matches!(refused, OpenError::Damaged(..)), "{refused}");
    assert_eq!(left.names(), ["t.db-wal"]);
}

#[test]
fn a_place_that_cannot_hold_the_file_is_refused() {
    let folder = Folder::new();
    fs::write(folder.0.path().join("plain"), "").unwrap();
    let places = ["", "missing/t.db", "plain/t.db"];
    for place in places.map(|place| folder.0.path().join(place)) {
        assert_is_one_sentence(&open(&place).err().unwrap());
    }
    assert_eq!(folder.names(), ["plain"]);
}

#[tokio::test]
async fn a_store_whose_file_was_deleted_is_not_ready() {
    let folder = Folder::new();
    let store = folder.store().await;
    fs::remove_file(folder.file()).unwrap();
    let answer = store.check().await;
    assert!(matches!(answer, Err(Unready::Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let folder = Folder::new();
    let store = folder.store().await;
    store.close();
    store.close();
    assert!(store.tenants().await.is_err());
    assert!(store.check().await.is_err());
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("t.db")
    }

    fn log(&self) -> PathBuf {
        self.0.path().join("t.db-wal")
    }

    fn names(&self) -> Vec<OsString> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    async fn store(&self) -> SqliteStore {
        let store = open(&self.file()).unwrap();
        store.migrate().await.unwrap();
        store
    }

    /// Writes a tenant, and closes the store.
    async fn filled(&self) -> Tenant {
        let store = self.store().await;
        let acme = values::tenant("Acme");
        store.commit(&acme, inserted(&acme)).await.unwrap();
        store.tenants().await.unwrap().remove(0)
    }
}

fn open(file: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(SqliteSettings::new(file))
}

fn inserted(tenant: &Tenant) -> Changes {
    Changes {
        tenants: vec![Change::Insert(tenant.clone())],
        ..Changes::default()
    }
}

/// Why the file is refused, once it is sure that nothing was changed.
fn refusal_of(folder: &Folder) -> OpenError {
    let bytes = |name| (fs::read(folder.0.path().join(&name)).unwrap(), name);
    let all = || folder.names().into_iter().map(bytes).collect::<Vec<_>>();
    let before = all();
    let refused = open(&folder.file()).err().unwrap();
    assert!(before == all(), "{refused}, and a file was changed");
    assert_is_one_sentence(&refused);
    refused
}

fn assert_is_one_sentence(refused: &OpenError) {
    let said = refused.to_string();
    assert!(said.lines().count() == 1 && !said.contains(". "), "{said}");
}

fn direct(file: &Path) -> SqliteConnection {
    SqliteConnection::establish(file.to_str().unwrap()).unwrap()
}

fn integrity(file: &Path) -> String {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    let check = sql_query("PRAGMA integrity_check");
    let row: Row = check.get_result(&mut direct(file)).unwrap();
    row.integrity_check
}
