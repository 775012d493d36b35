//! Reading never panics, and what is written is read back as it was meant.

use autopilot_core::ports::market::{
    Bill, EVENT_LIMIT_BYTES, Encryption, FeedbackStatus, JobInput, JobParams, JobRequest, MarketError,
    MarketItem, NewFeedback, NewRequest,
};
use autopilot_events::words::{Msat, PublicKey};
use autopilot_nostr::nip90;
use nostr::{Event, EventBuilder, JsonUtil, Keys, Kind, Tag, Timestamp};
use proptest::prelude::*;

fn request(me: &Keys, raw: &[u8]) -> JobRequest {
    match nip90::read_bytes(raw, me).expect("readable") {
        MarketItem::Request(job) => *job,
        other => panic!("{other:?}"),
    }
}

fn kinds() -> impl Strategy<Value = u16> {
    prop_oneof![
        5_000..6_000_u16,
        6_000..7_000_u16,
        Just(7_000),
        Just(31_990),
        Just(5),
        any::<u16>()
    ]
}

fn tags() -> impl Strategy<Value = Vec<Vec<String>>> {
    let name = prop_oneof![
        Just("i"),
        Just("param"),
        Just("bid"),
        Just("p"),
        Just("e"),
        Just("amount"),
        Just("status"),
        Just("request"),
        Just("encrypted"),
        Just("relays"),
        Just("output"),
        Just("k"),
        Just("d"),
        Just("x"),
    ];
    let field = prop_oneof![
        any::<String>(),
        Just("text".to_owned()),
        Just("ttl".to_owned()),
        Just("top_k".to_owned()),
        Just("temperature".to_owned()),
        Just("NaN".to_owned()),
        Just("-1".to_owned()),
        Just(u64::MAX.to_string()),
        Just("processing".to_owned()),
        "[0-9a-f]{64}",
    ];
    let tag = (name, prop::collection::vec(field, 0..5))
        .prop_map(|(name, rest)| std::iter::once(name.to_owned()).chain(rest).collect());
    prop::collection::vec(tag, 0..12)
}

fn params() -> impl Strategy<Value = JobParams> {
    let text = "[a-z]{1,12}";
    (
        prop::option::of(text),
        prop::option::of(any::<u32>()),
        prop::option::of(0.0_f32..2.0),
        prop::option::of(any::<u32>()),
        prop::option::of(0.0_f32..=1.0),
        prop::option::of(any::<u64>()),
        prop::collection::vec(".{1,10}", 0..3),
        prop::option::of(0..100_000_u32),
        prop::option::of("lno1[a-z0-9]{1,300}"),
    )
        .prop_map(
            |(model, max_tokens, temperature, top_k, top_p, seed, stop, ttl_s, refund)| JobParams {
                model,
                max_tokens,
                temperature,
                top_k,
                top_p,
                seed,
                stop,
                ttl_s,
                refund,
                other: vec![("language".into(), "en".into())],
                malformed: Vec::new(),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let me = Keys::generate();
        prop_assert!(nip90::read_bytes(&bytes, &me).is_err());
    }

    #[test]
    fn any_signed_event(kind in kinds(), tags in tags(), content in any::<String>(), date in any::<u32>()) {
        let (me, author) = (Keys::generate(), Keys::generate());
        let tags = tags.into_iter().map(Tag::parse).collect::<Result<Vec<_>, _>>().unwrap();
        let event = EventBuilder::new(Kind::from(kind), content).tags(tags)
            .custom_created_at(Timestamp::from_secs(u64::from(date))).sign_with_keys(&author).unwrap();
        if let Ok(item) = nip90::read_bytes(event.as_json().as_bytes(), &me) {
            prop_assert_eq!(item.native_id().0, event.id.to_bytes());
        }
    }

    #[test]
    fn request_comes_back(
        text in ".{0,300}", params in params(), bid in prop::option::of(any::<u64>()), kind in 5_000..6_000_u16,
        cipher in prop_oneof![Just(None), Just(Some(Encryption::Nip04)), Just(Some(Encryption::Nip44))],
    ) {
        let (buyer, seller) = (Keys::generate(), Keys::generate());
        let seller_key = PublicKey(seller.public_key().to_bytes());
        let new = NewRequest {
            kind, inputs: vec![JobInput::text(text.clone()), JobInput::text("more")], params: params.clone(),
            output: Some("text/plain".into()), bid_msat: bid.map(Msat), providers: vec![seller_key],
            relays: vec!["ws://127.0.0.1:1".into()], encryption: cipher,
        };
        let signed = nip90::request(&buyer, &new, 1_700_000_000).unwrap();
        let job = request(&seller, &signed.json);
        prop_assert_eq!(&job.input, &format!("{text}\nmore"));
        prop_assert_eq!(&job.params, &params);
        prop_assert_eq!((job.bid_msat, job.kind, job.encryption), (bid.map(Msat), kind, cipher));
        prop_assert_eq!((job.targeted, job.open, job.created_at_s), (true, false, 1_700_000_000));
        prop_assert_eq!(job.ttl_s, params.ttl_s.unwrap_or(60).min(86_400));
        prop_assert_eq!((&job.relays, &job.raw), (&new.relays, &signed.json));

        let bill = Bill { amount_msat: Msat(1_000), bolt11: Some("lnbc1".into()) };
        let answer = nip90::result(&seller, &job, &text, Some(&bill), "ws://127.0.0.1:1/", 1_700_000_001).unwrap();
        match nip90::read_bytes(&answer.json, &buyer).unwrap() {
            MarketItem::Result(result) => {
                prop_assert_eq!((&result.content, &result.bill), (&text, &Some(bill)));
                prop_assert_eq!((result.job, result.kind, result.request_matches), (signed.id, kind + 1_000, true));
            }
            other => prop_assert!(false, "{:?}", other),
        }
        if cipher.is_none() {
            let content = serde_json::to_string(&text).unwrap().len();
            prop_assert!(answer.json.len() <= job.result_overhead_bytes + content, "an upper bound");
        }
    }

    #[test]
    fn feedback_comes_back(reason in ".{0,100}", content in ".{0,100}", amount in prop::option::of(any::<u64>())) {
        let (buyer, seller) = (Keys::generate(), Keys::generate());
        let new = NewRequest { kind: 5_050, inputs: vec![JobInput::text("x")], ..NewRequest::default() };
        let job = request(&seller, &nip90::request(&buyer, &new, 1).unwrap().json);
        for status in [FeedbackStatus::PaymentRequired, FeedbackStatus::Processing, FeedbackStatus::Error,
                       FeedbackStatus::Success, FeedbackStatus::Partial] {
            let bill = amount.map(|amount| Bill { amount_msat: Msat(amount), bolt11: None });
            let new = NewFeedback { status, reason: reason.clone(), content: content.clone(), bill: bill.clone() };
            let signed = nip90::feedback_from_provider(&seller, &job, &new, "", 2).unwrap();
            match nip90::read_bytes(&signed.json, &buyer).unwrap() {
                MarketItem::Feedback(got) => prop_assert_eq!(
                    (got.status, &got.reason, &got.content, &got.bill, got.job),
                    (status, &reason, &content, &bill, job.native_id)
                ),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn one_flipped_character_is_noticed(at in any::<prop::sample::Index>()) {
        let me = Keys::generate();
        let new = NewRequest { kind: 5_050, inputs: vec![JobInput::text("x")], ..NewRequest::default() };
        let signed = nip90::request(&me, &new, 1).unwrap();
        let mut bytes = signed.json.clone();
        let at = at.index(bytes.len());
        bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
        // Either it is no event any more, or it is forged, or only the layout changed.
        match nip90::read_bytes(&bytes, &me) {
            Err(_) => {}
            Ok(item) => prop_assert_eq!(item.native_id(), signed.id),
        }
    }
}

#[test]
fn bounds_and_money_are_strict() {
    let me = Keys::generate();
    let read = |tags: Vec<Vec<&str>>| {
        let tags: Vec<Tag> = tags.into_iter().map(|tag| Tag::parse(tag).unwrap()).collect();
        let event: Event = EventBuilder::new(Kind::from(5_050), "")
            .tags(tags)
            .sign_with_keys(&me)
            .unwrap();
        nip90::read_bytes(event.as_json().as_bytes(), &me)
    };
    assert!(read(vec![vec!["i", "x", "text"]]).is_ok());
    assert!(matches!(
        read(vec![vec!["bid", "ten"]]),
        Err(MarketError::Unreadable(_))
    ));
    assert!(matches!(
        read(vec![vec!["bid", "-5"]]),
        Err(MarketError::Unreadable(_))
    ));
    assert!(matches!(
        read(vec![vec!["i", "x"]; 33]),
        Err(MarketError::Unreadable(_))
    ));
    assert!(matches!(
        read(vec![vec!["t", "x"]; 257]),
        Err(MarketError::Unreadable(_))
    ));
    let long = "x".repeat(70_000);
    assert!(matches!(
        read(vec![vec!["i", &long]]),
        Err(MarketError::Unreadable(_))
    ));
    let not_for_us = read(vec![vec!["p", "not a key"]]).unwrap();
    assert!(matches!(not_for_us, MarketItem::Request(job) if !job.open && !job.targeted));
    let remote = read(vec![
        vec!["i", "https://example.com", "url"],
        vec!["i", "read it"],
    ])
    .unwrap();
    assert!(matches!(remote, MarketItem::Request(job) if job.inputs.len() == 2 && job.input == "read it"));
}

#[test]
fn what_a_sealed_job_has_room_for_fits() {
    let (buyer, seller) = (Keys::generate(), Keys::generate());
    for cipher in [Encryption::Nip04, Encryption::Nip44] {
        let new = NewRequest {
            kind: 5_050,
            inputs: vec![JobInput::text("x".repeat(3_000))],
            providers: vec![PublicKey(seller.public_key().to_bytes())],
            encryption: Some(cipher),
            ..NewRequest::default()
        };
        let job = request(&seller, &nip90::request(&buyer, &new, 1).unwrap().json);
        let output = "x".repeat(job.result_room_bytes());
        assert!(output.len() > 20_000);
        nip90::result(&seller, &job, &output, None, "wss://relay.example.com/", 2).unwrap();
    }
}

#[test]
fn a_result_that_no_relay_takes_is_not_composed() {
    let me = Keys::generate();
    let new = NewRequest {
        kind: 5_050,
        inputs: vec![JobInput::text("\"".repeat(10_000))],
        ..NewRequest::default()
    };
    let job = request(&me, &nip90::request(&me, &new, 1).unwrap().json);
    let room = job.result_room_bytes();
    let bill = Bill {
        amount_msat: Msat(u64::MAX),
        bolt11: Some("l".repeat(800)),
    };
    let answer = |bytes| {
        nip90::result(
            &me,
            &job,
            &"x".repeat(bytes),
            Some(&bill),
            "wss://relay.example.com/",
            2,
        )
    };
    assert!(answer(room).is_ok(), "what admission says fits does fit");
    let error = answer(EVENT_LIMIT_BYTES).unwrap_err();
    assert!(matches!(
        MarketError::from(error),
        MarketError::TooLarge {
            limit_bytes: EVENT_LIMIT_BYTES,
            ..
        }
    ));
}
