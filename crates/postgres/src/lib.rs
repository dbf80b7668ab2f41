//! The store on Postgres, a schema per tenant.
