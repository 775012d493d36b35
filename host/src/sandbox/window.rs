//! The window as a host of a world: its program, and where it is shown.
use std::path::PathBuf;

/// A window to run in the provider's place.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// The program.
    pub program: PathBuf,
    /// Its environment beyond ours, for example another display.
    pub environment: Vec<(String, String)>,
}
