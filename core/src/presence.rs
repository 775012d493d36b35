//! Going online and offline, policy, identity. Presence belongs to a run of the program and is never restored.
use autopilot_events::{
    Draft, Event,
    pb::{self, Source},
    words::{JobId, Msat},
};
use autopilot_projections::{State, alerts, jobs::Work};

use crate::{
    buy_mode, canary, content,
    demand::Demand,
    draft::{fact, of_job},
    heads,
    input::Readiness,
    jobs, policy,
    refusal::{Code, Refusal},
};

const STREAM: &str = "provider";

/// What this run knows beside the facts.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    /// Since when this run serves.
    pub online_since_ms: Option<i64>,
    /// Of this run, 16 bytes.
    pub run_id: Vec<u8>,
    /// The last liveness fact, or the start.
    pub last_liveness_ms: i64,
    /// Intake beyond the budget, to be recorded as one aggregate.
    pub overflow: Overflow,
    /// Demand that can't be claimed, to be recorded as one fact.
    pub demand: Demand,
}

/// Requests that were not recorded one by one.
#[derive(Clone, Debug, Default)]
pub struct Overflow {
    /// When the window began.
    pub since_ms: i64,
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// blake3 over their ids in order.
    pub ids: blake3::Hasher,
}

/// What a person did to keep the identity.
pub fn custody(noted: impl Into<Event>) -> Draft {
    fact("ledger", Source::Person, noted)
}

/// The first fact of a ledger, or the check that this is the right one.
pub fn open_ledger(state: &State, opened: pb::LedgerOpened) -> Result<Vec<Draft>, Refusal> {
    let key = hex::encode(&opened.identity);
    match &state.provider.identity {
        None => Ok(vec![fact(STREAM, Source::Person, opened)]),
        Some(identity) if identity.network != opened.network => Err(Refusal::new(
            Code::NotFound,
            format!(
                "this ledger is of the network {}, not {}: use another home folder",
                identity.network, opened.network
            ),
        )),
        Some(identity) if identity.public_key != key => Err(Refusal::new(
            Code::NotFound,
            "this ledger belongs to another identity: the identity file and the ledger of a home folder belong together",
        )),
        Some(_) => Ok(Vec::new()),
    }
}

/// Another policy, unless it is the one in force.
pub fn set_policy(state: &State, policy: pb::Policy) -> Result<Vec<Draft>, Refusal> {
    policy::check(&policy)?;
    let policy = content::tidy(policy)?;
    let digest = policy::digest(&policy);
    if state.provider.policy.as_ref() == Some(&policy) {
        return Ok(Vec::new());
    }
    let changed = pb::PolicyChanged {
        policy: Some(policy),
        digest: digest.to_vec(),
    };
    Ok(vec![fact(STREAM, Source::Person, changed)])
}

/// Other relays, of which one stays: without any nobody is heard.
pub fn change_relays(presence: &Presence, changed: pb::RelaysChanged) -> Result<Vec<Draft>, Refusal> {
    if changed.added.is_empty() && changed.removed.is_empty() {
        return Ok(Vec::new());
    }
    if changed.relays.is_empty() {
        let why = match presence.online_since_ms {
            Some(_) => {
                "that is the last relay, and the provider is online: nobody could reach it any more. Add another one first"
            }
            None => "that is the last relay: without one nobody is heard. Add another one first",
        };
        return Err(Refusal::new(Code::NotReady, why));
    }
    Ok(vec![fact(STREAM, Source::Person, changed)])
}

/// Another model serves. What it is worth shows in each job's receipt.
pub fn choose_model(chosen: pb::ModelChosen) -> Vec<Draft> {
    vec![fact(STREAM, Source::Person, chosen)]
}

/// A person says what a refusal was. Saying it twice changes nothing.
pub fn mark_refusal(state: &State, mark: pb::RefusalMarked) -> Result<Vec<Draft>, Refusal> {
    let id = JobId::of(&mark.job_id);
    match state.missed.marked_wrong(&id) == mark.wrong {
        true => Ok(Vec::new()),
        false => Ok(vec![of_job(&id.0, Source::Person, mark)]),
    }
}

/// Serve from now on, if everything that earning needs is there.
pub fn go_online(
    state: &State,
    presence: &mut Presence,
    readiness: &Readiness,
    run_id: Vec<u8>,
    now_ms: i64,
) -> Result<Vec<Draft>, Refusal> {
    if presence.online_since_ms.is_some() {
        return Ok(Vec::new());
    }
    if let Some(blocker) = blockers(state, readiness).into_iter().next() {
        return Err(Refusal::new(Code::NotReady, blocker));
    }
    presence.online_since_ms = Some(now_ms);
    presence.last_liveness_ms = now_ms;
    presence.run_id.clone_from(&run_id);
    let policy_digest = state.provider.policy_digest.to_vec();
    Ok(vec![fact(
        STREAM,
        Source::Person,
        pb::ProviderWentOnline {
            policy_digest,
            run_id,
        },
    )])
}

/// Something that stands between now and earning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocker {
    /// Closed code, e.g. `no-relay`.
    pub code: &'static str,
    /// Cause and next step.
    pub sentence: String,
    /// The facts say so; else only this run sees it.
    pub by_facts: bool,
}

/// Everything that stands between now and earning, each as cause and next step.
pub fn blockers(state: &State, readiness: &Readiness) -> Vec<String> {
    let all = blocking(state, readiness).into_iter();
    all.map(|blocker| blocker.sentence).collect()
}

/// The same with codes.
pub fn blocking(state: &State, readiness: &Readiness) -> Vec<Blocker> {
    let price_msat = state.provider.policy().min_price_msat;
    let mut all = Vec::new();
    let mut say = |code, by_facts, sentence: Option<String>| {
        all.extend(sentence.map(|sentence| Blocker {
            code,
            sentence,
            by_facts,
        }));
    };
    say("head-disputed", true, heads::blocker(state));
    say("ledger", false, readiness.ledger_problem.clone());
    say("backup-missing", true, backup(state));
    let unset = state.provider.policy.is_none();
    say(
        "no-policy",
        true,
        unset.then(|| "no price is set: set a policy first".to_owned()),
    );
    say("clock", false, readiness.clock_problem.clone());
    let kinds = &state.provider.policy().kinds;
    let unserved = kinds.iter().all(|kind| readiness.serves(*kind).is_none());
    if unserved && (!kinds.is_empty() || readiness.model.is_none()) {
        let why = readiness.model_problem.as_deref();
        let why = why.unwrap_or("check the model with `autopilotctl doctor`");
        say("no-model", false, Some(format!("no model is ready: {why}")));
    }
    if readiness.relays_connected == 0 {
        let sentence = "no relay is connected and answers: check `autopilotctl relays`".to_owned();
        say("no-relay", false, Some(sentence));
    }
    if readiness.receivable.0 < price_msat.max(1) {
        let why = readiness.wallet_problem.clone().unwrap_or_else(|| {
            format!("the wallet can receive {} now, one job costs {price_msat} msat: it needs a channel with room", readiness.receivable)
        });
        say("cannot-receive", false, Some(why));
    }
    all
}

/// More than the policy allows lies in a wallet whose words nobody has.
fn backup(state: &State) -> Option<String> {
    let held = Msat(alerts::backup_needed(state)?);
    let stop = Msat(state.provider.policy().backup_stop_msat);
    Some(format!(
        "this wallet holds {held} and its words were never backed up, by policy too much from {stop} on: `autopilotctl identity backup`"
    ))
}

/// Serve no more. Work in flight goes on; what is owed is delivered.
pub fn go_offline(state: &State, presence: &mut Presence, reason: String) -> Result<Vec<Draft>, Refusal> {
    if presence.online_since_ms.take().is_none() || !state.provider.online {
        return Ok(Vec::new());
    }
    let run_id = std::mem::take(&mut presence.run_id);
    Ok(vec![fact(
        STREAM,
        Source::Person,
        pb::ProviderWentOffline { reason, run_id },
    )])
}

/// A host took over the ledger: an earlier run's presence is over, its attempts in flight are begun again.
pub fn resumed(state: &State, now_ms: i64) -> Vec<Draft> {
    let mut drafts = Vec::new();
    if state.provider.online {
        let offline = pb::ProviderWentOffline {
            reason: "restart".to_owned(),
            run_id: Vec::new(),
        };
        drafts.push(fact(STREAM, Source::Clock, offline));
    }
    let running: Vec<JobId> = state
        .jobs
        .open()
        .filter(|(_, job)| job.work == Work::Running)
        .map(|(id, _)| *id)
        .collect();
    drafts.extend(buy_mode::resumed(state));
    drafts.extend(canary::resumed(state));
    drafts.extend(
        running
            .iter()
            .flat_map(|id| jobs::another_attempt(state, id, "the program was restarted", now_ms)),
    );
    drafts
}
