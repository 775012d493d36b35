//! Paid first, and then not delivered: the money goes back to the offer that the buyer supplied, or is listed as owed.
use autopilot_host::{control::Client, sandbox::ChainKind};
use autopilot_proto::control::v1 as pb;
use autopilot_world_tests::{
    questions::sound,
    stage::{
        FEE_CEILING_MSAT, PATIENCE_S, PRICE_MSAT, Stage, balance, balance_when, order, outcome, settled,
    },
};

/// More tokens than the model takes at once, within the bytes that are admitted: paid for, and then it fails.
fn too_long() -> String {
    "word ".repeat(3_000)
}

async fn paid_in_vain(buyer: &mut Client, provider: &str, refund_offer: &str) {
    let request = pb::BuyRequest {
        input: too_long(),
        kind: 5050,
        budget_msat: PRICE_MSAT,
        fee_ceiling_msat: FEE_CEILING_MSAT,
        deadline_s: PATIENCE_S,
        provider: provider.to_owned(),
        pay_first_ceiling_msat: PRICE_MSAT,
        without_bid: true,
        refund_offer: refund_offer.to_owned(),
        ..Default::default()
    };
    buyer.buy(request).await.unwrap();
}

/// Waits for a fact of this type, `count` of them in all; the last one as JSON.
async fn fact(client: &mut Client, kind: &str, count: usize) -> serde_json::Value {
    let all = pb::FollowRequest { after: 0, limit: 0 };
    let mut facts = client.follow(all).await.unwrap().into_inner();
    let wait = async {
        let mut seen = 0;
        loop {
            let fact = facts.message().await.unwrap().expect("the provider runs");
            seen += usize::from(fact.r#type == kind);
            if seen == count {
                return serde_json::from_str(&fact.json).unwrap();
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(PATIENCE_S.into()), wait)
        .await
        .unwrap_or_else(|_| panic!("no {kind} in time"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_is_paid_back_or_owed() {
    let mut stage = Stage::build(ChainKind::Simulated).await.unwrap();
    stage.world.go_online().await.unwrap();
    let pubkey = stage.world.provider.pubkey.clone();
    let (mut provider, mut buyer) = (
        stage.world.provider.client().unwrap(),
        stage.world.buyer.client().unwrap(),
    );
    // Something earned, out of which routing back is paid.
    let id = order(&mut buyer, &pubkey, "Say yes.").await.unwrap();
    outcome(&mut buyer, &id).await.unwrap();
    settled(&mut provider, 1).await.unwrap();
    let before = balance(&mut buyer).await.unwrap().received_msat;

    paid_in_vain(&mut buyer, &pubkey, "auto").await;
    let refunded = fact(&mut provider, "job.refunded", 1).await;
    assert_eq!(refunded["amount_msat"], PRICE_MSAT);
    balance_when(&mut buyer, "the refund is here", |b| {
        b.received_msat == before + PRICE_MSAT
    })
    .await
    .unwrap();
    let approved = fact(&mut provider, "offer.approved", 1).await;
    assert_eq!(
        (&approved["purpose"], &approved["job_id"]),
        (&3.into(), &refunded["job_id"])
    );
    let none = provider.debts(pb::DebtsRequest {}).await.unwrap().into_inner();
    assert_eq!((none.owed_msat, none.debts.len()), (0, 0), "{none:?}");

    // Without an offer nothing leaves by itself.
    paid_in_vain(&mut buyer, &pubkey, "").await;
    let failed = fact(&mut provider, "job.failed", 2).await;
    assert_eq!(failed["code"], "prompt-too-long");
    let owed = provider.debts(pb::DebtsRequest {}).await.unwrap().into_inner();
    assert_eq!((owed.owed_msat, owed.debts.len()), (PRICE_MSAT, 1), "{owed:?}");
    assert_eq!(owed.debts[0].state, "owed");
    let status = provider.status(pb::StatusRequest {}).await.unwrap().into_inner();
    assert!(
        status
            .warnings
            .iter()
            .any(|warning| warning.contains("owed back")),
        "{status:?}"
    );
    let receive = pb::ReceiveRequest {
        amount_msat: PRICE_MSAT,
        ..Default::default()
    };
    let invoice = buyer.receive(receive).await.unwrap().into_inner();
    let request = pb::RefundRequest {
        job: owed.debts[0].job_id.clone(),
        destination: invoice.payment_request,
        fee_ceiling_msat: Some(FEE_CEILING_MSAT),
        wait_s: PATIENCE_S,
    };
    let reply = provider.refund(request.clone()).await.unwrap().into_inner();
    assert_eq!(
        (reply.status.as_str(), reply.amount_msat),
        ("refunded", PRICE_MSAT),
        "{reply:?}"
    );
    let again = provider.refund(request).await.unwrap_err();
    assert!(again.message().contains("nothing is owed"), "{again:?}");
    let why = pb::WhyRequest {
        job: owed.debts[0].job_id.clone(),
    };
    let why = provider.why(why).await.unwrap().into_inner();
    assert!(!why.paid && why.answer.contains("paid back"), "{why:?}");

    let books = balance(&mut provider).await.unwrap();
    assert_eq!(
        (books.earned_msat, books.withdrawn_msat),
        (PRICE_MSAT, 0),
        "{books:?}"
    );
    let home = stage.world.provider.home.path().to_owned();
    stage.world.provider.restart(&[]).await.unwrap();
    stage.world.provider.stop_in_order().await;
    let sound = sound(&home).await.unwrap();
    assert_eq!((sound.settled, sound.difference_msat), (1, 0));
    stage.strike().await;
}
