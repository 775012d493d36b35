//! Texts go, the facts about them stay.
use autopilot_core::{input::Request, policy::default_policy};
use autopilot_events::{
    pb,
    words::{JobId, MessageId, ThreadId},
};
use autopilot_store_sqlite::MasterKey;
use tokio::sync::mpsc;

use super::*;
use crate::{audit::Audit, specimens};

/// A request that is refused, since the provider is offline; whom it names is told so, or nobody is.
fn request(n: u8, buyer: u8, targeted: bool) -> Request {
    Request {
        targeted,
        open: !targeted,
        ..specimens::request(n, buyer, now_ms())
    }
}

fn subject(n: u8) -> String {
    format!("job/{}", JobId::derive("nip90", &[n; 32]))
}

async fn ask(ledger: &Ledger, n: u8, buyer: u8, targeted: bool) -> pb::BodyRef {
    let input = Input::Request(request(n, buyer, targeted));
    let text = format!("the text of request {n}");
    let done = ledger
        .submit(input, Some((subject(n), text.as_bytes())))
        .await
        .unwrap();
    let Done::Recorded { sequences, .. } = done else {
        panic!("{done:?}")
    };
    let page = ledger.reader().facts(sequences[0] - 1, 1).await.unwrap();
    autopilot_events::texts::body_ref(&page[0].event).unwrap().clone()
}

async fn readable(ledger: &Ledger, references: &[pb::BodyRef]) -> Vec<bool> {
    let mut readable = Vec::new();
    for reference in references {
        readable.push(ledger.text(reference).await.unwrap().is_some());
    }
    readable
}

#[tokio::test]
async fn by_job_by_buyer_and_by_age_and_never_what_is_still_needed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (fatal, _stopped) = mpsc::unbounded_channel();
    let (ledger, _) = Ledger::open(&path, MasterKey([7; 32]), fatal).await.unwrap();
    let policy = Command::SetPolicy(default_policy(1_000));
    ledger.submit(Input::Person(policy), None).await.unwrap();
    // 1 and 2 are of one buyer, 3 of another; 4 waits for its answer.
    let mut texts = Vec::new();
    for (n, buyer, targeted) in [(1, 1, false), (2, 1, false), (3, 2, false), (4, 2, true)] {
        texts.push(ask(&ledger, n, buyer, targeted).await);
    }
    assert_eq!(readable(&ledger, &texts).await, [true; 4]);
    let run = |whose: Whose, rehearse: bool| {
        let ledger = ledger.clone();
        async move { forget(&ledger, whose, ForgetReason::Age, rehearse).await.unwrap() }
    };

    let would = run(Whose::Before(i64::MAX), true).await;
    assert_eq!(
        (would.subjects, would.needed.len(), would.overwritten),
        (3, 1, false)
    );
    assert_eq!(
        readable(&ledger, &texts).await,
        [true; 4],
        "a rehearsal forgets nothing"
    );

    let done = run(Whose::Subject(subject(3)), false).await;
    assert_eq!((done.subjects, done.overwritten), (1, true));
    assert!(ledger.forgotten_at_ms(&subject(3)).await.unwrap().is_some());
    assert_eq!(run(Whose::Subject(subject(3)), false).await.subjects, 0, "once");
    let done = run(Whose::Buyer(PublicKey([1; 32])), false).await;
    assert_eq!((done.subjects, done.needed.len()), (2, 0));
    assert_eq!(
        run(Whose::Before(1), false).await.subjects,
        0,
        "nothing is that old"
    );
    let done = run(Whose::Before(i64::MAX), false).await;
    assert_eq!(
        (done.subjects, done.needed.into_iter().collect::<Vec<_>>()),
        (0, vec![subject(4)])
    );
    assert_eq!(readable(&ledger, &texts).await, [false, false, false, true]);
    assert_eq!(ledger.forgotten_at_ms(&subject(4)).await.unwrap(), None);
    ledger.stop().await;

    // Without the host: erased there, valid elsewhere, and every fold as it would be without.
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("ledger")).unwrap();
    std::fs::copy(&path, crate::audit::ledger_path(home.path())).unwrap();
    let audit = Audit::open(home.path()).await.unwrap();
    let verdict = audit.verify(&mut |_| {}).await.unwrap();
    assert!(verdict.ok, "{verdict:?}");
    assert_eq!((verdict.bodies.erased, verdict.bodies.valid), (3, 1));
    let replay = audit.replay(None, &mut |_| {}).await.unwrap();
    assert!(replay.comparisons.iter().all(|found| found.equal != Some(false)));
    assert_eq!(
        replay.comparisons[0].equal,
        Some(true),
        "the snapshot is what the facts give"
    );
}

#[tokio::test]
async fn a_conversation_is_as_old_as_what_happened_in_it_last() {
    let folder = tempfile::tempdir().unwrap();
    let (fatal, _stopped) = mpsc::unbounded_channel();
    let path = folder.path().join("ledger.db");
    let (ledger, _) = Ledger::open(&path, MasterKey([7; 32]), fatal).await.unwrap();
    let begun = MessageId([1; 32]);
    let thread = ThreadId::begun_by(&begun);
    for (message, begins) in [(begun, true), (MessageId([2; 32]), false)] {
        let asked = pb::ChatAsked {
            thread_id: thread.to_vec(),
            message_id: message.to_vec(),
            ..pb::ChatAsked::default()
        };
        let ask = Input::Person(Command::Ask { asked, begins });
        let text = Some((thread.subject(), b"a question".as_slice()));
        ledger.submit(ask, text).await.unwrap();
        let stop = Input::Person(Command::StopAnswer(message));
        ledger.submit(stop, None).await.unwrap();
    }
    let last_ms = ledger
        .look(move |engine| {
            engine
                .state()
                .chat
                .thread(&thread)
                .map(|thread| thread.last_at_ms)
        })
        .await
        .unwrap()
        .unwrap();
    let before = |ms: i64| forget(&ledger, Whose::Before(ms), ForgetReason::Age, false);
    assert_eq!(before(last_ms).await.unwrap().subjects, 0, "it is gone on with");
    assert_eq!(
        before(last_ms + 1).await.unwrap().subjects,
        1,
        "once, with all its texts"
    );
    ledger.stop().await;
}

#[tokio::test]
async fn a_retention_that_is_set_forgets_what_is_older() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let (fatal, _stopped) = mpsc::unbounded_channel();
    let (ledger, _) = Ledger::open(&path, MasterKey([7; 32]), fatal).await.unwrap();
    let keep = |keep_texts_days| {
        let ledger = ledger.clone();
        let policy = pb::Policy {
            keep_texts_days,
            ..default_policy(1_000)
        };
        async move {
            ledger
                .submit(Input::Person(Command::SetPolicy(policy)), None)
                .await
        }
    };
    keep(0).await.unwrap();
    let text = ask(&ledger, 1, 1, false).await;
    let mut retention = Retention::default();
    let days = |n: i64| now_ms() + n * DAY_MS;
    assert_eq!(
        retention.apply(&ledger, days(1_000)).await.unwrap(),
        None,
        "kept for good"
    );
    keep(30).await.unwrap();
    assert_eq!(
        retention
            .apply(&ledger, days(29))
            .await
            .unwrap()
            .unwrap()
            .subjects,
        0
    );
    assert_eq!(readable(&ledger, std::slice::from_ref(&text)).await, [true]);
    assert_eq!(
        retention.apply(&ledger, days(29)).await.unwrap(),
        None,
        "once a day"
    );
    let mut restarted = Retention::default();
    assert_eq!(
        restarted
            .apply(&ledger, days(31))
            .await
            .unwrap()
            .unwrap()
            .subjects,
        1
    );
    assert_eq!(readable(&ledger, &[text]).await, [false]);
    ledger.stop().await;
}
