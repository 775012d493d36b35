//! The panes side by side: sizes by the mouse, places by dragging, the front one by a click or the keyboard.
use autopilot_host::desk::Pane;
use iced::{
    Alignment, Length, Size,
    widget::{PaneGrid, center, column, container, pane_grid, row},
};

use crate::{
    design::{Element, Tone, badge, caption, choice, heading, space, theme, toned},
    panes::{self, Scene, Screens},
    prefs::Layout,
};

/// Pixels between panes, which can be dragged.
const SPACING: f32 = 8.0;
/// Proportion of a usual window, by which panes are cut in two.
const PROPORTION: Size = Size::new(1_600.0, 900.0);
/// Pixels beside them that count as between.
const LEEWAY: f32 = 6.0;

/// The grid.
#[derive(Debug, Default)]
pub struct Grid {
    state: Option<pane_grid::State<Pane>>,
    front: Option<Pane>,
}

/// What can happen in it.
#[allow(
    clippy::large_enum_variant,
    reason = "a message lives for a moment, and there are few at a time"
)]
#[derive(Clone, Debug)]
pub enum Message {
    /// A pane was clicked.
    Clicked(pane_grid::Pane),
    /// A pane was dragged.
    Dragged(pane_grid::DragEvent),
    /// A border was moved.
    Resized(pane_grid::ResizeEvent),
    /// A pane is to be closed.
    Close(Pane),
    /// A pane is to fill the window, or no more.
    Maximize(Pane),
    /// Something happened in a pane.
    InPane(panes::Message),
}

impl Grid {
    /// The grid of a remembered layout.
    pub fn new(layout: Option<&Layout>) -> Grid {
        let state = layout.and_then(Layout::grid);
        let front = state
            .as_ref()
            .and_then(|state| state.iter().map(|(_, pane)| *pane).next());
        Grid { state, front }
    }

    /// How it is laid out now.
    pub fn layout(&self) -> Option<Layout> {
        self.state.as_ref().and_then(Layout::of)
    }

    /// Open panes.
    pub fn open_panes(&self) -> Vec<Pane> {
        let state = self.state.iter().flat_map(pane_grid::State::iter);
        state.map(|(_, pane)| *pane).collect()
    }

    /// The pane that the keyboard acts on.
    pub fn front(&self) -> Option<Pane> {
        self.front
    }

    fn place(&self, pane: Pane) -> Option<pane_grid::Pane> {
        let mut panes = self.state.as_ref()?.iter();
        panes.find(|(_, open)| **open == pane).map(|(place, _)| *place)
    }

    /// Opens a pane, or brings it to the front. Whether it was opened.
    pub fn open(&mut self, pane: Pane) -> bool {
        let before = self.front.replace(pane);
        if self.place(pane).is_some() {
            if let (Some(state), true) = (&mut self.state, before != Some(pane)) {
                state.restore();
            }
            return false;
        }
        let roomiest = self.roomiest();
        match (&mut self.state, roomiest) {
            (Some(state), Some((beside, axis))) => {
                state.restore();
                state.split(axis, beside, pane);
            }
            _ => self.state = Some(pane_grid::State::new(pane).0),
        }
        true
    }

    /// The pane with the most room, and which way it is cut in two.
    fn roomiest(&self) -> Option<(pane_grid::Pane, pane_grid::Axis)> {
        let regions = self.state.as_ref()?.layout().pane_regions(0.0, 0.0, PROPORTION);
        let (place, region) = regions
            .into_iter()
            .max_by(|(_, a), (_, b)| a.area().total_cmp(&b.area()))?;
        let axis = match region.width >= region.height {
            true => pane_grid::Axis::Vertical,
            false => pane_grid::Axis::Horizontal,
        };
        Some((place, axis))
    }

    /// Closes a pane.
    pub fn close(&mut self, pane: Pane) {
        let Some(place) = self.place(pane) else { return };
        let Some(state) = &mut self.state else { return };
        match state.close(place) {
            Some((_, sibling)) => {
                if self.front == Some(pane) {
                    self.front = state.get(sibling).copied();
                }
            }
            // The last one.
            None => *self = Grid::default(),
        }
    }

    /// Brings the next pane to the front.
    pub fn next(&mut self) {
        let panes = self.open_panes();
        let at = panes
            .iter()
            .position(|pane| Some(*pane) == self.front)
            .unwrap_or(0);
        if let Some(pane) = panes.get((at + 1) % panes.len().max(1)).copied() {
            self.open(pane);
        }
    }

    /// Fills the window with a pane, or no more.
    pub fn maximize(&mut self, pane: Pane) {
        let Some(place) = self.place(pane) else { return };
        if let Some(state) = &mut self.state {
            match state.maximized() {
                Some(_) => state.restore(),
                None => state.maximize(place),
            }
        }
    }

    /// Moves what can be moved by the mouse.
    pub fn update(&mut self, message: &Message) {
        let Some(state) = &mut self.state else { return };
        match message {
            Message::Clicked(place) => self.front = state.get(*place).copied(),
            Message::Dragged(pane_grid::DragEvent::Dropped { pane, target }) => state.drop(*pane, *target),
            Message::Resized(pane_grid::ResizeEvent { split, ratio }) => state.resize(*split, *ratio),
            _ => {}
        }
    }

    /// What it shows.
    pub fn view<'a>(&'a self, screens: &'a Screens, scene: &Scene<'a>) -> Element<'a, Message> {
        let Some(state) = &self.state else {
            let lines = column![
                heading("Nothing is open"),
                caption("Ctrl+K finds everything; Ctrl+1 opens Go Online."),
            ];
            return center(lines.spacing(space::S)).into();
        };
        PaneGrid::new(state, |_, pane, maximized| {
            let style = match self.front == Some(*pane) {
                true => theme::card_in_front,
                false => theme::card,
            };
            let content = container(screens.view(*pane, scene).map(Message::InPane))
                .width(Length::Fill)
                .height(Length::Fill);
            let body = column![].push(broken(*pane, scene)).push(content);
            pane_grid::Content::new(body)
                .title_bar(title_bar(*pane, maximized))
                .style(style)
        })
        .spacing(SPACING)
        .on_click(Message::Clicked)
        .on_drag(Message::Dragged)
        .on_resize(LEEWAY, Message::Resized)
        .into()
    }
}

/// What is broken under a pane, what can be done, and whether earning is possible meanwhile: the host's words. Without the
/// host there are none, and the bar says that it is gone.
fn broken<'a>(pane: Pane, scene: &Scene<'a>) -> Option<Element<'a, Message>> {
    let panes = scene.views.panes.value.as_ref()?;
    let line = panes.panes.iter().find(|line| line.id == pane.id())?;
    let words = column![
        toned(line.sentence.as_str(), Tone::Bad),
        caption(line.next.as_str())
    ];
    (line.state == "error").then(|| {
        container(words.spacing(space::XS))
            .padding([space::S, space::M])
            .into()
    })
}

/// The title of a pane, and where its values come from.
fn title_bar<'a>(
    pane: Pane,
    maximized: bool,
) -> pane_grid::TitleBar<'a, Message, iced::Theme, iced::Renderer> {
    let title = row![heading(pane.title()), badge(pane.source(), Tone::Quiet)]
        .spacing(space::S)
        .align_y(Alignment::Center);
    let controls = row![
        choice(
            if maximized { "Restore" } else { "Enlarge" },
            Some(Message::Maximize(pane))
        ),
        choice("Close", Some(Message::Close(pane))),
    ]
    .spacing(space::XS);
    // Beside a title that leaves no room for words.
    let signs = row![
        choice(if maximized { "–" } else { "+" }, Some(Message::Maximize(pane))),
        choice("×", Some(Message::Close(pane))),
    ]
    .spacing(space::XS);
    pane_grid::TitleBar::new(title)
        .controls(pane_grid::Controls::dynamic(controls, signs))
        .padding(space::S)
        .always_show_controls()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_open_once_close_and_come_to_the_front() {
        let mut grid = Grid::default();
        assert!(grid.open(Pane::Wallet));
        assert!(grid.open(Pane::JobInbox));
        assert!(!grid.open(Pane::Wallet), "it is open already");
        assert_eq!(grid.front(), Some(Pane::Wallet));
        grid.next();
        assert_eq!(grid.front(), Some(Pane::JobInbox));
        let layout = grid.layout().unwrap();
        assert_eq!(Grid::new(Some(&layout)).open_panes().len(), 2);
        grid.close(Pane::JobInbox);
        assert_eq!(grid.front(), Some(Pane::Wallet));
        grid.close(Pane::JobInbox);
        grid.close(Pane::Wallet);
        assert_eq!((grid.open_panes(), grid.front()), (vec![], None));
        grid.next();
    }
}
