//! Forgetting texts: shown and asked first; what is still needed, and what there is not, has its exit code.
use super::host;
use super::support::{Home, Ran, command, ran};

async fn check(home: &Home, arguments: &[&str], exit: i32, code: &str) -> Ran {
    let mut command = command(home.path(), &[&["forget"], arguments, &["--json"]].concat());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let ran = ran(output);
    assert_eq!(ran.exit, exit, "{arguments:?}: {} {}", ran.stdout, ran.stderr);
    if exit != 0 {
        assert_eq!(ran.error_code(), code, "{arguments:?}");
    }
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_forgotten_by_age_after_a_yes_and_a_rehearsal_does_nothing() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let would = check(&home, &["--older-than", "90d", "--dry-run"], 0, "")
        .await
        .json();
    assert_eq!(would["dry_run"], true);
    let said = would["would"].as_str().unwrap();
    assert!(
        said.contains("3 jobs, purchases or conversations") && said.contains("1 are kept"),
        "{said}"
    );
    check(&home, &["--older-than", "90d"], 2, "confirmation-needed").await;
    let done = check(&home, &["--older-than", "90d", "--yes"], 0, "")
        .await
        .json();
    assert_eq!(
        (&done["forgotten"], &done["needed"], &done["overwritten"]),
        (&3.into(), &1.into(), &true.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_is_said_once_and_what_can_not_be_forgotten_is_named() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    check(&home, &["--yes"], 2, "usage").await;
    check(
        &home,
        &["--job", "77777777", "--buyer", "npub1", "--yes"],
        2,
        "usage",
    )
    .await;
    check(&home, &["--older-than", "long", "--yes"], 2, "usage").await;
    check(&home, &["--job", "77777777", "--yes"], 4, "still-needed").await;
    check(&home, &["--buyer", "npub1", "--yes"], 5, "not-found").await;
}
