//! From an [`Interest`] to subscriptions. Each part has a subscription of its own, so that a change in one part
//! does not fetch the others again.

use autopilot_core::ports::market::{Interest, MarketItem};
use autopilot_events::words::{EventId, PublicKey};
use nostr::{Alphabet, Filter, Kind, SingleLetterTag, Timestamp};

use crate::nip90::{ANNOUNCEMENT_KIND, CANCEL_KIND, FEEDBACK_KIND, RECEIPT_KIND, RESULT_OFFSET};

/// Ids in one filter; relays refuse filters that are much longer.
const IDS_PER_FILTER: usize = 200;

/// How many parts there are.
pub(super) const PARTS: usize = 7;

/// The parts of an interest, each with a subscription of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Requests,
    /// Answers that name us.
    Answers,
    /// Answers to our own jobs that may name nobody. Apart, since it changes with every job of ours.
    OwnJobs,
    Cancels,
    Announcements,
    Preview,
    /// Receipts that name us as their provider.
    Receipts,
}

/// Stored requests that a relay hands out at most for the preview: what it has beyond that is history.
const PREVIEW_STORED: usize = 200;

impl Part {
    pub const ALL: [Part; PARTS] = [
        Part::Requests,
        Part::Answers,
        Part::OwnJobs,
        Part::Cancels,
        Part::Announcements,
        Part::Preview,
        Part::Receipts,
    ];

    /// The subscription's name at the relay.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Answers => "answers",
            Self::OwnJobs => "own-jobs",
            Self::Cancels => "cancels",
            Self::Announcements => "announcements",
            Self::Preview => "preview",
            Self::Receipts => "receipts",
        }
    }

    pub fn of_name(name: &str) -> Option<Part> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// What to ask relays for; nothing means no subscription.
    pub fn filters(self, interest: &Interest, me: PublicKey) -> Vec<Filter> {
        match self {
            Self::Requests => requests(interest),
            Self::Answers => answers(interest, me),
            Self::OwnJobs => by_event(&interest.own_jobs, || Filter::new().kinds(answer_kinds(interest))),
            Self::Cancels => by_event(&interest.cancels_of, || {
                Filter::new().kind(Kind::from(CANCEL_KIND))
            }),
            Self::Announcements => announcements(interest),
            Self::Preview => preview(interest),
            Self::Receipts => receipts(interest, me),
        }
    }
}

/// Whether an event that a relay was asked for is of use. Filters cannot say "for us or for nobody".
pub(super) fn wanted(item: &MarketItem, interest: &Interest) -> bool {
    match item {
        MarketItem::Request(job) => job.targeted || job.open,
        MarketItem::Announcement(offer) => {
            offer.kinds.is_empty()
                || offer
                    .kinds
                    .iter()
                    .any(|kind| interest.announcements_for.contains(kind))
        }
        MarketItem::Result(_) | MarketItem::Feedback(_) | MarketItem::Cancel(_) | MarketItem::Receipt(_) => {
            true
        }
    }
}

fn requests(interest: &Interest) -> Vec<Filter> {
    if interest.request_kinds.is_empty() {
        return Vec::new();
    }
    let kinds = interest.request_kinds.iter().copied().map(Kind::from);
    vec![
        Filter::new()
            .kinds(kinds)
            .since(Timestamp::from_secs(interest.requests_since_s)),
    ]
}

fn preview(interest: &Interest) -> Vec<Filter> {
    if interest.preview_kinds.is_empty() {
        return Vec::new();
    }
    let kinds = interest.preview_kinds.iter().copied().map(Kind::from);
    vec![
        Filter::new()
            .kinds(kinds)
            .since(Timestamp::from_secs(interest.preview_since_s))
            .limit(PREVIEW_STORED),
    ]
}

fn answer_kinds(interest: &Interest) -> Vec<Kind> {
    let results = interest
        .own_kinds
        .iter()
        .filter_map(|kind| kind.checked_add(RESULT_OFFSET));
    results.chain([FEEDBACK_KIND]).map(Kind::from).collect()
}

fn answers(interest: &Interest, me: PublicKey) -> Vec<Filter> {
    let (Some(since), Ok(me)) = (interest.answers_since_s, nostr::PublicKey::from_slice(&me.0)) else {
        return Vec::new();
    };
    let ours = Filter::new().kinds(answer_kinds(interest)).pubkey(me);
    vec![ours.since(Timestamp::from_secs(since))]
}

fn receipts(interest: &Interest, me: PublicKey) -> Vec<Filter> {
    let (Some(since), Ok(me)) = (interest.receipts_since_s, nostr::PublicKey::from_slice(&me.0)) else {
        return Vec::new();
    };
    let ours = Filter::new().kind(Kind::from(RECEIPT_KIND)).pubkey(me);
    vec![ours.since(Timestamp::from_secs(since))]
}

fn announcements(interest: &Interest) -> Vec<Filter> {
    if interest.announcements_for.is_empty() {
        return Vec::new();
    }
    let kind = Kind::from(ANNOUNCEMENT_KIND);
    let words = interest.announcements_for.iter().map(u16::to_string);
    vec![
        Filter::new()
            .kind(kind)
            .custom_tags(SingleLetterTag::lowercase(Alphabet::K), words),
        // A withdrawal names no kind, so the filter above does not find it.
        Filter::new()
            .kind(kind)
            .since(Timestamp::from_secs(interest.announcements_since_s)),
    ]
}

fn by_event(ids: &[EventId], base: impl Fn() -> Filter) -> Vec<Filter> {
    let chunks = ids.chunks(IDS_PER_FILTER);
    chunks
        .map(|ids| base().events(ids.iter().map(|id| nostr::EventId::from_byte_array(id.0))))
        .collect()
}
