//! Words for a moment.
use iced::widget::{column, container};

use crate::design::{Element, Tone, space, theme, toned};

/// How long words stay, in milliseconds.
const STAYS_MS: i64 = 5_000;
/// Toasts in sight, the newest.
const MOST: usize = 4;

/// Words of a tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// What is said.
    pub words: String,
    /// How it is meant.
    pub tone: Tone,
}

impl Toast {
    /// Something went well.
    pub fn good(words: impl Into<String>) -> Toast {
        Toast {
            words: words.into(),
            tone: Tone::Good,
        }
    }

    /// Something did not.
    pub fn bad(words: impl Into<String>) -> Toast {
        Toast {
            words: words.into(),
            tone: Tone::Bad,
        }
    }
}

/// The toasts in sight.
#[derive(Debug, Default)]
pub struct Toasts(Vec<(i64, Toast)>);

impl Toasts {
    /// Says something.
    pub fn say(&mut self, toast: Toast, now_ms: i64) {
        self.0.retain(|(_, said)| *said != toast);
        self.0.push((now_ms, toast));
        let beyond = self.0.len().saturating_sub(MOST);
        self.0.drain(..beyond);
    }

    /// Takes away what has stayed long enough.
    pub fn tick(&mut self, now_ms: i64) {
        self.0.retain(|(at_ms, _)| now_ms - at_ms < STAYS_MS);
    }

    /// Whether there is anything to take away later.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they show.
    pub fn view<'a, M: 'a>(&'a self) -> Element<'a, M> {
        let toasts = self.0.iter().map(|(_, toast)| {
            container(toned(toast.words.as_str(), toast.tone))
                .padding(space::M)
                .max_width(420.0)
                .style(theme::overlay)
                .into()
        });
        column(toasts).spacing(space::S).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toasts_go_by_themselves_and_never_pile_up() {
        let mut toasts = Toasts::default();
        for number in 0..10 {
            toasts.say(Toast::good(format!("{number}")), number);
        }
        assert_eq!(toasts.0.len(), MOST);
        toasts.say(Toast::good("9"), 10);
        assert_eq!(toasts.0.len(), MOST, "the same words are not said twice");
        toasts.tick(10 + STAYS_MS);
        assert!(toasts.is_empty());
    }
}
