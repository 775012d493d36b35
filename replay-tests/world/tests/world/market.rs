//! Our buyer and our provider in the market at large, on one stage: a windowed choice, the content policy, what is
//! missed, buy mode with its kill switch, and the canary.
use std::time::Duration;

use autopilot_host::{control, sandbox::ChainKind};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::stage::{
    FEE_CEILING_MSAT, PATIENCE_S, PRICE_MSAT, Stage, balance, order, outcome, settled,
};
use nostr_sdk::prelude::*;

use crate::stranger::{billed_result, client, first, value};

type Host = control::Client;

/// The next fact of a type after a number; its JSON.
async fn fact(host: &mut Host, after: u64, kind: &str) -> (u64, serde_json::Value) {
    let follow = pb::FollowRequest { after, limit: 0 };
    let mut facts = host.follow(follow).await.unwrap().into_inner();
    let wait = async {
        loop {
            let fact = facts.message().await.unwrap().expect("the host runs");
            if fact.r#type == kind {
                return (fact.sequence, serde_json::from_str(&fact.json).unwrap());
            }
        }
    };
    let patience = Duration::from_secs(PATIENCE_S.into());
    tokio::time::timeout(patience, wait)
        .await
        .unwrap_or_else(|_| panic!("{kind} in time"))
}

async fn head(host: &mut Host) -> u64 {
    let status = host.status(pb::StatusRequest {}).await.unwrap().into_inner();
    status.basis.unwrap().sequence
}

async fn buy(
    host: &mut Host,
    input: &str,
    provider: &str,
    change: impl FnOnce(&mut pb::BuyRequest),
) -> String {
    let mut request = pb::BuyRequest {
        input: input.to_owned(),
        kind: 5050,
        budget_msat: PRICE_MSAT,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        deadline_s: PATIENCE_S,
        provider: provider.to_owned(),
        max_tokens: 8,
        ..Default::default()
    };
    change(&mut request);
    host.buy(request).await.unwrap().into_inner().purchase_id
}

#[tokio::test(flavor = "multi_thread")]
async fn the_market_beyond_one_purchase() {
    let stage = Stage::build(ChainKind::Simulated).await.unwrap();
    let (mut provider, mut buyer) = (
        stage.world.provider.client().unwrap(),
        stage.world.buyer.client().unwrap(),
    );
    previewed(&stage, &mut provider).await;
    stage.world.go_online().await.unwrap();
    canary(&stage, &mut provider).await;
    refused(&stage, &mut provider, &mut buyer).await;
    buy_mode(&stage, &mut buyer).await;
    windowed(&stage, &mut buyer).await;
    stage.strike().await;
}

/// While offline demand is counted, shown, and never claimed; and `status` says why no job comes.
async fn previewed(stage: &Stage, provider: &mut Host) {
    let (stranger, keys) = client(&stage.world.relays[0]).await;
    let request = EventBuilder::new(Kind::Custom(5050), "")
        .tag(Tag::parse(["i", "Is anybody there?", "text"]).unwrap())
        .tag(Tag::parse(["param", "ttl", "1"]).unwrap())
        .tag(Tag::parse(["bid", "77000"]).unwrap())
        .sign_with_keys(&keys)
        .unwrap();
    stranger.send_event(&request).await.unwrap();
    let (_, seen) = fact(provider, 0, "demand.seen").await;
    assert_eq!(
        (&seen["online"], &seen["kinds"][0]["kind"]),
        (&false.into(), &5050.into()),
        "{seen}"
    );
    let missed = provider
        .missed(pb::MissedRequest::default())
        .await
        .unwrap()
        .into_inner();
    let demand = &missed.offline[0];
    assert_eq!(
        (demand.jobs, demand.highest_bid_msat, missed.received),
        (1, 77_000, 0),
        "{missed:?}"
    );
    let status = provider.status(pb::StatusRequest {}).await.unwrap().into_inner();
    let causes: Vec<&str> = status
        .why_no_jobs
        .iter()
        .map(|cause| cause.code.as_str())
        .collect();
    assert_eq!(
        (causes.first(), causes.contains(&"missed-offline")),
        (Some(&"offline"), true),
        "{causes:?}"
    );
    assert_eq!(status.why_no_jobs[0].next, "autopilotctl provider online");
    stranger.shutdown().await;
}

/// What is asked in a window.
const QUESTION: &str = "The cheapest, please.";

/// Two strangers and our provider answer within the window: the cheapest is paid, another is told that it lost.
async fn windowed(stage: &Stage, buyer: &mut Host) {
    let (dear, dear_keys) = client(&stage.world.relays[0]).await;
    let (cheap, cheap_keys) = client(&stage.world.relays[0]).await;
    let before = balance(buyer).await.unwrap().sent_msat;
    let asked = head(buyer).await;
    let id = buy(buyer, QUESTION, "", |request| request.window_s = 10).await;
    let this = |event: &Event| value(event, "i").is_some_and(|input| input[1] == QUESTION);
    let request = first(&dear, Filter::new().kind(Kind::Custom(5050)), this).await;
    for (stranger, keys, msat) in [(&dear, &dear_keys, 7_000), (&cheap, &cheap_keys, 6_000)] {
        let result = billed_result(stage, keys, &request, "an answer", msat).await;
        stranger.send_event(&result).await.unwrap();
    }
    let reply = outcome(buyer, &id).await.unwrap();
    assert_eq!(
        (reply.paid_msat, reply.provider.as_str()),
        (6_000, cheap_keys.public_key().to_hex().as_str()),
        "{reply:?}"
    );
    let told = Filter::new()
        .kind(Kind::Custom(7000))
        .pubkey(dear_keys.public_key());
    let told = first(&dear, told, |event| value(event, "status").is_some()).await;
    let status = value(&told, "status").unwrap();
    assert_eq!((status[1].as_str(), status[2].as_str()), ("error", "lost-race"));
    assert_eq!(
        balance(buyer).await.unwrap().sent_msat - before,
        6_000,
        "one payment"
    );
    let (_, requested) = fact(buyer, asked, "purchase.requested").await;
    assert_eq!(
        requested["budget_msat"], PRICE_MSAT,
        "the approval names its ceiling"
    );
    dear.shutdown().await;
    cheap.shutdown().await;
}

/// The provider tries itself: billed without a payer, paid with one, and neither is an earning.
async fn canary(stage: &Stage, provider: &mut Host) {
    let request = pb::CanaryRequest {
        wait_s: PATIENCE_S,
        ..Default::default()
    };
    let alone = provider.canary(request.clone()).await.unwrap().into_inner();
    let stages = |reply: &pb::CanaryReply| -> Vec<String> {
        reply.stages.iter().map(|stage| stage.name.clone()).collect()
    };
    assert_eq!(alone.outcome, "worked", "{alone:?}");
    assert!(alone.words.contains("would arrive now"), "{alone:?}");
    let mine = pb::CanaryRequest {
        pay_with: stage.world.provider.home.path().display().to_string(),
        ..request.clone()
    };
    let refused = provider.canary(mine).await.unwrap_err();
    assert!(refused.message().contains("can't pay itself"), "{refused:?}");
    let paid = loop {
        let request = pb::CanaryRequest {
            pay_with: stage.world.buyer.home.path().display().to_string(),
            fee_ceiling_msat: FEE_CEILING_MSAT,
            ..request.clone()
        };
        match provider.canary(request).await {
            Ok(reply) => break reply.into_inner(),
            // One in ten seconds: there is no event to wait for.
            Err(status) => {
                assert!(status.message().contains("ten seconds"), "{status:?}");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    };
    assert_eq!(paid.outcome, "paid", "{paid:?}");
    assert_eq!(
        stages(&paid),
        ["published", "accepted", "worked", "billed", "paid"],
        "{paid:?}"
    );
    let status = provider.status(pb::StatusRequest {}).await.unwrap().into_inner();
    assert!(
        status.canary.starts_with("reachable, worked and paid"),
        "{status:?}"
    );
    let earnings = provider
        .earnings(pb::EarningsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let counted = (
        earnings.earned_msat,
        earnings.jobs_accepted,
        earnings.jobs_settled,
    );
    assert_eq!(counted, (0, 0, 0), "{earnings:?}");
    assert_eq!(
        balance(provider).await.unwrap().received_msat,
        PRICE_MSAT,
        "the wallet has it"
    );
    let why = provider
        .why(pb::WhyRequest { job: paid.job_id })
        .await
        .unwrap()
        .into_inner();
    assert!(why.rungs[5].detail.contains("no earning"), "{why:?}");
}

/// What the policy refuses is told to the buyer, seen with its text, and summed up.
async fn refused(stage: &Stage, provider: &mut Host, buyer: &mut Host) {
    let pubkey = stage.world.provider.pubkey.clone();
    let policy = provider
        .get_policy(pb::GetPolicyRequest::default())
        .await
        .unwrap()
        .into_inner();
    let first_digest = policy.digest;
    let policy = pb::Policy {
        refused_words: vec!["Casino".to_owned()],
        ..policy.policy.unwrap()
    };
    provider
        .set_policy(pb::SetPolicyRequest { policy: Some(policy) })
        .await
        .unwrap();
    let (before, asked) = (head(provider).await, head(buyer).await);
    buy(buyer, "Which CASINO is best?", &pubkey, |request| {
        request.deadline_s = 20
    })
    .await;
    let (_, refused) = fact(provider, before, "job.refused").await;
    assert_eq!(
        (refused["rule"].as_str(), refused["setting"].as_str()),
        (Some("word:casino"), Some("content-policy"))
    );
    let (_, told) = fact(buyer, asked, "purchase.offered").await;
    assert_eq!(told["status"], "error", "{told}");
    let listed = pb::RefusalsRequest {
        rule: "word:casino".to_owned(),
        ..Default::default()
    };
    let reply = provider.refusals(listed).await.unwrap().into_inner();
    let line = &reply.refusals[0];
    assert_eq!(
        (line.text.as_str(), line.reason.as_str()),
        ("Which CASINO is best?", "content-policy")
    );
    let past = |digest: &str| pb::GetPolicyRequest {
        digest: digest[..8].to_owned(),
    };
    let cited = provider
        .get_policy(past(&line.policy_digest))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(cited.policy.unwrap().refused_words, ["casino"]);
    let earlier = provider
        .get_policy(past(&first_digest))
        .await
        .unwrap()
        .into_inner();
    assert!(earlier.policy.unwrap().refused_words.is_empty());
    let mark = pb::MarkRefusalRequest {
        job: line.job_id.clone(),
        wrong: true,
        note: "a tourist".to_owned(),
    };
    let marked = provider
        .mark_refusal(mark)
        .await
        .unwrap()
        .into_inner()
        .rule
        .unwrap();
    assert_eq!((marked.refused, marked.wrong), (1, 1));

    let cheap = head(provider).await;
    buy(buyer, "Cheaply?", &pubkey, |request| {
        request.deadline_s = 20;
        request.budget_msat = 4_000;
    })
    .await;
    let (_, low) = fact(provider, cheap, "job.refused").await;
    let job = low["job_id"].as_str().unwrap().to_owned();
    let why = provider.why(pb::WhyRequest { job }).await.unwrap().into_inner();
    assert!(
        why.answer.contains("min-price 10000msat → 4000msat"),
        "{}",
        why.answer
    );
    let missed = provider
        .missed(pb::MissedRequest { since_ms: 0 })
        .await
        .unwrap()
        .into_inner();
    let line = missed
        .missed
        .iter()
        .find(|line| line.reason == "price-too-low")
        .unwrap();
    assert_eq!((line.jobs, line.msat), (1, 4_000));
    assert_eq!(line.next, "autopilotctl policy set --min-price 4000msat");
}

/// Two purchases at their pace, then the end; and a second one that is killed.
async fn buy_mode(stage: &Stage, buyer: &mut Host) {
    let from = head(buyer).await;
    let start = pb::StartBuyModeRequest {
        input: "Say no.".to_owned(),
        budget_msat: 2 * (PRICE_MSAT + FEE_CEILING_MSAT),
        per_job_msat: PRICE_MSAT,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        pace_s: 1,
        count: 2,
        provider: stage.world.provider.pubkey.clone(),
        deadline_s: PATIENCE_S,
        max_tokens: 8,
        for_s: PATIENCE_S,
        ..Default::default()
    };
    let running = buyer.start_buy_mode(start.clone()).await.unwrap().into_inner();
    assert_eq!(running.state, "running");
    let (_, stopped) = fact(buyer, from, "buy_mode.stopped").await;
    assert_eq!(stopped["reason"], "count-reached", "{stopped}");
    let over = buyer.buy_mode(pb::BuyModeRequest {}).await.unwrap().into_inner();
    assert_eq!(
        (over.purchases, over.paid, over.open.len()),
        (2, 2, 0),
        "{over:?}"
    );
    assert!(
        over.spent_msat >= 2 * PRICE_MSAT && over.spent_msat <= over.budget_msat,
        "{over:?}"
    );
    settled(&mut stage.world.provider.client().unwrap(), 2)
        .await
        .unwrap();

    let nobody = Keys::generate().public_key().to_hex();
    let from = head(buyer).await;
    let start = pb::StartBuyModeRequest {
        provider: nobody,
        count: 0,
        ..start
    };
    buyer.start_buy_mode(start).await.unwrap();
    fact(buyer, from, "purchase.requested").await;
    let killed = buyer
        .stop_buy_mode(pb::StopBuyModeRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (killed.reason.as_str(), killed.open.len(), killed.spent_msat),
        ("stopped", 0, 0)
    );
    let (_, closed) = fact(buyer, from, "purchase.closed").await;
    assert_eq!(closed["reason"], "cancelled", "{closed}");
    // It stays so: a purchase of a person goes on as ever.
    let id = order(buyer, &stage.world.provider.pubkey, "Say maybe.")
        .await
        .unwrap();
    assert_eq!(outcome(buyer, &id).await.unwrap().paid_msat, PRICE_MSAT);
    let after = buyer.buy_mode(pb::BuyModeRequest {}).await.unwrap().into_inner();
    assert_eq!(
        after.purchases, killed.purchases,
        "nothing is bought after the kill switch"
    );
}
