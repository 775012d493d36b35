//! The window's state, and its table of messages.
/// The scene and the panes at once, which borrow different parts of the window.
macro_rules! scene_and_screens {
    ($app:ident) => {
        (
            crate::panes::Scene {
                views: &$app.views,
                face: &$app.face,
                home: &$app.home,
                key: $app.key.as_ref(),
                amounts: &$app.amounts,
                now_ms: $app.now_ms,
                zone: &$app.zone,
            },
            &mut $app.screens,
        )
    };
}

mod desk;
mod joy;
mod stage;
mod update;
mod view;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use autopilot_host::secrets::Key;
use autopilot_proto::control::v1::{PanesReply, StatusReply};
use iced::{Subscription, Task, window};
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    bus,
    celebration::{self, Celebration},
    command::Command,
    design::reach,
    ending,
    engine::{self, Engine},
    face::{self, Answer, Face, News, Views},
    first_run::{self, Proposed},
    frames::Meter,
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
    unlock,
    words::{self, Amounts},
};

use stage::Stage;

/// Views that are always watched: what is always in sight.
const ALWAYS: [&str; 8] = [
    "status", "earnings", "balance", "jobs", "panes", "tokens", "alerts", "provider",
];
/// Ages on the screen move on this often, in seconds.
const TICK_S: u64 = 5;

/// What the window is opened with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The home folder.
    pub home: PathBuf,
    /// Its control socket.
    pub socket: PathBuf,
    /// How the home folder is.
    pub begin: Begin,
    /// Held by whoever started it: told when everything runs, and ended with standard input.
    pub leash: bool,
    /// Where the host is put, for whoever waits for its end.
    pub ending: Ending,
}

/// A place for the host beside the window.
pub type Ending = Arc<Mutex<Option<Engine>>>;

/// Where a window begins.
#[derive(Clone, Debug)]
pub enum Begin {
    /// There is no home yet.
    FirstRun(Proposed),
    /// The identity is locked; why the keyring does not open it, where there is one.
    Locked(Option<String>),
    /// A host is started with this key.
    Host(Key),
    /// A host runs already, which is only looked at and driven.
    Attached,
    /// The home can't be used: why, and what can be done.
    Broken(String, String),
}

/// The window.
pub struct App {
    stage: Stage,
    leash: bool,
    ending: Ending,
    home: PathBuf,
    face: Face,
    engine: Option<Engine>,
    views: Views,
    screens: Screens,
    grid: Grid,
    prefs: Prefs,
    /// As they were written last.
    kept: Prefs,
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
    /// What opens the identity, where it was opened here.
    key: Option<Key>,
    /// What is being celebrated.
    celebration: Option<Celebration>,
    /// The icon in the tray, and what it says.
    tray: Option<bus::Tray>,
    said_in_tray: String,
    /// What was earned when it was last looked at.
    earned_msat: Option<u64>,
    /// What frames cost.
    meter: Meter,
}

/// What can happen.
#[allow(
    clippy::large_enum_variant,
    reason = "a message lives for a moment, and there are few at a time"
)]
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
    /// In the first run.
    FirstRun(first_run::Message),
    /// In front of a locked identity.
    Unlock(unlock::Message),
    /// In a celebration.
    Celebration(celebration::Message),
    /// The answer to what nobody waits for.
    Noted,
    /// The tray.
    Tray(bus::Event),
    /// A file was dropped on the window.
    Dropped(PathBuf),
    /// Time passed.
    Tick,
    /// The window is to be closed.
    CloseRequested,
    /// The program is to end, and nobody is there to be asked.
    EndRequested,
}

impl App {
    /// Opens the window, and starts the host where none runs.
    pub fn new(start: Start) -> (App, Task<Message>) {
        let prefs = Prefs::read(&start.home);
        let key = match &start.begin {
            Begin::Host(key) => Some(key.clone()),
            _ => None,
        };
        let mut app = App {
            stage: Stage::of(start.begin, &start.home),
            leash: start.leash,
            ending: start.ending,
            face: Face::new(start.socket),
            home: start.home,
            engine: None,
            views: Views::default(),
            screens: Screens::default(),
            grid: Grid::new(prefs.layout.as_ref()),
            amounts: Amounts {
                hidden: prefs.hidden,
                rate: None,
            },
            kept: prefs.clone(),
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
            key: None,
            celebration: None,
            tray: None,
            said_in_tray: String::new(),
            earned_msat: None,
            meter: Meter::default(),
        };
        let ending = Task::future(ending::asked(start.leash)).map(|()| Message::EndRequested);
        let host = key.map_or(Task::none(), |key| app.start_host(key));
        (app, Task::batch([host, ending, bus::tray().map(Message::Tray)]))
    }

    /// The title of the window: how things stand, or what there is to be glad of.
    pub fn title(&self) -> String {
        match &self.celebration {
            Some(celebration) => format!("Autopilot – {}", celebration.title()),
            None => {
                let (word, _) = bar::state(&self.views, self.going_online, self.now_ms);
                format!("Autopilot – {word}")
            }
        }
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
        self.meter.entered(now_ms());
        let front = self.front();
        let task = self.react(message);
        // What lies behind something new is not pressed by a key.
        match self.front() {
            Some(now) if front != Some(now) => Task::batch([task, reach::leave()]),
            _ => task,
        }
    }

    fn react(&mut self, message: Message) -> Task<Message> {
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
            Message::FirstRun(message) => self.in_first_run(message),
            Message::Unlock(message) => self.in_unlock(message),
            Message::Celebration(message) => self.in_celebration(message),
            Message::Noted => Task::none(),
            Message::Tray(event) => self.in_tray(event),
            Message::Dropped(path) => self.dropped(path),
            Message::Tick => self.tick(),
            Message::CloseRequested => self.close_requested(),
            Message::EndRequested => self.quit(),
        }
    }

    /// What the window listens to.
    pub fn subscription(&self) -> Subscription<Message> {
        let watch = match self.stage {
            Stage::Desk => face::watch(&self.face, self.watched(), words::day(self.now_ms, &self.zone)),
            _ => Subscription::none(),
        };
        Subscription::batch([
            watch.map(Message::News),
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
            key: self.key.as_ref(),
            amounts: &self.amounts,
            now_ms: self.now_ms,
            zone: &self.zone,
        }
    }
}

/// Keys are heard even where a field has the focus: a focused field takes Escape for itself.
fn on_event(event: iced::Event, status: iced::event::Status, _: window::Id) -> Option<Message> {
    if let iced::Event::Window(window::Event::FileDropped(path)) = event {
        return Some(Message::Dropped(path));
    }
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

pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
