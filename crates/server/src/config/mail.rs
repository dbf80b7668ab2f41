//! Mails: by which server they go, from whom they are, and what they say.

use std::net::IpAddr;
use std::path::PathBuf;

use tessera_mail::{Credentials, Encryption, Sender, SmtpSettings};
use url::Url;

use super::value::Setting;
use super::{ConfigError, Environment, Notice};

/// How mails are sent.
#[derive(Clone, Debug)]
pub(crate) struct Mails {
    /// What the service calls itself.
    pub(crate) app_name: String,
    /// Where they go.
    pub(crate) post: Post,
    /// From whom they are.
    pub(crate) sender: Sender,
    /// A folder of templates that are used instead of ours.
    pub(crate) templates: Option<PathBuf>,
    /// The page that their links open, without a slash at its end, where one was named.
    pub(crate) web_page_url: Option<String>,
}

/// Where mails go.
#[derive(Clone, Debug)]
pub(crate) enum Post {
    /// A folder in the data folder.
    Folder,
    /// A mail server.
    Smtp(SmtpSettings),
}

/// Reads them; refuses half of a log in, and a sender that no mail could come from.
pub(crate) fn read(
    environment: &Environment,
    notices: &mut Vec<Notice>,
) -> Result<Mails, ConfigError> {
    let app_name = environment.setting("APP_NAME");
    let sender = environment.parse("DEFAULT_FROM_EMAIL", sender)?;
    // The one that is not used is judged all the same.
    let pages = [
        environment.parse("WEB_PAGE_URL", page)?,
        environment.parse("FRONTEND_URL", page)?,
    ];
    Ok(Mails {
        app_name: app_name.map_or("Tessera", |name| name.value).to_owned(),
        post: post(environment, notices)?,
        sender: sender.unwrap_or_default(),
        templates: path(environment, "TESSERA_MAIL_TEMPLATES"),
        web_page_url: pages.into_iter().flatten().next(),
    })
}

fn post(environment: &Environment, notices: &mut Vec<Notice>) -> Result<Post, ConfigError> {
    let port = environment.parse("EMAIL_PORT", |port| port.number(1..=65_535))?;
    let port = port.unwrap_or(25);
    let use_tls = environment.switch("EMAIL_USE_TLS", false)?;
    let authorities = path(environment, "TESSERA_MAIL_CA");
    let user = environment.setting("EMAIL_HOST_USER");
    let password = environment.one_secret("EMAIL_HOST_PASSWORD", notices)?;
    let Some(host) = environment.parse("EMAIL_HOST", host)? else {
        let idle = [
            ("EMAIL_HOST_USER", user.is_some()),
            ("EMAIL_HOST_PASSWORD", password.is_some()),
            ("EMAIL_USE_TLS", use_tls),
            ("TESSERA_MAIL_CA", authorities.is_some()),
        ];
        let idle = idle.into_iter().filter(|(_, set)| *set);
        notices.extend(idle.map(|(name, _)| {
            Notice::new(format!(
                "{name} is set, but EMAIL_HOST is not: each mail is a file in the data folder"
            ))
        }));
        return Ok(Post::Folder);
    };
    let encryption = match (port, use_tls) {
        (SUBMISSIONS, _) => Encryption::Tls,
        (_, true) => Encryption::StartTls,
        (_, false) => Encryption::None,
    };
    if authorities.is_some() && encryption == Encryption::None {
        return Err(ConfigError::new(
            "TESSERA_MAIL_CA is set, but mails are not encrypted: EMAIL_USE_TLS=true or \
             EMAIL_PORT=465 encrypts them",
        ));
    }
    let credentials = match (user, password) {
        (None, None) => None,
        (Some(user), Some(password)) => Some(Credentials {
            user: user.value.to_owned(),
            password: password.as_str().to_owned(),
        }),
        (Some(_), None) | (None, Some(_)) => {
            return Err(ConfigError::new(
                "EMAIL_HOST_USER and EMAIL_HOST_PASSWORD are not both set",
            ));
        }
    };
    if credentials.is_some() && encryption == Encryption::None && !is_loopback(&host) {
        notices.push(Notice::new(
            "EMAIL_HOST_PASSWORD is sent without encryption: EMAIL_USE_TLS=true or EMAIL_PORT=465 \
             encrypts it"
                .to_owned(),
        ));
    }
    Ok(Post::Smtp(SmtpSettings {
        host,
        port,
        encryption,
        authorities,
        credentials,
        time_out: SmtpSettings::TIME_OUT,
    }))
}

fn host(setting: Setting<'_>) -> Result<String, ConfigError> {
    // An IPv6 address has several colons, a port after a name is one.
    let with_port = setting.value.matches(':').count() == 1;
    let strange = with_port || setting.value.contains(['/', '@', ' ']);
    (!strange)
        .then(|| setting.value.to_owned())
        .ok_or_else(|| setting.wrong("the name or the address of a mail server"))
}

fn sender(setting: Setting<'_>) -> Result<Sender, ConfigError> {
    let sender = setting.value.parse();
    sender.map_err(|_| setting.wrong("an address, as Tessera <id@example.org>"))
}

/// What a link is made of by adding to it, so there is no query yet.
fn page(setting: Setting<'_>) -> Result<String, ConfigError> {
    let url = Url::parse(setting.value).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .filter(|url| url.query().is_none() && url.username().is_empty())
        .map(|url| url.as_str().trim_end_matches('/').to_owned())
        .ok_or_else(|| {
            let name = setting.name;
            ConfigError::new(format!(
                "{name} must be a URL with http or https, without a query"
            ))
        })
}

fn path(environment: &Environment, name: &'static str) -> Option<PathBuf> {
    environment
        .setting(name)
        .map(|setting| PathBuf::from(setting.value))
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

/// The port that is encrypted from the first byte (RFC 8314).
const SUBMISSIONS: u16 = 465;

#[cfg(test)]
mod tests {
    use super::*;

    fn mails<const N: usize>(settings: [(&str, &str); N]) -> (Mails, Vec<String>) {
        let mut notices = Vec::new();
        let mails = read(&Environment::from(settings), &mut notices);
        let notices = notices.iter().map(ToString::to_string).collect();
        (mails.unwrap_or_else(|error| panic!("{error}")), notices)
    }

    fn smtp<const N: usize>(settings: [(&str, &str); N]) -> (SmtpSettings, Vec<String>) {
        let (mails, notices) = mails(settings);
        match mails.post {
            Post::Smtp(settings) => (settings, notices),
            Post::Folder => panic!("a folder"),
        }
    }

    fn refusal<const N: usize>(settings: [(&str, &str); N]) -> String {
        match read(&Environment::from(settings), &mut Vec::new()) {
            Ok(_) => panic!("accepted: {settings:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn mails_are_files_until_a_server_is_named() {
        let (none, notices) = mails([]);
        assert!(matches!(none.post, Post::Folder));
        assert_eq!(
            (none.app_name.as_str(), none.web_page_url),
            ("Tessera", None)
        );
        assert_eq!(none.sender, "webmaster@localhost".parse().unwrap());
        assert_eq!(notices, [""; 0]);
        let (some, notices) = mails([("EMAIL_HOST_USER", "ada"), ("EMAIL_USE_TLS", "on")]);
        assert!(matches!(some.post, Post::Folder));
        assert_eq!(notices.len(), 2);
        assert!(
            notices
                .iter()
                .all(|said| said.contains("EMAIL_HOST is not"))
        );
    }

    #[test]
    fn encryption_is_that_of_the_port_or_asked_for() {
        let host = ("EMAIL_HOST", "mail.example.org");
        for (port, use_tls, encryption) in [
            ("25", "false", Encryption::None),
            ("587", "True", Encryption::StartTls),
            ("465", "false", Encryption::Tls),
            ("465", "true", Encryption::Tls),
        ] {
            let (settings, notices) =
                smtp([host, ("EMAIL_PORT", port), ("EMAIL_USE_TLS", use_tls)]);
            assert_eq!(settings.encryption, encryption, "{port} {use_tls}");
            assert_eq!(settings.port.to_string(), port);
            assert_eq!(notices, [""; 0]);
        }
        assert_eq!(smtp([host]).0.port, 25);
    }

    #[test]
    fn a_password_that_others_can_read_on_its_way_is_told_of() {
        let user = ("EMAIL_HOST_USER", "ada");
        let password = ("EMAIL_HOST_PASSWORD", "hushhush");
        for (host, use_tls, told) in [
            ("mail.example.org", "off", 1),
            ("mail.example.org", "on", 0),
            ("localhost", "off", 0),
            ("127.0.0.1", "off", 0),
            ("::1", "off", 0),
            ("10.0.0.1", "off", 1),
        ] {
            let (settings, notices) = smtp([
                ("EMAIL_HOST", host),
                ("EMAIL_USE_TLS", use_tls),
                user,
                password,
            ]);
            assert_eq!(notices.len(), told, "{host} {use_tls}");
            assert!(!format!("{settings:?}{notices:?}").contains("hushhush"));
        }
    }

    #[test]
    fn a_page_is_taken_without_the_slash_at_its_end() {
        for (given, taken) in [
            ("https://app.example.org", "https://app.example.org"),
            ("https://app.example.org/", "https://app.example.org"),
            (
                "http://localhost:3000/account/",
                "http://localhost:3000/account",
            ),
            ("https://app.example.org/#/", "https://app.example.org/#"),
        ] {
            for name in ["WEB_PAGE_URL", "FRONTEND_URL"] {
                assert_eq!(mails([(name, given)]).0.web_page_url.unwrap(), taken);
            }
        }
        let both = [
            ("FRONTEND_URL", "http://old"),
            ("WEB_PAGE_URL", "http://new"),
        ];
        assert_eq!(mails(both).0.web_page_url.unwrap(), "http://new");
    }

    #[test]
    fn wrong_settings_of_mails_do_not_start() {
        for (name, wrong) in [
            ("DEFAULT_FROM_EMAIL", "nobody"),
            ("DEFAULT_FROM_EMAIL", "Tessera <id@example.org"),
            ("EMAIL_HOST", "smtp://mail"),
            ("EMAIL_HOST", "mail:25"),
            ("EMAIL_HOST_PASSWORD_FILE", "/nowhere/password"),
            ("EMAIL_PORT", "0"),
            ("EMAIL_USE_TLS", "perhaps"),
            ("FRONTEND_URL", "app.example.org"),
            ("WEB_PAGE_URL", "mailto:a@b"),
            ("WEB_PAGE_URL", "https://app.example.org/?page=1"),
        ] {
            let said = refusal([(name, wrong)]);
            assert!(said.contains(name), "{said}");
        }
        let host = ("EMAIL_HOST", "mail.example.org");
        for half in ["EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD"] {
            let said = refusal([host, (half, "hushhush")]);
            assert!(
                said.contains("not both set") && !said.contains("hush"),
                "{said}"
            );
        }
        assert!(refusal([host, ("TESSERA_MAIL_CA", "ca.pem")]).contains("TESSERA_MAIL_CA"));
    }
}
