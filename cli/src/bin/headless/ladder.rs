//! The ladder of each job, as the provider's facts come in.
use std::{
    collections::HashMap,
    io::{IsTerminal, Write},
};

use autopilot_host::control::Client;
use autopilot_proto::control::v1::{FactLine, FollowRequest};
use serde_json::Value;
use tonic::Streaming;

const STEPS: [&str; 5] = ["received", "accepted", "running", "delivered", "paid"];

/// Follows one provider.
pub struct Ladder {
    facts: Streaming<FactLine>,
    reached: HashMap<String, usize>,
    order: Vec<String>,
    /// Jobs paid.
    pub paid: u32,
    /// Jobs that ended otherwise, with the reason.
    pub lost: Vec<String>,
}

impl Ladder {
    pub async fn follow(client: &mut Client) -> anyhow::Result<Ladder> {
        let facts = client
            .follow(FollowRequest { after: 0, limit: 0 })
            .await?
            .into_inner();
        Ok(Ladder {
            facts,
            reached: HashMap::new(),
            order: Vec::new(),
            paid: 0,
            lost: Vec::new(),
        })
    }

    /// Shows steps until so many jobs are over.
    pub async fn until_over(&mut self, jobs: u32) -> anyhow::Result<()> {
        while self.paid + u32::try_from(self.lost.len())? < jobs {
            let Some(fact) = self.facts.message().await? else {
                anyhow::bail!("the provider ended")
            };
            self.take(&fact);
        }
        Ok(())
    }

    fn take(&mut self, fact: &FactLine) {
        let Some(job) = fact.stream.strip_prefix("job/") else {
            return;
        };
        let payload: Value = serde_json::from_str(&fact.json).unwrap_or_default();
        let said = |field: &str| payload[field].as_str().unwrap_or_default().to_owned();
        match fact.r#type.as_str() {
            "job.received" => self.step(job, 0),
            "job.accepted" => self.step(job, 1),
            "job.started" => self.step(job, 2),
            "job.delivered" => self.step(job, 3),
            "job.settled" => {
                self.paid += 1;
                self.step(job, 4);
            }
            "job.refused" => self.lose(job, said("detail")),
            "job.failed" => self.lose(job, format!("{}: {}", said("code"), said("detail"))),
            "invoice.expired" => self.lose(job, "delivered and never paid".to_owned()),
            _ => {}
        }
    }

    fn number(&mut self, job: &str) -> usize {
        if let Some(at) = self.order.iter().position(|known| known == job) {
            return at + 1;
        }
        self.order.push(job.to_owned());
        self.order.len()
    }

    fn lose(&mut self, job: &str, why: String) {
        let number = self.number(job);
        println!("  job {number:>3}  {}  not paid: {why}", &job[..8.min(job.len())]);
        self.lost.push(why);
    }

    /// On a terminal the line grows in place; elsewhere each step is a line of its own.
    fn step(&mut self, job: &str, step: usize) {
        let number = self.number(job);
        let reached = self.reached.entry(job.to_owned()).or_insert(0);
        *reached = step.max(*reached);
        let so_far = STEPS[..=*reached].join(" → ");
        let line = format!("  job {number:>3}  {}  {so_far}", &job[..8.min(job.len())]);
        let mut out = std::io::stdout();
        let written = if out.is_terminal() {
            let end = if *reached + 1 == STEPS.len() { "\n" } else { "" };
            write!(out, "\r\x1b[2K{line}{end}")
        } else {
            writeln!(out, "{line}")
        };
        // A closed pipe must not end the demonstration half-way.
        let _ = written.and_then(|()| out.flush());
    }
}
