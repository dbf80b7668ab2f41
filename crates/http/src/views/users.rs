//! Users, as their administrators see them.

use paperclip::actix::Apiv2Schema;
use serde::Serialize;
use tessera_app::UserPage;
use tessera_domain::Tenant;

use super::UserView;

/// A page of users.
#[derive(Apiv2Schema, Serialize)]
pub(crate) struct UsersView {
    users: Vec<UserView>,
    /// What `after` is for the next page; null when there was no more.
    next: Option<String>,
}

impl UsersView {
    /// The page, of users of that tenant.
    pub(crate) fn new(page: &UserPage, tenant: &Tenant) -> Self {
        let users = page.users.iter();
        Self {
            users: users.map(|user| UserView::new(user, tenant)).collect(),
            next: page.next.map(|id| id.to_string()),
        }
    }
}
