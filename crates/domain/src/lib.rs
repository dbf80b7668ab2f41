//! What tenants, users, sessions and tokens are and how they may change.
