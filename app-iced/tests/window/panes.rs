//! Every pane in each of its states: loading, ready, empty and error. A new pane is asked for all four by being there.
use autopilot_host::desk::Pane;

use crate::{
    pilot::{Pilot, SMALLEST, Seen, USUAL, lines, says},
    presets::{House, Preset},
};

/// Words that only a view which was answered may say.
const CLAIMS: [&str; 3] = ["No ", "Nothing", "none yet"];

/// What the pane itself shows: everything but the bars above it.
pub fn own(seen: &[Seen], pane: Pane) -> Vec<Seen> {
    let title = seen.iter().position(|seen| seen.text == pane.title());
    let title = title.unwrap_or_else(|| panic!("{pane:?} has no title on the screen:\n{}", lines(seen)));
    seen[title..].to_vec()
}

/// No text is drawn beyond the window's sides.
fn inside(seen: &[Seen], pane: Pane, width: f32) {
    for seen in seen.iter().filter(|seen| seen.visible.is_some()) {
        let right = seen.bounds.x + seen.bounds.width;
        assert!(
            seen.bounds.x >= 0.0 && right <= width + 1.0,
            "{pane:?}: {:?} reaches from {} to {right} of {width}",
            seen.text,
            seen.bounds.x
        );
    }
}

/// The screen that a pane fills, once everything that it asks for is answered.
fn shown(pilot: &mut Pilot, pane: Pane) -> Vec<Seen> {
    pilot.only(pane);
    let seen = pilot.until("its answers", |seen| !says(seen, "Loading"));
    for size in [SMALLEST, USUAL] {
        pilot.size = size;
        inside(&pilot.seen(), pane, size.width);
    }
    assert!(
        says(&seen, pane.source()),
        "{pane:?} says where its values come from:\n{}",
        lines(&seen)
    );
    let own = own(&seen, pane);
    assert!(
        own.len() > 2,
        "{pane:?} shows more than its title:\n{}",
        lines(&own)
    );
    own
}

fn text(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.text.as_str()).collect()
}

/// Before the host answered, no pane says that there is nothing.
#[test]
fn loading() {
    let house = House::of(Preset::Fresh);
    let nobody = tempfile::Builder::new().prefix("ap").tempdir_in("/tmp").unwrap();
    let home = autopilot_host::home::Home::open(&nobody.path().join("h")).unwrap();
    for pane in Pane::ALL {
        let mut pilot = Pilot::open(&home);
        pilot.only(*pane);
        let seen = pilot.seen();
        let own = own(&seen, *pane);
        for claim in CLAIMS {
            assert!(
                !own.iter().any(|seen| seen.text.starts_with(claim)),
                "{pane:?}: {:?}",
                text(&own)
            );
        }
        assert!(
            !says(&seen, "0 sats"),
            "{pane:?} shows no sum before there is one: {:?}",
            text(&seen)
        );
    }
    drop(house);
}

/// A new home: each pane says what there is, or that there is nothing and what to do.
#[test]
fn empty() {
    let house = House::of(Preset::Fresh);
    for pane in Pane::ALL {
        let mut pilot = Pilot::open(&house.home);
        pilot.until("an answer", |seen| says(seen, "offline"));
        let own = shown(&mut pilot, *pane);
        assert!(!says(&own, "Loading"), "{pane:?} is answered: {:?}", text(&own));
    }
}

/// A home with a history: each pane shows it, and differs from an empty one where the ledger is its source.
#[test]
fn ready() {
    let house = House::of(Preset::Earner);
    for pane in Pane::ALL {
        let mut pilot = Pilot::open(&house.home);
        pilot.until("what was earned", |seen| says(seen, "120 sats"));
        let own = shown(&mut pilot, *pane);
        assert!(!says(&own, "Loading"), "{pane:?} is answered: {:?}", text(&own));
    }
}

/// The host is gone: the window says so above every pane, with what to do, and no pane shows green.
#[test]
fn error() {
    let mut house = House::of(Preset::Fresh);
    for pane in Pane::ALL {
        let mut pilot = Pilot::open(&house.home);
        pilot.until("an answer", |seen| says(seen, "offline"));
        house.stop();
        pilot.only(*pane);
        let seen = pilot.until("that the engine is lost", |seen| says(seen, "engine lost"));
        assert!(
            says(&seen, "it is tried again by itself"),
            "{pane:?}: {:?}",
            text(&seen)
        );
        own(&seen, *pane);
        house.start();
        // It is found again, and the pane is as before.
        pilot.until("the engine", |seen| !says(seen, "engine lost"));
    }
}
