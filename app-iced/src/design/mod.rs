//! The design system: colours by meaning, sizes by name, and the few pieces everything is put together from. No screen
//! names a colour or a number of pixels of its own.
pub mod chart;
pub mod fonts;
pub mod list;
pub mod pieces;
pub mod reach;
mod sheet;
pub mod theme;

pub use pieces::*;
pub use reach::reachable;
pub use sheet::Sheet;
pub use theme::{Mode, Tone};

/// An element of this window.
pub type Element<'a, Message> = iced::Element<'a, Message, iced::Theme>;

/// Distances, in logical pixels.
pub mod space {
    /// Within a piece.
    pub const XS: f32 = 4.0;
    /// Between pieces of a line.
    pub const S: f32 = 8.0;
    /// Between lines, and around a card's content.
    pub const M: f32 = 12.0;
    /// Between groups.
    pub const L: f32 = 20.0;
}

/// Sizes of type, in logical pixels.
pub mod size {
    /// Labels and times.
    pub const CAPTION: f32 = 12.0;
    /// Everything that is read.
    pub const BODY: f32 = 14.0;
    /// The title of a pane.
    pub const HEADING: f32 = 16.0;
    /// A figure beside others.
    pub const FIGURE: f32 = 22.0;
    /// The one figure of a screen.
    pub const HERO: f32 = 34.0;
    /// Height of a row in a list: fixed, since only the rows in sight are made.
    pub const ROW: f32 = 34.0;
    /// Width of a name and its value, at most.
    pub const LINE: f32 = 560.0;
    /// Roundness of corners.
    pub const ROUND: f32 = 8.0;
}
