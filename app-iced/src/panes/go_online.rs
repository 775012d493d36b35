//! The switch, what stands against it, and what would be earned with.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{CanReceiveReply, CanReceiveRequest, Cause, StatusReply};
use iced::widget::{column, row};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    command::Command,
    design::{Element, Tone, badge, body, caption, card, choice, field, heading, line, page, space, toned},
    face::{Answer, ways},
    shortcuts,
    words::{msat_of, span},
};

/// The pane.
#[derive(Debug, Default)]
pub struct GoOnline {
    typed: String,
    receive: Option<Answer<CanReceiveReply>>,
    wrong: Option<&'static str>,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Go online, or offline.
    Toggle,
    /// An amount was typed.
    Typed(String),
    /// Can this much be received?
    Ask,
    /// The answer.
    Answered(Answer<CanReceiveReply>),
    /// Another pane.
    Open(Pane),
}

impl Screen for GoOnline {
    type Message = Message;

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::Toggle => Action::wish(Wish::Toggle),
            Message::Open(pane) => Action::wish(Wish::Open(pane)),
            Message::Typed(typed) => {
                self.wrong = msat_of(&typed).err().filter(|_| !typed.is_empty());
                self.typed = typed;
                Action::none()
            }
            Message::Ask => self.ask(scene),
            Message::Answered(mut answer) => {
                if let Ok(reply) = &mut answer {
                    ways::here(&mut reply.reason);
                }
                self.receive = Some(answer);
                Action::none()
            }
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let amounts = scene.amounts;
        frame::shown(&scene.views.status, |status| {
            let keys = shortcuts::of(Command::Toggle).unwrap_or_default();
            let switch = caption(format!("The switch is above, in sight of every pane: {keys}"));
            let (word, tone) = match (status.state.as_str(), status.can_earn) {
                ("online", true) => ("Online: jobs that fit are taken, worked and paid", Tone::Good),
                ("online" | "degraded", _) => ("Online, and nothing can be earned now", Tone::Attention),
                (_, true) => ("Offline: everything is ready to earn", Tone::Accent),
                _ => ("Offline", Tone::Quiet),
            };
            let lines = column![
                column![toned(word, tone), switch].spacing(space::XS),
                blockers(status),
                terms(status, amounts.show(status.price_msat)),
                self.receive_check(scene),
            ]
            .push(waiting(status))
            .push(warnings(status));
            page(lines)
        })
    }

    fn actions(&self, _: &Scene<'_>) -> Vec<(String, Message)> {
        vec![
            ("Go Online: go online, or offline".to_owned(), Message::Toggle),
            ("Go Online: check what can be received".to_owned(), Message::Ask),
        ]
    }
}

impl GoOnline {
    fn ask(&mut self, scene: &Scene<'_>) -> Action<Message> {
        let amount_msat = match msat_of(&self.typed) {
            Ok(amount_msat) => amount_msat,
            Err(words) => {
                self.wrong = Some(words);
                return Action::none();
            }
        };
        let asked = scene
            .face
            .ask(move |mut host| async move { host.can_receive(CanReceiveRequest { amount_msat }).await });
        asked.map(Message::Answered).into()
    }

    fn receive_check<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        let answer: Option<Element<'a, Message>> = self.receive.as_ref().map(|answer| match answer {
            Ok(reply) if reply.yes => toned("Yes: that can arrive now", Tone::Good).into(),
            Ok(reply) => column![
                toned(reply.reason.as_str(), Tone::Attention),
                caption(format!("At most {} at once", scene.amounts.show(reply.limit_msat))),
            ]
            .into(),
            Err(trouble) => frame::broken(trouble),
        });
        let possible = msat_of(&self.typed).is_ok();
        let asked = row![
            field("Can I receive (sats)", &self.typed, "1 000", self.wrong, Message::Typed),
            choice("Check", possible.then_some(Message::Ask)),
        ]
        .spacing(space::S)
        .align_y(iced::Alignment::End);
        card(column![asked].push(answer).spacing(space::S))
    }
}

fn blockers<'a>(status: &'a StatusReply) -> Element<'a, Message> {
    if status.blockers.is_empty() {
        let words = match status.can_earn || status.state == "offline" {
            true => toned("Nothing stands against earning", Tone::Good),
            false => toned(status.earning.as_str(), Tone::Attention),
        };
        return card(words);
    }
    let lines = status.blockers.iter().map(|words| toned(words.as_str(), Tone::Attention).into());
    let lines = iced::widget::column(lines).spacing(space::S);
    card(column![heading("What stands against it"), lines].spacing(space::S))
}

fn terms<'a>(status: &'a StatusReply, price: String) -> Element<'a, Message> {
    let model: Element<'a, Message> = match status.model.as_str() {
        "" => line("Model", "none is ready"),
        model => line("Model", model),
    };
    let kinds: Vec<_> = status.kinds.iter().map(u32::to_string).collect();
    let canary = match status.canary.as_str() {
        "" => "never tried as a stranger would",
        words => words,
    };
    let lines = column![
        model,
        line("Price of a job", price),
        line("Kinds", kinds.join(", ")),
        line("Relays", format!("{} of {}", status.relays_connected, status.relays_configured)),
        line("Last trial", canary),
        row![
            choice("Change terms", Some(Message::Open(Pane::Settings))),
            choice("Relays", Some(Message::Open(Pane::RelayConnections))),
        ]
        .spacing(space::S),
    ];
    card(lines.spacing(space::XS))
}

/// Online and waiting looks alive, and says why it waits.
fn waiting<'a>(status: &'a StatusReply) -> Option<Element<'a, Message>> {
    if status.state == "offline" {
        return None;
    }
    let alive = row![
        badge(format!("up {}", span(status.uptime_ms)), Tone::Quiet),
        badge(format!("{} relays", status.relays_connected), Tone::Quiet),
        badge(format!("{} in work", status.jobs_in_flight), Tone::Accent),
    ]
    .spacing(space::S);
    let cause = |cause: &'a Cause| {
        let next = (!cause.next.is_empty()).then(|| caption(cause.next.as_str()));
        column![body(cause.sentence.as_str())].push(next).into()
    };
    let why = status.why_no_jobs.iter().map(cause);
    let title = (!status.why_no_jobs.is_empty()).then(|| heading("Why am I getting no jobs?"));
    let lines = column![alive].push(title).extend(why);
    Some(card(lines.spacing(space::S)))
}

fn warnings<'a>(status: &'a StatusReply) -> Option<Element<'a, Message>> {
    (!status.warnings.is_empty()).then(|| {
        let lines = status.warnings.iter().map(|words| toned(words.as_str(), Tone::Attention).into());
        card(iced::widget::column(lines).spacing(space::S))
    })
}
