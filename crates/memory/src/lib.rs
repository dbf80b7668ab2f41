//! Store, clock, entropy and hashing with nothing outside the process.
