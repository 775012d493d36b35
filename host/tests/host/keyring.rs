//! The identity's passphrase in a real Secret Service: gnome-keyring on a bus of its own, without a display.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use autopilot_host::{
    home::Home,
    secrets::{Key, Protection, SecretString, Secrets, protection},
    setup::{Standing, inspect},
};

/// Where the inner test finds its folder.
const FOLDER: &str = "AUTOPILOT_TEST_KEYRING";

/// Runs one of the inner tests on a bus of its own, beside a keyring daemon that is started like this.
fn on_a_bus(folder: &Path, daemon: &str, inner: &str) {
    let program = std::env::current_exe().unwrap();
    let script = format!("{daemon} >/dev/null && exec \"$0\" --exact --ignored --nocapture keyring::{inner}");
    let ran = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", &script])
        .arg(program)
        .env(FOLDER, folder)
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_RUNTIME_DIR", folder)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("dbus-run-session is not installed: ./test installs it");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "{inner}: {said}"
    );
}

const UNLOCKED: &str = "printf 'the login password' | gnome-keyring-daemon --unlock --components=secrets";
const LOCKED: &str = "gnome-keyring-daemon --start --components=secrets";
/// A bus would start a keyring by itself: there is no bus either.
const NONE: &str = "export DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere/bus";

fn home() -> Home {
    let folder = std::env::var_os(FOLDER).map(PathBuf::from).unwrap();
    Home::open(&folder.join("h")).unwrap()
}

fn code(key: &Key) -> &'static str {
    Secrets::open(&home(), key)
        .map(|_| "opened")
        .unwrap_or_else(|error| {
            assert!(error.is_locked(), "{error}");
            error.code()
        })
}

#[test]
fn a_keyring_keeps_the_passphrase_and_a_locked_one_is_not_a_missing_one() {
    let folder = tempfile::Builder::new().prefix("apk").tempdir_in("/tmp").unwrap();
    on_a_bus(folder.path(), UNLOCKED, "inner_makes_protects_and_gives_up");
    let sealed = fs::read(folder.path().join("h/identity.age")).unwrap();
    on_a_bus(folder.path(), UNLOCKED, "inner_opens_again");
    on_a_bus(folder.path(), LOCKED, "inner_is_locked");
    on_a_bus(folder.path(), NONE, "inner_is_away");
    assert_eq!(
        fs::read(folder.path().join("h/identity.age")).unwrap(),
        sealed,
        "nothing was changed"
    );
}

#[test]
#[ignore = "runs on the bus of the test above"]
fn inner_makes_protects_and_gives_up() {
    let (home, typed) = (home(), Key::Typed(SecretString::from("correct horse battery")));
    let made = Secrets::open_or_create(&home, &Key::Keyring).unwrap();
    assert_eq!(protection(&home), Protection::Keyring);
    assert!(!home.passphrase_file().exists(), "the folder alone opens nothing");
    assert!(Secrets::open(&home, &Key::of(&home)).unwrap().is_same(&made));
    assert_eq!(code(&Key::Own), "passphrase-needed");
    assert_eq!(code(&typed), "passphrase-wrong");
    let entry = fs::read_to_string(home.keyring_file()).unwrap();
    // To a passphrase, to the folder, and back.
    made.protect(&home, &typed).unwrap();
    assert_eq!(protection(&home), Protection::Passphrase);
    assert_eq!(code(&Key::Keyring), "keyring-not-used");
    fs::write(home.keyring_file(), &entry).unwrap();
    assert_eq!(code(&Key::Keyring), "keyring-empty", "the old entry is gone");
    fs::remove_file(home.keyring_file()).unwrap();
    Secrets::open(&home, &typed).unwrap().unprotect(&home).unwrap();
    Secrets::open(&home, &Key::Own)
        .unwrap()
        .protect(&home, &Key::Keyring)
        .unwrap();
    assert_eq!(protection(&home), Protection::Keyring);
    assert!(Secrets::open(&home, &Key::Keyring).unwrap().is_same(&made));
}

#[test]
#[ignore = "runs on the bus of the test above"]
fn inner_opens_again() {
    assert_eq!(code(&Key::of(&home())), "opened");
}

#[test]
#[ignore = "runs on the bus of the test above"]
fn inner_is_locked() {
    assert_eq!(code(&Key::Keyring), "keyring-locked");
    needs_its_keyring();
}

#[test]
#[ignore = "runs on the bus of the test above"]
fn inner_is_away() {
    assert_eq!(code(&Key::Keyring), "keyring-away");
    needs_its_keyring();
    // A new identity is not made without the protection that was asked for.
    let other = Home::open(&home().path().join("other")).unwrap();
    let error = Secrets::open_or_create(&other, &Key::Keyring).unwrap_err();
    assert_eq!((error.code(), error.is_locked()), ("keyring-away", false));
    assert!(!other.identity_file().exists() && !other.passphrase_file().exists());
}

/// A window is told so, and nothing is made.
fn needs_its_keyring() {
    let home = home();
    autopilot_host::config::Config::bare("regtest")
        .write(&home.config_file())
        .unwrap();
    let standing = inspect(home.path());
    assert!(
        matches!(standing, Standing::NeedsPassphrase { keyring: Some(_) }),
        "{standing:?}"
    );
    assert_eq!(
        Secrets::open_or_create(&home, &Key::Keyring).unwrap_err().code(),
        code(&Key::Keyring)
    );
}
