use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(&folder.path().join("h")).unwrap();
    (folder, home)
}

fn typed(passphrase: &str) -> Key {
    Key::Typed(SecretString::from(passphrase))
}

fn code(opened: Result<Secrets, SecretsError>) -> &'static str {
    opened.map(|_| "opened").unwrap_or_else(|error| error.code())
}

#[test]
fn a_second_start_opens_the_same_identity() {
    let (_folder, home) = home();
    let first = Secrets::open_or_create(&home, &Key::Own).unwrap();
    let again = Secrets::open_or_create(&home, &Key::Own).unwrap();
    assert_eq!(first.words(), again.words());
    assert_eq!(first.lightning_seed(), again.lightning_seed());
    assert_ne!(first.lightning_seed()[..32], first.body_key());
}

#[test]
fn a_locked_identity_is_not_a_missing_one() {
    let (_folder, home) = home();
    let first = Secrets::open_or_create(&home, &Key::Own).unwrap();
    write_private(&home.passphrase_file(), b"wrong").unwrap();
    let before = fs::read(home.identity_file()).unwrap();
    assert_eq!(
        code(Secrets::open_or_create(&home, &Key::Own)),
        "passphrase-wrong"
    );
    fs::remove_file(home.passphrase_file()).unwrap();
    assert_eq!(
        code(Secrets::open_or_create(&home, &Key::Own)),
        "passphrase-needed"
    );
    assert_eq!(fs::read(home.identity_file()).unwrap(), before);
    assert!(!format!("{first:?}").contains(' '));
}

#[test]
fn no_new_identity_over_an_old_ledger() {
    let (_folder, home) = home();
    fs::write(home.ledger_file(), "").unwrap();
    assert_eq!(
        code(Secrets::open_or_create(&home, &Key::Own)),
        "identity-missing"
    );
}

#[test]
fn a_passphrase_protects_is_changed_and_is_given_up() {
    let (_folder, home) = home();
    let words = Secrets::open_or_create(&home, &Key::Own).unwrap().words();
    let first = typed("correct horse battery");
    let second = typed("staple of another kind");
    Secrets::open(&home, &Key::Own)
        .unwrap()
        .protect(&home, &first)
        .unwrap();
    assert_eq!(protection(&home), Protection::Passphrase);
    assert_eq!(code(Secrets::open(&home, &Key::Own)), "passphrase-needed");
    assert_eq!(code(Secrets::open(&home, &second)), "passphrase-wrong");
    Secrets::open(&home, &first)
        .unwrap()
        .protect(&home, &second)
        .unwrap();
    assert_eq!(code(Secrets::open(&home, &first)), "passphrase-wrong");
    let open = Secrets::open(&home, &second).unwrap();
    open.unprotect(&home).unwrap();
    assert_eq!(protection(&home), Protection::Folder);
    assert_eq!(open.unprotect(&home).unwrap_err().code(), "already-so");
    assert_eq!(Secrets::open(&home, &Key::Own).unwrap().words(), words);
    assert_eq!(
        open.protect(&home, &typed("short")).unwrap_err().code(),
        "passphrase-weak"
    );
}

#[test]
fn a_passphrase_file_is_private_or_refused() {
    let (folder, home) = home();
    let path = folder.path().join("passphrase");
    fs::write(&path, "correct horse battery\nand what else stands there").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let key = Key::File(path.clone());
    assert_eq!(code(Secrets::open_or_create(&home, &key)), "not-private");
    assert!(!home.identity_file().exists(), "a refusal makes nothing");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(code(Secrets::open_or_create(&home, &key)), "opened");
    assert_eq!(
        code(Secrets::open(&home, &typed("correct horse battery"))),
        "opened"
    );
    assert_eq!(
        code(Secrets::open(&home, &Key::File(folder.path().join("none")))),
        "file"
    );
}

#[test]
fn a_damaged_file_is_told_from_a_wrong_passphrase_where_the_cipher_can() {
    let (_folder, home) = home();
    Secrets::open_or_create(&home, &Key::Own).unwrap();
    let whole = fs::read(home.identity_file()).unwrap();
    let mut cut = whole.clone();
    cut.truncate(whole.len() / 3);
    fs::write(home.identity_file(), cut).unwrap();
    assert_eq!(code(Secrets::open(&home, &Key::Own)), "identity-damaged");
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(home.identity_file(), flipped).unwrap();
    assert_eq!(code(Secrets::open(&home, &Key::Own)), "identity-damaged");
}

#[test]
fn words_restore_the_identity_into_an_empty_home_only() {
    let (_folder, old) = home();
    let words = Secrets::open_or_create(&old, &Key::Own).unwrap();
    let (_other, new) = home();
    assert_eq!(
        code(Secrets::restore(
            &new,
            "twelve words of no mnemonic at all",
            &Key::Own
        )),
        "not-words"
    );
    let spelled = format!("  {}\n", words.words().to_uppercase().replace(' ', "\n"));
    let restored = Secrets::restore(&new, &spelled, &Key::Own).unwrap();
    assert_eq!(restored.lightning_seed(), words.lightning_seed());
    assert_eq!(code(Secrets::restore(&new, &spelled, &Key::Own)), "home-occupied");
    let (_third, full) = home();
    fs::write(full.wallet_dir().join("channel"), "state").unwrap();
    assert_eq!(
        code(Secrets::restore(&full, &spelled, &Key::Own)),
        "home-occupied"
    );
}
