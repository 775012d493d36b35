//! Shortcuts as data.
use autopilot_host::desk::Pane;
use iced::keyboard::{Key, Modifiers, key::Named};

use crate::command::Command;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// Opens or closes the palette.
    Palette,
    /// Ends what is in front: palette, dialog, celebration.
    Escape,
    /// Up or down in a list of choices.
    Move(isize),
    /// Takes what is chosen.
    Enter,
    /// To the next field, or the one before.
    Field {
        /// Backwards.
        back: bool,
    },
    /// A command.
    Command(Command),
}

/// Commands with Ctrl and a character.
const WITH_CONTROL: [(&str, Command); 16] = [
    ("1", Command::Open(Pane::GoOnline)),
    ("2", Command::Open(Pane::EarningsScoreboard)),
    ("3", Command::Open(Pane::ActiveJob)),
    ("4", Command::Open(Pane::JobInbox)),
    ("5", Command::Open(Pane::JobHistory)),
    ("6", Command::Open(Pane::Wallet)),
    ("7", Command::Open(Pane::PayInvoice)),
    ("8", Command::Open(Pane::AlertsRecovery)),
    (",", Command::Open(Pane::Settings)),
    ("g", Command::Toggle),
    ("h", Command::HideAmounts),
    ("u", Command::SwitchUnit),
    ("w", Command::ClosePane),
    ("m", Command::Maximize),
    ("q", Command::Quit),
    ("+", Command::Larger),
];

/// What a key press asks for. A pure function, so that it can be tested without a window.
pub fn stroke(key: &Key, modifiers: Modifiers) -> Option<Stroke> {
    match key.as_ref() {
        Key::Named(Named::Escape) => Some(Stroke::Escape),
        Key::Named(Named::ArrowUp) => Some(Stroke::Move(-1)),
        Key::Named(Named::ArrowDown) => Some(Stroke::Move(1)),
        Key::Named(Named::Enter) => Some(Stroke::Enter),
        Key::Named(Named::Tab) if modifiers.control() => Some(Stroke::Command(Command::NextPane)),
        Key::Named(Named::Tab) => Some(Stroke::Field {
            back: modifiers.shift(),
        }),
        Key::Character(character) if modifiers.control() => match character.to_lowercase().as_str() {
            "k" => Some(Stroke::Palette),
            "=" => Some(Stroke::Command(Command::Larger)),
            "-" => Some(Stroke::Command(Command::Smaller)),
            "l" => Some(Stroke::Command(Command::SwitchTheme)),
            character => WITH_CONTROL
                .iter()
                .find(|(known, _)| *known == character)
                .map(|(_, command)| Stroke::Command(*command)),
        },
        _ => None,
    }
}

/// The shortcut of a command, as it is written beside it.
pub fn of(command: Command) -> Option<String> {
    match command {
        Command::NextPane => Some("Ctrl+Tab".to_owned()),
        Command::Smaller => Some("Ctrl+-".to_owned()),
        Command::SwitchTheme => Some("Ctrl+L".to_owned()),
        _ => WITH_CONTROL
            .iter()
            .find(|(_, known)| *known == command)
            .map(|(key, _)| format!("Ctrl+{}", key.to_uppercase())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shortcut_that_is_shown_does_what_it_says() {
        for command in Command::all() {
            let Some(written) = of(command) else { continue };
            let key = match written.strip_prefix("Ctrl+").unwrap() {
                "Tab" => Key::Named(Named::Tab),
                character => Key::Character(character.into()),
            };
            assert_eq!(
                stroke(&key, Modifiers::CTRL),
                Some(Stroke::Command(command)),
                "{written}"
            );
        }
        assert_eq!(
            stroke(&Key::Character("k".into()), Modifiers::CTRL),
            Some(Stroke::Palette)
        );
        assert_eq!(stroke(&Key::Character("k".into()), Modifiers::empty()), None);
    }
}
