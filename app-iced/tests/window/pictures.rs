//! Pictures of what does not depend on time. One that is missing is a failure: `UPDATE_SNAPSHOTS=1` makes it anew.
use std::{fs, path::PathBuf};

use autopilot_app::{app::Message, command::Command, shortcuts::Stroke};
use autopilot_host::desk::Pane;
use iced::Size;

use crate::pilot::Pilot;

/// Small, so that the files are; drawn at twice its size.
const SIZE: Size = Size::new(760.0, 480.0);

fn same(pilot: &Pilot, name: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/window/snapshots");
    let file = folder.join(format!("{name}-tiny-skia.png"));
    match std::env::var_os("UPDATE_SNAPSHOTS") {
        Some(_) => drop(fs::remove_file(&file)),
        None => assert!(
            file.exists(),
            "{} is missing: UPDATE_SNAPSHOTS=1 makes it",
            file.display()
        ),
    }
    let picture = pilot.picture();
    let same = picture.matches_image(folder.join(name)).unwrap();
    assert!(
        same,
        "{name} looks otherwise than its picture: look at it, then UPDATE_SNAPSHOTS=1"
    );
    assert!(file.exists(), "it is drawn by another renderer than tiny-skia");
}

#[test]
fn pictures_are_as_kept() {
    let nobody = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
    let home = autopilot_host::home::Home::open(&nobody.path().join("h")).unwrap();
    let mut pilot = Pilot::open(&home);
    pilot.size = SIZE;
    pilot.command(Command::Open(Pane::GoOnline));
    same(&pilot, "starting-dark");
    pilot.does(Message::Stroke(Stroke::Palette));
    same(&pilot, "palette-dark");
    pilot.does(Message::Stroke(Stroke::Palette));
    pilot.command(Command::SwitchTheme);
    same(&pilot, "starting-light");
    pilot.does(Message::Stroke(Stroke::Palette));
    same(&pilot, "palette-light");
}
