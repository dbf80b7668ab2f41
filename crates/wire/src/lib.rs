//! How an event is written down for others: one CloudEvents JSON shape.
