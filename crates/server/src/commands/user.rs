//! `tessera user`: makes users, shows and changes them.

use tessera_app::CreateUser;
use tessera_domain::{Actor, Password, Profile, Tenant, User};
use tessera_http::{SessionView, UserView};

use crate::cli::{self, OfTenant, OneUser, UserCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Output;
use crate::views::{SESSION_COLUMNS, USER_COLUMNS};
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
            let password = super::password()?;
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
        UserCommand::List(of) => list(&open().await?, &of, output).await,
        UserCommand::Logout(who) => {
            let (wired, tenant, user) = find(open().await?, &who).await?;
            let user = wired.tessera.log_out_user(&tenant, user.id).await?;
            output.one(&UserView::new(&user, &tenant))
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

async fn create(
    wired: &Wired,
    command: cli::CreateUser,
    password: Password,
    output: Output,
) -> Result<(), Failure> {
    let tenant = super::tenant(wired, &command.of.tenant).await?;
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
    let created = wired
        .tessera
        .create_user(&Actor::Operator, &tenant, command);
    let user = created.await?;
    output.one(&UserView::new(&user, &tenant))
}

async fn list(wired: &Wired, of: &OfTenant, output: Output) -> Result<(), Failure> {
    let tenant = super::tenant(wired, &of.tenant).await?;
    let store = &wired.tessera.ports().store;
    let (mut views, mut after) = (Vec::new(), None);
    loop {
        let page = store.users(&tenant, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        views.extend(page.iter().map(|user| UserView::new(user, &tenant)));
    }
    output.many(&USER_COLUMNS, &views)
}

/// The user that a command names, in the tenant that it names.
async fn find(wired: Wired, who: &OneUser) -> Result<(Wired, Tenant, User), Failure> {
    let tenant = super::tenant(&wired, &who.of.tenant).await?;
    let found = wired.tessera.user(&tenant, &who.user).await?;
    let user = found.ok_or_else(|| {
        let (user, tenant) = (&who.user, tenant.name.as_str());
        Failure::Failed(format!("there is no user `{user}` in the tenant {tenant}"))
    })?;
    Ok((wired, tenant, user))
}

const PAGE: usize = 500;
