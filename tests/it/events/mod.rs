//! Events out: the outbox, destinations, and what each of them receives (ADR 0018).

mod changes;
mod movers;
mod people;
mod sending;
mod webhooks;
