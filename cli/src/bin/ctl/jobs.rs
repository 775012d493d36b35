//! Jobs: those in work, all there were, what they earned, and why one is or is not paid.
use autopilot_cli::money::{network_note, show_msat, show_on};
use autopilot_proto::control::v1::{
    AbortRequest, EarningsReply, EarningsRequest, HistoryLine, HistoryReply, HistoryRequest, JobLine,
    JobsReply, JobsRequest, StatusRequest, WhyReply, WhyRequest,
};
use jiff::{ToSpan, Zoned};

use crate::{
    args::History,
    connect::{Client, call},
    failure::{Failure, Kind, Outcome},
    output::{Out, Tone, at, clean_line, fields, short, table},
};

/// The network, asked for only where people read the sums.
async fn network(client: &mut Client, out: Out) -> Outcome<String> {
    match out.json {
        true => Ok(String::new()),
        false => Ok(call(client.status(StatusRequest {})).await?.network),
    }
}

pub async fn jobs(client: &mut Client, out: Out) -> Outcome {
    let reply = call(client.jobs(JobsRequest {})).await?;
    let network = network(client, out).await?;
    out.show(&reply, |reply: &JobsReply| {
        if reply.jobs.is_empty() {
            return "No job is open.".to_owned();
        }
        let head = [
            "job", "kind", "stage", "work", "money", "price", "received", "deadline", "buyer", "reason",
        ];
        let row = |job: &JobLine| {
            vec![
                short(&job.job_id),
                job.kind.to_string(),
                job.stage.clone(),
                job.work.clone(),
                job.money.clone(),
                show_msat(job.price_msat),
                at(job.received_at_ms),
                at(job.deadline_ms),
                short(&job.requester),
                clean_line(&job.reason),
            ]
        };
        let rows: Vec<_> = reply.jobs.iter().map(row).collect();
        format!("{}\nPrices {}.", table(&head, &rows), network_note(&network))
    })
}

pub async fn abort(client: &mut Client, out: Out, job: String) -> Outcome {
    let reply = call(client.abort(AbortRequest { job_id: job })).await?;
    out.show(&reply, |_| "The job is given up; the buyer is told.".to_owned())
}

pub async fn history(client: &mut Client, out: Out, query: History) -> Outcome {
    let History {
        limit,
        before,
        role,
        work,
        money,
        search,
    } = query;
    let request = HistoryRequest {
        limit,
        before_sequence: before,
        role: role.unwrap_or_default(),
        work,
        money,
        search,
    };
    let reply = call(client.history(request)).await?;
    let network = network(client, out).await?;
    out.show(&reply, |reply: &HistoryReply| {
        if reply.rows.is_empty() {
            return "No job and no purchase.".to_owned();
        }
        let head = [
            "job", "role", "kind", "received", "work", "money", "price", "settled", "with", "reason",
        ];
        let sum = |msat: Option<u64>| msat.map_or("-".to_owned(), show_msat);
        let row = |line: &HistoryLine| {
            vec![
                short(&line.job_id),
                line.role.clone(),
                line.kind.to_string(),
                at(line.received_at_ms),
                line.work.clone(),
                line.money.clone(),
                sum(line.price_msat),
                sum(line.settled_msat),
                short(&line.counterparty),
                clean_line(&line.reason),
            ]
        };
        let rows: Vec<_> = reply.rows.iter().map(row).collect();
        let more = match reply.next_before_sequence {
            0 => String::new(),
            next => format!("\nOlder ones: autopilotctl history --before {next}"),
        };
        format!("{}\nSums {}.{more}", table(&head, &rows), network_note(&network))
    })
}

/// Today where the asker is: from midnight to midnight, which is not always 24 hours.
fn today() -> Outcome<(i64, i64)> {
    let now = Zoned::now();
    let start = now.start_of_day();
    let end = start
        .as_ref()
        .ok()
        .and_then(|start| start.checked_add(1.day()).ok());
    match (start, end) {
        (Ok(start), Some(end)) => Ok((
            start.timestamp().as_millisecond(),
            end.timestamp().as_millisecond(),
        )),
        _ => Err(Failure::new(Kind::Other, "clock", "the clock is out of range").next("set the clock")),
    }
}

pub async fn earnings(client: &mut Client, out: Out) -> Outcome {
    let (day_start_ms, day_end_ms) = today()?;
    let reply = call(client.earnings(EarningsRequest {
        day_start_ms,
        day_end_ms,
    }))
    .await?;
    let network = network(client, out).await?;
    out.show(&reply, |reply: &EarningsReply| {
        let when = |ms: Option<i64>| ms.map(at).unwrap_or_default();
        fields(&[
            (
                "earned",
                format!(
                    "{} from {} jobs",
                    show_on(reply.earned_msat, &network),
                    reply.jobs_settled
                ),
            ),
            (
                "today",
                format!(
                    "{} from {} jobs",
                    show_on(reply.today_msat, &network),
                    reply.today_jobs
                ),
            ),
            ("accepted", reply.jobs_accepted.to_string()),
            ("delivered", reply.jobs_delivered.to_string()),
            ("failed", reply.jobs_failed.to_string()),
            ("unpaid in time", reply.invoices_expired.to_string()),
            ("first paid", when(reply.first_settled_at_ms)),
            ("last paid", when(reply.last_settled_at_ms)),
        ])
    })
}

pub async fn why(client: &mut Client, out: Out, job: String) -> Outcome {
    let reply = call(client.why(WhyRequest { job })).await?;
    out.show(&reply, |reply: &WhyReply| {
        let mut lines = vec![format!("job {}", reply.job_id)];
        let width = reply
            .rungs
            .iter()
            .map(|rung| rung.name.chars().count())
            .max()
            .unwrap_or(0);
        for rung in &reply.rungs {
            let mark = match rung.reached {
                true => out.tone(Tone::Good, "✓"),
                false => out.tone(Tone::Dim, "·"),
            };
            let when = rung.at_ms.map_or_else(|| " ".repeat(19), at);
            let fact = rung
                .sequence
                .map(|sequence| format!("fact {sequence}"))
                .unwrap_or_default();
            let line = format!(
                "{mark} {:<width$}  {when}  {fact:<10}  {}",
                rung.name,
                clean_line(&rung.detail)
            );
            lines.push(line.trim_end().to_owned());
        }
        lines.push(clean_line(&reply.answer));
        lines.extend(
            reply
                .forgotten_at_ms
                .map(|ms| format!("its texts were forgotten on {}", at(ms))),
        );
        lines.join("\n")
    })
}
