//! Signed heads: what is shown, and what a person has to say to go on.

use std::sync::atomic::Ordering;

use super::{control::check, host, support::Home};

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_says_otherwise_is_overruled_only_by_its_number_and_a_yes() {
    let home = Home::empty();
    let (host, _served) = host::serve(home.path());
    let shown = check(home.path(), &["ledger", "heads"], 0, "").await;
    let (asked, disputed) = (&shown.json()["asked"], &shown.json()["disputed"][0]);
    assert_eq!(
        (&asked[1]["failure"], &disputed["first_different"]),
        (&"timeout".into(), &51.into())
    );
    let note = check(home.path(), &["ledger", "sign-head"], 0, "").await.json();
    assert_eq!(note["size"], 40);
    let overrule = ["ledger", "overrule-head", "51"];
    check(home.path(), &overrule, 2, "confirmation-needed").await;
    check(
        home.path(),
        &["ledger", "overrule-head", "50", "--yes"],
        5,
        "not-found",
    )
    .await;
    check(
        home.path(),
        &["ledger", "overrule-head", "0", "--yes"],
        2,
        "usage",
    )
    .await;
    let dry = check(home.path(), &[&overrule[..], &["--dry-run"]].concat(), 0, "")
        .await
        .json();
    assert_eq!(dry["dry_run"], true);
    assert_eq!(host.done.load(Ordering::SeqCst), 0, "nothing was decided");
    let decided = check(home.path(), &[&overrule[..], &["--yes"]].concat(), 0, "")
        .await
        .json();
    assert_eq!(decided["disputed"], serde_json::json!([]));
    assert_eq!(host.done.load(Ordering::SeqCst), 1);
}
