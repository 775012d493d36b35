//! LNURL-pay and Lightning addresses against servers of this machine.
use std::time::Duration;

use autopilot_core::ports::payee::{Callback, PayeeError, PayeeErrorCode as Code, Payees, Way};
use autopilot_events::words::Msat;
use autopilot_payee::PayeeResolver;
use bitcoin::{
    hashes::{Hash, sha256},
    secp256k1::{Secp256k1, SecretKey},
};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};

use crate::servers::{self, Say, Server};

const METADATA: &str = r#"[["text/plain","Pay to Ada"],["text/identifier","ada@example.com"]]"#;

fn resolver() -> PayeeResolver {
    PayeeResolver::new("regtest", None).unwrap()
}

fn first(host: &str) -> serde_json::Value {
    serde_json::json!({
        "tag": "payRequest", "callback": format!("http://{host}/cb?id=7"), "minSendable": 1_000,
        "maxSendable": 90_000, "metadata": METADATA, "commentAllowed": 10,
    })
}

/// A signed invoice, as a payee's node would make it.
fn invoice(currency: Currency, amount_msat: Option<u64>, described: &str) -> String {
    let key = SecretKey::from_slice(&[41; 32]).unwrap();
    let builder = InvoiceBuilder::new(currency)
        .description_hash(sha256::Hash::hash(described.as_bytes()))
        .payment_hash(sha256::Hash::hash(b"preimage"))
        .payment_secret(PaymentSecret([42; 32]))
        .duration_since_epoch(Duration::from_secs(1_786_000_000))
        .min_final_cltv_expiry_delta(144);
    let builder = match amount_msat {
        Some(amount_msat) => builder.amount_milli_satoshis(amount_msat),
        None => builder,
    };
    let signed = builder.build_signed(|hash| Secp256k1::new().sign_ecdsa_recoverable(hash, &key));
    signed.unwrap().to_string()
}

fn amount_in(path: &str) -> u64 {
    let amount = path.split("amount=").nth(1).unwrap();
    amount.split('&').next().unwrap().parse().unwrap()
}

/// A server whose first answer is right, and whose second is `second`.
async fn server(second: impl Fn(&str) -> Say + Send + Sync + 'static) -> Server {
    servers::http(move |path, host| match path {
        "/.well-known/lnurlp/ada" => Say::Body(first(host).to_string()),
        path => second(path),
    })
    .await
}

fn pr(invoice: &str) -> Say {
    Say::Body(serde_json::json!({ "pr": invoice, "routes": [] }).to_string())
}

async fn callback(server: &Server) -> Callback {
    let resolved = resolver()
        .resolve(&format!("ada@{}", server.address))
        .await
        .unwrap();
    assert_eq!(resolved.path, ["lightning-address", "lnurl-pay"]);
    assert_eq!(
        (resolved.authority, resolved.description.as_str()),
        (server.address.to_string(), "Pay to Ada")
    );
    let [Way::Callback(callback)] = &resolved.ways[..] else {
        unreachable!()
    };
    callback.clone()
}

async fn asked(server: &Server, amount_msat: u64, comment: &str) -> Result<String, PayeeError> {
    let callback = callback(server).await;
    resolver().invoice(&callback, Msat(amount_msat), comment).await
}

#[tokio::test]
async fn a_lightning_address_gives_an_invoice_over_what_was_asked() {
    let honest = server(|path| {
        assert!(path.starts_with("/cb?id=7&amount=5000&comment=so+long"), "{path}");
        pr(&invoice(Currency::Regtest, Some(amount_in(path)), METADATA))
    })
    .await;
    let given = asked(&honest, 5_000, "so long").await.unwrap();
    assert!(given.starts_with("lnbcrt50n1"), "{given}");
    // The same server as an LNURL, in both of its spellings.
    let url = format!("http://{}/.well-known/lnurlp/ada", honest.address);
    let bech32 =
        bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("lnurl").unwrap(), url.as_bytes()).unwrap();
    let scheme = url.replace("http", "lnurlp");
    for text in [
        &bech32,
        &bech32.to_uppercase(),
        &format!("LIGHTNING:{bech32}"),
        &scheme,
    ] {
        let resolved = resolver().resolve(text).await.unwrap();
        assert_eq!(
            (resolved.path, resolved.ways),
            (
                vec!["lnurl-pay".to_owned()],
                vec![Way::Callback(callback(&honest).await)]
            )
        );
    }
}

#[tokio::test]
async fn limits_are_said_before_the_server_is_asked_again() {
    let silent = server(|path| panic!("asked for {path}")).await;
    for (amount_msat, comment, code) in [
        (999, "", Code::AmountOutOfRange),
        (90_001, "", Code::AmountOutOfRange),
        (5_000, "eleven char", Code::CommentTooLong),
    ] {
        let refused = asked(&silent, amount_msat, comment).await.unwrap_err();
        assert_eq!(refused.code, code);
    }
    let words = asked(&silent, 999, "").await.unwrap_err().message;
    assert!(
        words.contains("1 sat to 90 sat") || words.contains("1000"),
        "{words}"
    );
}

#[tokio::test]
async fn an_invoice_that_is_not_what_was_asked_for_is_refused() {
    type Lie = fn(u64) -> String;
    let lies: [(Lie, Code); 6] = [
        (
            |amount| invoice(Currency::Regtest, Some(amount + 1), METADATA),
            Code::Misbehaved,
        ),
        (|_| invoice(Currency::Regtest, None, METADATA), Code::Misbehaved),
        (
            |amount| invoice(Currency::Regtest, Some(amount), "else"),
            Code::Misbehaved,
        ),
        (
            |amount| invoice(Currency::Bitcoin, Some(amount), METADATA),
            Code::WrongNetwork,
        ),
        (|_| "lnbcrt1nonsense".to_owned(), Code::Misbehaved),
        (|_| String::new(), Code::Misbehaved),
    ];
    for (lie, code) in lies {
        let liar = server(move |path| pr(&lie(amount_in(path)))).await;
        assert_eq!(asked(&liar, 5_000, "").await.unwrap_err().code, code);
    }
    let refusing =
        server(|_| Say::Body(r#"{"status":"ERROR","reason":"no money, please"}"#.to_owned())).await;
    let refused = asked(&refusing, 5_000, "").await.unwrap_err();
    assert!(
        refused.code == Code::Refused && refused.message.contains("no money, please"),
        "{refused:?}"
    );
}

async fn first_code(answer: impl Fn(&str, &str) -> Say + Send + Sync + 'static) -> Code {
    let server = servers::http(answer).await;
    let resolved = resolver().resolve(&format!("ada@{}", server.address)).await;
    resolved.map(|resolved| panic!("{resolved:?}")).unwrap_err().code
}

#[tokio::test]
async fn a_first_answer_that_makes_no_sense_is_refused() {
    let changed = async |change: fn(&mut serde_json::Value)| {
        first_code(move |_, host| {
            let mut answer = first(host);
            change(&mut answer);
            Say::Body(answer.to_string())
        })
        .await
    };
    assert_eq!(
        changed(|answer| answer["tag"] = "withdrawRequest".into()).await,
        Code::Misbehaved
    );
    assert_eq!(
        changed(|answer| answer["minSendable"] = 90_001.into()).await,
        Code::Misbehaved
    );
    assert_eq!(
        changed(|answer| answer["maxSendable"] = (-1).into()).await,
        Code::Misbehaved
    );
    assert_eq!(
        changed(|answer| answer["metadata"] = "{".into()).await,
        Code::Misbehaved
    );
    assert_eq!(
        changed(|answer| answer["callback"] = "http://example.com/cb".into()).await,
        Code::Forbidden
    );
    assert_eq!(
        changed(|answer| answer["callback"] = "https://10.0.0.1/cb".into()).await,
        Code::Forbidden
    );
    assert_eq!(
        first_code(|_, _| Say::Body("<html>".to_owned())).await,
        Code::Misbehaved
    );
    let not_found = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(
        first_code(|_, _| Say::Raw(not_found.to_owned())).await,
        Code::Misbehaved
    );
}

#[tokio::test]
async fn a_flood_ends_at_its_bound() {
    assert_eq!(first_code(|_, _| Say::Flood).await, Code::Misbehaved);
}

#[tokio::test]
async fn a_redirect_is_followed_within_bounds_and_never_inside() {
    let to = |target: &str| {
        Say::Raw(format!(
            "HTTP/1.1 302 Found\r\nlocation: {target}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        ))
    };
    let moved = servers::http(move |path, host| match path {
        "/new" => Say::Body(first(host).to_string()),
        _ => to("/new"),
    })
    .await;
    assert!(
        resolver()
            .resolve(&format!("ada@{}", moved.address))
            .await
            .is_ok()
    );
    for target in [
        "http://10.1.2.3/",
        "https://169.254.169.254/latest",
        "http://example.com/",
        "file:///etc/passwd",
    ] {
        assert_eq!(
            first_code(move |_, _| to(target)).await,
            Code::Forbidden,
            "{target}"
        );
    }
    assert_eq!(first_code(move |_, _| to("/again")).await, Code::Misbehaved);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let address = servers::http(|_, _| Say::Nothing).await.address;
    let gone = resolver().resolve(&format!("ada@{address}")).await.unwrap_err();
    assert_eq!(gone.code, Code::Unreachable);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let hangs = servers::http(|_, _| Say::Nothing).await;
    let resolver = resolver().within(Duration::from_millis(300));
    let given_up = resolver
        .resolve(&format!("ada@{}", hangs.address))
        .await
        .unwrap_err();
    assert_eq!(given_up.code, Code::Unreachable);
    let name = PayeeResolver::new("regtest", Some(hangs.address))
        .unwrap()
        .within(Duration::from_millis(300));
    assert_eq!(
        name.resolve("₿ada@example.com").await.unwrap_err().code,
        Code::Unreachable
    );
}
