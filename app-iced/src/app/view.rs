//! What the window shows: the bars, the panes, and what lies over them.
use iced::{
    Length,
    widget::{center, column, container, mouse_area, opaque, stack},
};

use super::{App, Message};
use crate::{
    design::{Element, Tone, body, caption, heading, space, theme, toned},
    shell::{bar, hotbar},
};

impl App {
    /// Everything.
    pub fn view(&self) -> Element<'_, Message> {
        let scene = self.scene();
        let content: Element<'_, Message> = match &self.failed {
            Some(words) => failed(words),
            None => self.grid.view(&self.screens, &scene).map(Message::Grid),
        };
        let base = column![
            bar::view(&scene, self.going_online).map(Message::Bar),
            container(hotbar::view(&self.grid.open_panes()).map(Message::Hotbar)).padding([0.0, space::M]),
            container(content).padding(space::M).height(Length::Fill),
        ]
        .spacing(space::S);
        let toasts = container(self.toasts.view())
            .align_right(Length::Fill)
            .align_bottom(Length::Fill)
            .padding(space::L);
        let mut layers = stack![base, toasts];
        if let Some(palette) = &self.palette {
            let content = container(palette.view().map(Message::Palette))
                .center_x(Length::Fill)
                .padding(space::L * 3.0);
            layers = layers.push(over(content, Message::TogglePalette));
        }
        if let Some(dialog) = self.dialog {
            let content = center(dialog.view().map(Message::Dialog));
            layers = layers.push(opaque(container(content).style(theme::veil)));
        }
        layers.into()
    }
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
            "Put the cause right, then start Autopilot again. `autopilotctl doctor` looks at everything that earning needs."
        ),
    ];
    center(lines.spacing(space::M).max_width(620.0)).into()
}
