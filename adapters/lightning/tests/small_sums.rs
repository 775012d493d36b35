//! Ten jobs of 10 sat: earned, spendable and withdrawn, to the millisatoshi.
#![allow(clippy::unwrap_used)]
mod world;

use autopilot_core::ports::wallet::{PayRequest, PaymentStatus, Wallet, WalletErrorCode};
use autopilot_events::words::Msat;
use world::{Actor, CAPACITY_SAT, PUSH, World, msat, open, until, usable};

#[tokio::test(flavor = "multi_thread")]
async fn ten_jobs_of_ten_sat_can_be_withdrawn() {
    let (mut world, opening) = World::start().await;
    assert_eq!(opening, PUSH, "the push is told as the opening balance");
    let balances = world.provider.client.balances().await.unwrap();
    assert_eq!((balances.spendable, balances.reserved), (Msat::ZERO, PUSH));

    for job in 0..10 {
        let key = format!("job-{job}");
        let invoice = world
            .provider
            .client
            .create_invoice(&key, msat(10), "a job", 600)
            .await
            .unwrap();
        let again = world
            .provider
            .client
            .create_invoice(&key, msat(10), "a job", 600)
            .await
            .unwrap();
        assert!(again.existed && !invoice.existed);
        assert_eq!(
            (again.bolt11, again.payment_hash),
            (invoice.bolt11.clone(), invoice.payment_hash)
        );
        let other = world
            .provider
            .client
            .create_invoice(&key, msat(11), "a job", 600)
            .await
            .unwrap_err();
        assert_eq!(other.code, WalletErrorCode::Conflict);

        let paid = world.hub.pay(&invoice.bolt11).await;
        assert_eq!(paid.status, PaymentStatus::Succeeded);
        assert!(paid.preimage.is_some(), "the receipt");
        // Paying again gives the same payment.
        assert_eq!(world.hub.pay(&invoice.bolt11).await.payment_id, paid.payment_id);
        assert_eq!(world.provider.received(invoice.payment_hash).await, msat(10));
    }
    // The last payment's HTLC may still be leaving the commitment when its event is here.
    until("spendable equals earned", async || {
        let balances = world.provider.client.balances().await.unwrap();
        (balances.spendable == msat(100) && balances.reserved == PUSH).then_some(())
    })
    .await;
    let page = world.provider.client.payments(4, None).await.unwrap();
    assert_eq!(page.payments.len(), 4);
    let rest = world
        .provider
        .client
        .payments(500, page.next.as_deref())
        .await
        .unwrap();
    assert_eq!((rest.payments.len(), rest.next), (6, None));

    let too_much = world
        .hub
        .client
        .create_invoice("w1", Msat(100_001), "withdrawal", 600)
        .await
        .unwrap();
    let request = |bolt11: &str| PayRequest {
        bolt11: bolt11.to_owned(),
        amount: None,
        fee_ceiling: Msat::ZERO,
        payee: None,
        retry_failed: false,
    };
    let refused = world
        .provider
        .client
        .pay(request(&too_much.bolt11))
        .await
        .unwrap_err();
    assert_eq!(refused.code, WalletErrorCode::InsufficientFunds);
    let own = world
        .provider
        .client
        .create_invoice("own", msat(1), "own", 600)
        .await
        .unwrap();
    let refused = world.provider.client.pay(request(&own.bolt11)).await.unwrap_err();
    assert_eq!(refused.code, WalletErrorCode::SelfPayment);

    let all = world
        .hub
        .client
        .create_invoice("w2", msat(100), "withdrawal", 600)
        .await
        .unwrap();
    let paid = world.provider.pay(&all.bolt11).await;
    assert_eq!(
        (paid.status, paid.fee.unwrap_or(Msat::ZERO)),
        (PaymentStatus::Succeeded, Msat::ZERO)
    );
    assert_eq!(world.hub.received(all.payment_hash).await, msat(100));
    until("all is withdrawn", async || {
        let balances = world.provider.client.balances().await.unwrap();
        (balances.spendable == Msat::ZERO && balances.reserved == PUSH).then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_pays_a_provider_through_the_hub() {
    let (mut world, _) = World::start().await;
    let hub_id = world.hub.process.as_ref().unwrap().node_id.clone();
    let mut buyer = Actor::start(&world.chain, |config| config.trusted_peers_0conf = vec![hub_id]).await;
    open(&world.hub, &buyer, CAPACITY_SAT, msat(50_000)).await;
    usable(&buyer).await;
    let invoice = world
        .provider
        .client
        .create_invoice("job", msat(10), "a job", 600)
        .await
        .unwrap();
    let paid = buyer.pay(&invoice.bolt11).await;
    assert_eq!(paid.status, PaymentStatus::Succeeded, "{paid:?}");
    assert_eq!(world.provider.received(invoice.payment_hash).await, msat(10));
    buyer.stop().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn can_receive_tells_the_truth() {
    let (mut world, _) = World::start().await;
    let (mut yes, mut no) = (0, 0);
    // What may be under way at once: 10 % of the channel. The hub has more than that throughout.
    let limit = msat(CAPACITY_SAT / 10);
    for step in 1..=20_u64 {
        // Twenty amounts over the capacity, half of them around the limit of what may be under way at once.
        let sat = if step <= 10 {
            step * 1_100
        } else {
            (step - 10) * CAPACITY_SAT / 10
        };
        let answer = world.provider.client.can_receive(msat(sat)).await.unwrap();
        let key = format!("can-receive-{step}");
        let invoice = world
            .provider
            .client
            .create_invoice(&key, msat(sat), "truth", 600)
            .await
            .unwrap();
        let request = PayRequest {
            bolt11: invoice.bolt11.clone(),
            amount: None,
            fee_ceiling: msat(10),
            payee: None,
            retry_failed: false,
        };
        // The hub's own refusal before sending is a failure too.
        let outcome = match world.hub.client.pay(request).await {
            Ok(_) => world.hub.pay(&invoice.bolt11).await.status,
            Err(error) => {
                assert_eq!(error.code, WalletErrorCode::InsufficientFunds, "{error}");
                PaymentStatus::Failed
            }
        };
        let expected = if answer.yes {
            PaymentStatus::Succeeded
        } else {
            PaymentStatus::Failed
        };
        assert_eq!(outcome, expected, "{sat} sat: {answer:?}");
        match answer.yes {
            true => {
                assert_eq!(world.provider.received(invoice.payment_hash).await, msat(sat));
                // The sender sees its payment leave the channel a moment after the payee does.
                until("nothing under way", async || {
                    let balances = world.hub.client.balances().await.unwrap();
                    (balances.spendable == limit).then_some(())
                })
                .await;
                yes += 1;
            }
            false => {
                assert!(!answer.reason.is_empty());
                no += 1;
            }
        }
    }
    assert!(yes >= 5 && no >= 5, "both answers were tried: {yes} yes, {no} no");
    world.stop().await;
}
