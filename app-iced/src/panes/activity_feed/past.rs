//! The replay scrubber: a view as it was after a fact, by the facts alone, and never to be taken for the present.
use autopilot_proto::control::v1::{
    AlertsReply, AtReply, AtRequest, BalanceReply, EarningsReply, JobsReply, StatusReply, at_reply::Answer as View,
};
use iced::{
    Alignment, Length, Task,
    widget::{column, row, slider},
};

use super::{super::{frame, tones}, Message, Scene, number};
use crate::{
    design::{Element, Tone, badge, body, caption, card, chip, choice, field, flow, heading, line, mono, page, space, toned},
    face::Answer,
    words::{ago, day, one_line, short, span, time},
};

/// Views that can be looked back at.
const VIEWS: [(&str, &str); 5] = [
    ("earnings", "Earnings"),
    ("balance", "Wallet"),
    ("jobs", "Open jobs"),
    ("status", "Provider"),
    ("alerts", "Alerts"),
];
/// Steps that the buttons make, in facts.
const STEPS: [(&str, i64); 6] = [
    ("−1000", -1_000),
    ("−10", -10),
    ("−1", -1),
    ("+1", 1),
    ("+10", 10),
    ("+1000", 1_000),
];

/// Where the scrubber stands.
#[derive(Debug)]
pub(super) struct Past {
    /// The fact that is looked back to.
    pub(super) at: u64,
    typed: String,
    view: &'static str,
    /// The answer, and what it answers.
    answer: Option<Answer<Box<AtReply>>>,
    under_way: bool,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Scrub {
    /// The slider is being moved.
    Slide(u64),
    /// It was let go.
    Go,
    /// So many facts on, or back.
    Step(i64),
    /// A number was typed.
    Typed(String),
    /// Another view.
    View(&'static str),
    /// The answer for a fact and a view.
    Answered(u64, &'static str, Answer<Box<AtReply>>),
}

impl Past {
    /// At a fact.
    pub(super) fn new(at: u64) -> Past {
        Past {
            at,
            typed: at.to_string(),
            view: "earnings",
            answer: None,
            under_way: false,
        }
    }

    fn to(&mut self, at: u64, newest: u64) {
        self.at = at.clamp(1, newest.max(1));
        self.typed = self.at.to_string();
    }

    /// Something happened in it. One question at a time: a slider that is dragged asks nothing until it is let go, and
    /// what came too late for where it stands is asked again.
    pub(super) fn update(&mut self, scrub: Scrub, scene: &Scene<'_>) -> Task<Message> {
        let newest = scene.views.newest_fact();
        match scrub {
            Scrub::Slide(at) => {
                self.to(at, newest);
                return Task::none();
            }
            Scrub::Go => {}
            Scrub::Step(by) => self.to(self.at.saturating_add_signed(by), newest),
            Scrub::Typed(typed) => {
                match number(&typed) {
                    Ok(at) if at <= newest => self.at = at,
                    _ => {
                        self.typed = typed;
                        return Task::none();
                    }
                }
                self.typed = typed;
            }
            Scrub::View(view) => {
                self.view = view;
                self.answer = None;
            }
            Scrub::Answered(at, view, answer) => {
                self.under_way = false;
                let wanted = (at, view) == (self.at, self.view);
                if view == self.view {
                    self.answer = Some(answer);
                }
                if wanted {
                    return Task::none();
                }
            }
        }
        self.ask(scene)
    }

    /// Asks for what it stands at.
    pub(super) fn ask(&mut self, scene: &Scene<'_>) -> Task<Message> {
        if std::mem::replace(&mut self.under_way, true) {
            return Task::none();
        }
        let (sequence, view) = (self.at, self.view);
        let (day_start_ms, day_end_ms) = day(scene.now_ms, scene.zone);
        let request = AtRequest {
            sequence,
            view: view.to_owned(),
            day_start_ms,
            day_end_ms,
        };
        let asked = scene.face.ask(move |mut host| async move { host.at(request).await });
        asked.map(move |answer| Message::Past(Scrub::Answered(sequence, view, answer.map(Box::new))))
    }

    pub(super) fn actions(&self) -> Vec<(String, Message)> {
        let step = |(label, by): (&str, i64)| {
            (format!("Replay: {label} facts"), Message::Past(Scrub::Step(by)))
        };
        let mut actions: Vec<_> = STEPS.into_iter().map(step).collect();
        let others = VIEWS.into_iter().filter(|(view, _)| *view != self.view);
        let look = |(view, label): (&'static str, &str)| {
            (format!("Replay: {label} as it was"), Message::Past(Scrub::View(view)))
        };
        actions.extend(others.map(look));
        let command = format!("autopilotctl ledger replay --at {}", self.at);
        actions.push((
            "Replay: copy the command that proves it".to_owned(),
            Message::Copy(command, "Command"),
        ));
        actions
    }

    pub(super) fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let newest = scene.views.newest_fact().max(self.at);
        // Numbers of facts are far below what a float counts exactly.
        let slider = slider(1.0..=newest.max(2) as f64, self.at as f64, |at| {
            Message::Past(Scrub::Slide(at as u64))
        })
        .on_release(Message::Past(Scrub::Go));
        let wrong = match number(&self.typed) {
            Ok(typed) if typed > newest => Some("the ledger does not reach that far"),
            Ok(_) => None,
            Err(words) => Some(words),
        };
        let steps = STEPS.into_iter().map(|(label, by)| choice(label, Some(Message::Past(Scrub::Step(by)))));
        let typed = field("After fact", &self.typed, "1", wrong, |typed| Message::Past(Scrub::Typed(typed)));
        let place = row![typed.width(Length::Fixed(160.0)), flow(steps.collect())];
        let views = VIEWS
            .into_iter()
            .map(|(view, label)| chip(label, view == self.view, Message::Past(Scrub::View(view))));
        let answer: Element<'a, Message> = match &self.answer {
            None => caption("Folding the facts up to it …").into(),
            Some(Err(trouble)) => frame::broken(trouble),
            Some(Ok(reply)) => shown(scene, reply),
        };
        let lines = column![
            slider,
            place.spacing(space::S).align_y(Alignment::End),
            flow(views.collect()),
            answer
        ];
        page(lines)
    }
}

/// What was, under a badge that says so.
fn shown<'a>(scene: &Scene<'a>, reply: &'a AtReply) -> Element<'a, Message> {
    let at = reply.basis.as_ref().map_or(0, |basis| basis.sequence);
    let when = format!("{} ({})", time(reply.at_ms, scene.now_ms, scene.zone), ago(reply.at_ms, scene.now_ms));
    let title = row![
        badge("THE PAST", Tone::Attention),
        heading(format!("As it was after fact {at}")),
        caption(when),
    ];
    let chain = reply.basis.as_ref().map(|basis| {
        row![caption("Hash, with all facts before it"), mono(basis.chain.as_str())].spacing(space::S)
    });
    let view = match &reply.answer {
        Some(View::Earnings(earnings)) => earned(scene, earnings),
        Some(View::Balance(balance)) => held(scene, balance),
        Some(View::Jobs(jobs)) => open(scene, jobs),
        Some(View::Status(status)) => provider(scene, status),
        Some(View::Alerts(alerts)) => wrong(alerts),
        None => caption("There is nothing of it in the facts.").into(),
    };
    let alone = caption("By the facts alone: what relays, model and channels were like then is in no fact.");
    let title = title.spacing(space::S).align_y(Alignment::Center).wrap();
    card(column![title, view, alone].push(chain).spacing(space::S))
}

fn earned<'a>(scene: &Scene<'a>, earnings: &'a EarningsReply) -> Element<'a, Message> {
    column![
        line("Earned in all", scene.amounts.show(earnings.earned_msat)),
        line("Accepted", earnings.jobs_accepted.to_string()),
        line("Delivered", earnings.jobs_delivered.to_string()),
        line("Paid", earnings.jobs_settled.to_string()),
        line("Failed", earnings.jobs_failed.to_string()),
        line("Invoices that ran out", earnings.invoices_expired.to_string()),
    ]
    .into()
}

fn held<'a>(scene: &Scene<'a>, balance: &'a BalanceReply) -> Element<'a, Message> {
    let show = |msat| scene.amounts.show(msat);
    column![
        line("Spendable", show(balance.spendable_msat)),
        line("Can arrive", show(balance.receivable_msat)),
        line("Held back by channels", show(balance.reserved_msat)),
        line("In channels that close", show(balance.closing_msat)),
        line("On the chain", scene.amounts.show_sat(balance.onchain_sat)),
        line("Received", show(balance.received_msat)),
        line("Paid", show(balance.sent_msat)),
        line("Withdrawn", show(balance.withdrawn_msat)),
    ]
    .into()
}

fn open<'a>(scene: &Scene<'a>, jobs: &'a JobsReply) -> Element<'a, Message> {
    let none = jobs.jobs.is_empty().then(|| caption("No job was open."));
    let jobs = jobs.jobs.iter().map(|job| {
        row![
            mono(short(&job.job_id)),
            badge(job.work.as_str(), tones::work(&job.work)),
            badge(job.money.as_str(), tones::money(&job.money)),
            body(scene.amounts.show(job.price_msat)),
        ]
        .spacing(space::S)
        .align_y(Alignment::Center)
        .into()
    });
    column![].push(none).extend(jobs).spacing(space::XS).into()
}

fn provider<'a>(scene: &Scene<'a>, status: &'a StatusReply) -> Element<'a, Message> {
    column![
        line("State", status.state.as_str()),
        line("Price of a job", scene.amounts.show(status.price_msat)),
        line("Jobs in work", status.jobs_in_flight.to_string()),
        line("Uptime until then", span(status.uptime_ms)),
        line("Earned until then", scene.amounts.show(status.earned_msat)),
    ]
    .into()
}

fn wrong<'a>(alerts: &'a AlertsReply) -> Element<'a, Message> {
    let none = alerts.alerts.is_empty().then(|| caption("Nothing was or had been wrong."));
    let alerts = alerts.alerts.iter().map(|alert| {
        let tone = if alert.state == "active" { Tone::Bad } else { Tone::Quiet };
        row![badge(alert.state.as_str(), tone), toned(one_line(&alert.what), tone)]
            .spacing(space::S)
            .into()
    });
    column![].push(none).extend(alerts).spacing(space::XS).into()
}
