//! What the service can do, one use case a file, and the ports it needs.

#![warn(missing_docs)]

mod ports;

pub use ports::{
    Clock, CommitError, Entropy, Expiry, KeyError, KeyRing, Overloaded, Passwords, Ports,
    PublicKey, PublicKeys, SessionHolder, Store, TenantKey, TokenError, Tokens, Unavailable,
    Unique, Unready, UserKey,
};
