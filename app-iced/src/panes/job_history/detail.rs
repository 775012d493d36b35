//! One job: what is known of it, and the rungs from its request to its money.
use autopilot_proto::control::v1::{ActivityLine, HistoryLine, InvoiceLine, JobLogReply, Rung, WhyReply};
use iced::{
    Alignment,
    widget::{column, row},
};

use super::{super::frame, Message, Scene};
use crate::{
    design::{Element, Tone, badge, body, caption, card, choice, fill, flow, heading, line, mono, page, space, toned},
    face::Answer,
    words::{one_line, short, time},
};

/// A job that is explained.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) job: String,
    line: Option<HistoryLine>,
    pub(super) why: Option<Answer<WhyReply>>,
    pub(super) log: Option<Answer<JobLogReply>>,
}

impl Detail {
    pub(super) fn new(job: String, line: Option<HistoryLine>) -> Detail {
        Detail {
            job,
            line,
            why: None,
            log: None,
        }
    }

    /// Its whole id, once it is known.
    fn id(&self) -> &str {
        match &self.why {
            Some(Ok(why)) if !why.job_id.is_empty() => &why.job_id,
            _ => &self.job,
        }
    }

    /// What can be copied of it.
    fn copies(&self) -> Vec<(&'static str, Message)> {
        let mut copies = vec![("Job id", self.id().to_owned())];
        if let Some(line) = &self.line {
            copies.extend([
                ("Market id", line.native_id.clone()),
                ("Counterparty", line.counterparty.clone()),
                ("Payment hash", line.payment_hash.clone()),
                ("Result digest", line.result_digest.clone()),
            ]);
        }
        if let Some(invoice) = self.invoice() {
            copies.push(("Invoice", invoice.bolt11.clone()));
        }
        copies.push(("Command", format!("autopilotctl why {}", self.id())));
        copies.retain(|(_, text)| !text.is_empty());
        copies.into_iter().map(|(what, text)| (what, Message::Copy(text, what))).collect()
    }

    fn invoice(&self) -> Option<&InvoiceLine> {
        self.log.as_ref()?.as_ref().ok()?.invoice.as_ref()
    }

    pub(super) fn actions(&self) -> Vec<(String, Message)> {
        let copies = self.copies().into_iter();
        copies.map(|(what, message)| (format!("Job History: copy {}", what.to_lowercase()), message)).collect()
    }

    pub(super) fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let title = row![
            heading("Why wasn't I paid?"),
            mono(short(self.id())),
            fill(),
            choice("Close job", Some(Message::Close)),
        ]
        .spacing(space::S)
        .align_y(Alignment::Center);
        let why: Element<'a, Message> = match &self.why {
            None => caption("Reading its facts …").into(),
            Some(Err(trouble)) => frame::broken(trouble),
            Some(Ok(why)) => answer(scene, why),
        };
        let copies = self.copies().into_iter();
        let copies = flow(copies.map(|(what, message)| choice(format!("Copy {}", what.to_lowercase()), Some(message))).collect());
        let facts = self.line.as_ref().map(|line| facts(scene, line));
        let log = self.log.as_ref().map(|log| match log {
            Ok(log) => story(scene, log),
            Err(trouble) => card(frame::broken(trouble)),
        });
        page(column![card(column![title, why].spacing(space::S))].push(facts).push(log).push(copies))
    }
}

/// What happened to it, fact by fact, and what it was to be paid with.
fn story<'a>(scene: &Scene<'a>, log: &'a JobLogReply) -> Element<'a, Message> {
    let one = |fact: &'a ActivityLine| {
        row![
            caption(time(fact.at_ms, scene.now_ms, scene.zone)),
            badge(fact.source.as_str(), Tone::Quiet),
            body(one_line(&fact.sentence)),
            caption(format!("fact {}", fact.sequence)),
        ]
        .spacing(space::S)
        .align_y(Alignment::Center)
        .wrap()
        .into()
    };
    let part = (!log.whole).then(|| caption("Only the newest facts of this job are listed here."));
    let invoice = log.invoice.as_ref().map(|invoice| {
        let fact = |sequence: u64| match sequence {
            0 => "–".to_owned(),
            sequence => format!("fact {sequence}"),
        };
        column![
            line("Invoice", invoice.state.as_str()),
            line("Its amount", scene.amounts.show(invoice.amount_msat)),
            line("Issued", fact(invoice.issued_sequence)),
            line("Seen by the wallet", fact(invoice.payment_sequence)),
            line("Booked", fact(invoice.settled_sequence)),
        ]
    });
    let lines = column![heading("What happened")].extend(log.lines.iter().map(one)).push(part).push(invoice);
    card(lines.spacing(space::XS))
}

fn answer<'a>(scene: &Scene<'a>, why: &'a WhyReply) -> Element<'a, Message> {
    let tone = if why.paid { Tone::Good } else { Tone::Attention };
    let missing = why.rungs.iter().position(|rung| !rung.reached);
    let rungs = why.rungs.iter().enumerate();
    let rungs = rungs.map(|(place, one)| rung(scene, one, Some(place) == missing && !why.paid));
    let forgotten = why.forgotten_at_ms.map(|at_ms| {
        caption(format!("Its texts were forgotten {}", time(at_ms, scene.now_ms, scene.zone)))
    });
    column![toned(one_line(&why.answer), tone)]
        .extend(rungs)
        .push(forgotten)
        .spacing(space::XS)
        .into()
}

fn rung<'a>(scene: &Scene<'a>, rung: &'a Rung, missing: bool) -> Element<'a, Message> {
    let (word, tone) = match (rung.reached, missing) {
        (true, _) => ("reached", Tone::Good),
        (false, true) => ("missing", Tone::Bad),
        (false, false) => ("not yet", Tone::Quiet),
    };
    let at = rung.at_ms.map(|at_ms| caption(time(at_ms, scene.now_ms, scene.zone)));
    let fact = rung.sequence.map(|sequence| caption(format!("fact {sequence}")));
    let detail = (!rung.detail.is_empty()).then(|| caption(one_line(&rung.detail)));
    row![badge(word, tone), body(rung.name.as_str())]
        .push(at)
        .push(fact)
        .push(detail)
        .spacing(space::S)
        .align_y(Alignment::Center)
        .wrap()
        .into()
}

fn facts<'a>(scene: &Scene<'a>, job: &'a HistoryLine) -> Element<'a, Message> {
    let amount = |msat: Option<u64>| msat.map_or("–".to_owned(), |msat| scene.amounts.show(msat));
    let some = |text: &'a str| if text.is_empty() { "–" } else { text };
    let settled = job.settled_at_ms.map(|at_ms| line("Paid", time(at_ms, scene.now_ms, scene.zone)));
    let lines = column![
        line("Market id", some(&job.native_id)),
        line(if job.role == "buyer" { "Provider" } else { "Buyer" }, some(&job.counterparty)),
        line("Kind", job.kind.to_string()),
        line("Received", time(job.received_at_ms, scene.now_ms, scene.zone)),
        line("Work", some(&job.work)),
        line("Money", some(&job.money)),
        line("Price", amount(job.price_msat)),
        line("Settled", amount(job.settled_msat)),
        line("Payment hash", some(&job.payment_hash)),
        line("Result digest", some(&job.result_digest)),
    ]
    .push(settled)
    .push((!job.reason.is_empty()).then(|| line("Reason", one_line(&job.reason))));
    card(lines.spacing(space::XS))
}
