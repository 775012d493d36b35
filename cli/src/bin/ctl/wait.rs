//! Waiting for a condition: asked once, then again at every new fact, within a deadline. A host that is not there
//! yet, or restarts, is waited for too.
use std::{path::Path, time::Duration};

use autopilot_proto::control::v1::{
    CanReceiveRequest, FactLine, FollowRequest, HistoryLine, HistoryRequest, JobsRequest, PurchaseRequest,
    StatusReply, StatusRequest, WhyReply, WhyRequest,
};
use clap::ValueEnum;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout, timeout_at};
use tonic::Streaming;

use crate::{
    args::Wait,
    connect::{Client, call, connect},
    failure::{Failure, Kind, Outcome},
    output::{Out, say},
};

/// Some conditions change without a fact (a peer connects, a model loads): asked this often at least.
const RECHECK: Duration = Duration::from_secs(1);
/// A burst of facts is one reason to ask again, not many.
const GATHER: Duration = Duration::from_millis(20);
const GATHER_MAX: usize = 256;
/// How often a host that is not there is looked for.
const RECONNECT: Duration = Duration::from_millis(200);
/// Rows of one page of history.
const PAGE: u32 = 500;

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Condition {
    /// The provider is online and can earn.
    ProviderOnline,
    /// A payment of the policy's price would arrive.
    ReceiveReady,
    /// A model is ready.
    ModelReady,
    /// The wallet is at the chain's tip, with a usable channel.
    WalletConnected,
    /// A job is here and was not refused.
    JobPresent,
    /// A job's work has begun.
    JobRunning,
    /// A job's result is at a relay.
    JobDelivered,
    /// A job's payment is settled.
    JobPaid,
    /// A purchase of ours is paid.
    BuyerPaid,
}

impl Condition {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Whether a job that is open, and at this work, is that far.
    fn met_by_work(self, work: &str) -> bool {
        match self {
            Condition::JobPresent => work != "refused",
            Condition::JobRunning => matches!(work, "running" | "executed" | "delivered"),
            Condition::JobDelivered => work == "delivered",
            _ => false,
        }
    }

    /// Whether a job with these rungs is that far.
    fn met_by_rungs(self, reply: &WhyReply) -> bool {
        let reached = |name: &str| reply.rungs.iter().any(|rung| rung.reached && rung.name == name);
        match self {
            Condition::JobPresent => true,
            Condition::JobRunning => reached("result"),
            Condition::JobDelivered => reached("delivered"),
            _ => reply.paid,
        }
    }

    fn met_by(self, line: &HistoryLine) -> bool {
        match self {
            Condition::JobPaid | Condition::BuyerPaid => line.money == "settled",
            _ => self.met_by_work(&line.work),
        }
    }
}

/// The answer: printed, exit code 0.
#[derive(Serialize)]
struct Met {
    condition: String,
    met: bool,
    /// The job or purchase, where the condition is about one.
    id: String,
    /// Last fact that the answer rests on.
    sequence: u64,
}

/// What stands in the way, for the message when the time runs out.
type Obstacle = Option<Failure>;

pub async fn wait(home: &Path, out: Out, args: Wait) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let mut obstacle = None;
    match timeout_at(deadline, until_met(home, &args, &mut obstacle)).await {
        Ok(met) => out.show(&met?, |met: &Met| {
            format!("{}  {}", met.condition, met.id).trim_end().to_owned()
        }),
        Err(_) => Err(out_of_time(&args, obstacle)),
    }
}

fn out_of_time(args: &Wait, obstacle: Obstacle) -> Failure {
    let (name, bound) = (args.condition.name(), args.timeout);
    match obstacle {
        Some(failure) if failure.code == "unreachable" => failure,
        Some(failure) => {
            let message = format!("{name} did not come within {bound} s: {}", failure.message);
            let timed_out = Failure::new(Kind::Timeout, "timeout", message);
            timed_out.next(failure.next.unwrap_or_else(|| "autopilotctl status".to_owned()))
        }
        None => Failure::new(
            Kind::Timeout,
            "timeout",
            format!("{name} did not come within {bound} s"),
        )
        .next("autopilotctl status"),
    }
}

async fn until_met(home: &Path, args: &Wait, obstacle: &mut Obstacle) -> Outcome<Met> {
    let mut told = false;
    loop {
        let failure = match connect(home).await {
            Ok(mut client) => match watch(&mut client, args, obstacle).await {
                Ok(met) => return Ok(met),
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        if !matches!(failure.code.as_str(), "unreachable" | "unavailable") {
            return Err(failure);
        }
        if !told {
            say(&format!("waiting for a host: {}", failure.message));
            told = true;
        }
        *obstacle = Some(failure);
        sleep(RECONNECT).await;
    }
}

async fn watch(client: &mut Client, args: &Wait, obstacle: &mut Obstacle) -> Outcome<Met> {
    let status = call(client.status(StatusRequest {})).await?;
    let after = sequence(&status);
    // Opened before the first question, so that no fact falls between question and stream.
    let mut facts = call(client.follow(FollowRequest { after, limit: 0 })).await?;
    let mut recheck = interval_at(Instant::now() + RECHECK, RECHECK);
    recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        match holds(client, args).await {
            Ok(Ok(met)) => return Ok(met),
            Ok(Err(why_not)) => *obstacle = Some(why_not),
            Err(failure) => return Err(failure),
        }
        tokio::select! {
            fact = facts.message() => gather(fact?, &mut facts).await?,
            _ = recheck.tick() => {}
        }
    }
}

/// Takes in what came together with a fact.
async fn gather(mut fact: Option<FactLine>, facts: &mut Streaming<FactLine>) -> Outcome {
    for _ in 0..GATHER_MAX {
        if fact.is_none() {
            return Err(Failure::new(Kind::Unreachable, "unreachable", "the host ended"));
        }
        match timeout(GATHER, facts.message()).await {
            Ok(next) => fact = next?,
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

fn sequence(status: &StatusReply) -> u64 {
    status.basis.as_ref().map_or(0, |basis| basis.sequence)
}

/// Not yet, and why.
fn not_yet(why: impl Into<String>) -> Failure {
    Failure::new(Kind::Timeout, "timeout", why)
}

/// Failures that time can cure.
fn curable(failure: &Failure) -> bool {
    matches!(
        failure.code.as_str(),
        "not-found" | "not-ready" | "wallet-unavailable" | "chain-behind" | "timeout"
    )
}

/// Whether the condition holds now; otherwise why not.
async fn holds(client: &mut Client, args: &Wait) -> Outcome<Result<Met, Failure>> {
    let answer = ask(client, args).await;
    match answer {
        Ok((id, sequence)) => Ok(Ok(Met {
            condition: args.condition.name(),
            met: true,
            id,
            sequence,
        })),
        Err(failure) if curable(&failure) => Ok(Err(failure)),
        Err(failure) => Err(failure),
    }
}

/// The id that the condition was met by, and the last fact behind it.
async fn ask(client: &mut Client, args: &Wait) -> Outcome<(String, u64)> {
    use Condition::*;
    match (args.condition, &args.id) {
        (ProviderOnline | ModelReady | WalletConnected | ReceiveReady, _) => {
            standing(client, args.condition).await
        }
        (BuyerPaid, Some(id)) => {
            let request = PurchaseRequest {
                purchase_id: id.clone(),
                wait_s: 0,
            };
            let reply = call(client.purchase(request)).await?;
            let at = reply.basis.as_ref().map_or(0, |basis| basis.sequence);
            match (reply.paid_msat, reply.over) {
                (0, true) => Err(Failure::new(
                    Kind::Refused,
                    "purchase-failed",
                    format!("the purchase ended unpaid: {}", reply.reason),
                )),
                (0, false) => Err(not_yet(format!("the purchase is {}", reply.state))),
                _ => Ok((reply.purchase_id, at)),
            }
        }
        (condition, Some(id)) => job(client, condition, id).await,
        (condition, None) => newest(client, condition, args.after).await,
    }
}

/// One job. Asked for the open ones first: what is not open and not that far by now never will be.
async fn job(client: &mut Client, condition: Condition, id: &str) -> Outcome<(String, u64)> {
    let open = call(client.jobs(JobsRequest {})).await?.jobs;
    let reply = call(client.why(WhyRequest { job: id.to_owned() })).await?;
    let at = reply.basis.as_ref().map_or(0, |basis| basis.sequence);
    let line = open.iter().find(|line| line.job_id == reply.job_id);
    if condition.met_by_rungs(&reply) || line.is_some_and(|line| condition.met_by_work(&line.work)) {
        return Ok((reply.job_id, at));
    }
    match line {
        Some(_) => Err(not_yet(reply.answer)),
        None => Err(Failure::new(
            Kind::Refused,
            "job-over",
            format!("the job is over: {}", reply.answer),
        )
        .next(format!("autopilotctl why {id}"))),
    }
}

/// Conditions of the host itself.
async fn standing(client: &mut Client, condition: Condition) -> Outcome<(String, u64)> {
    let status = call(client.status(StatusRequest {})).await?;
    let blockers = || match status.blockers.is_empty() {
        true => format!("the provider is {}", status.state),
        false => status.blockers.join("; "),
    };
    let holds = match condition {
        Condition::ProviderOnline => status.state == "online",
        Condition::ModelReady => !status.model.is_empty(),
        Condition::WalletConnected => status.wallet_connected,
        _ => {
            let request = CanReceiveRequest {
                amount_msat: status.price_msat.max(1_000),
            };
            let reply = call(client.can_receive(request)).await?;
            if !reply.yes {
                return Err(not_yet(reply.reason));
            }
            true
        }
    };
    match holds {
        true => Ok((String::new(), sequence(&status))),
        false => Err(not_yet(blockers())),
    }
}

/// The newest job or purchase that began after a fact and meets the condition.
async fn newest(client: &mut Client, condition: Condition, after: u64) -> Outcome<(String, u64)> {
    let role = if condition == Condition::BuyerPaid {
        "buyer"
    } else {
        "provider"
    };
    let mut before_sequence = 0;
    loop {
        let request = HistoryRequest {
            limit: PAGE,
            before_sequence,
            role: role.to_owned(),
            ..Default::default()
        };
        let reply = call(client.history(request)).await?;
        let mut recent = reply.rows.iter().take_while(|line| line.first_sequence > after);
        if let Some(line) = recent.find(|line| condition.met_by(line)) {
            return Ok((line.job_id.clone(), reply.basis.map_or(0, |basis| basis.sequence)));
        }
        let more = reply.rows.last().is_some_and(|line| line.first_sequence > after);
        match reply.next_before_sequence {
            next if next > 0 && more && (before_sequence == 0 || next < before_sequence) => {
                before_sequence = next
            }
            _ => return Err(not_yet(format!("no {role} job of the history is that far"))),
        }
    }
}
