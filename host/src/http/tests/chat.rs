//! Conversations over HTTP, on a real ledger: sent, listed, read page by page, stopped and forgotten. The model's part is
//! handed in as the host's effect would.
use autopilot_core::{
    Input,
    input::{Outcome, Replied},
};
use autopilot_events::{
    pb,
    words::{MessageId, ThreadId},
};
use serde_json::{Value, json};

use super::{Answer, World};

impl World {
    async fn asks(&self, command: &str, params: Value) -> Answer {
        self.command(&json!({"command": command, "params": params})).await
    }

    /// The reply; it must succeed.
    async fn told(&self, command: &str, params: Value) -> Value {
        let answer = self.asks(command, params).await;
        assert_eq!(answer.status, 200, "{command}: {answer:?}");
        answer.body["reply"].clone()
    }

    async fn says(&self, text: &str, thread: &str, key: &str) -> Value {
        let params = json!({"text": text, "thread_id": thread, "key": key});
        let order = json!({"command": "chat-send", "key": format!("http-{key}"), "params": params});
        let answer = self.command(&order).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["reply"].clone()
    }

    async fn replies(&self, message: &Value, text: &str) {
        let message: MessageId = message.as_str().unwrap().parse().unwrap();
        let asked = self.service.outside.ledger.look(move |engine| {
            let waits = engine.state().chat.waits(&message);
            waits.map(|(_, waiting)| waiting.thread)
        });
        let thread: ThreadId = asked.await.unwrap().expect("it waits");
        let outcome = Outcome::Done {
            receipt: Box::new(pb::Receipt {
                output_tokens: 3,
                ..pb::Receipt::default()
            }),
            output: pb::BodyRef::default(),
        };
        let replied = Input::Replied(Replied {
            message,
            outcome,
            left_out: 0,
        });
        let body = Some((thread.subject(), text.as_bytes()));
        self.service.outside.ledger.submit(replied, body).await.unwrap();
    }
}

#[tokio::test]
async fn a_conversation_is_written_read_and_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(&folder.path().join("home")).await;
    let first = world.says("One?\nWith a second line.", "", "a").await;
    let thread = first["thread_id"].as_str().unwrap();
    world.replies(&first["message_id"], "Yes.").await;
    for number in 2..=5 {
        let text = format!("And {number}?");
        let next = world.says(&text, &thread[..8], &number.to_string()).await;
        assert_eq!(next["thread_id"], thread);
        world
            .replies(&next["message_id"], &format!("It is {number}."))
            .await;
    }
    let list = world.told("chat-threads", json!({})).await;
    let line = &list["threads"][0];
    assert_eq!(
        (
            &line["title"],
            &line["messages"],
            &line["state"],
            &list["waiting"]
        ),
        (&"One?".into(), &5.into(), &"done".into(), &0.into())
    );
    // Newest first, two at a time, to the first one.
    let (mut before, mut said) = (json!(0), Vec::new());
    for _ in 0..3 {
        let params = json!({"thread_id": thread, "limit": 2, "before_sequence": before});
        let page = world.told("chat-transcript", params).await;
        said.extend(page["messages"].as_array().unwrap().clone());
        before = page["next_before_sequence"].clone();
    }
    assert_eq!((said.len(), &before), (5, &json!(0)));
    assert_eq!(
        (&said[0]["answer"], &said[0]["number"], &said[4]["text"]),
        (&"It is 5.".into(), &5.into(), &"One?\nWith a second line.".into())
    );
    let strange = json!({"thread_id": thread, "before_sequence": 1});
    assert_eq!(
        world.asks("chat-transcript", strange).await.code(),
        "invalid-argument"
    );

    let forget = json!({"command": "forget", "key": "f", "params": {"chat": thread}});
    let forgotten = world.command(&forget).await;
    assert_eq!(forgotten.body["reply"]["forgotten"], 1, "{forgotten:?}");
    let gone = world.asks("chat-transcript", json!({"thread_id": thread})).await;
    assert_eq!((gone.status, gone.code()), (404, "not-found"));
    assert_eq!(world.told("chat-threads", json!({})).await["threads"], json!([]));
    world.stop().await;
}

#[tokio::test]
async fn what_waits_says_why_and_what_is_not_taken_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(&folder.path().join("home")).await;
    let first = world.says("One?", "", "a").await;
    let second = world.says("Two?", "", "b").await;
    let list = world.told("chat-threads", json!({"limit": 1})).await;
    assert_eq!((&list["waiting"], &list["running"]), (&2.into(), &"".into()));
    assert!(
        list["waits_because"]
            .as_str()
            .unwrap()
            .contains("no model is chosen"),
        "{list}"
    );
    let next = json!({"before_sequence": list["next_before_sequence"]});
    let older = world.told("chat-threads", next).await;
    assert_eq!(older["threads"][0]["thread_id"], first["thread_id"], "{older}");
    let shown = world
        .told("chat-transcript", json!({"thread_id": second["thread_id"]}))
        .await;
    assert_eq!(
        (&shown["messages"][0]["state"], &shown["messages"][0]["words"]),
        (&"queued".into(), &"one message goes first".into())
    );

    // The same key is the same message, and with another text a conflict.
    let again = json!({"command": "chat-send", "key": "another", "params": {"text": "One?", "key": "a"}});
    let again = world.command(&again).await;
    assert_eq!(
        again.body["reply"]["message_id"], first["message_id"],
        "{again:?}"
    );
    let refused = |command: &'static str, params: Value| {
        let order = json!({"command": command, "key": params.to_string().chars().take(99).collect::<String>(), "params": params});
        let world = &world;
        async move {
            let answer = world.command(&order).await;
            (answer.status, answer.code().to_owned())
        }
    };
    let conflict = refused("chat-send", json!({"text": "Other", "key": "a"})).await;
    assert_eq!(conflict, (409, "conflict".to_owned()));
    let long = refused(
        "chat-send",
        json!({"key": "long", "text": "x".repeat((16 << 10) + 1)}),
    )
    .await;
    assert_eq!(long.1, "text-too-long");
    let unknown = refused("chat-send", json!({"text": "x", "thread_id": "99999999"})).await;
    assert_eq!(unknown, (404, "not-found".to_owned()));
    assert_eq!(
        refused("chat-send", json!({"text": "  "})).await.1,
        "invalid-argument"
    );
    let needed = refused("forget", json!({"chat": first["thread_id"]})).await;
    assert_eq!(needed.1, "still-needed");

    let id = first["message_id"].as_str().unwrap()[..8].to_owned();
    let stop = json!({"command": "chat-stop", "key": "s1", "params": {"message_id": id}});
    assert_eq!(world.command(&stop).await.status, 200);
    let over = refused("chat-stop", json!({"message_id": id})).await;
    assert_eq!(over, (404, "not-found".to_owned()));
    let list = world.told("chat-threads", json!({})).await;
    assert_eq!(list["threads"][0]["state"], "stopped", "{list}");
    world.stop().await;
}
