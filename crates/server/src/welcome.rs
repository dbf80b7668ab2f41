//! What the start prints: where the service is, and how to try it.

use core::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::data_folder::{DataFolder, INITIAL_ADMIN};

/// Where the service is, and how to try it.
pub(crate) struct Welcome<'a> {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The folder that mails are put into, where no server sends them.
    pub(crate) mails: Option<PathBuf>,
    /// What there is to do.
    pub(crate) next: Next<'a>,
}

/// What there is to do once it runs.
pub(crate) enum Next<'a> {
    /// Make the tables and a user, as nothing is made by itself in a database of others.
    Prepare,
    /// Log in as the first administrator, whose password is in this folder.
    Try(&'a DataFolder),
    /// Nothing that anybody has to be told.
    Work,
}

impl Display for Welcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = format!("http://{}", reachable(self.address));
        let version = env!("CARGO_PKG_VERSION");
        writeln!(f, "── Tessera {version} {}", "─".repeat(60))?;
        writeln!(f, "  docs      {base}/api/docs/")?;
        writeln!(f, "  keys      {base}/.well-known/jwks.json")?;
        writeln!(f, "  health    {base}/api/auth/health/")?;
        if let Some(mails) = &self.mails {
            writeln!(f, "  mails     {}/", mails.display())?;
        }
        match &self.next {
            Next::Prepare => f.write_str(PREPARE)?,
            Next::Try(folder) => commands(f, &base, folder)?,
            Next::Work => {}
        }
        writeln!(f, "{}", "─".repeat(76))
    }
}

/// Each command is one line that works by itself, in any folder and any shell: the answers go into
/// a file, from which the next one takes its token.
fn commands(f: &mut fmt::Formatter<'_>, base: &str, folder: &DataFolder) -> fmt::Result {
    let admin = folder.initial_admin();
    let (password, tokens) = (quoted(&admin), quoted(&folder.tokens()));
    writeln!(f, "  password  {}", admin.display())?;
    writeln!(f, "\n  Log in:\n")?;
    writeln!(
        f,
        "curl -fsS -o {tokens} -d email={INITIAL_ADMIN} --data-urlencode \
         password=\"$(sed -n 's/^password: //p' {password})\" {base}/api/token/ && cat {tokens}"
    )?;
    writeln!(f, "\n  Who am I:\n")?;
    writeln!(
        f,
        "curl -fsS -H \"Authorization: Bearer $({})\" {base}/api/auth/me/",
        member("access", &tokens)
    )?;
    writeln!(f, "\n  Refresh:\n")?;
    writeln!(
        f,
        "curl -fsS -o {tokens} -d refresh=\"$({})\" {base}/api/token/refresh/ && cat {tokens}\n",
        member("refresh", &tokens)
    )
}

/// The command that prints a member of the JSON object in a file.
fn member(name: &str, file: &str) -> String {
    format!(r#"sed 's/.*"{name}":"\([^"]*\)".*/\1/' {file}"#)
}

/// The path as a shell reads it back.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,@%".contains(c);
    if path.chars().all(plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

/// An address that a client on this machine can use.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(core::net::Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(core::net::Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

const PREPARE: &str = "
  In a new database, make the tables and the first user:

tessera migrate
printf %s \"$PASSWORD\" | tessera user create EMAIL --role platform-admin --verified --password-stdin

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_anything_in_it_is_quoted() {
        assert_eq!(quoted(Path::new("/srv/t-1/a.txt")), "/srv/t-1/a.txt");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
        assert_eq!(quoted(Path::new("/$x")), "'/$x'");
    }

    #[test]
    fn an_address_for_everyone_is_shown_as_one_to_use() {
        let shown = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(shown("0.0.0.0:8000"), "127.0.0.1:8000");
        assert_eq!(shown("[::]:8000"), "[::1]:8000");
        assert_eq!(shown("10.1.2.3:80"), "10.1.2.3:80");
    }
}
