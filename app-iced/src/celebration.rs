//! The first sats, and the round sums after them: shown once, because a fact says that they were reached and another one
//! that they were shown.
use autopilot_proto::control::v1::Celebration;
use iced::widget::{column, container, row};

use crate::design::{Element, Tone, action, body, caption, choice, fill, hero, space, theme};

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// It was seen.
    Seen,
    /// It was seen, and the words are to be backed up now.
    BackUp,
    /// Desktop notifications are wanted from now on, or not.
    Notify(bool),
}

/// What is celebrated.
pub fn view<'a>(celebration: &Celebration, asks_to_notify: bool) -> Element<'a, Message> {
    let first = celebration.sats == 1;
    let title = match first {
        true => "Your first sats!".to_owned(),
        false => format!("{} sats!", celebration.sats),
    };
    let words = match first {
        true => "This machine earned them: the wallet has them, and the ledger can prove it.",
        false => "Each of them settled in your wallet, each with its proof.",
    };
    let notify = asks_to_notify.then(|| {
        row![
            caption("Tell you on the desktop when sats arrive?"),
            choice("Yes", Some(Message::Notify(true))),
            choice("No", Some(Message::Notify(false))),
        ]
        .spacing(space::S)
        .align_y(iced::Alignment::Center)
    });
    let back_up = column![
        body("Unlock custody of your sats: write down twelve words, and no broken disk can take your identity."),
        row![
            action("Back up the words", Some(Message::BackUp)),
            fill(),
            choice("Later", Some(Message::Seen)),
        ]
        .spacing(space::S),
    ]
    .spacing(space::S);
    let lines = column![hero(title, Tone::Accent), body(words)].push(notify).push(back_up);
    container(lines.spacing(space::M))
        .padding(space::L)
        .width(520.0)
        .style(theme::overlay)
        .into()
}
