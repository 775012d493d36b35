//! Everything that can be commanded, as one tree: the palette, the shortcuts and the buttons are made of it.
use autopilot_host::desk::Pane;

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Opens a pane, or brings it to the front.
    Open(Pane),
    /// Goes online, or offline.
    Toggle,
    /// Shows or hides amounts.
    HideAmounts,
    /// Sats, or the currency of the recorded price.
    SwitchUnit,
    /// Light or dark.
    SwitchTheme,
    /// Everything larger.
    Larger,
    /// Everything smaller.
    Smaller,
    /// Closes the pane in front.
    ClosePane,
    /// The pane in front fills the window, or no more.
    Maximize,
    /// Brings the next pane to the front.
    NextPane,
    /// Ends the program.
    Quit,
}

impl Command {
    /// All of them: a pane's command for each pane, then the others.
    pub fn all() -> impl Iterator<Item = Command> {
        let panes = Pane::ALL.iter().copied().map(Command::Open);
        panes.chain([
            Command::Toggle,
            Command::HideAmounts,
            Command::SwitchUnit,
            Command::SwitchTheme,
            Command::Larger,
            Command::Smaller,
            Command::ClosePane,
            Command::Maximize,
            Command::NextPane,
            Command::Quit,
        ])
    }

    /// What it is called.
    pub fn label(self) -> &'static str {
        match self {
            Command::Open(pane) => pane.label(),
            Command::Toggle => "Switch online or offline",
            Command::HideAmounts => "Hide or show amounts",
            Command::SwitchUnit => "Show sats or money",
            Command::SwitchTheme => "Light or dark",
            Command::Larger => "Larger",
            Command::Smaller => "Smaller",
            Command::ClosePane => "Close this pane",
            Command::Maximize => "Enlarge this pane, or no more",
            Command::NextPane => "Next pane",
            Command::Quit => "Quit",
        }
    }

    /// What it is known by where it is kept.
    pub fn id(self) -> &'static str {
        match self {
            Command::Open(pane) => pane.id(),
            Command::Toggle => "provider.toggle",
            Command::HideAmounts => "window.hide_amounts",
            Command::SwitchUnit => "window.switch_unit",
            Command::SwitchTheme => "window.switch_theme",
            Command::Larger => "window.larger",
            Command::Smaller => "window.smaller",
            Command::ClosePane => "window.close_pane",
            Command::Maximize => "window.maximize",
            Command::NextPane => "window.next_pane",
            Command::Quit => "window.quit",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// One command, one id, one label, one pane.
    #[test]
    fn every_pane_is_reached_by_exactly_one_command() {
        for pane in Pane::ALL {
            let opening: Vec<_> = Command::all().filter(|c| *c == Command::Open(*pane)).collect();
            assert_eq!(opening.len(), 1, "{pane:?}");
            assert_eq!((opening[0].id(), opening[0].label()), (pane.id(), pane.label()));
        }
        let ids: BTreeSet<_> = Command::all().map(Command::id).collect();
        let labels: BTreeSet<_> = Command::all().map(Command::label).collect();
        assert_eq!(ids.len(), Command::all().count());
        assert_eq!(labels.len(), Command::all().count());
    }
}
