//! Signed heads: when one is due, and what follows from one that somebody else holds. "Rolled back" is claimed only
//! against a head that this ledger's own key signed.
use autopilot_events::{
    Draft, Head,
    pb::{self, HeadVerdict, KeptVerdict, Source},
    words::{EventId, PublicKey, TreeHash},
};
use autopilot_projections::{State, heads::Comparison};

use crate::{
    draft::fact,
    presence::{self, Presence},
    refusal::{Code, Refusal},
};

const STREAM: &str = "ledger";

/// Facts after which a new head is signed. On demand there are more.
pub const EVERY_FACTS: u64 = 1_000;

/// A head as somebody else holds it, its signature by this ledger's own key checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldHead {
    /// Facts it covers.
    pub size: u64,
    /// Root over them.
    pub root: TreeHash,
    /// Who holds it: a relay's address, or a file.
    pub held_by: String,
    /// The signed note.
    pub note: String,
    /// When it was signed (milliseconds since the Unix epoch), by the event that carries it.
    pub signed_at_ms: i64,
    /// Root of our own tree at that size; `None` where this ledger is shorter.
    pub own_root: Option<TreeHash>,
    /// The last fact that was there when this run of the program opened the ledger: what came later, nobody else can
    /// have seen in a head of another run.
    pub opened_at: u64,
}

/// A head of a provider's ledger, its signatures checked: the note's by the key that the event names, the event's by
/// the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenHead {
    /// Whose ledger.
    pub provider: PublicKey,
    /// Which ledger of its.
    pub origin: String,
    /// Facts it covers.
    pub size: u64,
    /// Root over them.
    pub root: TreeHash,
    /// The provider's date, Unix seconds.
    pub created_at_s: i64,
    /// The event that carries it.
    pub event_id: EventId,
    /// That event's bytes, sealed away.
    pub event: pb::BodyRef,
}

/// Number of the fact with which the next head is due.
pub fn due_at(state: &State) -> u64 {
    let signed = state.heads.signed.as_ref().map_or(0, |signed| signed.size);
    signed.saturating_add(EVERY_FACTS)
}

/// Whether enough happened since the last head.
pub fn due(state: &State, head: &Head) -> bool {
    head.sequence >= due_at(state)
}

/// A head was signed. One that covers no more than the last says nothing new.
pub fn signed(state: &State, signed: pb::HeadSigned) -> Vec<Draft> {
    let newer = state
        .heads
        .signed
        .as_ref()
        .is_none_or(|last| last.size < signed.size);
    newer
        .then(|| fact(STREAM, Source::Clock, signed))
        .into_iter()
        .collect()
}

/// Relays took the newest head.
pub fn published(state: &State, published: pb::HeadPublished) -> Vec<Draft> {
    let newest = state.heads.unpublished();
    let newest = newest.filter(|signed| signed.size == published.size && !published.relays.is_empty());
    newest
        .map(|_| fact(STREAM, Source::Relay, published))
        .into_iter()
        .collect()
}

/// A provider told a head. Of one that is dated before the kept one nothing follows: it is older news.
pub fn seen(state: &State, seen: SeenHead) -> Vec<Draft> {
    let before = state.kept_heads.get(&seen.provider);
    let verdict = match before {
        None => KeptVerdict::Grew,
        Some(kept) if seen.created_at_s < kept.created_at_s => return Vec::new(),
        Some(kept) if (&kept.origin, kept.size, kept.root) == (&seen.origin, seen.size, seen.root) => {
            return Vec::new();
        }
        Some(kept) if kept.origin != seen.origin || kept.size == seen.size => KeptVerdict::Changed,
        Some(kept) if seen.size < kept.size => KeptVerdict::WentBack,
        Some(_) => KeptVerdict::Grew,
    };
    let kept = pb::HeadKept {
        provider: seen.provider.to_vec(),
        origin: seen.origin,
        size: seen.size,
        root: seen.root.to_vec(),
        created_at_s: seen.created_at_s,
        event_id: seen.event_id.to_vec(),
        event: Some(seen.event),
        verdict: verdict as i32,
        size_before: before.map_or(0, |kept| kept.size),
    };
    vec![fact(STREAM, Source::Relay, kept)]
}

/// Somebody else holds a head of this ledger. Where it says otherwise, earning stops until a person decides.
pub fn compared(state: &State, presence: &mut Presence, held: HeldHead) -> Vec<Draft> {
    let heads = &state.heads;
    let agrees = held.own_root == Some(held.root);
    let known = |c: &Comparison| c.held_root == held.root && c.held_size == held.size;
    let agreed_to = heads.agreed.as_ref().map_or(0, |agreed| agreed.held_size);
    let (verdict, first_different) = if agrees {
        (HeadVerdict::Agrees, 0)
    } else if held.size > held.opened_at {
        (HeadVerdict::RolledBack, held.opened_at.saturating_add(1))
    } else {
        (
            HeadVerdict::Forked,
            agreed_to.min(held.size.saturating_sub(1)).saturating_add(1),
        )
    };
    // What is within an agreement is no news, and what a person decided stays decided.
    let settled = match agrees {
        true => held.size <= agreed_to,
        false => {
            heads.disputed.iter().any(known) || heads.is_overruled(&held.root, held.size, held.signed_at_ms)
        }
    };
    if settled {
        return Vec::new();
    }
    let compared = pb::HeadCompared {
        held_size: held.size,
        held_root: held.root.to_vec(),
        held_by: held.held_by,
        verdict: verdict as i32,
        first_different,
        note: if agrees { String::new() } else { held.note },
    };
    let mut drafts = vec![fact(STREAM, Source::Relay, compared)];
    if !agrees {
        let reason = "another head of this ledger is held elsewhere".to_owned();
        // Going offline is never refused.
        drafts.extend(presence::go_offline(state, presence, reason).unwrap_or_default());
    }
    drafts
}

/// A person goes on with this ledger, from the fact on that the dispute begins with: every head that says otherwise
/// there is overruled.
///
/// # Errors
/// [`Code::AlreadySo`] when nothing is disputed, [`Code::NotFound`] when the dispute begins elsewhere.
pub fn overrule(state: &State, from: u64, reason: &str) -> Result<Vec<Draft>, Refusal> {
    let Some(gravest) = state.heads.gravest() else {
        return Err(Refusal::new(
            Code::AlreadySo,
            "no head that somebody else holds disagrees with this ledger: nothing is to be decided",
        ));
    };
    if gravest.first_different != from {
        let begins = gravest.first_different;
        return Err(Refusal::new(
            Code::NotFound,
            format!(
                "the heads that others hold disagree from fact {begins} on, not from {from}: see `autopilotctl ledger heads`"
            ),
        ));
    }
    let overruled = |disputed: &Comparison| pb::HeadOverruled {
        held_root: disputed.held_root.to_vec(),
        reason: reason.to_owned(),
        first_different: disputed.first_different,
    };
    let disputed = state.heads.disputed.iter();
    Ok(disputed
        .map(|disputed| fact(STREAM, Source::Person, overruled(disputed)))
        .collect())
}

/// Why earning stopped, and what to do, where a head says otherwise.
pub fn blocker(state: &State) -> Option<String> {
    let disputed = state.heads.gravest()?;
    let Comparison {
        held_by,
        held_size,
        first_different,
        ..
    } = disputed;
    let what = match HeadVerdict::try_from(disputed.verdict) {
        Ok(HeadVerdict::RolledBack) => format!("fact {first_different} and those after it are missing here"),
        _ => format!("a fact between {first_different} and {held_size} is another one here"),
    };
    Some(format!(
        "this ledger was rolled back or replaced: {held_by} holds a head of it over {held_size} facts, and {what}. \
         Bring back the newer ledger, or go on with this one by `autopilotctl ledger overrule-head {first_different}`"
    ))
}
