//! What is or was wrong, gravest first; what to do about it, and whether earning is possible meanwhile.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{AcknowledgeAlertRequest, AlertLine, AlertsReply};
use iced::{
    Alignment,
    widget::{column, row},
};

use super::{Action, Scene, Screen, Wish, frame};
use crate::{
    design::{Element, Tone, badge, body, caption, card, chip, choice, flow, heading, page, space, toned},
    face::Answer,
    shell::toast::Toast,
    words::{ago, command_in, one_line},
};

/// States that can be listed.
const STATES: [(&str, &str); 4] = [
    ("active", "Active"),
    ("acknowledged", "Acknowledged"),
    ("resolved", "Resolved"),
    ("", "All"),
];

/// The pane.
#[derive(Debug)]
pub struct AlertsRecovery {
    state: &'static str,
}

impl Default for AlertsRecovery {
    fn default() -> Self {
        AlertsRecovery { state: "active" }
    }
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Only alerts of this state.
    State(&'static str),
    /// Seen: it nags no more until it happens again.
    Acknowledge(String),
    /// The answer.
    Acknowledged(Answer<AlertsReply>),
    /// Another pane.
    Go(Pane),
    /// Into the clipboard.
    Copy(String, &'static str),
}

impl Screen for AlertsRecovery {
    type Message = Message;

    const VIEWS: &'static [&'static str] = &["alerts"];

    fn update(&mut self, message: Message, scene: &Scene<'_>) -> Action<Message> {
        match message {
            Message::State(state) => {
                self.state = state;
                Action::none()
            }
            Message::Acknowledge(id) => {
                let request = AcknowledgeAlertRequest { id };
                let asked = scene
                    .face
                    .ask(move |mut host| async move { host.acknowledge_alert(request).await });
                asked.map(Message::Acknowledged).into()
            }
            Message::Acknowledged(answer) => Action::wish(Wish::Say(match answer {
                Ok(_) => Toast::good("Acknowledged: it comes back if it happens again"),
                Err(trouble) => Toast::bad(trouble.sentence),
            })),
            Message::Go(pane) => Action::wish(Wish::Open(pane)),
            Message::Copy(text, what) => Action::wish(Wish::Copy(text, what)),
        }
    }

    fn view<'a>(&'a self, scene: &Scene<'a>) -> Element<'a, Message> {
        frame::shown(&scene.views.alerts, |alerts| {
            let count = |state: &str| {
                let of_state = |alert: &&AlertLine| state.is_empty() || alert.state == state;
                alerts.alerts.iter().filter(of_state).count()
            };
            let chips = STATES.into_iter().map(|(state, label)| {
                let label = format!("{label} ({})", count(state));
                chip(label, state == self.state, Message::State(state))
            });
            let lines: Vec<_> = self.listed(alerts).map(|alert| one(scene, alert)).collect();
            let content = match lines.is_empty() {
                true => self.none(),
                false => page(iced::widget::column(lines)),
            };
            column![flow(chips.collect()), content].spacing(space::S).padding(space::S).into()
        })
    }

    fn actions(&self, scene: &Scene<'_>) -> Vec<(String, Message)> {
        let named = |words: &str| format!("Alerts: {words}");
        let others = STATES.into_iter().filter(|(state, _)| *state != self.state);
        let mut actions: Vec<_> = others.map(|(state, label)| (named(label), Message::State(state))).collect();
        for alert in scene.views.alerts.value.iter().flat_map(|alerts| self.listed(alerts)) {
            let doings = doings(alert).into_iter();
            actions.extend(doings.map(|(label, message)| (named(&format!("{label}: {}", one_line(&alert.what))), message)));
        }
        actions
    }
}

impl AlertsRecovery {
    fn listed<'a>(&'a self, alerts: &'a AlertsReply) -> impl Iterator<Item = &'a AlertLine> {
        let of_state = |alert: &&AlertLine| self.state.is_empty() || alert.state == self.state;
        alerts.alerts.iter().filter(of_state)
    }

    fn none(&self) -> Element<'_, Message> {
        match self.state {
            "active" | "" => frame::empty(
                "Nothing is wrong",
                "What breaks shows up here, with what to do about it. Nothing needs to be done now.",
            ),
            _ => frame::empty("No such alert", "Choose another filter, or All."),
        }
    }
}

/// The pane where something can be done about an alert of this kind.
fn pane(id: &str) -> Option<Pane> {
    let kind = id.split('/').next().unwrap_or(id);
    let about = |word: &str| kind.split('-').any(|part| part == word);
    match () {
        () if about("wallet") || about("channel") || about("payment") => Some(Pane::Wallet),
        () if about("relay") || about("relays") => Some(Pane::RelayConnections),
        () if about("backup") => Some(Pane::IdentityKeys),
        () if about("job") || about("model") || about("worker") => Some(Pane::ProviderStatus),
        () => None,
    }
}

fn doings(alert: &AlertLine) -> Vec<(&'static str, Message)> {
    let mut doings = Vec::new();
    if alert.state == "active" {
        doings.push(("Acknowledge", Message::Acknowledge(alert.id.clone())));
    }
    if let Some(command) = command_in(&alert.next) {
        doings.push(("Copy the command", Message::Copy(command.to_owned(), "Command")));
    }
    if let Some(pane) = pane(&alert.id) {
        doings.push(("Go there", Message::Go(pane)));
    }
    doings
}

fn one<'a>(scene: &Scene<'a>, alert: &'a AlertLine) -> Element<'a, Message> {
    let tone = match (alert.state.as_str(), alert.severity.as_str()) {
        ("resolved", _) => Tone::Quiet,
        (_, "critical") => Tone::Bad,
        (_, "warning") => Tone::Attention,
        _ => Tone::Quiet,
    };
    let earning = match alert.can_earn {
        true => caption("Earning is possible meanwhile"),
        false => toned("Nothing is earned until this is put right", Tone::Bad),
    };
    let times = match alert.times {
        0 | 1 => ago(alert.last_at_ms, scene.now_ms),
        times => format!("{times} times, first {}, last {}", ago(alert.first_at_ms, scene.now_ms), ago(alert.last_at_ms, scene.now_ms)),
    };
    let fact = (alert.last_sequence > 0).then(|| caption(format!("fact {}", alert.last_sequence)));
    let title = row![
        badge(alert.severity.as_str(), tone),
        badge(alert.state.as_str(), Tone::Quiet),
        heading(one_line(&alert.what)),
    ];
    let resolved = alert.state == "resolved";
    let next = (!alert.next.is_empty() && !resolved).then(|| body(one_line(&alert.next)));
    let doings = doings(alert).into_iter();
    let doings = flow(doings.map(|(label, message)| choice(label, Some(message))).collect());
    let lines = column![title.spacing(space::S).align_y(Alignment::Center).wrap()]
        .push(next)
        .push((!resolved).then_some(earning))
        .push(row![caption(times), badge(alert.source.as_str(), Tone::Quiet)].push(fact).spacing(space::S))
        .push(doings);
    card(lines.spacing(space::S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_leads_to_the_pane_that_helps() {
        assert_eq!(pane("wallet-difference"), Some(Pane::Wallet));
        assert_eq!(pane("job-failures/worker-lost"), Some(Pane::ProviderStatus));
        assert_eq!(pane("heads-disputed"), None);
    }
}
