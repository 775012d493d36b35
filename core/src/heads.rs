//! Signed heads: when one is due, and what follows from one that somebody else holds. "Rolled back" is claimed only
//! against a head that this ledger's own key signed.
use autopilot_events::{
    Draft, Head,
    pb::{self, HeadVerdict, Source},
    words::TreeHash,
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
    /// Root of our own tree at that size; `None` where this ledger is shorter.
    pub own_root: Option<TreeHash>,
    /// The last fact that was there when this run of the program opened the ledger: what came later, nobody else can
    /// have seen in a head of another run.
    pub opened_at: u64,
}

/// Whether enough happened since the last head.
pub fn due(state: &State, head: &Head) -> bool {
    let signed = state.heads.signed.as_ref().map_or(0, |signed| signed.size);
    head.sequence >= signed.saturating_add(EVERY_FACTS)
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

/// Somebody else holds a head of this ledger. Where it says otherwise, earning stops until a person decides.
pub fn compared(state: &State, presence: &mut Presence, held: HeldHead) -> Vec<Draft> {
    let heads = &state.heads;
    let known = |comparison: &Option<Comparison>| {
        comparison
            .as_ref()
            .is_some_and(|c| c.held_root == held.root && c.held_size == held.size)
    };
    let agrees = held.own_root == Some(held.root);
    if heads.is_overruled(&held.root) || known(&heads.disputed) || (agrees && known(&heads.agreed)) {
        return Vec::new();
    }
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

/// A person goes on with this ledger.
///
/// # Errors
/// [`Code::AlreadySo`] when nothing is disputed.
pub fn overrule(state: &State, reason: String) -> Result<Vec<Draft>, Refusal> {
    let Some(disputed) = &state.heads.disputed else {
        return Err(Refusal::new(
            Code::AlreadySo,
            "no head that somebody else holds disagrees with this ledger: nothing is to be decided",
        ));
    };
    let overruled = pb::HeadOverruled {
        held_root: disputed.held_root.to_vec(),
        reason,
    };
    Ok(vec![fact(STREAM, Source::Person, overruled)])
}

/// Why earning stopped, and what to do, where a head says otherwise.
pub fn blocker(state: &State) -> Option<String> {
    let disputed = state.heads.disputed.as_ref()?;
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
         Bring back the newer ledger, or go on with this one by `autopilotctl ledger overrule-head`"
    ))
}
