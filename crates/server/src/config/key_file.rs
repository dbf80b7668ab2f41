//! Files that hold keys and secrets, and who else can reach them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{ConfigError, Notice};

/// Reads the file that the setting `name` names.
///
/// One that others can write is refused: they could choose the key. One that others can read is
/// told of, as mounted secrets often are.
pub(crate) fn read(
    name: &str,
    path: &Path,
    notices: &mut Vec<Notice>,
) -> Result<String, ConfigError> {
    let shown = path.display();
    let unreadable = |error| {
        ConfigError::new(format!(
            "{name} names {shown}, which cannot be read: {error}"
        ))
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(ConfigError::new(format!(
            "{name} names {shown}, which others can write: chmod go-w it"
        )));
    }
    if mode & READABLE_BY_OTHERS != 0 {
        notices.push(Notice::new(format!(
            "{name} names a file that others can read"
        )));
    }
    fs::read_to_string(path).map_err(unreadable)
}

const WRITABLE_BY_OTHERS: u32 = 0o022;
const READABLE_BY_OTHERS: u32 = 0o044;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_that_others_can_write_is_refused_and_one_they_can_read_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(&path, "key").unwrap();
        let read_with = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let mut notices = Vec::new();
            read("JWT_PRIVATE_KEY_PATH", &path, &mut notices).map(|_| notices.len())
        };
        assert_eq!(read_with(0o600).unwrap(), 0);
        assert_eq!(read_with(0o640).unwrap(), 1);
        for mode in [0o620, 0o602] {
            let error = read_with(mode).unwrap_err().to_string();
            assert!(error.starts_with("JWT_PRIVATE_KEY_PATH names"), "{error}");
            assert!(error.contains("others can write"), "{error}");
        }
    }
}
