//! The paid loop on the simulated chain.
use autopilot_host::sandbox::ChainKind;
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::{
    questions::sound,
    stage::{FEE_CEILING_MSAT, PATIENCE_S, Stage, balance, balance_when, order, outcome, settled},
};

/// Ten jobs of 10 sat each show 100 sat earned, and can then be withdrawn.
#[tokio::test(flavor = "multi_thread")]
async fn ten_small_jobs_are_earned_and_withdrawn() {
    let stage = Stage::build(ChainKind::Simulated).await.unwrap();
    stage.world.go_online().await.unwrap();
    let (mut provider, mut buyer) = (
        stage.world.provider.client().unwrap(),
        stage.world.buyer.client().unwrap(),
    );
    let start = balance(&mut provider).await.unwrap();
    assert_eq!((start.earned_msat, start.spendable_msat), (0, 0));
    assert_eq!(start.granted_msat, 1_000_000, "the opening push is a grant");
    for number in 0..10 {
        let id = order(
            &mut buyer,
            &stage.world.provider.pubkey,
            &format!("Count to {number}."),
        )
        .await
        .unwrap();
        let reply = outcome(&mut buyer, &id).await.unwrap();
        assert_eq!(reply.paid_msat, 10_000, "{reply:?}");
        assert!(!reply.result.is_empty(), "{reply:?}");
    }
    let earnings = settled(&mut provider, 10).await.unwrap();
    assert_eq!((earnings.earned_msat, earnings.jobs_settled), (100_000, 10));
    let full = balance_when(&mut provider, "all of it spendable", |b| {
        b.spendable_msat >= 100_000
    })
    .await
    .unwrap();
    assert_eq!(
        (full.earned_msat, full.spendable_msat),
        (100_000, 100_000),
        "{full:?}"
    );

    let receive = pb::ReceiveRequest {
        amount_msat: 100_000,
        ..Default::default()
    };
    let invoice = stage
        .world
        .hub
        .client()
        .unwrap()
        .receive(receive)
        .await
        .unwrap()
        .into_inner();
    let pay = pb::PayRequest {
        payment_request: invoice.payment_request,
        amount_msat: None,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        wait_s: PATIENCE_S,
    };
    let paid = provider.pay(pay.clone()).await.unwrap().into_inner();
    assert_eq!(paid.status, "succeeded", "{paid:?}");
    assert_eq!(paid.preimage.len(), 64);
    let again = provider.pay(pay).await.unwrap().into_inner();
    assert_eq!(
        again.preimage, paid.preimage,
        "the same invoice is answered with the first payment"
    );
    let empty = balance_when(&mut provider, "nothing left", |b| b.spendable_msat == 0)
        .await
        .unwrap();
    assert_eq!(
        (empty.earned_msat, empty.spendable_msat, empty.withdrawn_msat),
        (100_000, 0, 100_000)
    );

    let why = provider
        .history(pb::HistoryRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(why.rows.len(), 10);
    for row in why.rows {
        assert_eq!(
            (row.work.as_str(), row.money.as_str()),
            ("delivered", "settled"),
            "{row:?}"
        );
        let why = provider
            .why(pb::WhyRequest { job: row.job_id })
            .await
            .unwrap()
            .into_inner();
        assert!(
            why.paid && why.rungs.iter().take(6).all(|rung| rung.reached),
            "{why:?}"
        );
    }
    let home = stage.world.provider.home.path().to_owned();
    let mut stage = stage;
    stage.world.provider.restart(&[]).await.unwrap();
    stage.world.provider.stop_in_order().await;
    let sound = sound(&home).await.unwrap();
    assert_eq!(
        (sound.settled, sound.settled_msat, sound.difference_msat),
        (10, 100_000, 0)
    );
    stage.strike().await;
}

/// Pay first: nothing is worked before the wallet has the money.
#[tokio::test(flavor = "multi_thread")]
async fn pay_first_is_paid_before_it_is_worked() {
    let stage = Stage::build_with(ChainKind::Simulated, |o| o.order = "pay-first".to_owned())
        .await
        .unwrap();
    stage.world.go_online().await.unwrap();
    let (mut provider, mut buyer) = (
        stage.world.provider.client().unwrap(),
        stage.world.buyer.client().unwrap(),
    );
    let request = pb::BuyRequest {
        input: "Say yes.".to_owned(),
        kind: 5050,
        budget_msat: 10_000,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        deadline_s: PATIENCE_S,
        provider: stage.world.provider.pubkey.clone(),
        pay_first_ceiling_msat: 10_000,
        max_tokens: 8,
        without_bid: true,
        ..Default::default()
    };
    let id = buyer.buy(request).await.unwrap().into_inner().purchase_id;
    let reply = outcome(&mut buyer, &id).await.unwrap();
    assert_eq!(reply.paid_msat, 10_000, "{reply:?}");
    assert!(!reply.result.is_empty(), "{reply:?}");
    settled(&mut provider, 1).await.unwrap();
    let facts = provider
        .follow(pb::FollowRequest { after: 0, limit: 0 })
        .await
        .unwrap();
    let mut facts = facts.into_inner();
    let mut order = Vec::new();
    while order.len() < 3 {
        let fact = facts.message().await.unwrap().expect("the provider runs");
        if ["job.prepaid", "job.executed", "job.settled"].contains(&fact.r#type.as_str()) {
            order.push(fact.r#type);
        }
    }
    assert_eq!(
        order,
        ["job.prepaid", "job.executed", "job.settled"],
        "owed until it is delivered"
    );
    stage.strike().await;
}
