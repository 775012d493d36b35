//! The paid loop on the simulated chain.
use crate::statement;
use autopilot_host::{control::Client, sandbox::ChainKind};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::{
    books::balanced,
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
    fact_after(&mut provider, "job.receipted", 10).await;
    let home = stage.world.provider.home.path().to_owned();
    let live = statement::checked(&home).await;
    assert_eq!(
        live[11]["totals"]["all"]["lines"], 10,
        "made beside a running host: {live:?}"
    );
    let mut stage = stage;
    stage.world.provider.restart(&[]).await.unwrap();
    stage.world.provider.stop_in_order().await;
    let sound = sound(&home).await.unwrap();
    assert_eq!(
        (sound.settled, sound.settled_msat, sound.difference_msat),
        (10, 100_000, 0)
    );
    let said = statement::checked(&home).await;
    assert_eq!(said.len(), 1 + 10 + 1, "header, ten payments, totals");
    assert_eq!(said[11]["totals"]["all"]["amount_msat"], 100_000, "{said:?}");
    assert_eq!(
        said[11]["totals"]["recorded"]["lines"], 0,
        "each has invoice and preimage"
    );
    let books = balanced(&home).await.unwrap();
    assert_eq!(
        (books["income:jobs"], books["equity:withdrawals"]),
        (-100_000, 100_000)
    );
    assert_eq!(
        (books["assets:lightning"], books["equity:grants"]),
        (1_000_000, -1_000_000)
    );
    to_the_chain(&mut stage).await;
    stage.strike().await;
}

/// The channel is closed, its sats arrive on chain and leave it: three wallets' books come out even after all of it.
async fn to_the_chain(stage: &mut Stage) {
    stage.world.provider.restart(&[]).await.unwrap();
    let mut provider = stage.world.provider.client().unwrap();
    let ready = balance_when(&mut provider, "the channel usable", |b| {
        b.channels.iter().any(|c| c.usable)
    })
    .await;
    let channel_id = ready.unwrap().channels[0].channel_id.clone();
    let close = pb::CloseChannelRequest {
        channel_id,
        force: false,
        ..Default::default()
    };
    provider.close_channel(close).await.unwrap();
    balance_when(&mut provider, "the channel closed", |b| b.channels.is_empty())
        .await
        .unwrap();
    let mut arrived = None;
    for _ in 0..20 {
        stage.world.mine(1).unwrap();
        let now = balance(&mut provider).await.unwrap();
        arrived = (now.closing_msat == 0 && now.onchain_sat > 0)
            .then_some(now.onchain_sat)
            .or(arrived);
    }
    let arrived_sat = match arrived {
        Some(sat) => sat,
        None => {
            balance_when(&mut provider, "the sats on chain", |b| b.onchain_sat > 0)
                .await
                .unwrap()
                .onchain_sat
        }
    };
    fact(&mut provider, "wallet.onchain_received").await;
    // Nothing has been on its way for some blocks: what did not arrive was the cost of closing.
    stage.world.mine(7).unwrap();
    fact(&mut provider, "wallet.closings_over").await;
    let mut hub = stage.world.hub.client().unwrap();
    send(stage, &mut hub, &mut provider.clone(), Some(50_000)).await;
    fact_after(&mut provider, "wallet.onchain_received", 2).await;
    send(stage, &mut provider, &mut hub.clone(), None).await;
    // The hub's own deposit, its part of the channel, and this.
    fact_after(&mut hub, "wallet.onchain_received", 3).await;
    stage.world.provider.stop_in_order().await;
    stage.world.buyer.stop_in_order().await;
    stage.world.hub.stop_in_order().await;

    let books = balanced(stage.world.provider.home.path()).await.unwrap();
    let of = |account: &str| books.get(account).copied().unwrap_or(0);
    assert_eq!(
        (of("assets:lightning"), of("assets:closing"), of("assets:onchain")),
        (0, 0, 0)
    );
    let (closing, mining) = (of("expenses:fees:closing"), of("expenses:fees:onchain"));
    assert_eq!(
        closing,
        1_000_000 - i64::try_from(arrived_sat).unwrap() * 1_000,
        "{books:?}"
    );
    assert_eq!(of("equity:deposits"), -50_000_000, "{books:?}");
    assert!(
        mining > 0 && of("equity:withdrawals") == 51_100_000 - closing - mining,
        "{books:?}"
    );
    let buyer = balanced(stage.world.buyer.home.path()).await.unwrap();
    assert_eq!(
        (buyer["expenses:jobs"], buyer["assets:lightning"] > 0),
        (100_000, true),
        "{buyer:?}"
    );
    let hub = balanced(stage.world.hub.home.path()).await.unwrap();
    assert!(
        hub["equity:deposits"] < 0 && hub["expenses:grants"] > 1_000_000,
        "{hub:?}"
    );
    assert_eq!(hub["assets:opening"], 0, "{hub:?}");
}

/// Sends on chain, and waits until the sender's books know the fee and a block has it.
async fn send(stage: &Stage, from: &mut Client, to: &mut Client, amount_sat: Option<u64>) {
    let address = to
        .new_address(pb::NewAddressRequest {})
        .await
        .unwrap()
        .into_inner()
        .address;
    let send = pb::SendOnchainRequest {
        address,
        amount_sat,
        wait_s: PATIENCE_S,
        ..Default::default()
    };
    let sent = from.send_onchain(send).await.unwrap().into_inner();
    assert_eq!(sent.status, "sent", "{sent:?}");
    stage.world.mine(1).unwrap();
    fact_with(from, "wallet.onchain_sent", &sent.txid).await;
}

/// Waits for a fact of a type that names something.
async fn fact_with(client: &mut Client, wanted: &str, named: &str) {
    let request = pb::FollowRequest { after: 0, limit: 0 };
    let mut facts = client.follow(request).await.unwrap().into_inner();
    let seen = async {
        while let Some(fact) = facts.message().await.unwrap() {
            if fact.r#type == wanted && fact.json.contains(named) {
                return;
            }
        }
    };
    let patience = std::time::Duration::from_secs(PATIENCE_S.into());
    tokio::time::timeout(patience, seen)
        .await
        .unwrap_or_else(|_| panic!("no {wanted} with {named}"));
}

/// Waits for the first fact of a type.
async fn fact(client: &mut Client, wanted: &str) {
    fact_after(client, wanted, 1).await;
}

/// Waits until there are so many facts of a type.
async fn fact_after(client: &mut Client, wanted: &str, count: usize) {
    let request = pb::FollowRequest { after: 0, limit: 0 };
    let mut facts = client.follow(request).await.unwrap().into_inner();
    let seen = async {
        let mut seen = 0;
        while seen < count {
            let fact = facts.message().await.unwrap().expect("the host runs");
            seen += usize::from(fact.r#type == wanted);
        }
    };
    let patience = std::time::Duration::from_secs(PATIENCE_S.into());
    tokio::time::timeout(patience, seen)
        .await
        .unwrap_or_else(|_| panic!("no {wanted}"));
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
