//! The content policy, and what a job that was not taken would have paid under which setting.
use autopilot_core::{
    Input, content,
    input::{Command, Readiness, Request},
};
use autopilot_events::{
    Event,
    pb::{self, RefusedTopic},
    words::{Msat, PublicKey},
};

use crate::{
    given::{online, online_with, policy, ready, request},
    ledger::Ledger,
};

fn refusing(words: &[&str], topics: &[(&str, &[&str])]) -> pb::Policy {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let topic = |(name, words): &(&str, &[&str])| RefusedTopic {
        name: (*name).to_owned(),
        words: owned(words),
    };
    pb::Policy {
        refused_words: owned(words),
        refused_topics: topics.iter().map(topic).collect(),
        ..policy()
    }
}

/// The rule against a text with these `t` tags.
fn rule(policy: &pb::Policy, text: &str, tags: &[&str]) -> Option<String> {
    let policy = content::tidy(policy.clone()).unwrap();
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    content::judge(&policy, &PublicKey([1; 32]), text, &tags)
}

#[test]
fn words_are_compared_whole_and_in_one_normal_form() {
    let policy = refusing(&["Casino", "straße", "赌博", "card trick"], &[]);
    let word = |word: &str| Some(format!("word:{word}"));
    let cases = [
        ("best CASINO in town", word("casino")),
        ("casino's best", word("casino")),
        ("ca\u{200b}si\u{ad}no", word("casino")),
        ("\u{ff43}\u{ff41}\u{ff53}\u{ff49}\u{ff4e}\u{ff4f}", word("casino")),
        ("casinos are no casin o", None),
        ("In der STRASSE", word("strasse")),
        ("我想赌博吗", word("赌 博")),
        ("我想赌一博", None),
        ("a card\n - trick", word("card trick")),
        ("card and trick", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(rule(&policy, text, &[]), expected, "{text:?}");
    }
}

#[test]
fn a_topic_meets_by_its_words_and_by_a_tag_of_its_name() {
    let policy = refusing(&[], &[("Gambling", &["roulette", "Poker night"])]);
    let met = Some("topic:gambling".to_owned());
    assert_eq!(rule(&policy, "a poker-night joke", &[]), met);
    assert_eq!(rule(&policy, "anything", &["news", "GAMBLING"]), met);
    assert_eq!(
        rule(&policy, "gambling itself is no word of the list", &["news"]),
        None
    );
}

#[test]
fn rules_are_kept_in_normal_form_and_bounded() {
    let tidied = content::tidy(refusing(&["B", "b ", "A"], &[("T", &["x"]), ("t", &["X", "y"])])).unwrap();
    assert_eq!(tidied.refused_words, ["a", "b"]);
    assert_eq!(
        tidied.refused_topics,
        [RefusedTopic {
            name: "t".into(),
            words: vec!["x".into(), "y".into()]
        }]
    );
    let many: Vec<String> = (0..513).map(|n| format!("w{n}")).collect();
    let long = "x".repeat(65);
    let bad = [
        refusing(&["!?"], &[]),
        refusing(&[&long], &[]),
        pb::Policy {
            refused_words: many,
            ..policy()
        },
        pb::Policy {
            refused_requesters: vec!["npub1".to_owned()],
            ..policy()
        },
    ];
    for policy in bad {
        online().check(Input::Person(Command::SetPolicy(policy)), &["no: policy-invalid"]);
    }
}

fn last_refusal(ledger: &Ledger) -> pb::JobRefused {
    match &ledger.all("job.refused").last().unwrap().event {
        Event::JobRefused(m) => m.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refusal_names_rule_and_policy_and_tells_the_buyer_no_rule() {
    let key = PublicKey([7; 32]);
    let mut rules = refusing(&["casino"], &[]);
    rules.refused_requesters = vec![key.to_string()];
    let mut ledger = online_with(rules);
    let refused = &["job.received", "job.refused content-policy"];
    let asked = Request {
        text: "A casino, please".to_owned(),
        ..request(1)
    };
    ledger.check(Input::Request(asked), refused);
    let m = last_refusal(&ledger);
    assert_eq!((m.rule.as_str(), m.would_pay_msat), ("word:casino", 1_000));
    assert!(!m.detail.contains("casino"));
    assert_eq!(
        m.policy_digest,
        ledger.engine.state().provider.policy_digest.to_vec()
    );
    // An encrypted one is judged by its clear text all the same.
    let sealed = Request {
        text: "casino".to_owned(),
        encrypted: true,
        ..request(2)
    };
    ledger.check(Input::Request(sealed), refused);
    ledger.check(
        Input::Request(Request {
            requester: key,
            ..request(3)
        }),
        refused,
    );
    assert_eq!(last_refusal(&ledger).rule, format!("requester:{key}"));
    ledger.check(
        Input::Request(request(4)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );

    let mark = |n: u8, wrong: bool| {
        let job_id = crate::given::job(n).to_vec();
        let rule = "word:casino".to_owned();
        Input::Person(Command::MarkRefusal(pb::RefusalMarked {
            job_id,
            wrong,
            rule,
            note: String::new(),
        }))
    };
    ledger.check(mark(1, true), &["refusal.marked"]);
    ledger.check(mark(1, true), &[]);
    ledger.check(mark(2, true), &["refusal.marked"]);
    ledger.check(mark(2, false), &["refusal.marked"]);
    let count = ledger.engine.state().missed.rules["word:casino"];
    assert_eq!((count.refused, count.wrong), (2, 1));
}

#[test]
fn each_refusal_names_the_setting_that_would_have_taken_the_job() {
    let asked = || request(1);
    let (yes, no) = ("true".to_owned(), "false".to_owned());
    let cases: Vec<(pb::Policy, Request, Readiness, &str, String, String, u64)> = vec![
        (
            policy(),
            Request {
                bid: Some(Msat(400)),
                ..asked()
            },
            ready(),
            "min-price",
            "1000msat".into(),
            "400msat".into(),
            400,
        ),
        (
            policy(),
            Request {
                bid: Some(Msat(0)),
                ..asked()
            },
            ready(),
            "",
            String::new(),
            String::new(),
            0,
        ),
        (
            policy(),
            Request {
                kind: 5100,
                ..asked()
            },
            ready(),
            "kinds",
            "5050".into(),
            "5050,5100".into(),
            1_000,
        ),
        (
            policy(),
            Request {
                model: Some("big".into()),
                ..asked()
            },
            ready(),
            "model",
            "llama".into(),
            "big".into(),
            1_000,
        ),
        (
            pb::Policy {
                accept_open: false,
                ..policy()
            },
            asked(),
            ready(),
            "accept-open",
            no.clone(),
            yes.clone(),
            1_000,
        ),
        (
            pb::Policy {
                quote_without_bid: false,
                ..policy()
            },
            Request { bid: None, ..asked() },
            ready(),
            "quote-without-bid",
            no,
            yes,
            1_000,
        ),
        (
            pb::Policy {
                max_input_bytes: 10,
                ..policy()
            },
            asked(),
            ready(),
            "max-input-bytes",
            "10".into(),
            "100".into(),
            1_000,
        ),
        (
            policy(),
            asked(),
            Readiness {
                receivable: Msat(5),
                ..ready()
            },
            "channel-capacity",
            "5msat".into(),
            "1000msat".into(),
            1_000,
        ),
        (
            policy(),
            Request {
                open: false,
                ..asked()
            },
            ready(),
            "",
            String::new(),
            String::new(),
            1_000,
        ),
    ];
    for (policy, request, readiness, setting, now, needed, pays) in cases {
        let mut ledger = online_with(policy);
        ledger.check(Input::Readiness(readiness), &[]);
        ledger.submit(Input::Request(request));
        let m = last_refusal(&ledger);
        assert_eq!(
            (
                m.setting.as_str(),
                m.setting_now,
                m.setting_needed,
                m.would_pay_msat
            ),
            (setting, now, needed, pays)
        );
    }
}

#[test]
fn what_was_missed_is_summed_by_reason_and_by_the_hour() {
    let mut ledger = online();
    ledger.check(
        Input::Request(request(1)),
        &["job.received", "job.accepted work-first", "job.started 1"],
    );
    ledger.check(Input::Request(request(2)), &["job.received", "job.refused busy"]);
    let cheap = |n, bid, now_ms: i64| {
        Input::Request(Request {
            bid: Some(Msat(bid)),
            created_at_s: now_ms / 1_000,
            ..request(n)
        })
    };
    for (n, bid) in [(3, 400), (4, 700)] {
        let asked = cheap(n, bid, ledger.now_ms);
        ledger.check(asked, &["job.received", "job.refused price-too-low"]);
    }
    let noon = ledger.now_ms;
    ledger.now_ms += 2 * 3_600_000;
    let late = cheap(5, 300, ledger.now_ms);
    ledger.check(late, &["job.received", "job.refused price-too-low"]);
    let missed = &ledger.engine.state().missed;
    assert_eq!((missed.total.received, missed.total.taken), (5, 1));
    let low = &missed.total.groups["price-too-low min-price"];
    assert_eq!((low.jobs, low.msat, low.needed.as_str()), (3, 1_400, "300msat"));
    let busy = &missed.total.groups["busy max-in-flight"];
    assert_eq!(
        (busy.msat, busy.now.as_str(), busy.needed.as_str()),
        (1_000, "1", "2")
    );
    let recent = missed.since(noon + 3_600_000);
    assert_eq!(
        (recent.received, recent.groups["price-too-low min-price"].jobs),
        (1, 1)
    );
    // After three days that day is kept as one, after a month it is gone; the totals stay.
    let late_ms = ledger.now_ms;
    for (n, days, since_then, in_all) in [(6, 3, 6, 6), (7, 40, 1, 7)] {
        ledger.now_ms += days * 86_400_000;
        let again = cheap(n, 300, ledger.now_ms);
        ledger.submit(again);
        let missed = &ledger.engine.state().missed;
        assert_eq!(
            (missed.since(late_ms).received, missed.total.received),
            (since_then, in_all)
        );
    }
}
