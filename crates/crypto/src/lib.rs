//! Password hashing in a bounded pool, and the signing and verifying of tokens.
