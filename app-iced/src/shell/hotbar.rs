//! Common panes, one click away.
use autopilot_host::desk::Pane;
use iced::{
    Length,
    widget::{button, container, row, text},
};

use crate::{
    command::Command,
    design::{Element, caption, choice, reachable, size, space, theme},
    shortcuts,
};

/// The panes of the hotbar, in order.
const PANES: [Pane; 9] = [
    Pane::GoOnline,
    Pane::EarningsScoreboard,
    Pane::ActiveJob,
    Pane::JobInbox,
    Pane::JobHistory,
    Pane::Wallet,
    Pane::PayInvoice,
    Pane::AlertsRecovery,
    Pane::Settings,
];

/// What was asked.
#[derive(Clone, Copy, Debug)]
pub enum Message {
    /// A command.
    Command(Command),
    /// The palette.
    Palette,
}

/// The hotbar.
pub fn view<'a>(open: &[Pane]) -> Element<'a, Message> {
    let panes = PANES.iter().map(|pane| {
        let command = Command::Open(*pane);
        let name = row![text(pane.label()).size(size::CAPTION)]
            .push(shortcuts::of(command).map(caption))
            .spacing(space::XS);
        let button = button(name).padding([space::XS, space::S]);
        let button = button.style(theme::row(open.contains(pane)));
        reachable(button.on_press(Message::Command(command)), true)
    });
    let panes = row(panes).spacing(space::XS).wrap();
    row![
        container(panes).width(Length::Fill),
        choice("Find: Ctrl+K", Some(Message::Palette))
    ]
    .spacing(space::S)
    .into()
}
