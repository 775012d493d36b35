//! Views of the ledger, and the commands of a provider.
use autopilot_core::{Engine, Input, input::Command};
use autopilot_events::words::JobId;
use autopilot_projections::jobs::{Job, Money, Work};
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors};
use crate::clock;

pub(super) fn basis(engine: &Engine, source: &str) -> pb::Basis {
    let head = engine.head();
    pb::Basis {
        sequence: head.sequence,
        chain: head.chain.to_string(),
        source: source.to_owned(),
    }
}

impl Service {
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, Status> {
        self.outside.ledger.look(look).await.map_err(errors::submit)
    }

    pub(super) async fn command(&self, command: Command) -> Result<(), Status> {
        self.outside
            .ledger
            .submit(Input::Person(command), None)
            .await
            .map(drop)
            .map_err(errors::submit)
    }

    /// What a command would be answered, without recording or doing anything.
    pub(super) async fn rehearse(&self, command: Command) -> Result<(), Status> {
        let decided = move |engine: &Engine| {
            let drafts = engine.clone().decide(Input::Person(command), clock::now_ms());
            drafts.map(drop)
        };
        self.look(decided).await?.map_err(errors::refused)
    }

    pub(super) async fn answer_jobs(&self, _: pb::JobsRequest) -> Result<pb::JobsReply, Status> {
        self.look(jobs).await
    }

    pub(super) async fn answer_abort(&self, request: pb::AbortRequest) -> Result<pb::AbortReply, Status> {
        let id = self.find(&request.job_id).await?.job_id;
        self.command(Command::Abort(id)).await?;
        self.look(|engine| pb::AbortReply {
            basis: Some(basis(engine, "ledger")),
        })
        .await
    }

    pub(super) async fn answer_earnings(
        &self,
        request: pb::EarningsRequest,
    ) -> Result<pb::EarningsReply, Status> {
        self.look(move |engine| earnings(engine, request.day_start_ms, request.day_end_ms))
            .await?
    }

    pub(super) async fn answer_stop(&self, _: pb::StopRequest) -> Result<pb::StopReply, Status> {
        self.stop.notify_one();
        Ok(pb::StopReply {})
    }
}

/// Jobs that are not over.
pub(super) fn jobs(engine: &Engine) -> pb::JobsReply {
    let open = engine.state().jobs.open();
    pb::JobsReply {
        basis: Some(basis(engine, "ledger")),
        jobs: open.map(|(id, job)| line(id, job)).collect(),
    }
}

/// What was earned, and of it on the day that is asked for.
pub(super) fn earnings(
    engine: &Engine,
    day_start_ms: i64,
    day_end_ms: i64,
) -> Result<pb::EarningsReply, Status> {
    let earnings = &engine.state().earnings;
    if day_end_ms > day_start_ms && day_start_ms < earnings.kept_from_ms() {
        return Err(errors::invalid(
            "that day is further back than 35 days before the last settlement: `autopilotctl report` sums any window",
        ));
    }
    let today = earnings.between(day_start_ms, day_end_ms);
    Ok(pb::EarningsReply {
        basis: Some(basis(engine, "wallet")),
        earned_msat: earnings.earned_msat,
        jobs_settled: earnings.jobs_settled,
        jobs_accepted: earnings.jobs_accepted,
        jobs_delivered: earnings.jobs_delivered,
        jobs_failed: earnings.jobs_failed,
        invoices_expired: earnings.invoices_expired,
        today_msat: today.earned_msat,
        today_jobs: today.jobs,
        first_settled_at_ms: earnings.first_settled_at_ms,
        last_settled_at_ms: earnings.last_settled_at_ms,
        to_celebrate: super::alerts::to_celebrate(engine),
    })
}

/// The ladder that people see: a view of work and money.
pub(super) fn stage(work: Work, money: Money) -> &'static str {
    match (work, money) {
        (Work::Failed, _) => "failed",
        (Work::Refused, _) => "refused",
        (Work::Delivered, Money::Settled) => "paid",
        (Work::Delivered, _) => "delivered",
        (Work::Executed | Work::Running, _) => "running",
        (Work::Accepted, _) => "accepted",
        (Work::Received, _) => "received",
    }
}

fn word<T: serde::Serialize>(value: T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn line(id: &JobId, job: &Job) -> pb::JobLine {
    pb::JobLine {
        job_id: id.to_string(),
        native_id: job.native_id.to_string(),
        requester: job.requester.to_string(),
        kind: job.kind,
        stage: stage(job.work, job.money).to_owned(),
        work: word(job.work),
        money: word(job.money),
        price_msat: job.price_msat,
        received_at_ms: job.received_at_ms,
        deadline_ms: job.deadline_ms,
        attempts: job.attempts,
        payment_hash: job
            .invoice
            .as_ref()
            .map(|i| i.payment_hash.to_string())
            .unwrap_or_default(),
        reason: job.failure.clone().unwrap_or_default(),
    }
}
