//! Sending money away by the forms that people paste.
use std::path::Path;

use super::support::{json, refused};

/// A link with an invoice that is damaged and an offer that is good: paid by the offer, with its receipt. The payee is
/// one with a single peer: an unannounced node with several can make no offer in this world without public channels.
pub async fn withdrawals(provider: &Path, payee: &Path) {
    let offer = json(payee, &["wallet", "receive", "--offer"]).await["payment_request"].clone();
    let link = format!(
        "bitcoin:?lightning=lnbcrt1nonsense&lno={}",
        offer.as_str().unwrap()
    );
    let plan = json(provider, &["withdraw", &link, "3sat", "--dry-run"]).await;
    assert_eq!(
        (&plan["kind"], &plan["amount_msat"], &plan["fee_ceiling_msat"]),
        (&"bolt12".into(), &3_000.into(), &5_000.into()),
        "{plan}"
    );
    assert!(plan["notes"][0].as_str().unwrap().contains("BOLT11"), "{plan}");
    refused(provider, &["withdraw", &link, "3sat"], 2, "confirmation-needed").await;
    refused(provider, &["withdraw", &link, "--yes"], 2, "invalid-argument").await;
    refused(
        provider,
        &["withdraw", &link, "900000sat", "--yes"],
        7,
        "insufficient-funds",
    )
    .await;
    let paid = json(provider, &["withdraw", &link, "3sat", "--yes", "--wait", "120"]).await;
    assert_eq!(
        (&paid["status"], &paid["amount_msat"]),
        (&"succeeded".into(), &3_000.into()),
        "{paid}"
    );

    let receipt = json(provider, &["receipt", paid["payment_hash"].as_str().unwrap()]).await;
    assert_eq!(
        (
            &receipt["preimage_matches"],
            &receipt["preimage"],
            &receipt["destination"]
        ),
        (&true.into(), &paid["preimage"], &link.as_str().into()),
        "{receipt}"
    );
    assert_eq!(receipt["path"], serde_json::json!(["bip21", "bolt12"]));
    assert!(
        receipt["approved_sequence"].as_u64() < receipt["sent_sequence"].as_u64(),
        "{receipt}"
    );
    let history = json(provider, &["wallet", "history"]).await;
    let shown = history["payments"]
        .as_array()
        .unwrap()
        .iter()
        .any(|line| line["destination"] == link.as_str());
    assert!(shown, "{history}");

    let all = json(
        provider,
        &["withdraw", offer.as_str().unwrap(), "--all", "--dry-run"],
    )
    .await;
    let (amount, ceiling) = (
        all["amount_msat"].as_u64().unwrap(),
        all["fee_ceiling_msat"].as_u64().unwrap(),
    );
    let spendable = json(provider, &["wallet", "balance"]).await["spendable_msat"]
        .as_u64()
        .unwrap();
    assert_eq!(amount + ceiling, spendable, "{all}");
    refused(
        provider,
        &["withdraw", "nobody@127.0.0.1:1", "3sat", "--yes"],
        4,
        "payee-unreachable",
    )
    .await;
}
