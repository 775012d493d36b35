//! The proof of a fact: its number, the hash that chains it to all before it, and what recomputes that.
use autopilot_host::control::Client;
use autopilot_proto::control::v1::{ActivityLine, CheckLedgerReply, FactLine, FollowRequest};
use iced::{
    Alignment,
    widget::{column, row},
};
use tonic::{Response, Status};

use super::{super::frame, Message, Scene};
use crate::{
    design::{
        Element, Tone, body, caption, card, choice, fill, flow, heading, line, mono, page, space, toned,
    },
    face::Answer,
    words::{one_line, time},
};

/// A fact that is proved.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) sequence: u64,
    line: Option<ActivityLine>,
    pub(super) fact: Option<Answer<FactLine>>,
}

/// Reading every fact again.
#[derive(Debug, Default)]
pub(super) enum Check {
    /// Nobody asked.
    #[default]
    Unasked,
    /// The host reads.
    Reading,
    /// What it found, or why it could not.
    Told(Answer<CheckLedgerReply>),
}

impl Check {
    fn view(&self) -> Option<Element<'_, Message>> {
        Some(match self {
            Check::Unasked => return None,
            Check::Reading => caption("The host reads every fact again, and folds them anew …").into(),
            Check::Told(Err(trouble)) => frame::broken(trouble),
            Check::Told(Ok(reply)) => {
                let tone = match (reply.over, reply.whole) {
                    (false, _) => Tone::Quiet,
                    (true, true) => Tone::Good,
                    (true, false) => Tone::Bad,
                };
                toned(one_line(&reply.sentence), tone).into()
            }
        })
    }
}

/// Reads one fact as it is stored.
pub(super) async fn read(mut host: Client, sequence: u64) -> Result<Response<FactLine>, Status> {
    let request = FollowRequest {
        after: sequence.saturating_sub(1),
        limit: 1,
    };
    let mut facts = host.follow(request).await?.into_inner();
    match facts.message().await? {
        Some(fact) => Ok(Response::new(fact)),
        None => Err(Status::not_found(format!("there is no fact {sequence} yet"))),
    }
}

impl Proof {
    pub(super) fn new(sequence: u64, line: Option<ActivityLine>) -> Proof {
        Proof {
            sequence,
            line,
            fact: None,
        }
    }

    /// The job that it is about.
    fn job(&self) -> Option<&str> {
        let line = self.line.as_ref()?;
        (line.domain == "job" && !line.subject.is_empty()).then_some(line.subject.as_str())
    }

    fn doings(&self) -> Vec<(&'static str, Message)> {
        let tail = format!("autopilotctl ledger tail --after {}", self.sequence.saturating_sub(1));
        let replay = format!("autopilotctl ledger replay --at {}", self.sequence);
        let mut doings = vec![
            ("Copy the command that reads it", Message::Copy(tail, "Command")),
            ("Copy the command that refolds to it", Message::Copy(replay, "Command")),
            ("Read every fact again, now", Message::Check),
        ];
        doings.push(("Everything as it was after it", Message::Replay(self.sequence)));
        if let Some(Ok(fact)) = &self.fact {
            doings.push(("Copy its hash", Message::Copy(fact.chain.clone(), "Hash")));
            doings.push(("Copy the fact", Message::Copy(fact.json.clone(), "Fact")));
        }
        if let Some(job) = self.job() {
            doings.push(("Why wasn't I paid?", Message::Explain(job.to_owned())));
        }
        doings
    }

    pub(super) fn actions(&self) -> Vec<(String, Message)> {
        let doings = self.doings().into_iter();
        doings.map(|(label, message)| (format!("Activity Feed: {label}"), message)).collect()
    }

    pub(super) fn view<'a>(&'a self, scene: &Scene<'a>, check: &'a Check) -> Element<'a, Message> {
        let title = row![
            heading(format!("Fact {}", self.sequence)),
            fill(),
            choice("Close proof", Some(Message::Close)),
        ]
        .align_y(Alignment::Center);
        let words = self.line.as_ref().map(|line| body(one_line(&line.sentence)));
        let stored: Element<'a, Message> = match &self.fact {
            None => caption("Reading the fact …").into(),
            Some(Err(trouble)) => frame::broken(trouble),
            Some(Ok(fact)) => column![
                line("Type", fact.r#type.as_str()),
                line("Stream", fact.stream.as_str()),
                line("Whose word it is", fact.source.as_str()),
                line("Recorded", time(fact.at_ms, scene.now_ms, scene.zone)),
                row![caption("Hash, with all facts before it"), mono(fact.chain.as_str())].spacing(space::S),
                mono(one_line(&fact.json)),
            ]
            .spacing(space::XS)
            .into(),
        };
        let doings = self.doings().into_iter();
        let doings = flow(doings.map(|(label, message)| choice(label, Some(message))).collect());
        let lines = column![title].push(words).push(stored).push(doings).push(check.view());
        page(column![card(lines.spacing(space::S))])
    }
}
