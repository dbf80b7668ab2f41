//! The real application over memory, as its clients see it.

mod conversation;
mod cookie;
mod documentation;
mod tenants;
mod world;
