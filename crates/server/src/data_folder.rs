//! The folder of what the service keeps beside its database: made for its owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tessera_app::Entropy;
use tessera_crypto::KeyEncryptionKey;
use tessera_domain::Password;
use zeroize::Zeroizing;

use crate::config::{self, Notice};
use crate::failure::Failure;

/// The folder that `TESSERA_DATA_DIR` names.
#[derive(Clone, Debug)]
pub(crate) struct DataFolder(PathBuf);

/// Keeps a second service out of the folder until it is dropped, or the process is gone.
pub(crate) struct FolderLock(#[expect(dead_code, reason = "it is held, not used")] File);

impl DataFolder {
    /// Makes the folder where it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        make_folder(path).map_err(|error| unusable(path, &error))?;
        let absolute = path
            .canonicalize()
            .map_err(|error| unusable(path, &error))?;
        Ok(Self(absolute))
    }

    /// Refuses when another service works in the folder.
    pub(crate) fn lock(&self) -> Result<FolderLock, Failure> {
        let path = self.0.join("lock");
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = opened.map_err(|error| unusable(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock(file)),
            Err(TryLockError::WouldBlock) => Err(Failure::Failed(format!(
                "TESSERA_DATA_DIR is {}, where another tessera is running: give each its own",
                self.0.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
        }
    }

    /// The key that opens the key ring, made the first time it is asked for.
    pub(crate) fn key_encryption_key(
        &self,
        entropy: &dyn Entropy,
        notices: &mut Vec<Notice>,
    ) -> Result<KeyEncryptionKey, Failure> {
        let keys = self.0.join("keys");
        let path = keys.join("key-encryption-key");
        make_folder(&keys).map_err(|error| unusable(&keys, &error))?;
        let key = KeyEncryptionKey::generate(entropy);
        let text = Zeroizing::new(format!("{}\n", *key.to_base64()));
        if write_new(&path, text.as_bytes()).map_err(|error| unusable(&path, &error))? {
            return Ok(key);
        }
        let text = Zeroizing::new(config::read_key_file("TESSERA_DATA_DIR", &path, notices)?);
        text.trim().parse().map_err(|error| {
            let path = path.display();
            Failure::Misused(format!("TESSERA_DATA_DIR has {path}, but {error}"))
        })
    }

    /// The file that tells the first administrator's password, and the command that reads it.
    pub(crate) fn initial_admin(&self) -> PathBuf {
        self.0.join("initial-admin.txt")
    }

    /// The file of events, where no broker is configured.
    pub(crate) fn events(&self) -> PathBuf {
        self.0.join("events.ndjson")
    }

    /// A file for the answers of the commands that the start prints.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.0.join("tokens.json")
    }

    /// The password of the first administrator: as the file tells it, or else a new one, told
    /// there before anything else knows it, so that a start which is cut off loses nothing.
    pub(crate) fn initial_password(&self, entropy: &dyn Entropy) -> Result<Password, Failure> {
        let path = self.initial_admin();
        let password = Zeroizing::new(random_password(entropy));
        let text = Zeroizing::new(format!("email: {INITIAL_ADMIN}\npassword: {}\n", *password));
        if write_new(&path, text.as_bytes()).map_err(|error| unusable(&path, &error))? {
            return Ok(Password::new(password.to_string()));
        }
        let told = fs::read_to_string(&path).map_err(|error| unusable(&path, &error))?;
        let told = Zeroizing::new(told);
        told.lines()
            .find_map(|line| line.strip_prefix("password: "))
            .map(|password| Password::new(password.to_owned()))
            .ok_or_else(|| {
                let path = path.display();
                Failure::Failed(format!("{path} has no password in it; remove the file"))
            })
    }
}

/// The address of the account that a fresh install has.
pub(crate) const INITIAL_ADMIN: &str = "admin@localhost";

/// Writes a file for its owner alone, whole or not at all, unless it is there: answers whether it
/// was not.
fn write_new(path: &Path, content: &[u8]) -> io::Result<bool> {
    if path.try_exists()? {
        return Ok(false);
    }
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let sentence = format!("TESSERA_DATA_DIR cannot be used: {path}: {error}");
    if WRONG_PATH.contains(&error.kind()) {
        Failure::Misused(sentence)
    } else {
        Failure::Failed(sentence)
    }
}

/// What is the fault of who named the folder, and not of the disk.
const WRONG_PATH: [io::ErrorKind; 7] = [
    io::ErrorKind::AlreadyExists,
    io::ErrorKind::InvalidFilename,
    io::ErrorKind::InvalidInput,
    io::ErrorKind::NotADirectory,
    io::ErrorKind::NotFound,
    io::ErrorKind::PermissionDenied,
    io::ErrorKind::ReadOnlyFilesystem,
];

/// 26 characters of an alphabet of 32: 130 bits, and nothing that a shell or a reader mistakes.
fn random_password(entropy: &dyn Entropy) -> String {
    let mut bytes = Zeroizing::new([0; 26]);
    entropy.fill(bytes.as_mut());
    let letter = |byte: &u8| ALPHABET.chars().nth(usize::from(byte % 32));
    bytes.iter().filter_map(letter).collect()
}

const ALPHABET: &str = "abcdefghijkmnpqrstuvwxyz23456789";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tessera_crypto::SystemEntropy;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn everything_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/data");
        let data = DataFolder::open(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        let mut notices = Vec::new();
        let mut key = || {
            let key = data.key_encryption_key(&SystemEntropy, &mut notices);
            key.unwrap().to_base64().to_string()
        };
        assert_eq!(key(), key());
        assert_eq!(mode(&path.join("keys")), 0o700);
        assert_eq!(mode(&path.join("keys/key-encryption-key")), 0o600);
        let password = || {
            data.initial_password(&SystemEntropy)
                .unwrap()
                .as_str()
                .to_owned()
        };
        assert_eq!(password(), password());
        assert_eq!(password().len(), 26);
        assert_eq!(mode(&data.initial_admin()), 0o600);
        let names = |path| fs::read_dir(path).unwrap().count();
        assert_eq!((names(&path), names(&path.join("keys"))), (2, 1));
    }

    #[test]
    fn one_service_works_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        let first = data.lock().unwrap();
        let Err(second) = data.lock() else {
            panic!("locked twice");
        };
        assert!(second.to_string().starts_with("TESSERA_DATA_DIR is "));
        drop(first);
        assert!(data.lock().is_ok());
    }
}
