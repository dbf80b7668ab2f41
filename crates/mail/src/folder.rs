//! Mails as files of a folder, for those who have no mail server yet.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tessera_app::{Letter, MailError, Mailer};
use tokio::runtime::Handle;

use crate::message::Transfer;
use crate::stationery::Stationery;
use crate::words::stamp;

/// Where the mails are put.
#[derive(Clone, Debug)]
pub struct FolderSettings {
    /// The folder; it is made, for its owner alone, when there is a mail.
    pub path: PathBuf,
    /// The runtime whose threads for blocking work wait for the disk.
    pub runtime: Handle,
}

/// Puts each mail into a file of its own, `20261126T004536Z-<id>.eml`, for its owner alone. The same
/// mail again replaces its file, and no file is ever seen half written.
#[derive(Clone, Debug)]
pub struct FolderMailer {
    stationery: Arc<Stationery>,
    settings: FolderSettings,
}

impl FolderMailer {
    /// A mailer that makes its folder once there is a mail.
    pub fn new(settings: FolderSettings, stationery: Stationery) -> Self {
        Self {
            stationery: Arc::new(stationery),
            settings,
        }
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let mail = self.stationery.write(letter)?.bytes(Transfer::EightBit)?;
        let name = format!("{}-{}.eml", stamp(letter.at), letter.id);
        let folder = self.settings.path.clone();
        let write = move || write(&folder, &name, &mail);
        let written = self.settings.runtime.spawn_blocking(write).await;
        let said = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(MailError::Unavailable(format!(
            "the folder of mails cannot be written to: {said}"
        )))
    }
}

fn write(folder: &Path, name: &str, mail: &[u8]) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut draft = tempfile::Builder::new()
        .prefix(".")
        .suffix(".part")
        .tempfile_in(folder)?;
    draft.write_all(mail)?;
    draft.as_file().sync_all()?;
    draft
        .persist(folder.join(name))
        .map_err(|failed| failed.error)?;
    Ok(())
}
