//! The window: reads views, writes commands. It holds no sum of money, no ledger, no wallet and no relay: everything that
//! it shows is an answer of the host, and everything that it does is a command to it.
pub mod app;
pub mod bus;
pub mod celebration;
pub mod command;
pub mod design;
pub mod display;
mod ending;
pub mod engine;
pub mod face;
pub mod first_run;
pub mod frames;
pub mod paging;
pub mod palette;
pub mod panes;
pub mod prefs;
mod scan;
pub mod shell;
pub mod shortcuts;
pub mod unlock;
pub mod words;

use app::App;
pub use app::{Begin, Ending, Start};
pub use first_run::Proposed;

/// Opens the window and runs until it is closed. The host beside it has ended by then.
///
/// # Errors
/// Where there is no display, or it can't be drawn on.
pub fn run(start: Start) -> iced::Result {
    let ending = start.ending.clone();
    let boot = move || App::new(start.clone());
    let mut window = iced::application(boot, App::update, App::view)
        .title(App::title)
        .theme(App::theme)
        .scale_factor(App::scale)
        .subscription(App::subscription)
        .default_font(design::fonts::BODY)
        .window(iced::window::Settings {
            size: iced::Size::new(1_360.0, 860.0),
            min_size: Some(iced::Size::new(720.0, 480.0)),
            exit_on_close_request: false,
            ..iced::window::Settings::default()
        });
    for font in design::fonts::files() {
        window = window.font(font);
    }
    let done = window.run();
    // However the window ended, the host ends in good order.
    let engine = ending.lock().ok().and_then(|mut engine| engine.take());
    if let Some(engine) = engine {
        engine.join();
    }
    done
}
