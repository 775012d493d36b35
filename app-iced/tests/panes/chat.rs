use std::sync::Arc;

use autopilot_app::{
    paging::Ask,
    panes::{
        Wish,
        autopilot_chat::{AutopilotChat, Message},
    },
};
use autopilot_proto::control::v1::{
    ChatMessage, ChatSendReply, ChatThread, ChatThreadsReply, ChatTranscriptReply, Token, Trouble,
    watch_update::Answer,
};
use iced::widget::text_editor::{Action, Edit};

use crate::stage::{NOW_MS, Stage, trouble};

/// Everything that was written is replaced.
fn typed(stage: &mut Stage<AutopilotChat>, text: impl Into<String>) {
    stage.update(Message::Edited(Action::SelectAll));
    stage.update(Message::Edited(Action::Edit(Edit::Paste(Arc::new(text.into())))));
}

fn can_send(stage: &Stage<AutopilotChat>) -> bool {
    stage.actions().contains(&"Chat: send".to_owned())
}

fn thread(id: &str, title: &str, state: &str) -> ChatThread {
    ChatThread {
        thread_id: id.repeat(32),
        title: title.into(),
        state: state.into(),
        last_at_ms: NOW_MS,
        messages: 1,
        sequence: 9,
        ..ChatThread::default()
    }
}

fn threads() -> ChatThreadsReply {
    ChatThreadsReply {
        threads: vec![
            thread("aa", "What is a sat?", "running"),
            thread("bb", "Say hello", "done"),
        ],
        waiting: 1,
        model: "llama".into(),
        text_bytes_max: 16 << 10,
        ..ChatThreadsReply::default()
    }
}

fn message(id: &str, state: &str) -> ChatMessage {
    ChatMessage {
        message_id: id.repeat(32),
        text: format!("question {id}"),
        state: state.into(),
        sequence: 7,
        asked_at_ms: NOW_MS,
        ..ChatMessage::default()
    }
}

fn said(thread: &str, messages: Vec<ChatMessage>, next: u64) -> Message {
    let reply = ChatTranscriptReply {
        thread_id: thread.repeat(32),
        messages,
        next_before_sequence: next,
        ..ChatTranscriptReply::default()
    };
    Message::Said(thread.repeat(32), 0, Ok(reply))
}

/// A pane whose conversations are known, with the newest in sight.
fn stage() -> Stage<AutopilotChat> {
    let mut stage = Stage::new();
    stage.tell("chat", Answer::Chat(threads()));
    stage.update(Message::Threads(Ask::default(), Ok(threads())));
    stage
}

#[test]
fn it_loads_breaks_is_empty_or_talks() {
    let mut stage = Stage::<AutopilotChat>::new();
    stage.shows(&["Loading"]);
    stage
        .break_view("chat")
        .shows(&["the ledger can't be read now", "look at the disk"]);
    stage.tell("chat", Answer::Chat(ChatThreadsReply::default()));
    stage.hides(&["the ledger can't be read now"]);
    stage.update(Message::Threads(Ask::default(), Err(trouble())));
    stage.shows(&["the ledger can't be read now", "Try again", "No model is ready"]);
    stage.choose("Chat: load again");
    stage.update(Message::Threads(Ask::default(), Ok(ChatThreadsReply::default())));
    stage.shows(&["The first message begins one.", "Begin"]);
    typed(&mut stage, "hello");
    stage.choose("Chat: send");
    stage.shows(&["On its way"]);
}

#[test]
fn a_message_is_seen_from_its_sending_to_its_answer() {
    let mut stage = stage();
    stage.shows(&["What is a sat?", "Say hello", "llama answers", "Loading"]);
    stage.update(said("aa", vec![message("cc", "running")], 0));
    stage.shows(&["question cc", "running"]);
    let token = |text: &str| {
        Answer::Token(Token {
            job_id: "cc".repeat(32),
            text: text.into(),
        })
    };
    stage.tell("tokens", token("One hund"));
    stage.tell("tokens", token("redth"));
    stage.shows(&["One hundredth"]);
    // A paid job came between: the model begins anew.
    stage.tell("tokens", token(""));
    stage.tell("tokens", token("A tiny"));
    stage.shows(&["A tiny"]);
    stage.hides(&["One hundredth"]);
    stage.click("Stop");
    stage.choose("Chat: stop: question cc");
    let done = ChatMessage {
        answer: "A tiny bitcoin".into(),
        model: "llama".into(),
        output_tokens: 4,
        left_out: 1,
        outcome_sequence: 11,
        ..message("cc", "done")
    };
    stage.update(said("aa", vec![done], 0));
    stage.shows(&[
        "A tiny bitcoin",
        "llama: 4 tokens, without 1 earlier message, fact 11",
    ]);
    stage.hides(&["Stop"]);
    let copied = [Wish::Copy("A tiny bitcoin".into(), "Answer")];
    assert_eq!(stage.click("Copy the answer"), copied);
    assert_eq!(stage.choose("Chat: copy the answer to: question cc"), copied);
}

#[test]
fn what_waits_failed_or_was_stopped_says_so() {
    let mut stage = stage();
    let waits = ChatMessage {
        words: "2 paid jobs go first".into(),
        ..message("cc", "queued")
    };
    let failed = ChatMessage {
        words: "the prompt has 9000 tokens, at most 2048 fit".into(),
        code: "prompt-too-long".into(),
        ..message("dd", "error")
    };
    stage.update(said("aa", vec![waits, failed, message("ee", "stopped")], 0));
    stage.shows(&[
        "2 paid jobs go first",
        "at most 2048 fit",
        "prompt-too-long",
        "Stopped before its answer",
    ]);
    let lost = ChatMessage {
        text: String::new(),
        text_lost: true,
        ..message("cc", "done")
    };
    stage.update(said("aa", vec![lost], 0));
    stage.shows(&[
        "Its text is forgotten or damaged",
        "Its answer is forgotten or damaged",
    ]);
}

#[test]
fn what_is_not_taken_stays_to_be_sent_again() {
    let mut stage = stage();
    stage.update(said("aa", Vec::new(), 0));
    typed(&mut stage, "once more");
    stage.click("Send");
    stage.shows(&["On its way"]);
    let full = Trouble {
        sentence: "32 messages wait for the model already".into(),
        ..Trouble::default()
    };
    stage.update(Message::Sent(Err(full)));
    stage.shows(&["32 messages wait"]);
    assert!(can_send(&stage), "what was written is still there");
    typed(&mut stage, "x".repeat((16 << 10) + 1));
    stage.shows(&["16385 bytes, at most 16384"]);
    assert!(!can_send(&stage));
    typed(&mut stage, "shorter");
    stage.click("Send");
    stage.update(Message::Sent(Ok(ChatSendReply {
        thread_id: "ff".repeat(32),
        ..ChatSendReply::default()
    })));
    stage.hides(&["On its way"]);
    assert!(!can_send(&stage), "nothing is left of it");
}

#[test]
fn conversations_are_chosen_begun_and_leafed_through_by_the_keyboard() {
    let mut stage = stage();
    stage.update(said("aa", vec![message("cc", "done")], 7));
    stage.choose("Chat: earlier messages");
    stage.shows(&["Loading"]);
    // What was asked for before is not what is looked at now.
    stage.update(said("aa", vec![message("cc", "done")], 7));
    stage.hides(&["question cc"]);
    let older = ChatTranscriptReply {
        messages: vec![message("dd", "done")],
        ..ChatTranscriptReply::default()
    };
    stage.update(Message::Said("aa".repeat(32), 7, Ok(older)));
    stage.shows(&["question dd", "Later messages"]);
    stage.choose("Chat: later messages");
    stage.update(said("aa", vec![message("cc", "done")], 7));
    stage.shows(&["question cc", "Earlier messages"]);
    stage.choose("Conversation: Say hello");
    stage.update(said("bb", vec![message("ee", "done")], 0));
    stage.shows(&["question ee"]);
    stage.hides(&["question cc"]);
    stage.choose("Chat: new conversation");
    stage.shows(&["Begin"]);
    stage.hides(&["question ee"]);
    // News of the host leaves a new conversation alone.
    stage.tell(
        "chat",
        Answer::Chat(ChatThreadsReply {
            waiting: 2,
            ..threads()
        }),
    );
    stage.update(Message::Threads(Ask::default(), Ok(threads())));
    stage.shows(&["Begin"]);
}
