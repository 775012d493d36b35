//! Plausible histories: whole stories of jobs, purchases and the wallet, interleaved as they come.
use std::collections::VecDeque;

use autopilot_events::{Draft, Recorded};
use proptest::prelude::*;

use crate::Pen;
pub use crate::drafts::drafts;

/// One story; the numbers make ids and amounts.
#[derive(Clone, Debug)]
pub enum Story {
    /// A job refused for a reason.
    Refused(u8),
    /// A job paid, or not: price, and how it ends.
    Job(u64, End),
    /// A job that fails after some attempts.
    Failed(u8),
    /// A purchase: price, won and paid or not.
    Purchase(u64, bool),
    /// A payment that the owner sends: amount, whether it arrives.
    Withdrawal(u64, bool),
    /// A deposit that no job is bound to.
    Deposit(u64),
    /// A channel: capacity, grant, and whether it closes again.
    Channel(u64, u64, bool),
    /// Online, alive, offline; with this many words of a reason.
    Presence(u16),
    /// On-chain intents, sent or failed.
    Onchain(bool),
    /// A conversation of one message: answered, failed, stopped, or waiting still.
    Chat(Reply),
    /// Something that only a newer program knows.
    Unknown,
}

/// How a worked job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Paid after delivery.
    Paid,
    /// Paid while the result is still on its way.
    PaidFirst,
    /// Never paid.
    Expired,
    /// No relay takes the result; paid all the same.
    Abandoned,
}

/// What becomes of a message to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The model answers.
    Answered,
    /// It gives no answer.
    Failed,
    /// A person wants none any more.
    Stopped,
    /// Nothing yet.
    Waiting,
}

/// A bound on msat that keeps a thousand stories far below all bitcoin there are.
const PRICE_MAX_MSAT: u64 = 1 << 40;

/// Any story.
pub fn story() -> impl Strategy<Value = Story> {
    let end = prop_oneof![
        Just(End::Paid),
        Just(End::PaidFirst),
        Just(End::Expired),
        Just(End::Abandoned)
    ];
    let reply = prop_oneof![
        Just(Reply::Answered),
        Just(Reply::Failed),
        Just(Reply::Stopped),
        Just(Reply::Waiting)
    ];
    prop_oneof![
        1 => reply.prop_map(Story::Chat),
        2 => (0_u8..20).prop_map(Story::Refused),
        6 => (1..PRICE_MAX_MSAT, end).prop_map(|(price, end)| Story::Job(price, end)),
        1 => (1_u8..4).prop_map(Story::Failed),
        2 => (1..PRICE_MAX_MSAT, any::<bool>()).prop_map(|(price, paid)| Story::Purchase(price, paid)),
        1 => (1..PRICE_MAX_MSAT, any::<bool>()).prop_map(|(amount, ok)| Story::Withdrawal(amount, ok)),
        1 => (1..PRICE_MAX_MSAT).prop_map(Story::Deposit),
        1 => (0..PRICE_MAX_MSAT, 0..PRICE_MAX_MSAT, any::<bool>())
            .prop_map(|(capacity, grant, closes)| Story::Channel(capacity, grant, closes)),
        1 => (0_u16..600).prop_map(Story::Presence),
        1 => any::<bool>().prop_map(Story::Onchain),
        1 => Just(Story::Unknown),
    ]
}

/// A whole ledger of up to `stories_max` interleaved stories, sealed.
pub fn history(stories_max: usize) -> impl Strategy<Value = Vec<Recorded>> {
    let turns = proptest::collection::vec((any::<u16>(), -2_000_i64..60_000), 1..64);
    (proptest::collection::vec(story(), 1..=stories_max), turns)
        .prop_map(|(stories, turns)| weave(&stories, &turns))
}

/// Takes the next fact of one open story at a time; the turns say which, and how far the clock moves (back, at times).
pub fn weave(stories: &[Story], turns: &[(u16, i64)]) -> Vec<Recorded> {
    let mut waiting: VecDeque<VecDeque<Draft>> = stories
        .iter()
        .enumerate()
        .map(|(index, story)| drafts(story, index as u64).into())
        .collect();
    let mut pen = Pen::default();
    let mut utc_ms = 1_700_000_000_000;
    let mut facts = Vec::new();
    let mut turn = turns.iter().cycle();
    while !waiting.is_empty() {
        let (pick, passed_ms) = turn.next().copied().unwrap_or((0, 1));
        utc_ms += passed_ms;
        // At most eight stories are told at the same time, so that a long ledger has a beginning and an end.
        let index = usize::from(pick) % waiting.len().min(8);
        match waiting[index].pop_front() {
            Some(draft) => facts.push(pen.write(draft, utc_ms)),
            None => drop(waiting.remove(index)),
        }
    }
    facts
}
