//! The command line.

use core::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use tessera_domain::{
    EmailAddress, Event, HostName, Id, Role, SchemaName, TenantLayout, TenantName, Timestamp,
    Username,
};

pub(crate) use self::settings::ChangeSettings;

mod settings;

/// A multi-tenant authentication service.
///
/// Without a command it serves. Settings come from the environment and from `.env` in the working
/// directory, for every command alike; `.env.example` lists them.
#[derive(Debug, Parser)]
#[command(name = "tessera", version, after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Print one JSON document, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve requests until told to end (the default)
    Serve,
    /// Bring the tables up to this version: the shared ones, then those of every tenant
    Migrate(Migrate),
    /// Make tenants, see and change them
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Make users, see and change them
    #[command(subcommand)]
    User(UserCommand),
    /// See the signing keys, and change which one signs
    #[command(subcommand)]
    Keys(KeysCommand),
    /// See what happened and how far it was told, and have it told again
    #[command(subcommand)]
    Events(EventsCommand),
    /// Show who did what, the newest first
    Audit(Box<Audit>),
    #[command(about = "Print the OpenAPI document")]
    Openapi,
    #[command(about = "Print the AsyncAPI document: the events, and how they arrive")]
    Asyncapi,
    /// Ask the running service whether it answers: exit status 0 when it does
    Healthcheck,
}

#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// Only say how far each schema is, and what is wrong with it
    #[arg(long, conflicts_with_all = ["dry_run", "down"])]
    pub(crate) status: bool,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Undo the N migrations that came last instead, wherever they are, and what is in their tables
    #[arg(long, value_name = "N", conflicts_with = "tenant")]
    pub(crate) down: Option<usize>,
    /// Only the tables of this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Tenants that are migrated at the same time; as many as the machine has cores when not said
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<NonZeroUsize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Make a tenant, with the place where its data lives
    Create(Box<CreateTenant>),
    /// List all tenants
    List,
    /// Show one tenant
    Show {
        /// Its name, schema name or id
        tenant: String,
    },
    /// Give a tenant another name; its schema name stays
    Rename {
        /// Its name, schema name or id
        tenant: String,
        /// What it is called from now on
        #[arg(value_parser = TenantName::parse)]
        name: TenantName,
    },
    /// Close a tenant: nobody logs in, and no token of it works until it is resumed
    Suspend {
        /// Its name, schema name or id
        tenant: String,
    },
    /// Open a suspended tenant again
    Resume {
        /// Its name, schema name or id
        tenant: String,
    },
    /// Delete a tenant for good, with all its users, events and entries of the audit trail
    ///
    /// It is closed at once, and what is of it goes bit by bit. Where that is cut short, the same
    /// command goes on, or the running service does.
    Delete(DeleteTenant),
    /// Move the data of a tenant to another layout; it answers 503 meanwhile (Postgres)
    ///
    /// Where that is cut short, the same command goes on, or the running service does; the layout of
    /// before calls it off.
    Move {
        /// Its name, schema name or id
        tenant: String,
        /// The layout: schema, in tables of its own, or shared
        #[arg(long, value_name = "LAYOUT", value_parser = layout)]
        to: TenantLayout,
    },
    /// Change which domains a tenant has
    #[command(subcommand)]
    Domain(DomainCommand),
    /// Change what holds for the accounts of a tenant; what is not named stays
    Settings(Box<ChangeSettings>),
}

#[derive(Args, Debug)]
pub(crate) struct CreateTenant {
    /// What it is called
    #[arg(value_parser = TenantName::parse)]
    pub(crate) name: TenantName,
    /// Its schema name, `tenant_schema` in tokens; what the name suggests when it is not said
    #[arg(long, value_name = "S", value_parser = SchemaName::parse)]
    pub(crate) schema: Option<SchemaName>,
    /// A host and e-mail domain of its own; may be repeated, the first is the primary one
    #[arg(long = "domain", value_name = "D", value_parser = HostName::parse)]
    pub(crate) domains: Vec<HostName>,
    /// How its data is kept apart: schema or shared; as the settings have it when it is not
    /// said (Postgres)
    #[arg(long, value_name = "LAYOUT", value_parser = layout)]
    pub(crate) layout: Option<TenantLayout>,
}

#[derive(Args, Debug)]
pub(crate) struct DeleteTenant {
    /// Its name, schema name or id
    pub(crate) tenant: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// First write the tenant, its users and its audit trail to this new file, a JSON object a line
    ///
    /// It holds the hashes of passwords, and is for its owner alone. The tenant is suspended first.
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,
}

fn layout(text: &str) -> Result<TenantLayout, &'static str> {
    text.parse().map_err(|_| "it is schema or shared")
}

#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// Give a tenant a domain, and list the users of the default tenant whom it hides
    Add {
        /// The tenant's name, schema name or id
        tenant: String,
        /// The domain
        #[arg(value_parser = HostName::parse)]
        domain: HostName,
    },
    /// Make one of its domains the primary one
    Primary {
        /// The tenant's name, schema name or id
        tenant: String,
        /// The domain
        #[arg(value_parser = HostName::parse)]
        domain: HostName,
    },
    /// Take a domain from a tenant; without its primary one, the first of the others is that
    Remove {
        /// The tenant's name, schema name or id
        tenant: String,
        /// The domain
        #[arg(value_parser = HostName::parse)]
        domain: HostName,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make a user, who is mailed a link to set a password
    ///
    /// Where no mail server is configured, or with --print-link, the link is printed instead, this
    /// once; with --password-stdin the password is read from standard input.
    Create(Box<CreateUser>),
    /// List the users of a tenant
    List(Box<ListUsers>),
    /// Show a user
    Show(OneUser),
    /// Keep a user from logging in, and end all sessions for good
    Disable(OneUser),
    /// Let a user log in again
    Enable(OneUser),
    /// End the lock that wrong passwords caused
    Unlock(OneUser),
    /// Set a user's password, read from standard input, and end all sessions
    SetPassword {
        #[command(flatten)]
        user: OneUser,
        /// Read the password from standard input, which is what happens anyway
        #[arg(long)]
        password_stdin: bool,
    },
    /// Change which roles a user has
    Roles(Box<ChangeRoles>),
    /// List the live sessions of a user
    Sessions(OneUser),
    /// End all sessions of a user
    Logout(OneUser),
    /// Delete a user for good, with all sessions and the events of before
    Delete {
        #[command(flatten)]
        user: OneUser,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ListUsers {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// Only those whose address or username begins so
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Only those with this role
    #[arg(long, value_name = "R", value_parser = Role::parse)]
    pub(crate) role: Option<Role>,
    /// Only those who may log in, or those who may not
    #[arg(long, value_enum, value_name = "STATUS")]
    pub(crate) status: Option<Status>,
    /// Only those whose address is proved (true), or those whose is not (false)
    #[arg(long, value_name = "PROVED")]
    pub(crate) verified: Option<bool>,
}

/// Whether a user may log in.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Status {
    /// May log in
    Active,
    /// May not
    Disabled,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct ChangeRoles {
    #[command(flatten)]
    pub(crate) user: OneUser,
    /// A role that is added at the end; may be repeated
    #[arg(long, value_name = "R", group = "change", value_parser = Role::parse)]
    pub(crate) add: Vec<Role>,
    /// A role that is taken away; may be repeated
    #[arg(long, value_name = "R", group = "change", value_parser = Role::parse)]
    pub(crate) remove: Vec<Role>,
    /// A role instead of all others; may be repeated, the first is the one shown as `role`
    #[arg(long, value_name = "R", group = "change", value_parser = Role::parse)]
    #[arg(conflicts_with_all = ["add", "remove"])]
    pub(crate) set: Vec<Role>,
}

#[derive(Args, Debug)]
pub(crate) struct CreateUser {
    /// The address
    #[arg(value_parser = EmailAddress::parse)]
    pub(crate) email: EmailAddress,
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// Another name to log in with
    #[arg(long, value_name = "U", value_parser = Username::parse)]
    pub(crate) username: Option<Username>,
    /// The given name
    #[arg(long, value_name = "F", default_value = "")]
    pub(crate) first_name: String,
    /// The family name
    #[arg(long, value_name = "L", default_value = "")]
    pub(crate) last_name: String,
    /// A role; may be repeated, the first is the one shown as `role`
    #[arg(long = "role", value_name = "R", value_parser = Role::parse)]
    pub(crate) roles: Vec<Role>,
    /// Set `is_superuser`, which is carried for clients and grants nothing here
    #[arg(long)]
    pub(crate) superuser: bool,
    /// The owner of the address has proved it
    #[arg(long)]
    pub(crate) verified: bool,
    #[command(flatten)]
    pub(crate) password: PasswordBy,
}

/// How a new user comes by a password, if not by mail.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct PasswordBy {
    /// Read the password from standard input; one newline at its end is no part of it
    #[arg(long = "password-stdin")]
    pub(crate) stdin: bool,
    /// Print a link to set a password, this once, instead of mailing it
    #[arg(long = "print-link", conflicts_with = "stdin")]
    pub(crate) link: bool,
}

#[derive(Args, Debug)]
pub(crate) struct OneUser {
    /// The user's address, id or username
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) of: OfTenant,
}

#[derive(Args, Debug)]
pub(crate) struct OfTenant {
    /// The tenant, by name, schema name or id
    #[arg(long, value_name = "T", default_value = SchemaName::DEFAULT)]
    pub(crate) tenant: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// List the keys that sign or verify access tokens, or did
    List,
    /// Make a new signing key; the one before verifies what it signed until that is over
    Rotate {
        /// Sign with it at once, not in ten minutes when everyone has fetched it
        #[arg(long)]
        now: bool,
    },
    /// Take a key out of use: what it signed is refused from now on
    Retire {
        /// The key's `kid`, which may begin with `-`
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
    /// Print the public keys
    Export {
        /// How they are written
        #[arg(long, value_enum, default_value_t = ExportFormat::Jwks)]
        format: ExportFormat,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Show how far each publisher is: pending, age of the oldest, sent, parked
    Status,
    /// Show the last events of the log
    Tail {
        /// How many
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        lines: usize,
        /// Go on with what happens from now on, a line each
        #[arg(short, long)]
        follow: bool,
        /// Only those of this tenant, by name, schema name or id
        #[arg(long, value_name = "T")]
        tenant: Option<String>,
    },
    /// Send again what was sent, to each configured publisher, marked as a replay
    Replay {
        /// From this position of the log on
        #[arg(long, value_name = "POSITION")]
        from: u64,
        /// Only events of this tenant, by name, schema name or id
        #[arg(long, value_name = "T")]
        tenant: Option<String>,
    },
    /// Try a parked event again
    Retry {
        /// The id of the event
        id: Id<Event>,
    },
    /// List the events that a publisher went past without sending: held up, rejected or parked
    Waiting {
        /// How many at most
        #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
        lines: usize,
        /// Only those of this tenant, by name, schema name or id
        #[arg(long, value_name = "T")]
        tenant: Option<String>,
    },
    /// Give up a publisher that is no longer configured, with all that waits for it
    Forget {
        /// Its name, as `status` shows it
        publisher: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Audit {
    /// Only what happened in this tenant, by name, schema name or id
    #[arg(long, value_name = "T")]
    pub(crate) tenant: Option<String>,
    /// Only what concerns this user: an id, or an address or username in the tenant
    #[arg(long, value_name = "U")]
    pub(crate) user: Option<String>,
    /// Only what this user did: an id, or an address or username in the tenant or the default one
    #[arg(long, value_name = "A")]
    pub(crate) actor: Option<String>,
    /// Only what is of this type, as `UserDisabled`
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// Only what happened from this moment on, as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Timestamp>,
    /// Only what happened before this moment
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<Timestamp>,
    /// How many at most
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// A JWK Set (RFC 7517)
    Jwks,
    /// A declarative configuration for Kong's jwt plugin
    Kong,
    /// PEM, one block a key
    Pem,
}

fn time(text: &str) -> Result<Timestamp, String> {
    tessera_http::moment(text).ok_or_else(|| "a time as 2026-01-31T12:00:00Z".to_owned())
}

fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .ok()
        .filter(|jobs: &NonZeroUsize| jobs.get() <= 64)
        .ok_or_else(|| "a number from 1 to 64".to_owned())
}

const EXAMPLES: &str = "\
Examples:
  tessera
      Serve on 127.0.0.1:8000 with everything under ./data

  DATABASE_URL=postgres://tessera:secret@localhost/tessera tessera migrate
      Make the tables in Postgres, once before the first start and after each update

  printf %s \"$PASSWORD\" | tessera user create ada@example.org --verified --password-stdin
      Make a user of the default tenant

  tessera tenant create Acme --schema acme --domain acme.example
  tessera user list --tenant acme --json
      Make a tenant, and list its users for a program

  tessera events status
      How many events wait, how long, and how many a broker refused for good

  tessera audit --user ada@example.org --since 2026-01-01T00:00:00Z
      Who did what that concerns a user, the newest first

  tessera keys rotate
      Sign with a new key ten minutes from now

Exit status: 0 done, 1 failed, 2 wrong use or wrong configuration.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves() {
        assert!(Cli::try_parse_from(["tessera"]).unwrap().command.is_none());
    }

    #[test]
    fn a_kid_may_begin_with_a_hyphen() {
        for kid in ["-ejHuJujEZxn62Qg", "--ejHuJujEZxn62Qg", "j"] {
            for json in [true, false] {
                let flag = json.then_some("--json");
                let before = ["tessera", "keys", "retire"].into_iter().chain(flag);
                let after = ["tessera", "keys", "retire", kid].into_iter().chain(flag);
                for line in [before.chain([kid]).collect::<Vec<_>>(), after.collect()] {
                    let cli = Cli::try_parse_from(&line).unwrap();
                    assert_eq!(cli.json, json, "{line:?}");
                    let Some(Command::Keys(KeysCommand::Retire { kid: read })) = cli.command else {
                        panic!("{line:?}");
                    };
                    assert_eq!(read, kid);
                }
            }
        }
    }

    #[test]
    fn a_password_is_never_an_argument() {
        let create = ["tessera", "user", "create", "ada@example.org"];
        assert!(Cli::try_parse_from(create).is_ok());
        let with = [&create[..], &["--password", "secret"]].concat();
        assert!(Cli::try_parse_from(with).is_err());
        let by_stdin = [&create[..], &["--password-stdin"]].concat();
        assert!(Cli::try_parse_from(&by_stdin).is_ok());
        let by_both = [&by_stdin[..], &["--print-link"]].concat();
        assert!(Cli::try_parse_from(by_both).is_err());
    }
}
