//! The templates: what each kind of mail says, in our words or in an operator's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::value::Value;
use minijinja::{
    AutoEscape, Environment, Error, Output, State, UndefinedBehavior, default_auto_escape_callback,
    escape_formatter,
};
use tessera_domain::MailKind;

use crate::names::one_line;

/// What a mail says.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// The templates of every kind.
#[derive(Debug)]
pub(crate) struct Templates(Environment<'static>);

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// One of them cannot be spelt out.
    #[error("the mail template {name}, line {line}: {why}")]
    Fault {
        /// The file.
        name: String,
        /// Where in it.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Its first line is empty.
    #[error("the mail template {0} makes no subject")]
    NoSubject(String),
    /// A file, or the folder, cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file that no mail is made of, most likely one with a slip in its name.
    #[error(
        "{} is the template of no mail; a file for others to include has a name that begins with `_`",
        .0.display()
    )]
    Unknown(PathBuf),
}

impl Templates {
    /// Ours, but for those that the folders have, the last one first.
    pub(crate) fn load<'a>(
        folders: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(default_auto_escape_callback);
        environment.set_formatter(spell);
        // What its errors would quote may be a token.
        environment.set_debug(false);
        let mut add = |name: String, source: String| {
            let added = environment.add_template_owned(name.clone(), source);
            added.map_err(|error| fault(&name, &error))
        };
        for (name, source) in OURS {
            add((*name).to_owned(), (*source).to_owned())?;
        }
        for folder in folders {
            for (name, source) in read(folder)? {
                add(name, source)?;
            }
        }
        Ok(Self(environment))
    }

    /// Spells out the mail.
    pub(crate) fn render(&self, kind: MailKind, values: &Value) -> Result<Texts, TemplateError> {
        let render = |end: &str| {
            let name = format!("{kind}.{end}");
            let template = self.0.get_template(&name);
            let text = template.and_then(|template| template.render(values));
            text.map_err(|error| fault(&name, &error))
        };
        // What begins an encoded word (RFC 2047) would be read as what it encodes, and that may be more
        // than a line.
        let subject = one_line(&render(SUBJECT)?).replace("=?", "= ?");
        if subject.is_empty() {
            return Err(TemplateError::NoSubject(format!("{kind}.{SUBJECT}")));
        }
        Ok(Texts {
            subject,
            text: wrapped(&tidy(&render(TEXT)?)),
            html: tidy(&render(HTML)?),
        })
    }
}

impl TemplateError {
    /// What is wrong, without what the engine says of it: with a mail's own values that may repeat
    /// them.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Fault { name, line, .. } => {
                format!("the mail template {name}, line {line}, cannot be spelt out")
            }
            Self::NoSubject(_) | Self::Unknown(_) | Self::Unreadable { .. } => self.to_string(),
        }
    }
}

/// The templates in a folder, by name; what is no template of text or HTML is none of ours.
fn read(folder: &Path) -> Result<Vec<(String, String)>, TemplateError> {
    let unreadable = |path: &Path, error| TemplateError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default().to_owned();
        let is_template = [".txt", ".html"].iter().any(|end| name.ends_with(end));
        if name.starts_with('.') || !is_template {
            continue;
        }
        if !name.starts_with('_') && !OURS.iter().any(|(ours, _)| *ours == name) {
            return Err(TemplateError::Unknown(path));
        }
        let source = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
        found.push((name, source));
    }
    Ok(found)
}

/// As HTML has it, but `/` stays itself, so that an address in the source can be read.
fn spell(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html) => {
            Ok(out.write_str(&escaped(text))?)
        }
        _ => escape_formatter(out, state, value),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("&quot;"),
            '&' => escaped.push_str("&amp;"),
            '\'' => escaped.push_str("&#39;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn fault(name: &str, error: &Error) -> TemplateError {
    let kind = error.kind();
    TemplateError::Fault {
        name: error.name().unwrap_or(name).to_owned(),
        line: error.line().unwrap_or(1),
        why: match error.detail() {
            Some(detail) => format!("{kind}: {detail}"),
            None => kind.to_string(),
        },
    }
}

/// Without what no mail may hold, and without what the tags of a template leave behind: space at the
/// end of lines, and more than one empty line.
fn tidy(text: &str) -> String {
    let text = text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), "");
    let mut tidy = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        // `-- ` begins a signature.
        let line = if line == "-- " { line } else { line.trim_end() };
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 && !(tidy.is_empty() && line.is_empty()) {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    while tidy.ends_with("\n\n") {
        tidy.pop();
    }
    tidy
}

/// With long lines broken at spaces; a word that is longer, as an address may be, stays whole.
fn wrapped(text: &str) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for line in text.lines() {
        let (mut width, mut has_words) = (0, false);
        for word in line.split_inclusive(' ') {
            let length = word.trim_end().chars().count();
            if has_words && width + length > WIDTH {
                wrapped.truncate(wrapped.trim_end_matches(' ').len());
                wrapped.push('\n');
                width = 0;
            }
            wrapped.push_str(word);
            width += word.chars().count();
            has_words |= length > 0;
        }
        wrapped.push('\n');
    }
    wrapped
}

const WIDTH: usize = 76;
const SUBJECT: &str = "subject.txt";
const TEXT: &str = "txt";
const HTML: &str = "html";

macro_rules! ours {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../templates/", $name)))),*]
    };
}

const OURS: &[(&str, &str)] = ours![
    "_parts.html",
    "layout.html",
    "layout.txt",
    "account_deleted.html",
    "account_deleted.subject.txt",
    "account_deleted.txt",
    "already_registered.html",
    "already_registered.subject.txt",
    "already_registered.txt",
    "change_email.html",
    "change_email.subject.txt",
    "change_email.txt",
    "change_email_requested.html",
    "change_email_requested.subject.txt",
    "change_email_requested.txt",
    "email_changed.html",
    "email_changed.subject.txt",
    "email_changed.txt",
    "invitation.html",
    "invitation.subject.txt",
    "invitation.txt",
    "password_changed.html",
    "password_changed.subject.txt",
    "password_changed.txt",
    "reset_password.html",
    "reset_password.subject.txt",
    "reset_password.txt",
    "verify_email.html",
    "verify_email.subject.txt",
    "verify_email.txt",
];
