//! What the window shows: the bars, the panes, and what lies over them.
use autopilot_proto::control::v1::ModelFetch;
use iced::{
    Length,
    widget::{center, column, container, mouse_area, opaque, progress_bar, row, stack},
};

use super::{App, Message, stage::Stage};
use crate::{
    celebration,
    design::{Element, Tone, body, caption, heading, space, theme, toned},
    frames::metered,
    shell::{bar, hotbar},
    words::span,
};

/// Ids of what lies over everything else until it is answered.
const CELEBRATION: &str = "celebration";
const DIALOG: &str = "dialog";

impl App {
    /// The id of what has to be answered first: the keyboard reaches nothing behind it.
    pub(super) fn front(&self) -> Option<&'static str> {
        let celebrated = self.celebration.as_ref().map(|_| CELEBRATION);
        self.dialog.map(|_| DIALOG).or(celebrated)
    }

    /// Everything.
    pub fn view(&self) -> Element<'_, Message> {
        let base = match &self.stage {
            Stage::FirstRun(page) => page.view().map(Message::FirstRun),
            Stage::Locked(page) => page.view().map(Message::Unlock),
            Stage::Broken(what, next) => broken(what, next),
            Stage::Desk => self.desk(),
        };
        let toasts = container(self.toasts.view())
            .align_right(Length::Fill)
            .align_bottom(Length::Fill)
            .padding(space::L);
        let mut layers = stack![base, toasts];
        if let Some(celebration) = &self.celebration {
            let asks = self.prefs.notify.is_none();
            let content = celebration::view(celebration, asks).map(Message::Celebration);
            let layer = container(center(content)).id(CELEBRATION);
            layers = layers.push(opaque(layer.style(theme::veil)));
        }
        if let Some(palette) = &self.palette {
            let content = container(palette.view().map(Message::Palette))
                .center_x(Length::Fill)
                .padding(space::L * 3.0);
            layers = layers.push(over(content, Message::TogglePalette));
        }
        if let Some(dialog) = self.dialog {
            let content = center(dialog.view().map(Message::Dialog));
            layers = layers.push(opaque(container(content).id(DIALOG).style(theme::veil)));
        }
        metered(layers.into(), &self.meter)
    }

    /// The bars and the panes.
    fn desk(&self) -> Element<'_, Message> {
        let scene = self.scene();
        let content: Element<'_, Message> = match &self.failed {
            Some(words) => failed(words),
            None => self.grid.view(&self.screens, &scene).map(Message::Grid),
        };
        column![
            bar::view(&scene, self.going_online).map(Message::Bar),
            container(hotbar::view(&self.grid.open_panes()).map(Message::Hotbar)).padding([0.0, space::M]),
        ]
        .push(
            self.views
                .status
                .value
                .as_ref()
                .and_then(|status| status.model_fetch.as_ref())
                .map(fetching),
        )
        .push(container(content).padding(space::M).height(Length::Fill))
        .spacing(space::S)
        .into()
    }
}

/// A model on its way.
fn fetching<'a>(fetch: &ModelFetch) -> Element<'a, Message> {
    const MIB: u64 = 1 << 20;
    if !fetch.problem.is_empty() {
        let again = fetch.again.then(|| caption("It is tried again by itself."));
        let words = format!("The model {} is not here yet: {}", fetch.name, fetch.problem);
        return row![toned(words, Tone::Bad)]
            .push(again)
            .spacing(space::S)
            .padding([0.0, space::M])
            .into();
    }
    let left = fetch.left_s.map_or(String::new(), |s| {
        format!(", {} left", span(s.saturating_mul(1_000)))
    });
    let words = format!(
        "Fetching the model {}: {} of {} MiB, {} MiB/s{left}",
        fetch.name,
        fetch.have_bytes / MIB,
        fetch.total_bytes / MIB,
        fetch.bytes_per_s / MIB
    );
    // A share of a bar: what is lost in it is less than a pixel.
    let share = match fetch.total_bytes {
        0 => 0.0,
        total => fetch.have_bytes as f32 / total as f32,
    };
    column![caption(words), progress_bar(0.0..=1.0, share).girth(space::XS)]
        .spacing(space::XS)
        .padding([0.0, space::M])
        .into()
}

/// The home can't be used.
fn broken<'a>(what: &'a str, next: &'a str) -> Element<'a, Message> {
    let lines = column![
        heading("This home folder can't be used as it is"),
        toned(what, Tone::Bad),
        body(next),
        caption("Nothing was changed."),
    ];
    center(lines.spacing(space::M).max_width(620.0)).into()
}

/// Something over everything else; a click beside it ends it.
fn over<'a>(content: impl Into<Element<'a, Message>>, beside: Message) -> Element<'a, Message> {
    opaque(
        mouse_area(
            container(content)
                .width(Length::Fill)
                .height(Length::Fill)
                .style(theme::veil),
        )
        .on_press(beside),
    )
}

/// The host did not start, or had to stop.
fn failed(words: &str) -> Element<'_, Message> {
    let lines = column![
        heading("The engine did not start"),
        toned(words, Tone::Bad),
        body("Nothing is lost: the ledger and the wallet are as they were."),
        caption(
            "Put the cause right, then start Autopilot again. In a terminal, `autopilotctl doctor` looks at everything that earning needs."
        ),
    ];
    center(lines.spacing(space::M).max_width(620.0)).into()
}
