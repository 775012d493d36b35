//! Keeping the identity as a person does it: protected, changed, backed up, restored, and never lost or shown.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::support::{Home, run};
use super::terminal::{dialogue, on_a_terminal};
use autopilot_host::{
    home::Home as HostHome,
    secrets::{Key, Secrets},
};

const FIRST: &str = "correct horse battery";
const SECOND: &str = "staple of another kind";

/// A home with an identity, and a ledger of one job.
async fn kept() -> (Home, String) {
    let home = Home::with_jobs(1).await;
    // An identity beside a ledger is restored by hand, as from a backup of the file.
    let donor = Home::empty();
    let donor_home = HostHome::open(donor.path()).unwrap();
    let words = Secrets::open_or_create(&donor_home, &Key::Own).unwrap().words();
    for file in ["identity.age", "passphrase"] {
        fs::copy(donor.path().join(file), home.path().join(file)).unwrap();
    }
    (home, words)
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn facts(home: &Home) -> String {
    run(home.path(), &["ledger", "tail", "-n", "50", "--json"]).stdout
}

#[tokio::test]
async fn a_passphrase_file_protects_changes_and_opens() {
    let (home, words) = kept().await;
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    private(&first, FIRST);
    private(&second, SECOND);
    let file = |path: &Path| path.to_str().unwrap().to_owned();
    let (first, second) = (file(&first), file(&second));
    let nobody = run(home.path(), &["identity", "protect", "--json"]);
    assert_eq!(
        (nobody.exit, nobody.error_code().as_str()),
        (2, "passphrase-needed"),
        "{}",
        nobody.stderr
    );

    let protected = run(
        home.path(),
        &["identity", "protect", "--new-passphrase-file", &first, "--json"],
    );
    assert_eq!(protected.exit, 0, "{}", protected.stderr);
    assert_eq!(protected.json()["protected_by"], "passphrase");
    assert!(!home.path().join("passphrase").exists());

    let to = file(&home.path().join("words"));
    let backup = ["identity", "backup", "--to", &to, "--yes", "--json"];
    let locked = run(home.path(), &backup);
    assert_eq!(
        (locked.exit, locked.error_code().as_str()),
        (11, "passphrase-needed"),
        "{}",
        locked.stderr
    );
    let wrong = run(
        home.path(),
        &[&backup[..], &["--passphrase-file", &second]].concat(),
    );
    assert_eq!(
        (wrong.exit, wrong.error_code().as_str()),
        (11, "passphrase-wrong"),
        "{}",
        wrong.stderr
    );
    assert!(!Path::new(&to).exists());

    let change = [
        "identity",
        "change-passphrase",
        "--passphrase-file",
        &first,
        "--new-passphrase-file",
        &second,
    ];
    assert_eq!(run(home.path(), &change).exit, 0);
    let open = run(
        home.path(),
        &[&backup[..], &["--passphrase-file", &second]].concat(),
    );
    assert_eq!(open.exit, 0, "{}", open.stderr);
    assert_eq!(fs::read_to_string(&to).unwrap().trim(), words);
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let over = run(
        home.path(),
        &[&backup[..], &["--passphrase-file", &second]].concat(),
    );
    assert_eq!(over.exit, 4, "a backup overwrites nothing");

    let unprotect = ["identity", "unprotect", "--passphrase-file", &second, "--yes"];
    assert_eq!(run(home.path(), &unprotect).exit, 0);
    assert_eq!(run(home.path(), &unprotect).exit, 4, "it is so already");

    let told = facts(&home);
    for (kind, times) in [("identity.protected", 3), ("identity.backed_up", 1)] {
        assert_eq!(
            told.matches(&format!("\"type\":\"{kind}\"")).count(),
            times,
            "{told}"
        );
    }
    for secret in [words.as_str(), FIRST, SECOND] {
        assert!(!told.contains(secret), "a secret is in a fact");
    }
    assert_eq!(run(home.path(), &["ledger", "verify"]).exit, 0);
}

#[tokio::test]
async fn words_are_for_eyes_at_a_terminal_or_a_private_file() {
    let (home, words) = kept().await;
    let piped = run(home.path(), &["identity", "backup", "--yes", "--json"]);
    assert_eq!((piped.exit, piped.error_code().as_str()), (2, "terminal-needed"));
    let rehearsed = run(
        home.path(),
        &["identity", "backup", "--to", "/nowhere/words", "--dry-run"],
    );
    assert_eq!(rehearsed.exit, 0, "{}", rehearsed.stderr);
    let path = home.path().to_owned();
    let (declined, shown) = tokio::task::spawn_blocking(move || {
        let ask = |typed: &str| on_a_terminal(&path, &[], &["identity", "backup"], typed);
        (ask("n\n"), ask("y\n\n"))
    })
    .await
    .unwrap();
    let first = words.split(' ').next().unwrap();
    assert_eq!(declined.exit, 2);
    assert!(
        !declined.stdout.contains(&format!(" 1  {first}")),
        "shown without a yes"
    );
    assert_eq!(shown.exit, 0, "{}", shown.stdout);
    for (number, word) in words.split(' ').enumerate() {
        assert!(shown.stdout.contains(&format!("{:>2}  {word}", number + 1)));
    }
    assert!(
        shown.stdout.contains("\u{1b}[?1049l"),
        "the words stay on the screen"
    );
    assert_eq!(facts(&home).matches("identity.backed_up").count(), 1);
}

#[tokio::test]
async fn a_typed_passphrase_is_asked_for_and_never_echoed() {
    let (home, _) = kept().await;
    let path = home.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let (new, again, old) = (
            "New passphrase: ",
            "The same again: ",
            "Passphrase of the identity: ",
        );
        let protected = dialogue(&path, &["identity", "protect"], &[(new, FIRST), (again, FIRST)]);
        assert_eq!(protected.exit, 0, "{}", protected.stdout);
        let change = ["identity", "change-passphrase"];
        let differ = dialogue(
            &path,
            &change,
            &[(old, FIRST), (new, "one thing"), (again, "another thing")],
        );
        assert_eq!(differ.exit, 2, "{}", differ.stdout);
        let unprotect = ["identity", "unprotect", "--yes"];
        let wrong = dialogue(&path, &unprotect, &[(old, "no such passphrase")]);
        assert_eq!(wrong.exit, 11, "{}", wrong.stdout);
        let never = dialogue(&path, &[&unprotect[..], &["--no-input"]].concat(), &[]);
        assert_eq!(never.exit, 11, "{}", never.stdout);
        let right = dialogue(&path, &unprotect, &[(old, FIRST)]);
        assert_eq!(right.exit, 0, "{}", right.stdout);
        for shown in [protected, differ, wrong, right] {
            assert!(!shown.stdout.contains(FIRST), "echoed: {}", shown.stdout);
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_identity_is_restored_from_its_words_into_an_empty_home_only() {
    let (home, words) = kept().await;
    let file = home.path().join("words");
    private(&file, &words);
    let arguments = [
        "identity",
        "restore",
        "--words-file",
        file.to_str().unwrap(),
        "--json",
    ];
    let over = run(home.path(), &arguments);
    assert_eq!(
        (over.exit, over.error_code().as_str()),
        (4, "home-occupied"),
        "{}",
        over.stderr
    );
    let new = Home::empty();
    let restored = run(new.path(), &arguments);
    assert_eq!(restored.exit, 0, "{}", restored.stderr);
    let of = |home: &Home| {
        let home = HostHome::open(home.path()).unwrap();
        Secrets::open(&home, &Key::Own).unwrap().lightning_seed()
    };
    assert_eq!(of(&new), of(&home));
    let nobody = run(Home::empty().path(), &["identity", "restore", "--json"]);
    assert_eq!((nobody.exit, nobody.error_code().as_str()), (2, "words-needed"));
    let missing = run(Home::empty().path(), &["identity", "show", "--json"]);
    assert_eq!(
        (missing.exit, missing.error_code().as_str()),
        (5, "identity-missing")
    );
}
