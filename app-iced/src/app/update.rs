//! What happens on what: one method per line of the table.
use std::path::PathBuf;

use autopilot_host::desk::Pane;
use autopilot_proto::control::v1::{GoOfflineRequest, GoOnlineRequest, StatusReply};
use iced::{Task, widget::Id};

use super::{App, Message, now_ms, stage::Stage};
use crate::{
    celebration,
    command::Command,
    design::reach,
    engine::Event,
    face::{Answer, Link, News},
    palette::{self, Does, Entry, Palette},
    panes::{self, Action, Wish, pay_invoice},
    shell::{
        bar,
        dialog::{self, Dialog},
        grid, hotbar,
        toast::Toast,
    },
    shortcuts::Stroke,
    words::Rate,
};

/// How long going online waits for blockers to vanish, in seconds.
const GO_ONLINE_WAIT_S: u32 = 30;

impl App {
    pub(super) fn news(&mut self, news: News) -> Task<Message> {
        self.now_ms = now_ms();
        self.views.take(news);
        self.rate();
        let desk = self.follow_desk();
        Task::batch([desk, self.tell_panes(), self.rejoice(), self.say_in_tray()])
    }

    /// Open panes look at what changed.
    fn tell_panes(&mut self) -> Task<Message> {
        let mut told = Vec::new();
        for pane in self.grid.open_panes() {
            let (scene, screens) = scene_and_screens!(self);
            let action = screens.news(pane, &scene);
            told.push(self.act(action));
        }
        Task::batch(told)
    }

    pub(super) fn engine(&mut self, event: Event) -> Task<Message> {
        match event {
            Event::Ready => Task::none(),
            Event::Ended => iced::exit(),
            Event::Failed(_) if self.stopping => iced::exit(),
            Event::Failed(words) => {
                self.failed = Some(words);
                Task::none()
            }
        }
    }

    pub(super) fn command(&mut self, command: Command) -> Task<Message> {
        self.prefs.used(command.id());
        match command {
            // Before the desk there is nothing to open.
            Command::Open(_) | Command::Toggle if !matches!(self.stage, Stage::Desk) => Task::none(),
            Command::Open(pane) => self.open(pane),
            Command::Toggle => self.toggle(),
            Command::HideAmounts => self.hide_amounts(),
            Command::SwitchUnit => self.switch_unit(),
            Command::SwitchTheme => self.switch_theme(),
            Command::Larger => self.zoom(true),
            Command::Smaller => self.zoom(false),
            Command::ClosePane => self.grid.front().map_or(Task::none(), |pane| self.close(pane)),
            Command::Maximize => self.maximize(),
            Command::NextPane => self.next_pane(),
            Command::Quit => self.close_requested(),
        }
    }

    /// A picture with a code to pay, wherever it was dropped.
    pub(super) fn dropped(&mut self, path: PathBuf) -> Task<Message> {
        if !matches!(self.stage, Stage::Desk) {
            return Task::none();
        }
        let picture = panes::Message::PayInvoice(pay_invoice::Message::Picture(path));
        Task::batch([self.open(Pane::PayInvoice), self.in_pane(picture)])
    }

    pub(super) fn stroke(&mut self, stroke: Stroke) -> Task<Message> {
        match (stroke, &mut self.palette) {
            (Stroke::Palette, _) => self.toggle_palette(),
            (Stroke::Escape, _) => self.escape(),
            (Stroke::Move(by), Some(palette)) => {
                palette.step(by);
                Task::none()
            }
            (Stroke::Enter, Some(_)) => self.in_palette(palette::Message::Enter),
            (Stroke::Enter, None) if self.celebration.is_some() => {
                self.in_celebration(celebration::Message::Seen)
            }
            (Stroke::Enter, None) => self.default_answer(),
            (Stroke::Field { back }, Some(palette)) => {
                palette.step(if back { -1 } else { 1 });
                Task::none()
            }
            (Stroke::Field { back }, None) => reach::step(back, self.front().map(Id::from)),
            (Stroke::Command(command), _) => {
                self.palette = None;
                self.command(command)
            }
            (Stroke::Move(_), None) => Task::none(),
        }
    }

    fn escape(&mut self) -> Task<Message> {
        if self.palette.is_none() && self.dialog.is_none() && self.celebration.is_some() {
            return self.in_celebration(celebration::Message::Seen);
        }
        match self.dialog {
            Some(Dialog::CloseOnline) => self.dialog = None,
            // What is being stopped can't be called back.
            Some(Dialog::Stopping) => {}
            None => self.palette = None,
        }
        Task::none()
    }

    /// Enter on a question means the answer that loses nothing.
    fn default_answer(&mut self) -> Task<Message> {
        match self.dialog {
            Some(Dialog::CloseOnline) => self.in_dialog(dialog::Message::Stay),
            _ => Task::none(),
        }
    }

    pub(super) fn toggle_palette(&mut self) -> Task<Message> {
        if self.palette.take().is_some() {
            return Task::none();
        }
        let entries = self.entries();
        let (palette, task) = Palette::open(entries);
        self.palette = Some(palette);
        task
    }

    /// What the palette offers: before the desk what can be done there, and then everything.
    fn entries(&mut self) -> Vec<Entry> {
        let made = |label, does| Entry { label, does };
        let mut entries: Vec<_> = match &self.stage {
            Stage::FirstRun(page) => {
                let actions = page.actions().into_iter();
                actions
                    .map(|(label, message)| made(label, Does::FirstRun(message)))
                    .collect()
            }
            Stage::Locked(page) => {
                let actions = page.actions().into_iter();
                actions
                    .map(|(label, message)| made(label, Does::Unlock(message)))
                    .collect()
            }
            Stage::Broken(..) => Vec::new(),
            Stage::Desk => {
                let (scene, screens) = scene_and_screens!(self);
                let in_pane = self.grid.front().map(|pane| screens.actions(pane, &scene));
                return palette::entries(in_pane.unwrap_or_default(), &self.prefs.recent);
            }
        };
        entries.extend(
            [
                Command::SwitchTheme,
                Command::Larger,
                Command::Smaller,
                Command::Quit,
            ]
            .map(|command| made(command.label().to_owned(), Does::Command(command))),
        );
        entries
    }

    pub(super) fn in_palette(&mut self, message: palette::Message) -> Task<Message> {
        let does = self.palette.as_mut().and_then(|palette| palette.update(message));
        let Some(does) = does else { return Task::none() };
        self.palette = None;
        match does {
            Does::Command(command) => self.command(command),
            Does::InPane(message) => self.in_pane(message),
            Does::FirstRun(message) => self.in_first_run(message),
            Does::Unlock(message) => self.in_unlock(message),
        }
    }

    pub(super) fn in_bar(&mut self, message: bar::Message) -> Task<Message> {
        match message {
            bar::Message::Toggle => self.command(Command::Toggle),
            bar::Message::Open(pane) => self.command(Command::Open(pane)),
        }
    }

    pub(super) fn in_hotbar(&mut self, message: hotbar::Message) -> Task<Message> {
        match message {
            hotbar::Message::Command(command) => self.command(command),
            hotbar::Message::Palette => self.toggle_palette(),
        }
    }

    pub(super) fn in_grid(&mut self, message: grid::Message) -> Task<Message> {
        self.grid.update(&message);
        match message {
            grid::Message::InPane(message) => self.in_pane(message),
            grid::Message::Close(pane) => self.close(pane),
            grid::Message::Maximize(pane) => {
                self.grid.maximize(pane);
                Task::none()
            }
            grid::Message::Clicked(_) | grid::Message::Dragged(_) | grid::Message::Resized(_) => Task::none(),
        }
    }

    pub(super) fn in_dialog(&mut self, message: dialog::Message) -> Task<Message> {
        match (message, self.dialog) {
            (dialog::Message::Stay, _) => {
                self.dialog = None;
                Task::none()
            }
            (dialog::Message::Quit, Some(Dialog::Stopping)) => iced::exit(),
            (dialog::Message::Quit, _) => self.quit(),
        }
    }

    pub(super) fn in_pane(&mut self, message: panes::Message) -> Task<Message> {
        let (scene, screens) = scene_and_screens!(self);
        let action = screens.update(message, &scene);
        self.act(action)
    }

    /// Does what a pane asks for.
    pub(super) fn act(&mut self, action: Action<panes::Message>) -> Task<Message> {
        let mut tasks = vec![action.task.map(Message::Screen)];
        for wish in action.wishes {
            tasks.push(match wish {
                Wish::Open(pane) => self.open(pane),
                Wish::Say(toast) => self.say(toast),
                Wish::Copy(text, what) => {
                    let said = self.say(Toast::good(format!("{what} copied")));
                    Task::batch([iced::clipboard::write(text), said])
                }
                Wish::Explain(job) => self.explain(job),
                Wish::Toggle => self.toggle(),
            });
        }
        Task::batch(tasks)
    }

    pub(super) fn say(&mut self, toast: Toast) -> Task<Message> {
        self.toasts.say(toast, self.now_ms);
        Task::none()
    }

    fn toggle(&mut self) -> Task<Message> {
        let online = self.is_online();
        if self.going_online || self.views.status.value.is_none() {
            return Task::none();
        }
        self.going_online = !online;
        match online {
            true => self
                .face
                .ask(|mut host| async move {
                    let reason = "asked to".to_owned();
                    host.go_offline(GoOfflineRequest { reason }).await
                })
                .map(Message::Toggled),
            false => self
                .face
                .ask(|mut host| async move {
                    let wait_s = GO_ONLINE_WAIT_S;
                    host.go_online(GoOnlineRequest { wait_s }).await
                })
                .map(Message::Toggled),
        }
    }

    pub(super) fn is_online(&self) -> bool {
        let status = self.views.status.value.as_ref();
        status.is_some_and(|status| matches!(status.state.as_str(), "online" | "degraded"))
    }

    pub(super) fn toggled(&mut self, answer: Answer<StatusReply>) -> Task<Message> {
        self.going_online = false;
        match answer {
            Ok(status) => {
                self.views.newer_status(status);
                Task::none()
            }
            Err(trouble) => {
                let said = self.say(Toast::bad(trouble.sentence));
                Task::batch([said, self.open(Pane::GoOnline)])
            }
        }
    }

    fn hide_amounts(&mut self) -> Task<Message> {
        self.prefs.hidden = !self.prefs.hidden;
        self.amounts.hidden = self.prefs.hidden;
        Task::none()
    }

    fn switch_unit(&mut self) -> Task<Message> {
        self.prefs.money = !self.prefs.money;
        self.rate();
        match self.prefs.money && self.amounts.rate.is_none() {
            true => self.say(Toast::bad(
                "No price is recorded: in a terminal, `autopilotctl price record` keeps one, with its source",
            )),
            false => Task::none(),
        }
    }

    /// Amounts are shown in money only by a price that was recorded.
    fn rate(&mut self) {
        let status = self.views.status.value.as_ref();
        let price = status.and_then(|status| status.price.as_ref());
        self.amounts.rate = price.filter(|_| self.prefs.money).map(|price| Rate {
            currency: price.currency.clone(),
            per_btc: price.per_btc,
            decimals: price.decimals,
        });
    }

    fn switch_theme(&mut self) -> Task<Message> {
        self.prefs.mode = self.prefs.mode.other();
        Task::none()
    }

    fn zoom(&mut self, larger: bool) -> Task<Message> {
        self.prefs.zoom(larger);
        Task::none()
    }

    pub(super) fn tick(&mut self) -> Task<Message> {
        self.now_ms = now_ms();
        self.toasts.tick(self.now_ms);
        self.remember();
        Task::batch([self.tell_panes(), self.report_frames()])
    }

    /// Tells the host what frames cost. Nobody waits for an answer: taking one in would be a frame again.
    fn report_frames(&self) -> Task<Message> {
        match self.meter.report() {
            Some(frames) if self.views.link == Link::Up => self
                .face
                .ask(move |mut host| async move { host.report_frames(frames).await })
                .discard(),
            _ => Task::none(),
        }
    }

    pub(super) fn close_requested(&mut self) -> Task<Message> {
        if self.is_online() && self.engine.is_some() && self.dialog.is_none() {
            self.dialog = Some(Dialog::CloseOnline);
            return Task::none();
        }
        self.quit()
    }

    /// Asks the host to stop; its end ends the program. A host that was only looked at goes on.
    pub(super) fn quit(&mut self) -> Task<Message> {
        self.remember();
        match &self.engine {
            Some(engine) if !self.stopping && self.failed.is_none() => {
                engine.stop();
                self.stopping = true;
                self.dialog = Some(Dialog::Stopping);
                Task::none()
            }
            _ => iced::exit(),
        }
    }

    /// Writes what the window remembers, where it changed since.
    fn remember(&mut self) {
        self.prefs.layout = self.grid.layout();
        if self.prefs != self.kept {
            self.prefs.write(&self.home);
            self.kept.clone_from(&self.prefs);
        }
    }
}
