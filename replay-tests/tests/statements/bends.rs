//! What a dishonest seller could make of a statement, each with where it must be found, and by which name.
use autopilot_statement::{Bytes, Header, Settlement, SignedEvent};
use bitcoin::secp256k1::SecretKey;
use lightning_invoice::Currency;
use nostr::Keys;

use autopilot_replay_tests::shop::{PRICE_MSAT, START_MS, Sale, Shop, head_event, invoice, signed};

/// A statement in parts, before its seal.
pub struct Parts {
    pub header: Header,
    pub settlements: Vec<Settlement>,
    pub lines: u64,
    pub msat: u64,
}

/// Lines of the sales of `shop()`.
pub const USUAL: usize = 0;
const RECEIPTED: usize = 1;
const ERASED: usize = 2;
const OLD: usize = 4;

fn line_of(sale: usize) -> u64 {
    sale as u64 + 2
}

/// The seal's line where all six sales are there.
const SEAL: u64 = 8;

fn resign(event: &mut SignedEvent, keys: &Keys) {
    *event = signed(keys, event.kind, &event.tags, &event.content, event.created_at);
}

fn set(event: &mut SignedEvent, name: &str, fields: &[&str]) {
    let tag = event
        .tags
        .iter_mut()
        .find(|tag| tag[0] == name)
        .expect("the tag is there");
    *tag = fields.iter().map(|field| (*field).to_owned()).collect();
}

fn flip(bytes: &mut Bytes, place: usize) {
    bytes.0[place] ^= 1;
}

fn result(parts: &mut Parts, sale: usize) -> &mut SignedEvent {
    parts.settlements[sale].result.as_mut().unwrap()
}

fn receipt(parts: &mut Parts) -> &mut SignedEvent {
    parts.settlements[RECEIPTED].receipt.as_mut().unwrap()
}

/// Changes and signs the old sale's result anew: nothing in the ledger binds that one.
fn bend_result(shop: &Shop, parts: &mut Parts, bend: impl FnOnce(&mut SignedEvent)) {
    let event = result(parts, OLD);
    bend(event);
    resign(event, &shop.seller);
}

/// Replaces the request that the old sale's result carries.
fn bend_request(shop: &Shop, parts: &mut Parts, bend: impl FnOnce(&mut SignedEvent)) {
    bend_result(shop, parts, |result| {
        let mut request = SignedEvent::read(result.word("request").unwrap()).unwrap();
        bend(&mut request);
        set(
            result,
            "request",
            &["request", &serde_json::to_string(&request).unwrap()],
        );
        set(result, "e", &["e", &request.id]);
    });
}

fn bend_receipt(shop: &Shop, parts: &mut Parts, bend: impl FnOnce(&mut SignedEvent)) {
    let event = receipt(parts);
    bend(event);
    resign(event, &shop.buyer);
}

/// Another invoice in the old sale's result.
fn bend_invoice(shop: &Shop, parts: &mut Parts, bolt11: &str) {
    bend_result(shop, parts, |result| {
        set(result, "amount", &["amount", "10000", bolt11])
    });
}

fn bend_head(shop: &Shop, parts: &mut Parts, bend: impl FnOnce(&mut SignedEvent)) {
    bend(&mut parts.header.head);
    resign(&mut parts.header.head, &shop.seller);
}

pub type Bend = fn(&Shop, &mut Parts);

/// Name, line, code, and what is done to a sound statement before it is sealed.
pub fn mutations() -> Vec<(&'static str, u64, &'static str, Bend)> {
    let at = line_of;
    vec![
        // The header.
        ("another format", 1, "version", |_, p| {
            p.header.format = "autopilot-statement/2".into()
        }),
        ("other limits", 1, "limits", |_, p| {
            p.header.limits = "Everything is proven.".into()
        }),
        ("a window that ends before it begins", 1, "window", |_, p| {
            p.header.to_ms = p.header.from_ms
        }),
        ("a head event of another kind", 1, "head-event", |s, p| {
            bend_head(s, p, |e| e.kind = 1)
        }),
        ("a head event that is not signed", 1, "head-event", |_, p| {
            p.header.head.created_at += 1
        }),
        ("a head event without a key", 1, "head-event", |s, p| {
            bend_head(s, p, |e| e.tags.truncate(2))
        }),
        ("a head at another address", 1, "head-event", |s, p| {
            bend_head(s, p, |e| set(e, "d", &["d", "x"]))
        }),
        ("a head by a key of another ledger", 1, "head", |s, p| {
            bend_head(s, p, |e| {
                let other = autopilot_events::head::HeadSigner::new("autopilot.ledger/00", &[1; 32]).unwrap();
                set(e, "verifier", &["verifier", other.verifier_key()]);
            });
        }),
        ("a head with another root", 1, "head", |s, p| {
            bend_head(s, p, |e| e.content = e.content.replacen("31\n", "32\n", 1))
        }),
        ("a head of a shorter ledger", at(5), "proof", |s, p| {
            let mut before = Shop::open();
            for settlement in 0..5 {
                before.sell(Sale {
                    receipt: settlement == 1 || settlement == 3,
                    ..Sale::default()
                });
            }
            p.header.head = head_event(&s.seller, &before.note(), s.signer.verifier_key());
            // The proofs of the first five are of that ledger; the sixth is beyond its end.
            let six = p.settlements[5].clone();
            p.settlements = before.settlements();
            p.settlements.push(six);
        }),
        (
            "a head of a ledger of somebody else's",
            at(0),
            "result",
            |_, p| {
                let stranger = Keys::new(nostr::SecretKey::from_slice(&[0x66; 32]).unwrap());
                resign(&mut p.header.head, &stranger);
            },
        ),
        ("another network", at(0), "invoice", |_, p| {
            p.header.network = "bitcoin".into()
        }),
        ("another node", at(0), "invoice", |_, p| {
            p.header.node = Some("02".repeat(33))
        }),
        ("no node", at(0), "invoice", |_, p| p.header.node = None),
        ("a window that begins later", at(0), "outside-window", |_, p| {
            p.header.from_ms = Some(START_MS + 6_000)
        }),
        ("a window that ends earlier", at(5), "outside-window", |_, p| {
            p.header.to_ms = Some(START_MS + 30_000)
        }),
        // The settlement and its place.
        ("a raised amount", at(USUAL), "proof", |_, p| {
            let fact = &mut p.settlements[USUAL].fact;
            let place = fact.0.windows(3).position(|w| w == [0x18, 0x90, 0x4e]).unwrap();
            fact.0[place + 2] = 0x4f;
        }),
        ("a settlement that can't be decoded", at(USUAL), "fact", |_, p| {
            p.settlements[USUAL].fact.0.truncate(20)
        }),
        ("another fact in its place", at(USUAL), "fact", |_, p| {
            p.settlements[USUAL].fact = p.settlements[USUAL].evidence[2].clone()
        }),
        ("no proof", at(USUAL), "proof", |_, p| {
            p.settlements[USUAL].proof = Bytes::default()
        }),
        ("a longer proof", at(USUAL), "proof", |_, p| {
            p.settlements[USUAL].proof.0.extend([0; 32])
        }),
        ("half a hash more", at(USUAL), "proof", |_, p| {
            p.settlements[USUAL].proof.0.extend([0; 16])
        }),
        ("another hash in the proof", at(USUAL), "proof", |_, p| {
            flip(&mut p.settlements[USUAL].proof, 40)
        }),
        ("the proof of another", at(USUAL), "proof", |_, p| {
            p.settlements[USUAL].proof = p.settlements[1].proof.clone()
        }),
        ("two lines exchanged", at(1), "order", |_, p| {
            p.settlements.swap(0, 1)
        }),
        ("a line repeated", at(1), "order", |_, p| {
            p.settlements.insert(1, p.settlements[0].clone())
        }),
        // What it rests on.
        ("a fact fewer", at(USUAL), "evidence", |_, p| {
            drop(p.settlements[USUAL].evidence.pop())
        }),
        ("a fact twice", at(USUAL), "evidence", |_, p| {
            let first = p.settlements[USUAL].evidence[0].clone();
            p.settlements[USUAL].evidence.push(first);
        }),
        ("facts exchanged", at(USUAL), "evidence", |_, p| {
            p.settlements[USUAL].evidence.swap(0, 1)
        }),
        ("another byte in a fact", at(USUAL), "evidence", |_, p| {
            flip(&mut p.settlements[USUAL].evidence[3], 30)
        }),
        ("a fact of another job", at(USUAL), "evidence", |_, p| {
            p.settlements[USUAL].evidence[0] = p.settlements[1].evidence[0].clone()
        }),
        // Money.
        (
            "an invoice whose checksum is wrong",
            at(OLD),
            "invoice",
            |s, p| bend_invoice(s, p, "lnbcrt100n1qqqqqq"),
        ),
        ("an invoice of another payment", at(OLD), "invoice", |s, p| {
            bend_invoice(s, p, &invoice(&s.node, &[1; 32], PRICE_MSAT, Currency::Regtest));
        }),
        ("an invoice of another network", at(OLD), "invoice", |s, p| {
            bend_invoice(
                s,
                p,
                &invoice(&s.node, &[0x84; 32], PRICE_MSAT, Currency::Bitcoin),
            );
        }),
        ("an invoice of another node", at(OLD), "invoice", |s, p| {
            let node = SecretKey::from_slice(&[0x77; 32]).unwrap();
            bend_invoice(s, p, &invoice(&node, &[0x84; 32], PRICE_MSAT, Currency::Regtest));
        }),
        (
            "another invoice than the ledger's",
            at(USUAL),
            "invoice",
            |s, p| {
                let dearer = invoice(&s.node, &[0x80; 32], 2 * PRICE_MSAT, Currency::Regtest);
                let event = result(p, USUAL);
                set(event, "amount", &["amount", "20000", &dearer]);
                resign(event, &s.seller);
            },
        ),
        // Texts.
        ("a result that is not there", at(USUAL), "erased", |_, p| {
            p.settlements[USUAL].result = None
        }),
        (
            "a result that was erased, and is there",
            at(USUAL),
            "erased",
            |_, p| p.settlements[USUAL].erased = true,
        ),
        (
            "an erased one that does not say so",
            at(ERASED),
            "erased",
            |_, p| p.settlements[ERASED].erased = false,
        ),
        ("an erased one that never was", at(OLD), "erased", |_, p| {
            p.settlements[OLD].result = None;
            p.settlements[OLD].erased = true;
        }),
        ("another text in the result", at(USUAL), "result", |_, p| {
            result(p, USUAL).content.push('!')
        }),
        ("another text, signed anew", at(USUAL), "result", |s, p| {
            result(p, USUAL).content.push('!');
            resign(result(p, USUAL), &s.seller);
        }),
        ("the result of another job", at(USUAL), "invoice", |_, p| {
            p.settlements[USUAL].result = p.settlements[1].result.clone()
        }),
        ("a result by somebody else", at(OLD), "result", |s, p| {
            resign(result(p, OLD), &s.buyer)
        }),
        ("a result without a request", at(OLD), "result", |s, p| {
            bend_result(s, p, |e| drop(e.tags.remove(0)))
        }),
        (
            "a result that answers another request",
            at(OLD),
            "result",
            |s, p| bend_result(s, p, |e| set(e, "e", &["e", "00"])),
        ),
        ("a result of another kind", at(OLD), "result", |s, p| {
            bend_result(s, p, |e| e.kind = 6_051)
        }),
        ("a request that is none", at(OLD), "request", |s, p| {
            bend_result(s, p, |e| set(e, "request", &["request", "{}"]))
        }),
        ("a request with a member twice", at(OLD), "request", |s, p| {
            bend_result(s, p, |e| {
                let twice = e.word("request").unwrap().replacen('{', "{\"content\":\"\",", 1);
                set(e, "request", &["request", &twice]);
            })
        }),
        ("another text in the request", at(OLD), "request", |s, p| {
            bend_request(s, p, |e| e.content.push('!'))
        }),
        ("a request by somebody else", at(OLD), "request", |s, p| {
            let stranger = Keys::new(nostr::SecretKey::from_slice(&[0x66; 32]).unwrap());
            bend_request(s, p, |e| resign(e, &stranger));
        }),
        ("upper-case digits in a signature", at(OLD), "result", |_, p| {
            result(p, OLD).sig.make_ascii_uppercase()
        }),
        // The buyer's receipt.
        (
            "a receipt that is not signed",
            at(RECEIPTED),
            "receipt",
            |_, p| receipt(p).created_at += 1,
        ),
        ("a receipt of another kind", at(RECEIPTED), "receipt", |s, p| {
            bend_receipt(s, p, |e| e.kind = 7_000)
        }),
        ("a receipt by the seller", at(RECEIPTED), "receipt", |s, p| {
            resign(receipt(p), &s.seller)
        }),
        (
            "a receipt of another request",
            at(RECEIPTED),
            "receipt",
            |s, p| bend_receipt(s, p, |e| e.tags[0][1] = "00".repeat(32)),
        ),
        ("a receipt of another result", at(RECEIPTED), "receipt", |s, p| {
            bend_receipt(s, p, |e| e.tags[1][1] = "00".repeat(32))
        }),
        ("a receipt to another seller", at(RECEIPTED), "receipt", |s, p| {
            bend_receipt(s, p, |e| set(e, "p", &["p", &"00".repeat(32)]))
        }),
        ("a receipt of another sum", at(RECEIPTED), "receipt", |s, p| {
            bend_receipt(s, p, |e| set(e, "amount", &["amount", "10001"]))
        }),
        (
            "a receipt of another payment",
            at(RECEIPTED),
            "receipt",
            |s, p| {
                bend_receipt(s, p, |e| {
                    set(e, "payment_hash", &["payment_hash", &"00".repeat(32)])
                });
            },
        ),
        ("the receipt of another job", at(USUAL), "receipt", |_, p| {
            p.settlements[USUAL].receipt = p.settlements[1].receipt.clone()
        }),
        (
            "a receipt beside an erased request",
            at(ERASED),
            "receipt",
            |_, p| p.settlements[ERASED].receipt = p.settlements[1].receipt.clone(),
        ),
        (
            "a receipt without the result's marker",
            at(RECEIPTED),
            "receipt",
            |s, p| bend_receipt(s, p, |e| drop(e.tags.remove(1))),
        ),
        // The whole.
        ("a line left out", SEAL - 1, "seal", |_, p| {
            drop(p.settlements.remove(5))
        }),
        ("another count", SEAL, "seal", |_, p| p.lines += 1),
        ("another sum", SEAL, "seal", |_, p| p.msat += 1),
    ]
}
