//! Buy mode: purchases that are due by pace and budget. Each is a purchase like any other, approved by its own fact;
//! together they stay within the budget, routing included. It runs for this run of the program only.
use autopilot_events::{
    Draft,
    pb::{self, Source},
    words::{JobId, Msat},
};
use autopilot_projections::{State, buy_modes::BuyMode};

use crate::{
    buyer,
    draft::fact,
    refusal::{Code, Refusal},
};

/// Requests are at least so far apart, in milliseconds: two in one second would be one event.
pub const LEAST_PACE_MS: u64 = 1_000;
/// Purchases that are open at once at most.
pub const MOST_AT_ONCE: u32 = 16;
/// The longest that it runs, in milliseconds: 30 days.
pub const LONGEST_MS: i64 = 30 * 86_400_000;

/// A person approves a budget that is spent by itself.
pub fn start(state: &State, terms: pb::BuyModeStarted, now_ms: i64) -> Result<Vec<Draft>, Refusal> {
    if state.buy_modes.running().is_some() {
        return Err(Refusal::new(
            Code::AlreadySo,
            "a buy mode runs already: `autopilotctl buy-mode stop` ends it",
        ));
    }
    check(&terms, now_ms).map_err(|sentence| Refusal::new(Code::PolicyInvalid, sentence))?;
    let (each, spendable) = (Msat(each_msat(&terms)), Msat(state.wallet.figures.spendable_msat));
    if each > spendable {
        return Err(Refusal::new(
            Code::InsufficientFunds,
            format!("one purchase may cost {each} with routing, {spendable} can be sent now"),
        ));
    }
    Ok(vec![fact(stream(&terms.buy_mode_id), Source::Person, terms)])
}

fn check(terms: &pb::BuyModeStarted, now_ms: i64) -> Result<(), &'static str> {
    let ends_in_ms = terms.ends_at_ms.saturating_sub(now_ms);
    match terms {
        t if t.per_job_msat == 0 => Err("each purchase needs a budget"),
        t if t.budget_msat < each_msat(t) => Err("the budget does not cover one purchase and its routing"),
        t if t.pace_ms < LEAST_PACE_MS => Err("requests are at least one second apart"),
        t if !(1..=MOST_AT_ONCE).contains(&t.at_once) => Err("1 to 16 purchases can be open at once"),
        t if !(5_000..6_000).contains(&t.kind) => Err("kinds lie in 5000–5999"),
        t if !(1..=86_400).contains(&t.deadline_s) => Err("a purchase waits 1 to 86,400 seconds"),
        t if t.window_s >= t.deadline_s => Err("the window has to end before the purchase's deadline"),
        _ if !(1..=LONGEST_MS).contains(&ends_in_ms) => {
            Err("it runs for 30 days at most, and not into the past")
        }
        _ => Ok(()),
    }
}

/// What one purchase may cost with its routing.
fn each_msat(terms: &pb::BuyModeStarted) -> u64 {
    terms.per_job_msat.saturating_add(terms.fee_ceiling_msat)
}

fn stream(id: &[u8]) -> String {
    format!("buy_mode/{}", hex::encode(id))
}

/// The buy mode whose next purchase is due now: pace, count, time, places and budget allow it.
pub fn due(state: &State, now_ms: i64) -> Option<&BuyMode> {
    let mode = state.buy_modes.running()?;
    let paced = next_at_ms(mode) <= now_ms;
    let place = mode.open().count() < mode.terms.at_once as usize;
    (paced && place && goes_on(mode, now_ms) && mode.left_msat() >= each_msat(&mode.terms)).then_some(mode)
}

/// When pace allows the next purchase.
pub fn next_at_ms(mode: &BuyMode) -> i64 {
    let pace_ms = i64::try_from(mode.terms.pace_ms).unwrap_or(i64::MAX);
    mode.last_request_ms
        .map_or(mode.started_at_ms, |at| at.saturating_add(pace_ms))
}

fn goes_on(mode: &BuyMode, now_ms: i64) -> bool {
    let counted = mode.terms.count > 0 && mode.purchases >= u64::from(mode.terms.count);
    !counted && now_ms < mode.terms.ends_at_ms
}

/// Whether a purchase that claims to belong to the buy mode is the one that is due, within its ceilings.
pub fn admits(state: &State, terms: &pb::PurchaseRequested, now_ms: i64) -> Result<(), Refusal> {
    if terms.buy_mode_id.is_empty() {
        return Ok(());
    }
    let within = |mode: &BuyMode| {
        let all = &mode.terms;
        all.buy_mode_id == terms.buy_mode_id
            && terms.budget_msat <= all.per_job_msat
            && terms.fee_ceiling_msat <= all.fee_ceiling_msat
            && terms.pay_first_ceiling_msat <= all.pay_first_ceiling_msat
            && terms.provider == all.provider
            && terms.kind == all.kind
    };
    match due(state, now_ms).is_some_and(within) {
        true => Ok(()),
        false => Err(Refusal::new(
            Code::NotReady,
            "no purchase of the buy mode is due now",
        )),
    }
}

/// Ends by itself: nothing is open, and nothing more may be requested.
pub fn ended(state: &State, now_ms: i64) -> Option<Draft> {
    let mode = state.buy_modes.running()?;
    if mode.open().next().is_some() {
        return None;
    }
    let reason = match mode {
        m if m.terms.count > 0 && m.purchases >= u64::from(m.terms.count) => "count-reached",
        m if m.left_msat() < each_msat(&m.terms) => "budget-spent",
        m if now_ms >= m.terms.ends_at_ms => "time-over",
        _ => return None,
    };
    Some(stopped(mode, reason, Source::Policy))
}

fn stopped(mode: &BuyMode, reason: &str, source: Source) -> Draft {
    let id = &mode.terms.buy_mode_id;
    let stopped = pb::BuyModeStopped {
        buy_mode_id: id.clone(),
        reason: reason.to_owned(),
        purchases: mode.purchases,
        spent_msat: mode.spent_msat,
    };
    fact(stream(id), source, stopped)
}

/// The kill switch: no further request, and open purchases without an approved payment are closed.
pub fn stop(state: &State) -> Result<Vec<Draft>, Refusal> {
    let Some(mode) = state.buy_modes.running() else {
        return Err(Refusal::new(Code::NotFound, "no buy mode runs"));
    };
    let mut drafts = vec![stopped(mode, "stopped", Source::Person)];
    let open: Vec<JobId> = mode.open().copied().collect();
    // Refused where a payment is approved already: that one is kept.
    drafts.extend(
        open.into_iter()
            .filter_map(|id| buyer::cancel(state, id).ok())
            .flatten(),
    );
    Ok(drafts)
}

/// A new run of the program: it is started again by a person or not at all. Its open purchases end as others do.
pub fn resumed(state: &State) -> Option<Draft> {
    state
        .buy_modes
        .running()
        .map(|mode| stopped(mode, "restart", Source::Clock))
}
