//! The palette (Ctrl+K): finds a command by a few of its letters.
use iced::{
    Length, Task,
    widget::{button, column, container, operation, row, scrollable, text_input},
};

use crate::{
    command::Command,
    design::{Element, Sheet, body, caption, fill, size, space, theme},
    first_run, panes, shortcuts, unlock,
};

/// Id of the field, for the keyboard's focus.
const FIELD: &str = "palette";
/// Height of the list at most, in logical pixels.
const LIST_MOST: f32 = 420.0;

/// Something that can be chosen.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is searched and shown.
    pub label: String,
    /// What it does.
    pub does: Does,
}

/// What an entry does.
#[allow(
    clippy::large_enum_variant,
    reason = "a message lives for a moment, and there are few at a time"
)]
#[derive(Clone, Debug)]
pub enum Does {
    /// A command of the window.
    Command(Command),
    /// An action of the pane in front.
    InPane(panes::Message),
    /// An action of the first run.
    FirstRun(first_run::Message),
    /// An action in front of a locked identity.
    Unlock(unlock::Message),
}

/// The open palette.
#[derive(Debug)]
pub struct Palette {
    typed: String,
    entries: Vec<Entry>,
    found: Vec<usize>,
    chosen: usize,
    /// Something was typed, or the choice was moved: Enter alone does nothing, since the first entry may pay.
    touched: bool,
}

/// What can happen in it.
#[derive(Clone, Debug)]
pub enum Message {
    /// Something was typed.
    Typed(String),
    /// An entry was chosen by its place among those found.
    Chose(usize),
    /// Enter.
    Enter,
}

impl Palette {
    /// Opens it over entries in the order in which they are shown while nothing is typed.
    pub fn open<M: Send + 'static>(entries: Vec<Entry>) -> (Palette, Task<M>) {
        let found = (0..entries.len()).collect();
        let palette = Palette {
            typed: String::new(),
            entries,
            found,
            chosen: 0,
            touched: false,
        };
        (palette, operation::focus(FIELD))
    }

    /// The chosen entry, once there is one.
    pub fn update(&mut self, message: Message) -> Option<Does> {
        match message {
            Message::Typed(typed) => {
                self.find(typed);
                None
            }
            Message::Chose(place) => self.entry(place),
            Message::Enter if self.touched => self.entry(self.chosen),
            Message::Enter => None,
        }
    }

    /// Moves the choice; it stops at the ends.
    pub fn step(&mut self, by: isize) {
        let last = self.found.len().saturating_sub(1);
        // The first step down from nothing chosen is to the first entry.
        let by = if self.touched { by } else { 0 };
        self.touched = true;
        self.chosen = self.chosen.saturating_add_signed(by).min(last);
    }

    fn entry(&self, place: usize) -> Option<Does> {
        let entry = self.found.get(place).and_then(|number| self.entries.get(*number));
        entry.map(|entry| entry.does.clone())
    }

    fn find(&mut self, typed: String) {
        let mut scored: Vec<_> = self
            .entries
            .iter()
            .enumerate()
            .filter_map(|(number, entry)| Some((score(&typed, &entry.label)?, number)))
            .collect();
        scored.sort();
        self.found = scored.into_iter().map(|(_, number)| number).collect();
        self.touched = !typed.is_empty();
        self.typed = typed;
        self.chosen = 0;
    }

    /// What it shows.
    pub fn view(&self) -> Element<'_, Message> {
        let field = text_input("What do you want to do?", &self.typed)
            .id(FIELD)
            .size(size::HEADING)
            .padding(space::M)
            .style(theme::field(false))
            .on_input(Message::Typed)
            .on_submit(Message::Enter);
        let entries = self.found.iter().enumerate().map(|(place, number)| {
            let entry = &self.entries[*number];
            let shortcut = match &entry.does {
                Does::Command(command) => shortcuts::of(*command),
                Does::InPane(_) | Does::FirstRun(_) | Does::Unlock(_) => None,
            };
            let line = row![body(entry.label.as_str()), fill()].push(shortcut.map(caption));
            button(line)
                .width(Length::Fill)
                .padding([space::S, space::M])
                .style(theme::row(self.touched && place == self.chosen))
                .on_press(Message::Chose(place))
                .into()
        });
        let none = self.found.is_empty().then(|| caption("Nothing is called that."));
        let list = scrollable(Sheet::new(column(entries).push(none))).spacing(space::XS);
        let list = container(list).max_height(LIST_MOST);
        container(column![field, list].spacing(space::S))
            .padding(space::M)
            .width(560.0)
            .style(theme::overlay)
            .into()
    }
}

/// Letters that are looked for, at most: no label is longer.
const TYPED_MOST: usize = 48;

/// How well the typed letters fit a label, the least first; `None`: they don't. Letters come in order; the beginning of a
/// word is better than the next letter, and that better than one further on. Of all ways to fit the best one counts.
fn score(typed: &str, label: &str) -> Option<usize> {
    let label: Vec<char> = label.to_lowercase().chars().collect();
    let step = |from: usize, to: usize| match () {
        () if to == 0 || label[to - 1] == ' ' => 0,
        () if to == from => 1,
        () => 10 + to - from,
    };
    // The best score of the letters so far, by the place after the last of them.
    let mut ways = vec![(0, 0)];
    for letter in typed
        .to_lowercase()
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(TYPED_MOST)
    {
        let places = (0..label.len()).filter(|place| label[*place] == letter);
        ways = places
            .filter_map(|place| {
                let before = ways.iter().filter(|(after, _)| *after <= place);
                let best = before.map(|(after, score)| score + step(*after, place)).min()?;
                Some((place + 1, best))
            })
            .collect();
    }
    ways.into_iter().map(|(_, score)| score).min()
}

/// Commands as entries: what the pane in front can do, what was used lately, then everything else.
pub fn entries(in_pane: Vec<(String, panes::Message)>, recent: &[String]) -> Vec<Entry> {
    let actions = in_pane.into_iter().map(|(label, message)| Entry {
        label,
        does: Does::InPane(message),
    });
    let mut commands: Vec<Command> = Command::all().collect();
    commands.sort_by_key(|command| {
        let place = recent.iter().position(|id| id == command.id());
        place.unwrap_or(usize::MAX)
    });
    let commands = commands.into_iter().map(|command| Entry {
        label: command.label().to_owned(),
        does: Does::Command(command),
    });
    actions.chain(commands).collect()
}

#[cfg(test)]
mod tests {
    use autopilot_host::desk::Pane;

    use super::*;

    fn first(typed: &str) -> Option<Command> {
        let (mut palette, _) = Palette::open::<()>(entries(Vec::new(), &[]));
        palette.update(Message::Typed(typed.to_owned()));
        match palette.update(Message::Enter) {
            Some(Does::Command(command)) => Some(command),
            _ => None,
        }
    }

    #[test]
    fn a_few_letters_find_a_pane() {
        assert_eq!(first("wal"), Some(Command::Open(Pane::Wallet)));
        assert_eq!(first("pli"), Some(Command::Open(Pane::PayInvoice)));
        assert_eq!(first("jh"), Some(Command::Open(Pane::JobHistory)));
        assert_eq!(first("es"), Some(Command::Open(Pane::EarningsScoreboard)));
        assert_eq!(first("zzz"), None);
        for pane in Pane::ALL {
            assert_eq!(first(pane.label()), Some(Command::Open(*pane)));
        }
    }

    #[test]
    fn what_was_used_lately_comes_first_and_the_choice_stops_at_the_ends() {
        let recent = vec!["pane.settings".to_owned(), "window.quit".to_owned()];
        let (mut palette, _) = Palette::open::<()>(entries(Vec::new(), &recent));
        let chosen = |palette: &mut Palette| match palette.update(Message::Enter) {
            Some(Does::Command(command)) => command,
            other => panic!("{other:?}"),
        };
        assert!(palette.update(Message::Enter).is_none(), "nothing is chosen yet");
        palette.step(1);
        assert_eq!(chosen(&mut palette), Command::Open(Pane::Settings));
        palette.step(1);
        assert_eq!(chosen(&mut palette), Command::Quit);
        palette.step(-5);
        assert_eq!(chosen(&mut palette), Command::Open(Pane::Settings));
        palette.step(1_000);
        assert_ne!(chosen(&mut palette), Command::Quit);
    }
}
