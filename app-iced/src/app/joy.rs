//! What happens around the facts that please: celebrations, notifications, the tray.
use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::CelebrateRequest;
use iced::{Task, window};

use super::{App, Message};
use crate::{
    bus,
    celebration::{self, Celebration},
    shell::bar,
};

impl App {
    /// Looks at what was reached and arrived since it was last looked at.
    pub(super) fn rejoice(&mut self) -> Task<Message> {
        let Some(earnings) = &self.views.earnings.value else {
            return Task::none();
        };
        if self.celebration.is_none() {
            self.celebration = Celebration::of(&earnings.to_celebrate);
        }
        let before = self.earned_msat.replace(earnings.earned_msat);
        // What was earned before this window was open is no news.
        let arrived = before.map_or(0, |before| earnings.earned_msat.saturating_sub(before));
        match arrived > 0 && self.prefs.notify == Some(true) {
            true => bus::notify(
                format!("{} received", self.amounts.show(arrived)),
                "Paid for a job, and in your wallet.".to_owned(),
            ),
            false => Task::none(),
        }
    }

    pub(super) fn in_celebration(&mut self, message: celebration::Message) -> Task<Message> {
        match message {
            celebration::Message::Notify(wanted) => {
                self.prefs.notify = Some(wanted);
                Task::none()
            }
            celebration::Message::Seen => self.celebrated(),
            celebration::Message::BackUp => Task::batch([self.celebrated(), self.open(Pane::IdentityKeys)]),
        }
    }

    /// Records that it was shown: it is never shown again, here or elsewhere.
    fn celebrated(&mut self) -> Task<Message> {
        let shown = self.celebration.take().map_or(Vec::new(), |shown| shown.reached);
        if let Some(earnings) = &mut self.views.earnings.value {
            earnings
                .to_celebrate
                .retain(|reached| !shown.contains(&reached.sats));
        }
        let noted = shown.into_iter().map(|sats| {
            let request = CelebrateRequest { sats };
            let noted = self
                .face
                .ask(move |mut host| async move { host.celebrate(request).await });
            noted.map(|_| Message::Noted)
        });
        Task::batch(noted.collect::<Vec<_>>())
    }

    pub(super) fn in_tray(&mut self, event: bus::Event) -> Task<Message> {
        match event {
            bus::Event::Up(tray) => {
                self.tray = Some(tray);
                self.said_in_tray = String::new();
                self.say_in_tray()
            }
            bus::Event::Show => window::latest().then(|id| match id {
                Some(id) => Task::batch([window::minimize(id, false), window::gain_focus(id)]),
                None => Task::none(),
            }),
            bus::Event::Toggle => self.command(crate::command::Command::Toggle),
            bus::Event::Quit => self.close_requested(),
        }
    }

    /// The tray says how things stand, in words, when that changes.
    pub(super) fn say_in_tray(&mut self) -> Task<Message> {
        let Some(tray) = self.tray.clone() else {
            return Task::none();
        };
        let (word, _) = bar::state(&self.views, self.going_online, self.now_ms);
        let today = self
            .views
            .earnings
            .value
            .as_ref()
            .map_or(0, |earnings| earnings.today_msat);
        let words = format!("{word}, {} today", self.amounts.show(today));
        match words == self.said_in_tray {
            true => Task::none(),
            false => {
                self.said_in_tray.clone_from(&words);
                tray.say(words, self.is_online())
            }
        }
    }
}
