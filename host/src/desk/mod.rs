//! The desk: which panes are open. One for the window and for everybody who drives it, so that they can't disagree.
mod pane;
mod scene;
mod standing;
#[cfg(test)]
mod story;

use tokio::sync::watch;

pub use pane::Pane;
pub use standing::{Kind, PaneStanding, Setting, standing};

/// Open panes in the order in which they were opened, and the one in front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Each at most once.
    pub open: Vec<Pane>,
    /// One of the open ones.
    pub focused: Option<Pane>,
    /// Whether a window shows them.
    pub window: bool,
    /// Counts changes: of two layouts the one with the larger number is the newer.
    pub revision: u64,
}

/// A handle to the desk. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Desk(watch::Sender<Layout>);

impl Desk {
    /// As it is now.
    pub fn layout(&self) -> Layout {
        self.0.borrow().clone()
    }

    /// Told of every change.
    pub fn subscribe(&self) -> watch::Receiver<Layout> {
        self.0.subscribe()
    }

    /// Opens a pane, or brings it to the front.
    pub fn open(&self, pane: Pane) {
        self.change(|layout| {
            if !layout.open.contains(&pane) {
                layout.open.push(pane);
            }
            layout.focused = Some(pane);
        });
    }

    /// Closes a pane; the one opened last before it comes to the front.
    pub fn close(&self, pane: Pane) {
        self.change(|layout| {
            layout.open.retain(|other| *other != pane);
            if layout.focused == Some(pane) {
                layout.focused = layout.open.last().copied();
            }
        });
    }

    /// A window shows the panes from now on, or no more.
    pub fn set_window(&self, window: bool) {
        self.change(|layout| layout.window = window);
    }

    fn change(&self, change: impl FnOnce(&mut Layout)) {
        self.0.send_if_modified(|layout| {
            let before = layout.clone();
            change(layout);
            let changed = *layout != before;
            layout.revision += u64::from(changed);
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_are_singletons_and_the_front_is_one_of_them() {
        let desk = Desk::default();
        desk.open(Pane::Wallet);
        desk.open(Pane::JobInbox);
        desk.open(Pane::Wallet);
        assert_eq!(desk.layout().open, [Pane::Wallet, Pane::JobInbox]);
        assert_eq!(desk.layout().focused, Some(Pane::Wallet));
        desk.close(Pane::Wallet);
        assert_eq!(desk.layout().focused, Some(Pane::JobInbox));
        desk.close(Pane::Wallet);
        desk.close(Pane::JobInbox);
        assert_eq!((desk.layout().open, desk.layout().focused), (vec![], None));
        let revision = desk.layout().revision;
        desk.close(Pane::JobInbox);
        assert_eq!(desk.layout().revision, revision, "nothing changed");
        assert_eq!(revision, 5);
    }
}
