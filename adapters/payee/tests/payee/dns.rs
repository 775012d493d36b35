//! BIP353 against a DNS server of this machine that gives out a real record of August 2026 with its signatures up to the
//! root's real keys. No other zone can be signed under those keys, so names of our own can't be tested beyond this.
use std::net::SocketAddr;

use autopilot_core::ports::payee::{PayeeErrorCode as Code, Payees, Way};
use autopilot_payee::PayeeResolver;

use crate::servers::{self, Server};

const RECORDS: &[u8] = include_bytes!("data/matt.mattcorallo.com.dnssec");
/// A time at which all of its signatures hold.
const THEN_S: u64 = 1_786_000_000;
const NAME: &str = "₿matt@mattcorallo.com";

fn resolver(network: &str, dns: SocketAddr, now_s: u64) -> PayeeResolver {
    PayeeResolver::new(network, Some(dns))
        .unwrap()
        .with_clock(move || now_s)
}

async fn honest() -> Server {
    servers::dns(RECORDS.to_vec(), |answer| answer).await
}

async fn code(server: &Server, network: &str, now_s: u64, name: &str) -> Code {
    let resolved = resolver(network, server.address, now_s).resolve(name).await;
    resolved.map(|resolved| panic!("{resolved:?}")).unwrap_err().code
}

#[tokio::test]
async fn a_proven_name_is_its_offer_and_its_address() {
    let server = honest().await;
    let resolver = resolver("bitcoin", server.address, THEN_S);
    for name in [NAME, "matt@mattcorallo.com", "lightning:Matt@MattCorallo.com"] {
        let resolved = resolver.resolve(name).await.unwrap();
        assert_eq!(resolved.path, ["bip353", "bip21"]);
        assert_eq!(resolved.authority, "matt.user._bitcoin-payment.mattcorallo.com.");
        assert!(matches!(&resolved.ways[0], Way::Offer(offer) if offer.starts_with("lno1zr5qyugqgskrk70k")));
        let address = "bc1qztwy6xen3zdtt7z0vrgapmjtfz8acjkfp5fp7l".to_owned();
        assert_eq!(resolved.ways[1..], [Way::Onchain(address)]);
        // The proof is what the server gave, record for record.
        assert!(resolved.proof_digest.is_some());
    }
}

#[tokio::test]
async fn a_proof_holds_for_its_time_and_network_only() {
    let server = honest().await;
    assert_eq!(
        code(&server, "bitcoin", 1_786_415_921, NAME).await,
        Code::NameUnproven
    );
    assert_eq!(
        code(&server, "bitcoin", 1_785_988_799, NAME).await,
        Code::NameUnproven
    );
    // On another network the address drops out; the offer stays for the wallet to judge.
    let resolved = resolver("regtest", server.address, THEN_S)
        .resolve(NAME)
        .await
        .unwrap();
    assert!(
        matches!(resolved.ways[..], [Way::Offer(_)]) && resolved.notes.len() == 1,
        "{resolved:?}"
    );
}

#[tokio::test]
async fn a_name_that_is_not_there_is_said_to_be_so() {
    let server = honest().await;
    assert_eq!(
        code(&server, "bitcoin", THEN_S, "₿else@mattcorallo.com").await,
        Code::NameNotFound
    );
}

#[tokio::test]
async fn no_byte_of_the_record_or_of_a_signature_can_be_changed() {
    // The offer's own text, a signature over it, a key on the way, and the root's signature.
    let find = |needle: &[u8]| {
        RECORDS
            .windows(needle.len())
            .position(|bytes| bytes == needle)
            .unwrap()
    };
    let text = find(b"lno=lno1") + 60;
    let places = [
        text,
        RECORDS.len() - 1,
        RECORDS.len() - 40,
        700,
        1_000,
        1_500,
        2_000,
        2_300,
    ];
    for place in places {
        let mut tampered = RECORDS.to_vec();
        tampered[place] ^= 1;
        let server = servers::dns(tampered, |answer| answer).await;
        let resolved = resolver("bitcoin", server.address, THEN_S).resolve(NAME).await;
        let code = resolved
            .map(|resolved| panic!("byte {place}: {resolved:?}"))
            .unwrap_err()
            .code;
        // A damaged name or length is no answer to the question; whatever is one, is not proven.
        let given_up = [Code::NameUnproven, Code::NameNotFound, Code::Unreachable];
        assert!(given_up.contains(&code), "byte {place}: {code:?}");
        if place == text || place == RECORDS.len() - 1 {
            assert_eq!(code, Code::NameUnproven);
        }
    }
}

#[tokio::test]
async fn a_proof_that_does_not_hold_is_not_gone_round_over_https() {
    let mut tampered = RECORDS.to_vec();
    *tampered.last_mut().unwrap() ^= 1;
    let server = servers::dns(tampered, |answer| answer).await;
    assert_eq!(
        code(&server, "bitcoin", THEN_S, "matt@mattcorallo.com").await,
        Code::NameUnproven
    );
}

#[tokio::test]
async fn a_resolver_without_dnssec_or_without_sense_proves_nothing() {
    let unsigned = servers::dns(RECORDS.to_vec(), |mut answer| {
        answer[3] &= !0x20;
        answer
    })
    .await;
    assert_eq!(code(&unsigned, "bitcoin", THEN_S, NAME).await, Code::NameNotFound);
    let fails = servers::dns(RECORDS.to_vec(), |mut answer| {
        answer[3] |= 2;
        answer
    })
    .await;
    assert_eq!(code(&fails, "bitcoin", THEN_S, NAME).await, Code::Unreachable);
    let nonsense = servers::dns(RECORDS.to_vec(), |_| vec![7; 5]).await;
    assert_eq!(code(&nonsense, "bitcoin", THEN_S, NAME).await, Code::Unreachable);
    let address = fails.address;
    drop((unsigned, fails, nonsense));
    let gone = resolver("bitcoin", address, THEN_S)
        .resolve(NAME)
        .await
        .unwrap_err();
    assert_eq!(gone.code, Code::Unreachable);
}
