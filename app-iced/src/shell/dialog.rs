//! A question that has to be answered first.
use iced::widget::{column, container, row};

use crate::design::{Element, action, body, choice, danger, fill, heading, space, theme};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// The window is being closed while it is online.
    CloseOnline,
    /// Everything is being stopped.
    Stopping,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Go offline, stop everything and end.
    Quit,
    /// Not now.
    Stay,
}

impl Dialog {
    /// What it shows.
    pub fn view<'a>(self) -> Element<'a, Message> {
        let content: Element<'a, Message> = match self {
            Dialog::CloseOnline => column![
                heading("You are online"),
                body("Quitting goes offline first, so that nobody sends a job to a machine that is not there. A job that is being worked on is given up; what is owed to you stays yours."),
                row![
                    fill(),
                    action("Stay online", Some(Message::Stay)),
                    danger("Go offline and quit", Some(Message::Quit)),
                ]
                .spacing(space::S),
            ]
            .spacing(space::M)
            .into(),
            Dialog::Stopping => column![
                heading("Stopping …"),
                body("Going offline, then closing the wallet and the ledger in good order. This takes a few seconds."),
                row![fill(), choice("End at once", Some(Message::Quit))],
            ]
            .spacing(space::M)
            .into(),
        };
        container(content)
            .padding(space::L)
            .width(480.0)
            .style(theme::overlay)
            .into()
    }
}
