//! What the service can do, one use case a file, and the ports it needs.
