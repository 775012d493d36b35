//! What hostile relays, buyers and providers do to a real host: a real store, engine, model, wallet and chain, and on
//! the other side plain clients with keys of their own. One world serves a whole group of cases, one after the other,
//! each with its expected facts, journal line, words and figures. docs/ADVERSITY.md has the table.
//!
//! | group | cases | where |
//! |---|---|---|
//! | relay | tampers, wrong signatures, no JSON, oversized, duplicates, old and future dates, floods, lies in OK, refuses, hangs, drops, replays after a restart; no relay at all | `relays` |
//! | buyer | never pays, says that it paid, forges `request`, brings invoices, spams, cancels before, during and after, cancels what is another's, pays what it cancelled, sends what can't be read | `buyers` |
//! | provider | every wrong invoice, no invoice, an invoice and no result, another job, another key, a forged `request`, twice | `providers` |
mod buyers;
mod providers;
mod relays;
mod scene;
