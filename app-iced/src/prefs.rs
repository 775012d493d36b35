//! What the window remembers of itself: layout, theme, scale, what was used lately. Harmless to lose.
use std::{fs, path::Path};

use autopilot_host::desk::Pane;
use iced::widget::pane_grid::{self, Axis, Configuration, Node};
use serde::{Deserialize, Serialize};

use crate::design::Mode;

/// Commands that are remembered as used lately.
const RECENT: usize = 8;
/// Bounds of the scale, in percent.
const SCALE: std::ops::RangeInclusive<u16> = 60..=250;
const SCALE_STEP: u16 = 10;
/// The file, in the home folder.
const FILE: &str = "window.json";

/// How panes share the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// One pane, by its id.
    Pane(String),
    /// Two parts, beside or above each other.
    Split {
        /// Side by side.
        beside: bool,
        /// Share of the first.
        ratio: f32,
        /// The first.
        a: Box<Layout>,
        /// The second.
        b: Box<Layout>,
    },
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prefs {
    /// Open panes.
    pub layout: Option<Layout>,
    /// Light or dark.
    pub mode: Mode,
    /// Scale, in percent.
    pub scale: u16,
    /// Dots instead of amounts.
    pub hidden: bool,
    /// Money instead of sats, where a price is recorded.
    pub money: bool,
    /// Ids of commands, the last one first.
    pub recent: Vec<String>,
    /// Whether desktop notifications were asked for: yes, no, or not yet.
    pub notify: Option<bool>,
}

impl Default for Prefs {
    fn default() -> Self {
        Prefs {
            layout: None,
            mode: Mode::Dark,
            scale: 100,
            hidden: false,
            money: false,
            recent: Vec::new(),
            notify: None,
        }
    }
}

impl Prefs {
    /// What a home folder remembers; the defaults where that is nothing, or can't be read.
    pub fn read(home: &Path) -> Prefs {
        let text = fs::read(home.join(FILE)).unwrap_or_default();
        let mut prefs: Prefs = serde_json::from_slice(&text).unwrap_or_default();
        prefs.scale = prefs.scale.clamp(*SCALE.start(), *SCALE.end());
        prefs.recent.truncate(RECENT);
        prefs
    }

    /// Keeps it. A home folder that can't be written loses no more than a layout.
    pub fn write(&self, home: &Path) {
        let (file, new) = (home.join(FILE), home.join(".window.json.new"));
        if let Ok(text) = serde_json::to_vec_pretty(self) {
            let written = fs::write(&new, text).and_then(|()| fs::rename(&new, &file));
            if let Err(error) = written {
                tracing::debug!(%error, "the window's layout is not kept");
            }
        }
    }

    /// Larger or smaller by one step.
    pub fn zoom(&mut self, larger: bool) {
        let scale = match larger {
            true => self.scale + SCALE_STEP,
            false => self.scale.saturating_sub(SCALE_STEP),
        };
        self.scale = scale.clamp(*SCALE.start(), *SCALE.end());
    }

    /// A command was used.
    pub fn used(&mut self, id: &str) {
        self.recent.retain(|other| other != id);
        self.recent.insert(0, id.to_owned());
        self.recent.truncate(RECENT);
    }
}

impl Layout {
    /// The layout of a grid.
    pub fn of(grid: &pane_grid::State<Pane>) -> Option<Layout> {
        Self::of_node(grid, grid.layout())
    }

    fn of_node(grid: &pane_grid::State<Pane>, node: &Node) -> Option<Layout> {
        match node {
            Node::Pane(pane) => Some(Layout::Pane(grid.get(*pane)?.id().to_owned())),
            Node::Split {
                axis, ratio, a, b, ..
            } => Some(Layout::Split {
                beside: *axis == Axis::Vertical,
                ratio: *ratio,
                a: Box::new(Self::of_node(grid, a)?),
                b: Box::new(Self::of_node(grid, b)?),
            }),
        }
    }

    /// The grid of a layout: what is not known, or is there twice, is left out.
    pub fn grid(&self) -> Option<pane_grid::State<Pane>> {
        let configuration = self.configuration(&mut Vec::new())?;
        Some(pane_grid::State::with_configuration(configuration))
    }

    fn configuration(&self, seen: &mut Vec<Pane>) -> Option<Configuration<Pane>> {
        match self {
            Layout::Pane(id) => {
                let pane = Pane::of_id(id).filter(|pane| !seen.contains(pane))?;
                seen.push(pane);
                Some(Configuration::Pane(pane))
            }
            Layout::Split { beside, ratio, a, b } => match (a.configuration(seen), b.configuration(seen)) {
                (Some(a), Some(b)) => Some(Configuration::Split {
                    axis: if *beside { Axis::Vertical } else { Axis::Horizontal },
                    ratio: if ratio.is_finite() {
                        ratio.clamp(0.1, 0.9)
                    } else {
                        0.5
                    },
                    a: Box::new(a),
                    b: Box::new(b),
                }),
                (a, b) => a.or(b),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_kept_and_nonsense_in_it_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = || Box::new(Layout::Pane("pane.wallet".into()));
        let prefs = Prefs {
            layout: Some(Layout::Split {
                beside: true,
                ratio: 0.3,
                a: wallet(),
                b: Box::new(Layout::Split {
                    beside: false,
                    ratio: f32::MAX,
                    a: Box::new(Layout::Pane("pane.nothing".into())),
                    b: Box::new(Layout::Pane("pane.job_inbox".into())),
                }),
            }),
            scale: 130,
            ..Prefs::default()
        };
        prefs.write(folder.path());
        let read = Prefs::read(folder.path());
        assert_eq!(read, prefs);
        let grid = read.layout.unwrap().grid().unwrap();
        let mut panes: Vec<_> = grid.iter().map(|(_, pane)| *pane).collect();
        panes.sort();
        assert_eq!(panes, [Pane::JobInbox, Pane::Wallet]);
        let twice = Layout::Split {
            beside: true,
            ratio: 0.5,
            a: wallet(),
            b: wallet(),
        };
        assert_eq!(twice.grid().unwrap().len(), 1);
        fs::write(folder.path().join(FILE), "{\"scale\": 9999, \"recent\": 3").unwrap();
        assert_eq!(Prefs::read(folder.path()), Prefs::default());
    }
}
