//! Panes by command, and what the host costs.
use super::{
    control::{check, run},
    host,
    support::Home,
};

#[tokio::test(flavor = "multi_thread")]
async fn panes_are_driven_and_the_host_says_what_it_costs() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let opened = check(home.path(), &["pane", "open", "pane.wallet"], 0, "")
        .await
        .json();
    assert_eq!(opened["panes"][0]["open"], true);
    check(home.path(), &["pane", "close", "wallet"], 0, "").await;
    let status = check(home.path(), &["pane", "status", "wallet"], 0, "")
        .await
        .json();
    assert_eq!(
        (&status["state"], &status["id"]),
        (&"error".into(), &"pane.wallet".into())
    );
    let words = run(home.path(), &["pane", "status"]).await.stdout;
    assert!(
        words.contains("next:  Refresh.") && words.contains("not possible now"),
        "{words}"
    );
    let words = run(home.path(), &["pane", "list"]).await.stdout;
    assert!(
        words.contains("pane.wallet") && words.contains("error"),
        "{words}"
    );
    check(home.path(), &["pane", "status", "nothing"], 5, "not-found").await;
    let perf = check(home.path(), &["perf", "--over", "0"], 0, "").await.json();
    assert_eq!(
        (&perf["over_ms"], &perf["facts_per_minute"]),
        (&0.into(), &120.into())
    );
    assert!(run(home.path(), &["perf"]).await.stdout.contains("64.0 MiB"));
    let tailnet = check(home.path(), &["tailnet"], 0, "").await.json();
    assert_eq!(tailnet["state"], "not-installed");
    // Both names of one command: neither finds a ledger in an empty home.
    for name in ["log", "logs"] {
        assert_eq!(run(home.path(), &[name]).await.exit, 9, "{name}");
    }
}
