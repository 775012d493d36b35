//! The line that a message is written in.
use autopilot_host::secrets;
use autopilot_proto::control::v1::ChatThreadsReply;
use iced::{
    Alignment, Length,
    widget::{column, row, text_input},
};

use super::Message;
use crate::design::{Element, Tone, action, caption, size, space, theme, toned};

/// Name of the field, for the keyboard.
pub const FIELD: &str = "Write to the model";

/// Bytes of a message at most, until the host says how many.
const USUAL_MOST: u64 = 16 << 10;

/// What is written, and whether it is on its way.
#[derive(Debug, Default)]
pub(super) struct Line {
    text: String,
    /// Of this text: sent again with it, it is the same message.
    key: Option<String>,
    under_way: bool,
}

impl Line {
    pub(super) fn typed(&mut self, text: String) {
        if !self.under_way {
            self.text = text;
            self.key = None;
        }
    }

    /// What could be sent now.
    pub(super) fn message(&self) -> Option<&str> {
        let fits = self.text.len() as u64 <= USUAL_MOST;
        (fits && !self.under_way && !self.text.trim().is_empty()).then_some(self.text.as_str())
    }

    /// Takes what can be sent on its way: the text and its key.
    pub(super) fn sending(&mut self) -> Option<(String, String)> {
        let text = self.message()?.to_owned();
        if self.key.is_none() {
            // Without randomness there is no key, and a repeat is another message.
            self.key = secrets::random::<16>().ok().map(hexadecimal);
        }
        self.under_way = true;
        Some((text, self.key.clone().unwrap_or_default()))
    }

    /// It is there; or it is not, and stays to be sent again.
    pub(super) fn answered(&mut self, there: bool) {
        self.under_way = false;
        if there {
            *self = Line::default();
        }
    }

    pub(super) fn view<'a>(&'a self, chat: &'a ChatThreadsReply, goes_on: bool) -> Element<'a, Message> {
        let most = if chat.text_bytes_max == 0 { USUAL_MOST } else { chat.text_bytes_max };
        let bytes = self.text.len() as u64;
        let ready = self.message().is_some();
        let input = text_input(FIELD, &self.text)
            .id(FIELD)
            .size(size::BODY)
            .padding(space::S)
            .style(theme::field(bytes > most))
            .on_input(Message::Typed)
            .on_submit_maybe(ready.then_some(Message::Send));
        let label = if goes_on { "Send" } else { "Begin" };
        let line = row![input.width(Length::Fill), action(label, ready.then_some(Message::Send))]
            .spacing(space::S)
            .align_y(Alignment::Center);
        let below: Element<'a, Message> = match () {
            () if bytes > most => toned(format!("{bytes} bytes, at most {most}: shorten it"), Tone::Bad).into(),
            () if self.under_way => caption("On its way …").into(),
            () if !chat.waits_because.is_empty() => {
                caption(format!("{} waiting: {}", chat.waiting, chat.waits_because)).into()
            }
            () if chat.model.is_empty() => caption("No model is ready: a message waits for one.").into(),
            () => caption(format!("{} answers. Paid jobs go first.", chat.model)).into(),
        };
        column![line, below].spacing(space::XS).into()
    }
}

fn hexadecimal(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_sent_again_keeps_its_key_and_another_text_has_another() {
        let mut line = Line::default();
        assert_eq!(line.sending(), None, "there is nothing to send");
        line.typed("hello".to_owned());
        let (text, key) = line.sending().unwrap();
        assert_eq!((text.as_str(), key.len()), ("hello", 32));
        assert_eq!(line.sending(), None, "it is on its way");
        line.answered(false);
        assert_eq!(line.sending().unwrap().1, key);
        line.answered(false);
        line.typed("hello you".to_owned());
        assert_ne!(line.sending().unwrap().1, key);
        line.answered(true);
        assert_eq!(line.message(), None, "it is sent");
    }

    #[test]
    fn a_message_that_is_too_long_stays() {
        let mut line = Line::default();
        line.typed("é".repeat(USUAL_MOST as usize / 2));
        assert!(line.message().is_some());
        line.typed("é".repeat(USUAL_MOST as usize / 2 + 1));
        assert_eq!(line.message(), None);
    }
}
