//! What stands around the panes: the bars, the grid, and what comes up over everything.
pub mod bar;
pub mod dialog;
pub mod grid;
pub mod hotbar;
pub mod toast;
