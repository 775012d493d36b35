//! What was earned: settled payments that are bound to a job, and nothing else.
mod chart;

use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{EarningsChartReply, EarningsChartRequest, EarningsReply};
use iced::{
    Alignment,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, caption, card, choice, flow, heading, hero, line, mono, page, space, stat},
    face::Answer,
    words::{ago, days, span, time},
};
use chart::Chart;

/// What writes the books to a file.
const EXPORT: &str = "autopilotctl export --format csv --output earnings.csv";
/// What sums a window in words.
const REPORT: &str = "autopilotctl report";

/// The pane.
#[derive(Debug, Default)]
pub struct EarningsScoreboard {
    chart: Chart,
    seen: (u64, u64),
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Another pane.
    Open(Pane),
    /// A chart of so many days.
    Span(u16),
    /// Look at a day of it, or at all.
    Day(Option<usize>),
    /// Look at the day before (false) or after.
    Step(bool),
    /// The chart.
    Chart(u16, Answer<EarningsChartReply>),
    /// Into the clipboard.
    Copy(&'static str),
}

impl Screen for EarningsScoreboard {
    type Message = Message;

    fn opened(&mut self, scene: &Scene<'_>) -> Action<Message> {
        self.load(scene)
    }

    fn news(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let earnings = scene.views.earnings.value.as_ref();
        let newest = earnings.map_or((0, 0), |earnings| (earnings.jobs_settled, earnings.today_msat));
        match std::mem::replace(&mut self.seen, newest) == newest {
            true => Action::none(),
            false => self.load(scene),
        }
    }

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Open(pane) => return Action::wish(Wish::Open(pane)),
            Message::Span(days) => {
                self.chart = Chart {
                    days,
                    ..Chart::default()
                };
                return self.load(scene);
            }
            Message::Day(day) => self.chart.day = day,
            Message::Step(later) => self.chart.step(later),
            Message::Chart(days, answer) if days == self.chart.days => self.chart.answer = Some(answer),
            Message::Chart(..) => {}
            Message::Copy(command) => return Action::wish(Wish::Copy(command.to_owned(), "Command")),
        }
        Action::none()
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.earnings, |earnings| match earnings.jobs_settled {
            0 if earnings.jobs_accepted == 0 => frame::empty(
                "Nothing was earned yet",
                "Go online: the first paid job shows up here, with its proof.",
            ),
            _ => page(column![
                board(scene, earnings),
                self.chart.view(scene),
                counts(scene, earnings),
                export()
            ]),
        })
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        let mut actions = self.chart.actions();
        actions.push(("Earnings: all jobs".to_owned(), Message::Open(Pane::JobHistory)));
        actions.push(("Earnings: copy the command that exports".to_owned(), Message::Copy(EXPORT)));
        actions.push(("Earnings: copy the command that reports".to_owned(), Message::Copy(REPORT)));
        actions
    }
}

impl EarningsScoreboard {
    fn load(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let span = self.chart.days;
        let day_bounds_ms = days(scene.now_ms, scene.zone, span);
        let request = EarningsChartRequest { day_bounds_ms };
        let asked = scene.face.ask(move |mut host| async move { host.earnings_chart(request).await });
        asked.map(move |answer| Message::Chart(span, answer)).into()
    }
}

/// The books are written by a command, which works without a host too.
fn export<'a>() -> Element<'a, Message> {
    let one = |what: &'a str, command: &'static str| {
        row![
            mono(command),
            choice(what, Some(Message::Copy(command))),
        ]
        .spacing(space::S)
        .align_y(Alignment::Center)
        .wrap()
        .into()
    };
    let lines = [one("Copy the export command", EXPORT), one("Copy the report command", REPORT)];
    card(column![heading("Export")].extend(lines).spacing(space::XS))
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
