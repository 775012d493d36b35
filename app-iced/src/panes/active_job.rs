//! The job that is worked on: its ladder, its output as it comes, and what it is to be paid with.
use autopilot_proto::control::v1::{AbortReply, AbortRequest, JobLine};
use iced::{
    Alignment,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, badge, body, caption, card, choice, heading, line, mono, page, space, toned},
    face::Answer,
    shell::toast::Toast,
    words::{ago, short, span},
};

/// The rungs of the ladder that people see.
const LADDER: [&str; 5] = ["received", "accepted", "running", "delivered", "paid"];

/// The pane.
#[derive(Debug, Default)]
pub struct ActiveJob;

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Give a job up.
    Abort(String),
    /// The answer.
    Aborted(Answer<AbortReply>),
    /// Why is it not paid?
    Explain(String),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for ActiveJob {
    type Message = Message;

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Abort(job_id) => scene
                .face
                .ask(move |mut host| async move { host.abort(AbortRequest { job_id }).await })
                .map(Message::Aborted)
                .into(),
            Message::Aborted(Ok(_)) => Action::wish(Wish::Say(Toast::good("The job was given up"))),
            Message::Aborted(Err(trouble)) => Action::wish(Wish::Say(Toast::bad(trouble.sentence))),
            Message::Explain(job) => Action::wish(Wish::Explain(job)),
            Message::Copy(text, what) => Action::wish(Wish::Copy(text, what)),
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.jobs, |jobs| match jobs.jobs.as_slice() {
            [] => frame::empty("No job is being worked on", "The next one shows up here as it is taken."),
            open => page(iced::widget::column(open.iter().rev().map(|job| one(scene, job)))),
        })
    }

    fn actions(&self, scene: &Scene<'_>) -> Vec<(String, Message)> {
        let jobs = scene.views.jobs.value.iter().flat_map(|jobs| &jobs.jobs);
        jobs.filter(|job| can_abort(job))
            .map(|job| (format!("Give job {} up", short(&job.job_id)), Message::Abort(job.job_id.clone())))
            .collect()
    }
}

fn can_abort(job: &JobLine) -> bool {
    matches!(job.work.as_str(), "received" | "accepted" | "running")
}

/// One job.
fn one<'a>(scene: &Scene<'a>, job: &'a JobLine) -> Element<'a, Message> {
    let left = u64::try_from(job.deadline_ms.saturating_sub(scene.now_ms));
    let deadline = match left {
        Ok(left) => format!("{} left", span(left)),
        Err(_) => "deadline passed".to_owned(),
    };
    let title = row![
        heading(format!("Job {}", short(&job.native_id))),
        badge(format!("kind {}", job.kind), Tone::Quiet),
        caption(format!("received {}, {deadline}", ago(job.received_at_ms, scene.now_ms))),
    ]
    .spacing(space::S)
    .align_y(Alignment::Center)
    .wrap();
    let reason = (!job.reason.is_empty()).then(|| toned(job.reason.as_str(), Tone::Bad));
    let invoice: Option<Element<'a, Message>> = (!job.payment_hash.is_empty()).then(|| {
        let copied = Message::Copy(job.payment_hash.clone(), "Payment hash");
        row![caption("Invoice"), mono(short(&job.payment_hash)), badge(job.money.as_str(), Tone::Quiet), choice("Copy", Some(copied))]
            .spacing(space::S)
            .align_y(Alignment::Center)
            .into()
    });
    let output: Option<Element<'a, Message>> = scene.views.tokens.get(&job.job_id).map(|text| {
        card(column![caption("Output"), body(text.as_str())].spacing(space::XS))
    });
    let doings = row![choice("Why isn't it paid?", Some(Message::Explain(job.job_id.clone())))]
        .push(can_abort(job).then(|| choice("Give up", Some(Message::Abort(job.job_id.clone())))))
        .spacing(space::S);
    let lines = column![title, ladder(job), line("Price", scene.amounts.show(job.price_msat))]
        .push(reason)
        .push(invoice)
        .push(output)
        .push(doings);
    card(lines.spacing(space::S))
}

/// The ladder: what is done, where it stands, what comes.
fn ladder<'a>(job: &'a JobLine) -> Element<'a, Message> {
    let at = LADDER.iter().position(|rung| *rung == job.stage);
    let rungs = LADDER.iter().enumerate().map(|(place, rung)| {
        let tone = match at {
            Some(at) if place < at => Tone::Good,
            Some(at) if place == at => Tone::Accent,
            _ => Tone::Quiet,
        };
        badge(*rung, tone)
    });
    let off = at.is_none().then(|| badge(job.stage.as_str(), Tone::Bad));
    iced::widget::row(rungs).push(off).spacing(space::XS).wrap().into()
}
