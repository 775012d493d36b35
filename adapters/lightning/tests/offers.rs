//! Payments to BOLT12 offers between real wallets: paid once for an intent, found again after a kill, in doubt where
//! nothing can be found.
#![allow(clippy::unwrap_used)]
mod world;

use autopilot_core::ports::wallet::{
    PayOffer, Payment, PaymentKind, PaymentStatus, Wallet, WalletErrorCode, WalletEventKind,
};
use autopilot_events::words::{Msat, PaymentHash};
use world::{Actor, World, msat, until, usable};

fn wish(key: &str, bolt12: &str, amount: Msat) -> PayOffer {
    PayOffer {
        key: key.to_owned(),
        bolt12: bolt12.to_owned(),
        amount,
        fee_ceiling: msat(1),
    }
}

/// Asks how far an intent is until that is final.
async fn ended(payer: &Actor, wish: &PayOffer) -> Payment {
    until("the end of a payment to an offer", async || {
        let payment = payer.client.pay_offer(wish.clone()).await.unwrap();
        let over = !matches!(payment.status, PaymentStatus::Pending);
        over.then_some(payment.clone()).ok_or(format!("{payment:?}"))
    })
    .await
}

async fn sent_event(payer: &mut Actor) -> (Option<String>, PaymentHash, Option<Msat>) {
    payer
        .event("payment sent", |kind| match kind {
            WalletEventKind::PaymentSuccessful {
                key,
                payment_hash,
                amount,
                ..
            } => Some((key.clone(), *payment_hash, *amount)),
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_paid_once_for_an_intent() {
    let (mut world, _) = World::start().await;
    let payee = &world.provider.client;
    let offer = payee.create_offer(None, "tips", None).await.unwrap();
    let read = world.hub.client.decode_offer(&offer).await.unwrap();
    assert_eq!((read.amount, read.networks), (None, vec!["regtest".to_owned()]));
    assert_eq!((read.description.as_str(), read.expires_at_s), ("tips", None));

    let first = wish("offer/one", &offer, msat(700));
    let paid = ended(&world.hub, &first).await;
    assert_eq!(
        (paid.status, paid.kind),
        (PaymentStatus::Succeeded, PaymentKind::Bolt12)
    );
    assert_eq!(
        (paid.amount, paid.key.as_deref()),
        (Some(msat(700)), Some("offer/one"))
    );
    let hash = paid.payment_hash.unwrap();
    assert!(paid.preimage.is_some(), "the receipt");
    assert_eq!(world.provider.received(hash).await, msat(700));
    assert_eq!(
        sent_event(&mut world.hub).await,
        (Some("offer/one".to_owned()), hash, Some(msat(700)))
    );
    // The same intent is that payment; with another amount it is a conflict; another intent is another payment.
    let again = world.hub.client.pay_offer(first.clone()).await.unwrap();
    assert_eq!(
        (again.payment_id, again.payment_hash),
        (paid.payment_id, Some(hash))
    );
    let other = wish("offer/one", &offer, msat(701));
    let refused = world.hub.client.pay_offer(other).await.unwrap_err();
    assert_eq!(refused.code, WalletErrorCode::Conflict);
    let second = ended(&world.hub, &wish("offer/two", &offer, msat(5))).await;
    assert_eq!(second.status, PaymentStatus::Succeeded);
    assert_ne!(second.payment_hash, Some(hash));
    let all = world.hub.client.payments(500, None).await.unwrap().payments;
    assert_eq!(all.iter().filter(|payment| payment.key.is_some()).count(), 2);

    // An offer with an amount asks for that, and less is refused by the payee's own terms.
    let fixed = world
        .provider
        .client
        .create_offer(Some(msat(20)), "", Some(600))
        .await
        .unwrap();
    let read = world.hub.client.decode_offer(&fixed).await.unwrap();
    assert!(
        read.amount == Some(msat(20)) && read.expires_at_s.is_some(),
        "{read:?}"
    );
    let too_little = ended(&world.hub, &wish("offer/little", &fixed, msat(19))).await;
    assert_eq!(too_little.status, PaymentStatus::Failed, "{too_little:?}");
    for wrong in ["lno1qqqq", "", &"lno1".repeat(4_000)] {
        let refused = world.hub.client.decode_offer(wrong).await.unwrap_err();
        assert_eq!(refused.code, WalletErrorCode::InvalidArgument);
    }
    world.stop().await;
}

/// A stop between the intent's record and the engine, as the record of such a stop: nothing is found, nothing is sent.
fn forge_intent(actor: &Actor, key: &str, offer: &str) {
    use sha2::{Digest, Sha256};
    let name = hex::encode(Sha256::digest(key.as_bytes()));
    let folder = actor.config.wallet_dir.join("books/offers").join(&name[..2]);
    std::fs::create_dir_all(&folder).unwrap();
    let record = serde_json::json!({
        "key": key, "bolt12": offer, "amount_msat": 9_000, "fee_ceiling_msat": 0, "asked_at_s": 1,
        "payment_id": null, "failure": null,
    });
    std::fs::write(folder.join(&name), record.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_an_intent_is_found_by_its_note_or_left_in_doubt() {
    let (mut world, _) = World::start().await;
    let offer = world.provider.client.create_offer(None, "", None).await.unwrap();
    let known = wish("offer/known", &offer, msat(300));
    let before = ended(&world.hub, &known).await;
    assert_eq!(before.status, PaymentStatus::Succeeded);
    until("nothing under way", async || {
        let balances = world.provider.client.balances().await.unwrap();
        (balances.spendable == msat(300)).then_some(())
    })
    .await;
    // The engine writes its channel manager a moment after the channel has settled, and says nothing when it has.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;

    world.hub.kill().await;
    let lost = wish("offer/lost", &offer, msat(9));
    forge_intent(&world.hub, &lost.key, &offer);
    world.hub.config.doubt_after_s = 0;
    // What the wallet noted itself is gone too: the payer's note alone leads back.
    std::fs::remove_dir_all(world.hub.config.wallet_dir.join("books/offer-keys")).unwrap();
    world.hub.restart().await;
    usable(&world.hub).await;
    let after = world.hub.client.pay_offer(known.clone()).await.unwrap();
    assert_eq!(
        (after.status, after.payment_id, after.payment_hash),
        (PaymentStatus::Succeeded, before.payment_id, before.payment_hash)
    );
    for _ in 0..2 {
        let doubt = world.hub.client.pay_offer(lost.clone()).await.unwrap();
        assert_eq!((doubt.status, doubt.payment_hash), (PaymentStatus::InDoubt, None));
    }
    let sent = world.hub.client.payments(500, None).await.unwrap().payments;
    assert_eq!(
        sent.iter().filter(|payment| payment.outbound).count(),
        1,
        "{sent:?}"
    );
    world.stop().await;
}
