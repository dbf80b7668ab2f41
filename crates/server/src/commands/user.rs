//! `tessera user`: makes users, shows, changes and deletes them.

use std::io::{self, BufRead, IsTerminal, Read};

use tessera_app::{AmendUser, CreateUser, FirstPassword, Roles, UserAdministration, UserFilter};
use tessera_domain::{Actor, NamePrefix, Profile, Tenant, TenantStatus, User, UserStatus};
use tessera_http::{SessionView, UserView};

use crate::cli::{self, OneUser, UserCommand};
use crate::config::{Config, Post};
use crate::failure::Failure;
use crate::output::Output;
use crate::views::{CreatedUserView, DeletedView, SESSION_COLUMNS, USER_COLUMNS};
use crate::wiring::{KeyRingUse, Wired};

pub(super) async fn run(
    command: UserCommand,
    config: &Config,
    output: Output,
) -> Result<(), Failure> {
    let open = || super::open(config, KeyRingUse::Untouched);
    match command {
        UserCommand::Create(command) => {
            // Read first: who is asked for a password should not wait for a database.
            let password = first_password(command.password, &config.mails.post)?;
            create(&open().await?, *command, password, output).await
        }
        UserCommand::Disable(who) => {
            let (wired, tenant, user) = find(open().await?, &who).await?;
            let user = wired.tessera.disable_user(&tenant, user.id).await?;
            output.one(&UserView::new(&user, &tenant))
        }
        UserCommand::Enable(who) => {
            let (wired, tenant, user) = find(open().await?, &who).await?;
            let user = wired.tessera.enable_user(&tenant, user.id).await?;
            output.one(&UserView::new(&user, &tenant))
        }
        UserCommand::Delete { user: who, yes } => {
            let (wired, tenant, user) = find(open().await?, &who).await?;
            if !yes {
                agree(&who.user, &tenant)?;
            }
            let of = UserAdministration::of_operator(tenant);
            wired.tessera.delete_user(&of, user.id).await?;
            output.one(&DeletedView::new(&user))
        }
        UserCommand::List(command) => list(&open().await?, *command, output).await,
        UserCommand::Logout(who) => {
            let (wired, tenant, user) = find(open().await?, &who).await?;
            let user = wired.tessera.log_out_user(&tenant, user.id).await?;
            output.one(&UserView::new(&user, &tenant))
        }
        UserCommand::Roles(command) => {
            let (wired, tenant, user) = find(open().await?, &command.user).await?;
            let of = UserAdministration::of_operator(tenant);
            let command = roles(*command);
            let user = wired.tessera.amend_user(&of, user.id, command).await?;
            output.one(&UserView::new(&user, of.tenant()))
        }
        UserCommand::Sessions(who) => {
            let (wired, tenant, user) = find(open().await?, &who).await?;
            let sessions = wired.tessera.user_sessions(&tenant, &user).await?;
            let views: Vec<SessionView> = sessions
                .iter()
                .map(|session| SessionView::new(session, None))
                .collect();
            output.many(&SESSION_COLUMNS, &views)
        }
        UserCommand::SetPassword { user: who, .. } => {
            let password = super::password()?;
            let (wired, tenant, user) = find(open().await?, &who).await?;
            let user = wired
                .tessera
                .set_password(&tenant, user.id, password)
                .await?;
            output.one(&UserView::new(&user, &tenant))
        }
        UserCommand::Show(who) => {
            let (_, tenant, user) = find(open().await?, &who).await?;
            output.one(&UserView::new(&user, &tenant))
        }
        UserCommand::Unlock(who) => {
            let (wired, tenant, user) = find(open().await?, &who).await?;
            let user = wired.tessera.unlock_user(&tenant, user.id).await?;
            output.one(&UserView::new(&user, &tenant))
        }
    }
}

/// How a new user comes by a password: where mails are files, no mail reaches anybody.
fn first_password(by: cli::PasswordBy, post: &Post) -> Result<FirstPassword, Failure> {
    if by.stdin {
        return super::password().map(FirstPassword::Given);
    }
    Ok(match post {
        Post::Smtp(_) if !by.link => FirstPassword::Mailed,
        Post::Folder | Post::Smtp(_) => FirstPassword::Postponed,
    })
}

async fn create(
    wired: &Wired,
    command: cli::CreateUser,
    password: FirstPassword,
    output: Output,
) -> Result<(), Failure> {
    let tenant = tenant(wired, &command.of.tenant).await?;
    let postponed = matches!(password, FirstPassword::Postponed);
    let command = CreateUser {
        email: command.email,
        email_verified: command.verified,
        username: command.username,
        profile: Profile {
            first_name: command.first_name,
            last_name: command.last_name,
            job_role: String::new(),
        },
        roles: command.roles,
        is_superuser: command.superuser,
        password,
    };
    let tessera = &wired.tessera;
    let made = tessera.create_user(&Actor::Operator, &tenant, command);
    let user = made.await?;
    let link = if postponed {
        Some(tessera.invite_link(&tenant, user.id).await?)
    } else {
        None
    };
    output.one(&CreatedUserView::new(UserView::new(&user, &tenant), link))
}

async fn list(wired: &Wired, command: cli::ListUsers, output: Output) -> Result<(), Failure> {
    let tenant = tenant(wired, &command.of.tenant).await?;
    let store = &wired.tessera.ports().store;
    let filter = UserFilter {
        search: command.search.as_deref().and_then(NamePrefix::parse),
        role: command.role,
        status: command.status.map(|status| match status {
            cli::Status::Active => UserStatus::Active,
            cli::Status::Disabled => UserStatus::Disabled,
        }),
        email_verified: command.verified,
    };
    let (mut views, mut after) = (Vec::new(), None);
    loop {
        let page = store.users(&tenant, &filter, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        views.extend(page.iter().map(|user| UserView::new(user, &tenant)));
    }
    output.many(&USER_COLUMNS, &views)
}

fn roles(command: cli::ChangeRoles) -> AmendUser {
    let roles = if command.set.is_empty() {
        Roles::Adjusted {
            add: command.add,
            remove: command.remove,
        }
    } else {
        Roles::These(command.set)
    };
    AmendUser {
        roles: Some(roles),
        ..AmendUser::default()
    }
}

/// Asks whoever sits at the terminal; nobody there is no yes.
fn agree(user: &str, tenant: &Tenant) -> Result<(), Failure> {
    let (input, tenant) = (io::stdin(), tenant.name.as_str());
    if !input.is_terminal() {
        let why = "nobody is there to ask whether the user is to be deleted: say --yes";
        return Err(Failure::Misused(why.to_owned()));
    }
    eprint!("Delete the user `{user}` of the tenant {tenant} for good? Type yes: ");
    let mut answer = String::new();
    let read = input.lock().take(MOST_INPUT).read_line(&mut answer);
    read.map_err(|error| Failure::because(&error))?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::Failed("nothing was deleted".to_owned()))
}

/// The user that a command names, in the tenant that it names.
async fn find(wired: Wired, who: &OneUser) -> Result<(Wired, Tenant, User), Failure> {
    let tenant = tenant(&wired, &who.of.tenant).await?;
    let found = wired.tessera.user(&tenant, &who.user).await?;
    let user = found.ok_or_else(|| {
        let (user, tenant) = (&who.user, tenant.name.as_str());
        Failure::Failed(format!("there is no user `{user}` in the tenant {tenant}"))
    })?;
    Ok((wired, tenant, user))
}

/// The tenant whose users a command is about. One that is being deleted is gone to them.
async fn tenant(wired: &Wired, name: &str) -> Result<Tenant, Failure> {
    let tenant = super::tenant(wired, name).await?;
    match tenant.status {
        TenantStatus::Active | TenantStatus::Suspended => Ok(tenant),
        TenantStatus::Deleting => Err(super::no_tenant(name)),
    }
}

/// Far more than a yes.
const MOST_INPUT: u64 = 1_024;
const PAGE: usize = 500;
