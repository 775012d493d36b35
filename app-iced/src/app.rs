//! The window's state, and its table of messages.
/// The scene and the panes at once, which borrow different parts of the window.
macro_rules! scene_and_screens {
    ($app:ident) => {
        (
            crate::panes::Scene {
                views: &$app.views,
                face: &$app.face,
                home: &$app.home,
                amounts: &$app.amounts,
                now_ms: $app.now_ms,
                zone: &$app.zone,
            },
            &mut $app.screens,
        )
    };
}

mod desk;
mod update;
mod view;

use std::path::PathBuf;

use autopilot_host::secrets::Key;
use autopilot_proto::control::v1::{PanesReply, StatusReply};
use iced::{Subscription, Task, window};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    command::Command,
    engine::{self, Engine},
    face::{self, Answer, Face, News, Views},
    palette::{self, Palette},
    panes::{self, Scene, Screens},
    prefs::Prefs,
    shell::{
        bar,
        dialog::{self, Dialog},
        grid::{self, Grid},
        hotbar,
        toast::Toasts,
    },
    shortcuts::{self, Stroke},
    words::{self, Amounts},
};

/// Views that are always watched: what is always in sight.
const ALWAYS: [&str; 6] = ["status", "earnings", "balance", "jobs", "panes", "tokens"];
/// Ages on the screen move on this often, in seconds.
const TICK_S: u64 = 5;

/// What the window is opened with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The home folder.
    pub home: PathBuf,
    /// Its control socket.
    pub socket: PathBuf,
    /// What opens the identity; none where a host runs already, which is only looked at and driven.
    pub key: Option<Key>,
}

/// The window.
pub struct App {
    home: PathBuf,
    face: Face,
    engine: Option<Engine>,
    views: Views,
    screens: Screens,
    grid: Grid,
    prefs: Prefs,
    amounts: Amounts,
    palette: Option<Palette>,
    dialog: Option<Dialog>,
    toasts: Toasts,
    now_ms: i64,
    zone: TimeZone,
    /// The answer to "go online" is awaited.
    going_online: bool,
    /// Panes that were opened or closed here and that the host has not confirmed.
    unconfirmed: u32,
    /// The host knows which panes are open here.
    introduced: bool,
    /// The host is being stopped.
    stopping: bool,
    /// Why the host did not start, or had to stop.
    failed: Option<String>,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum Message {
    /// Views changed.
    News(News),
    /// The host beside the window.
    Engine(engine::Event),
    /// A command of the palette, a shortcut or a button.
    Command(Command),
    /// A key.
    Stroke(Stroke),
    /// In the palette.
    Palette(palette::Message),
    /// The palette is to be opened or closed.
    TogglePalette,
    /// In the bar.
    Bar(bar::Message),
    /// In the hotbar.
    Hotbar(hotbar::Message),
    /// In the grid.
    Grid(grid::Message),
    /// In a dialog.
    Dialog(dialog::Message),
    /// In a pane.
    Screen(panes::Message),
    /// The answer to going online or offline.
    Toggled(Answer<StatusReply>),
    /// The answer to opening or closing a pane.
    Confirmed(Answer<PanesReply>),
    /// Time passed.
    Tick,
    /// The window is to be closed.
    CloseRequested,
}

impl App {
    /// Opens the window, and starts the host where none runs.
    pub fn new(start: Start) -> (App, Task<Message>) {
        let prefs = Prefs::read(&start.home);
        let (engine, events) = match start.key {
            Some(key) => {
                let (engine, events) = Engine::start(start.home.clone(), key);
                (Some(engine), events.map(Message::Engine))
            }
            None => (None, Task::none()),
        };
        let app = App {
            face: Face::new(start.socket),
            home: start.home,
            engine,
            views: Views::default(),
            screens: Screens::default(),
            grid: Grid::new(prefs.layout.as_ref()),
            amounts: Amounts {
                hidden: prefs.hidden,
                rate: None,
            },
            prefs,
            palette: None,
            dialog: None,
            toasts: Toasts::default(),
            now_ms: now_ms(),
            zone: TimeZone::system(),
            going_online: false,
            unconfirmed: 0,
            introduced: false,
            stopping: false,
            failed: None,
        };
        (app, events)
    }

    /// The title of the window.
    pub fn title(&self) -> String {
        let (word, _) = bar::state(&self.views, self.going_online, self.now_ms);
        format!("Autopilot – {word}")
    }

    /// Its colours.
    pub fn theme(&self) -> iced::Theme {
        self.prefs.mode.theme()
    }

    /// Its scale.
    pub fn scale(&self) -> f32 {
        f32::from(self.prefs.scale) / 100.0
    }

    /// The table of what happens on what.
    pub fn update(&mut self, message: Message) -> Task<Message> {
        match message {
            Message::News(news) => self.news(news),
            Message::Engine(event) => self.engine(event),
            Message::Command(command) => self.command(command),
            Message::Stroke(stroke) => self.stroke(stroke),
            Message::Palette(message) => self.in_palette(message),
            Message::TogglePalette => self.toggle_palette(),
            Message::Bar(message) => self.in_bar(message),
            Message::Hotbar(message) => self.in_hotbar(message),
            Message::Grid(message) => self.in_grid(message),
            Message::Dialog(message) => self.in_dialog(message),
            Message::Screen(message) => self.in_pane(message),
            Message::Toggled(answer) => self.toggled(answer),
            Message::Confirmed(answer) => self.confirmed(answer),
            Message::Tick => self.tick(),
            Message::CloseRequested => self.close_requested(),
        }
    }

    /// What the window listens to.
    pub fn subscription(&self) -> Subscription<Message> {
        Subscription::batch([
            face::watch(&self.face, self.watched(), words::day(self.now_ms, &self.zone)).map(Message::News),
            iced::event::listen_with(on_event),
            iced::time::every(std::time::Duration::from_secs(TICK_S)).map(|_| Message::Tick),
            window::close_requests().map(|_| Message::CloseRequested),
        ])
    }

    /// Views that are always watched, and those of the open panes.
    fn watched(&self) -> Vec<&'static str> {
        let open = self.grid.open_panes();
        let of_panes = open
            .into_iter()
            .flat_map(|pane| Screens::views(pane).iter().copied());
        let mut views: Vec<_> = ALWAYS.into_iter().chain(of_panes).collect();
        views.sort_unstable();
        views.dedup();
        views
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            views: &self.views,
            face: &self.face,
            home: &self.home,
            amounts: &self.amounts,
            now_ms: self.now_ms,
            zone: &self.zone,
        }
    }

    /// The host beside the window, for whoever has to wait for its end.
    pub fn engine_handle(&self) -> Option<Engine> {
        self.engine.clone()
    }
}

/// Keys are heard even where a field has the focus: a focused field takes Escape for itself.
fn on_event(event: iced::Event, status: iced::event::Status, _: window::Id) -> Option<Message> {
    let iced::Event::Keyboard(iced::keyboard::Event::KeyPressed { key, modifiers, .. }) = event else {
        return None;
    };
    let stroke = shortcuts::stroke(&key, modifiers)?;
    let taken = status == iced::event::Status::Captured;
    // What a field did with a key is not done twice.
    match (taken, stroke) {
        (true, Stroke::Enter | Stroke::Field { .. }) => None,
        _ => Some(Message::Stroke(stroke)),
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
