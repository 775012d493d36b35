//! Conversations with the model: what is sent, followed and shown, and how each end is told.
use super::{control::check, host, support::Home};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_shown_as_it_comes_and_is_the_recorded_one_at_the_end() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let send = |text: &'static str| ["chat", "send", text, "--follow"];
    let json = check(home.path(), &send("answered"), 0, "").await.json();
    assert_eq!(
        (&json["state"], &json["answer"]),
        (&"done".into(), &"Hello".into())
    );
    check(home.path(), &send("broken"), 4, "no-answer").await;
    check(home.path(), &send("halted"), 4, "stopped").await;
    check(home.path(), &["chat", "send", ""], 2, "usage").await;
    check(home.path(), &["chat", "send", "hi", "--timeout", "5"], 2, "usage").await;
    let unknown = ["chat", "send", "hi", "--thread", "unknown1"];
    check(home.path(), &unknown, 5, "not-found").await;
    check(home.path(), &["chat", "stop", "aaaaaaaa"], 5, "not-found").await;
    let sent = check(home.path(), &["chat", "send", "hi"], 0, "").await.json();
    assert_eq!(sent["message_id"], "aa".repeat(32));
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_other_messages_are_not_shown_and_an_answer_that_was_missed_is() {
    let home = Home::empty();
    let (_host, _served) = host::serve(home.path());
    let said = |arguments: &'static [&'static str]| {
        let mut command = super::support::command(home.path(), arguments);
        tokio::task::spawn_blocking(move || super::support::ran(command.output().unwrap()))
    };
    let ran = said(&["chat", "send", "answered", "--follow"]).await.unwrap();
    assert_eq!((ran.exit, ran.stdout.as_str()), (0, "Hello\n"));
    // The recorded answer is longer than the pieces that came; it can't drive the terminal.
    let ran = said(&["chat", "send", "whole", "--follow"]).await.unwrap();
    assert_eq!(
        (ran.exit, ran.stdout.as_str()),
        (0, "Hello\nHello\u{fffd}[2J you\n")
    );
    let ran = said(&["chat", "show", "broken"]).await.unwrap();
    assert!(
        ran.stdout.contains("Say hello.")
            && ran.stdout.contains("llama, without 2 earlier messages")
            && ran.stdout.contains("(error: it has 9,000 tokens)"),
        "{}",
        ran.stdout
    );
    let ran = said(&["chat", "threads"]).await.unwrap();
    assert!(ran.stdout.contains("Nothing was said yet"), "{}", ran.stdout);
}
