//! What was earned: settled payments that are bound to a job, and nothing else.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::EarningsReply;
use iced::widget::column;

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, caption, card, choice, flow, hero, line, page, space, stat},
    words::{ago, span, time},
};

/// The pane.
#[derive(Debug, Default)]
pub struct EarningsScoreboard;

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Another pane.
    Open(Pane),
}

impl Screen for EarningsScoreboard {
    type Message = Message;

    fn update(&mut self, message: Message, _: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Open(pane) => Action::wish(Wish::Open(pane)),
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.earnings, |earnings| match earnings.jobs_settled {
            0 if earnings.jobs_accepted == 0 => frame::empty(
                "Nothing was earned yet",
                "Go online: the first paid job shows up here, with its proof.",
            ),
            _ => page(column![board(scene, earnings), counts(scene, earnings)]),
        })
    }
}

fn board<'a>(scene: &Scene<'a>, earnings: &'a EarningsReply) -> Element<'a, Message> {
    let figures = flow(vec![
        stat("Today (calendar day)", scene.amounts.show(earnings.today_msat), Tone::Accent),
        stat("Jobs today", earnings.today_jobs.to_string(), Tone::Plain),
        stat("Paid jobs", earnings.jobs_settled.to_string(), Tone::Plain),
    ]);
    card(
        column![
            caption("Earned in all"),
            hero(scene.amounts.show(earnings.earned_msat), Tone::Good),
            figures
        ]
        .spacing(space::S),
    )
}

fn counts<'a>(scene: &Scene<'a>, earnings: &'a EarningsReply) -> Element<'a, Message> {
    let share = |part: u64, of: u64| match of {
        0 => "–".to_owned(),
        of => format!("{} % ({part} of {of})", part.saturating_mul(100) / of),
    };
    let at = |ms: Option<i64>| {
        ms.map_or("–".to_owned(), |ms| {
            format!("{} ({})", time(ms, scene.now_ms, scene.zone), ago(ms, scene.now_ms))
        })
    };
    let uptime = scene.views.status.value.as_ref().map_or(0, |status| status.uptime_ms);
    card(
        column![
            line("Delivered of accepted", share(earnings.jobs_delivered, earnings.jobs_accepted)),
            line("Paid of delivered", share(earnings.jobs_settled, earnings.jobs_delivered)),
            line("Failed", earnings.jobs_failed.to_string()),
            line("Invoices that ran out", earnings.invoices_expired.to_string()),
            line("First paid", at(earnings.first_settled_at_ms)),
            line("Last paid", at(earnings.last_settled_at_ms)),
            line("Uptime", span(uptime)),
            choice("All jobs", Some(Message::Open(Pane::JobHistory))),
        ]
        .spacing(space::XS),
    )
}
