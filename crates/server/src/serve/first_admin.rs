//! The one account that is made by itself, in an embedded store that has no user yet.

use tessera_app::{CreateUser, CreateUserError, FirstPassword, Tessera, UserFilter};
use tessera_domain::{Actor, EmailAddress, Profile, Role, SchemaName};

use crate::data_folder::{DataFolder, INITIAL_ADMIN};
use crate::failure::Failure;

/// Makes the account unless the default tenant has one; its password is in the folder first.
pub(crate) async fn make(tessera: &Tessera, folder: &DataFolder) -> Result<(), Failure> {
    let Some(tenant) = tessera.tenant(SchemaName::DEFAULT).await? else {
        return Err(Failure::Failed("there is no default tenant".to_owned()));
    };
    let ports = tessera.ports();
    let anybody = UserFilter::default();
    if !ports
        .store
        .users(&tenant, &anybody, None, 1)
        .await?
        .is_empty()
    {
        return Ok(());
    }
    let email = EmailAddress::parse(INITIAL_ADMIN).map_err(|error| Failure::because(&error))?;
    let role = Role::parse(Role::PLATFORM_ADMIN).map_err(|error| Failure::because(&error))?;
    let command = CreateUser {
        email,
        email_verified: true,
        username: None,
        profile: Profile::default(),
        roles: vec![role],
        is_superuser: true,
        password: FirstPassword::Given(folder.initial_password(ports.entropy.as_ref())?),
    };
    match tessera.create_user(&Actor::Service, &tenant, command).await {
        Ok(_) | Err(CreateUserError::Duplicate(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
