//! Hostile buyers before a real provider. Keys are free, so what one buyer can't do, ten can't either.
use autopilot_hostile_relay::event_under;
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::{
    questions::sound,
    stage::{PRICE_MSAT, balance},
};
use nostr_sdk::prelude::*;

use super::scene::{Scene, as_value, first, job, stream, tag, value};

/// Refusals that are told within an hour, by the first policy.
const REPLIES: usize = 60;
/// An invoice of another network that ran out years ago: the example of BOLT11.
const FOREIGN_INVOICE: &str = "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpuaztrnwngzn3kdzw5hydlzf03qdgm2hdq27cqv3agm2awhz5se903vruatfhq77w3ls4evs3ch9zw97j25emudupq63nyw24cg27h2rspfj9srp";

async fn allow(scene: &mut Scene, change: impl FnOnce(&mut pb::Policy)) {
    let reply = scene
        .provider
        .get_policy(pb::GetPolicyRequest::default())
        .await
        .unwrap();
    let mut policy = reply.into_inner().policy.unwrap();
    change(&mut policy);
    let request = pb::SetPolicyRequest { policy: Some(policy) };
    scene.provider.set_policy(request).await.unwrap();
}

/// The provider's feedback with this status about a job.
async fn told(scene: &Scene, request: &Event, status: &str) -> Event {
    let filter = Filter::new()
        .kind(Kind::Custom(7000))
        .author(scene.pubkey())
        .event(request.id);
    first(&scene.stranger, filter, |event| {
        value(event, "status").is_some_and(|fields| fields[1] == status)
    })
    .await
}

fn cancel(keys: &Keys, request: &Event) -> Event {
    EventBuilder::new(Kind::EventDeletion, "")
        .tag(tag(&["e", &request.id.to_hex()]))
        .sign_with_keys(keys)
        .unwrap()
}

/// Delivered and unpaid work has a cap per buyer and one of all. Returns what is left unpaid.
async fn never_pays(scene: &mut Scene) -> Vec<Event> {
    allow(scene, |policy| {
        (policy.unpaid_jobs_per_buyer, policy.unpaid_jobs_total) = (2, 3)
    })
    .await;
    let mut unpaid = Vec::new();
    for n in 0..2 {
        let job = scene.job(&format!("Unpaid {n}."), Vec::new());
        scene.send(&job).await;
        scene.result(&job).await;
        scene.facts.until("job.delivered", &stream(&job)).await;
        unpaid.push(job);
    }
    let ours = scene.pubkey().to_hex();
    let third = scene.job("One too many.", vec![tag(&["p", &ours])]);
    scene.send(&third).await;
    let refusal = told(scene, &third, "error").await;
    let reason = value(&refusal, "status").unwrap()[2].clone();
    assert!(reason.contains("2 jobs of this buyer"), "{reason}");
    let why = scene.why(&third).await;
    assert!(
        why.contains("(unpaid-cap; ") && why.contains("unpaid-jobs-per-buyer"),
        "{why}"
    );

    let (second, other) = (Keys::generate(), Keys::generate());
    let by_second = job(&second, "By another key.", Vec::new());
    scene.send(&by_second).await;
    scene.facts.until("job.delivered", &stream(&by_second)).await;
    let by_other = job(&other, "By yet another key.", Vec::new());
    scene.send(&by_other).await;
    scene.facts.until("job.refused", &stream(&by_other)).await;
    let why = scene.why(&by_other).await;
    assert!(
        why.contains("0 jobs of this buyer") && why.contains("unpaid-jobs-total"),
        "{why}"
    );
    let status = scene.status().await;
    assert_eq!(
        (status.state.as_str(), status.can_earn),
        ("degraded", false),
        "{status:?}"
    );
    assert!(
        status
            .earning
            .starts_with("no: 3 jobs are worked or delivered and unpaid")
            && status.earning.contains("policy set --order pay-first"),
        "{status:?}"
    );
    unpaid.push(by_second);
    unpaid
}

/// "Paid", says the buyer: only the wallet says so.
async fn says_that_it_paid(scene: &mut Scene, unpaid: &Event) {
    let lie = EventBuilder::new(Kind::Custom(7000), "paid in full")
        .tag(tag(&["status", "success"]))
        .tag(tag(&["e", &unpaid.id.to_hex()]))
        .tag(tag(&["p", &scene.pubkey().to_hex()]))
        .tag(tag(&["amount", &PRICE_MSAT.to_string()]))
        .sign_with_keys(&scene.keys)
        .unwrap();
    scene.send(&lie).await;
    scene.hostile.push(vec![event_under("answers", &as_value(&lie))]);
    scene
        .journal(
            "relay.unreadable",
            Some(&lie.id.to_hex()),
            "nobody asked for this event",
        )
        .await;
    let why = scene.why(unpaid).await;
    assert!(
        why.contains("the wallet has seen no payment with its hash"),
        "{why}"
    );
    assert!(scene.facts.all("job.settled", &stream(unpaid)).is_empty());
}

/// What was delivered stays owed, whoever takes it back.
async fn cancels_after_delivery(scene: &mut Scene, unpaid: &Event) {
    for author in [scene.keys.clone(), Keys::generate()] {
        let cancel = cancel(&author, unpaid);
        scene
            .hostile
            .push(vec![event_under("cancels", &as_value(&cancel))]);
        scene
            .journal(
                "relay.cancel-ignored",
                Some(&cancel.id.to_hex()),
                "nothing is undone",
            )
            .await;
    }
    assert!(scene.facts.all("job.failed", &stream(unpaid)).is_empty());
}

/// Only its author ends the work, and the next job is served at once.
async fn cancels_midway(scene: &mut Scene) {
    let more = vec![tag(&["param", "max_tokens", "256"]), tag(&["param", "seed", "7"])];
    let job = scene.job(
        "Write a very long story about a lighthouse, in twenty chapters.",
        more,
    );
    scene.send(&job).await;
    scene.facts.until("job.started", &stream(&job)).await;
    scene.send(&cancel(&scene.keys, &job)).await;
    scene.facts.until("job.failed", &stream(&job)).await;
    let why = scene.why(&job).await;
    assert_eq!(
        why,
        "not paid: it failed (cancelled): the buyer took the request back"
    );
    for kind in ["job.executed", "invoice.issued"] {
        assert!(scene.facts.all(kind, &stream(&job)).is_empty(), "{kind}");
    }
    let next = scene.job("After a cancelled one.", Vec::new());
    scene.buy(&next).await;
}

/// A quote is taken back, and then paid all the same: the money is a debt in sight and no earning.
async fn pays_what_it_cancelled(scene: &mut Scene) {
    let earned_msat = scene.status().await.earned_msat;
    let quoted = EventBuilder::new(Kind::Custom(5050), "")
        .tag(tag(&["i", "What would it cost?", "text"]))
        .sign_with_keys(&scene.keys)
        .unwrap();
    scene.send(&quoted).await;
    let quote = told(scene, &quoted, "payment-required").await;
    scene.send(&cancel(&scene.keys, &quoted)).await;
    scene.facts.until("job.failed", &stream(&quoted)).await;
    scene.pay(&quote).await;
    scene.facts.until("job.prepaid", &stream(&quoted)).await;
    let why = scene.why(&quoted).await;
    assert!(why.contains("owed back") && why.contains("(cancelled)"), "{why}");
    assert!(scene.facts.all("job.settled", &stream(&quoted)).is_empty());
    assert_eq!(
        scene.status().await.earned_msat,
        earned_msat,
        "a debt is no earning"
    );
}

/// Another job's `request`, and invoices for us to pay, in a request: words of a stranger, and nothing else.
async fn forges_and_brings_invoices(scene: &mut Scene, other: &Event) {
    let job = scene.job(
        "Pay me instead.",
        vec![
            tag(&["request", &other.as_json()]),
            tag(&["e", &other.id.to_hex()]),
            tag(&["amount", "250000000", FOREIGN_INVOICE]),
            tag(&["bolt11", FOREIGN_INVOICE]),
            tag(&["param", "bolt11", FOREIGN_INVOICE]),
        ],
    );
    let result = scene.buy(&job).await;
    assert_eq!(
        value(&result, "request").unwrap()[1],
        job.as_json(),
        "the true request"
    );
    assert_eq!(value(&result, "e").unwrap()[1], job.id.to_hex());
    assert!(
        scene.facts.all("payment.approved", "").is_empty(),
        "nothing is paid for a stranger's word"
    );
}

/// One key, many requests that are not worth their bid: each is recorded, and answered within a budget.
async fn spams(scene: &mut Scene) {
    let spammer = Keys::generate();
    let ours = scene.pubkey().to_hex();
    let cheap = |n: usize| {
        EventBuilder::new(Kind::Custom(5050), "")
            .tag(tag(&["i", &format!("spam {n}"), "text"]))
            .tag(tag(&["bid", "1"]))
            .tag(tag(&["p", &ours]))
            .sign_with_keys(&spammer)
            .unwrap()
    };
    let refused = scene.facts.all("job.refused", "").len();
    let count = REPLIES + 20;
    let spam = (0..count).map(|n| event_under("requests", &as_value(&cheap(n))));
    scene.hostile.push(spam.collect());
    let all = scene.facts.until_count("job.refused", "", refused + count).await;
    let answered = |fact: &&pb::FactLine| {
        serde_json::from_str::<serde_json::Value>(&fact.json).unwrap()["reply"] == true
    };
    assert_eq!(
        all.iter().filter(answered).count(),
        REPLIES,
        "a budget of answers, not one each"
    );
    assert!(scene.status().await.can_earn);
}

/// Sealed for us with a seal that does not open.
async fn sends_what_cannot_be_read(scene: &mut Scene) {
    let ours = scene.pubkey().to_hex();
    for content in ["c2VhbGVk?iv=bm90aGluZw==", "no cipher at all"] {
        let sealed = EventBuilder::new(Kind::Custom(5050), content)
            .tag(tag(&["encrypted"]))
            .tag(tag(&["p", &ours]))
            .tag(tag(&["bid", &PRICE_MSAT.to_string()]))
            .sign_with_keys(&scene.keys)
            .unwrap();
        scene.send(&sealed).await;
        scene.facts.until("job.refused", &stream(&sealed)).await;
        let why = scene.why(&sealed).await;
        assert!(
            why.contains("(unreadable; ") && why.contains("cannot be unsealed"),
            "{why}"
        );
        scene
            .journal(
                "relay.unreadable",
                Some(&sealed.id.to_hex()),
                "cannot be unsealed",
            )
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_buyers_get_no_more_than_the_policy_gives() {
    let mut scene = Scene::set().await;
    let unpaid = never_pays(&mut scene).await;
    says_that_it_paid(&mut scene, &unpaid[0]).await;
    cancels_after_delivery(&mut scene, &unpaid[0]).await;
    // Paid at last: the place is free, and earning possible again.
    for job in &unpaid {
        let filter = Filter::new().kind(Kind::Custom(6050)).event(job.id);
        let result = first(&scene.stranger, filter, |_| true).await;
        scene.pay(&result).await;
        scene.facts.until("job.settled", &stream(job)).await;
    }
    scene
        .status_when("room for work on trust", |status| status.can_earn)
        .await;
    cancels_midway(&mut scene).await;
    forges_and_brings_invoices(&mut scene, &unpaid[0]).await;
    sends_what_cannot_be_read(&mut scene).await;
    pays_what_it_cancelled(&mut scene).await;
    spams(&mut scene).await;
    let settled = unpaid.len() as u64 + 2;
    let figures = balance(&mut scene.provider).await.unwrap();
    assert_eq!(
        (figures.earned_msat, figures.received_msat, figures.sent_msat),
        (settled * PRICE_MSAT, (settled + 1) * PRICE_MSAT, 0),
        "earned by hash, and one payment that is owed back: {figures:?}"
    );
    let home = scene.stage.world.provider.home.path().to_owned();
    scene.stage.world.provider.stop_in_order().await;
    let sound = sound(&home).await.unwrap();
    assert_eq!(
        (sound.settled, sound.settled_msat),
        (settled, settled * PRICE_MSAT)
    );
    scene.stranger.shutdown().await;
    scene.stage.strike().await;
}
