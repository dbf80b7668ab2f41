//! The mailer: the one place that knows by which ways mails go.

use std::path::{self, PathBuf};
use std::sync::Arc;

use tessera_app::Mailer;
use tessera_mail::{
    FolderMailer, FolderSettings, SmtpMailer, SmtpSettingsError, Stationery, StationerySettings,
};
use tokio::runtime::Handle;

use crate::config::{Config, Post};
use crate::failure::Failure;
use crate::wiring;

/// Makes the mailer, and tries the templates; before there is a mail it makes no folder and connects
/// to nothing.
pub(crate) fn open(config: &Config, runtime: &Handle) -> Result<Arc<dyn Mailer>, Failure> {
    let mails = &config.mails;
    let settings = StationerySettings {
        app_name: mails.app_name.clone(),
        sender: mails.sender.clone(),
        templates: mails.templates.clone(),
    };
    let stationery = Stationery::new(&settings, wiring::clock())
        .map_err(|error| Failure::Misused(format!("TESSERA_MAIL_TEMPLATES: {error}")))?;
    Ok(match &mails.post {
        Post::Folder => {
            let settings = FolderSettings {
                path: path_of_folder(config),
                runtime: runtime.clone(),
            };
            Arc::new(FolderMailer::new(settings, stationery))
        }
        Post::Smtp(settings) => Arc::new(
            SmtpMailer::new(settings.clone(), stationery).map_err(|error| unusable(&error))?,
        ),
    })
}

/// The folder that mails are put into, where no server sends them.
pub(crate) fn folder(config: &Config) -> Option<PathBuf> {
    match config.mails.post {
        Post::Folder => Some(path_of_folder(config)),
        Post::Smtp(_) => None,
    }
}

fn path_of_folder(config: &Config) -> PathBuf {
    let folder = config.data_dir.join("mail");
    path::absolute(&folder).unwrap_or(folder)
}

fn unusable(error: &SmtpSettingsError) -> Failure {
    let name = match error {
        SmtpSettingsError::Authorities { .. } => "TESSERA_MAIL_CA",
        SmtpSettingsError::Tls(_) => "EMAIL_HOST",
    };
    Failure::Misused(format!("{name}: {error}"))
}
