//! The field that a message is written in: Enter sends it, Shift+Enter begins a line.
use autopilot_host::secrets;
use autopilot_proto::control::v1::ChatThreadsReply;
use iced::{
    Alignment, Length,
    keyboard::{Key, key::Named},
    widget::{
        column, container, row,
        text_editor::{self, Binding, KeyPress, Status},
    },
};

use super::Message;
use crate::design::{Element, Tone, action, caption, size, space, theme, toned};

/// Name of the field, for the keyboard.
pub const FIELD: &str = "Write to the model";

/// Height of the field at most, in logical pixels: some eight lines, and what is above them scrolls.
const HEIGHT_MOST: f32 = 180.0;
/// Bytes of a message at most, until the host says how many.
const USUAL_MOST: u64 = 16 << 10;

/// What is written, and whether it is on its way.
#[derive(Debug, Default)]
pub(super) struct Line {
    written: text_editor::Content,
    /// Of this text: sent again with it, it is the same message.
    key: Option<String>,
    under_way: bool,
}

impl Line {
    /// Something is typed, pasted, marked or moved to. What is on its way is not changed.
    pub(super) fn edited(&mut self, action: text_editor::Action) {
        if action.is_edit() {
            if self.under_way {
                return;
            }
            self.key = None;
        }
        self.written.perform(action);
    }

    fn bytes(&self) -> u64 {
        let lines = self.written.lines().map(|line| line.text.len() as u64 + 1);
        lines.sum::<u64>().saturating_sub(1)
    }

    /// What could be sent now.
    pub(super) fn message(&self) -> Option<String> {
        let fits = self.bytes() <= USUAL_MOST;
        let text = (fits && !self.under_way).then(|| self.written.text());
        text.filter(|text| !text.trim().is_empty())
    }

    /// Takes what can be sent on its way: the text and its key.
    pub(super) fn sending(&mut self) -> Option<(String, String)> {
        let text = self.message()?;
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
        let bytes = self.bytes();
        let ready = self.message().is_some();
        let input = text_editor::TextEditor::new(&self.written)
            .id(FIELD)
            .placeholder(FIELD)
            .size(size::BODY)
            .padding(space::S)
            .height(Length::Shrink)
            .max_height(HEIGHT_MOST)
            .style(theme::editor(bytes > most))
            .key_binding(move |press| pressed(press, ready))
            .on_action(Message::Edited);
        let label = if goes_on { "Send" } else { "Begin" };
        let line = row![container(input).width(Length::Fill), action(label, ready.then_some(Message::Send))]
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

/// Enter sends what can be sent; Tab goes on to the button, as everywhere.
fn pressed(press: KeyPress, ready: bool) -> Option<Binding<Message>> {
    if !matches!(press.status, Status::Focused { .. }) {
        return None;
    }
    match press.key.as_ref() {
        Key::Named(Named::Enter) if !press.modifiers.shift() => ready.then_some(Binding::Custom(Message::Send)),
        Key::Named(Named::Tab) => None,
        _ => Binding::from_key_press(press),
    }
}

fn hexadecimal(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use iced::widget::text_editor::{Action, Edit};

    use super::*;

    impl Line {
        fn typed(&mut self, text: String) {
            self.edited(Action::SelectAll);
            self.edited(Action::Edit(Edit::Paste(Arc::new(text))));
        }
    }

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
        line.typed("too late".to_owned());
        line.answered(true);
        assert_eq!(line.message(), None, "it is sent");
    }

    #[test]
    fn a_message_may_have_lines() {
        let mut line = Line::default();
        line.typed("one".to_owned());
        line.edited(Action::Edit(Edit::Enter));
        line.edited(Action::Edit(Edit::Insert('2')));
        assert_eq!(line.message().as_deref(), Some("one\n2"));
        assert_eq!(line.bytes(), 5);
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
