//! The first sats, and the round sums after them: shown once, because a fact says that they were reached and another one
//! that they were shown.
use autopilot_proto::control::v1::Celebration as Reached;
use iced::widget::{column, container, row};

use crate::design::{Element, Tone, action, body, caption, choice, fill, hero, space, theme};

/// Round sums that were reached and shown to nobody yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Celebration {
    /// Each of them, the smallest first.
    pub reached: Vec<u64>,
}

impl Celebration {
    /// What there is to celebrate, if anything.
    pub fn of(reached: &[Reached]) -> Option<Celebration> {
        let reached: Vec<_> = reached.iter().map(|reached| reached.sats).collect();
        (!reached.is_empty()).then_some(Celebration { reached })
    }

    /// In words: several that one payment reached are one joy.
    pub fn title(&self) -> String {
        match (self.reached.first(), self.reached.last()) {
            (Some(1), Some(sats)) if *sats > 1 => format!("Your first {sats} sats!"),
            (Some(1), _) => "Your first sats!".to_owned(),
            (_, sats) => format!("{} sats!", sats.copied().unwrap_or_default()),
        }
    }
}

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
    let words = match celebration.reached.first() {
        Some(1) => "This machine earned them: the wallet has them, and the ledger can prove it.",
        _ => "Each of them settled in your wallet, each with its proof.",
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
        body(
            "Unlock custody of your sats: write down twelve words, and no broken disk can take your identity."
        ),
        row![
            action("Back up the words", Some(Message::BackUp)),
            fill(),
            choice("Later", Some(Message::Seen)),
        ]
        .spacing(space::S),
    ]
    .spacing(space::S);
    let lines = column![hero(celebration.title(), Tone::Accent), body(words)]
        .push(notify)
        .push(back_up);
    container(lines.spacing(space::M))
        .padding(space::L)
        .width(520.0)
        .style(theme::overlay)
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_payment_reached_is_one_joy() {
        let of = |sums: &[u64]| {
            let reached: Vec<_> = sums
                .iter()
                .map(|sats| Reached {
                    sats: *sats,
                    ..Reached::default()
                })
                .collect();
            Celebration::of(&reached).map(|celebration| celebration.title())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[1]).unwrap(), "Your first sats!");
        assert_eq!(of(&[1, 10]).unwrap(), "Your first 10 sats!");
        assert_eq!(of(&[25, 50]).unwrap(), "50 sats!");
    }
}
