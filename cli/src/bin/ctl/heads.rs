//! Signed heads: what this ledger was, as others hold it, and what others' ledgers were.
use autopilot_proto::control::v1::{
    HeadsReply, HeadsRequest, HeldHead, KeptHead, OverruleHeadRequest, SignHeadRequest,
};

use crate::{
    args::OverruleHead,
    confirm::{confirm, rehearsed},
    connect::{Client, call},
    failure::Outcome,
    output::{Out, Tone, at, clean, clean_line, fields, short, table},
};

pub async fn show(client: &mut Client, out: Out) -> Outcome {
    let reply = call(client.heads(HeadsRequest {})).await?;
    out.show(&reply, |reply| text(reply, out))
}

pub async fn sign(client: &mut Client, out: Out) -> Outcome {
    let reply = call(client.sign_head(SignHeadRequest {})).await?;
    out.show(&reply, |reply| clean(&reply.note))
}

pub async fn overrule(client: &mut Client, out: Out, wish: OverruleHead) -> Outcome {
    let mut request = OverruleHeadRequest {
        first_different: wish.first_different,
        reason: wish.reason,
        dry_run: true,
    };
    let checked = call(client.overrule_head(request.clone())).await?;
    let what = format!(
        "Go on with this ledger from fact {} on, although these heads of it say otherwise:\n{}",
        wish.first_different,
        disputed(&checked.disputed)
    );
    if wish.yes.dry_run {
        return rehearsed(out, &what);
    }
    confirm(out, wish.yes, &what)?;
    request.dry_run = false;
    let reply = call(client.overrule_head(request)).await?;
    out.show(&reply, |reply| text(reply, out))
}

/// The newest head in one line, for `status`.
pub fn in_short(heads: &HeadsReply) -> String {
    let signed = match heads.size {
        0 => format!("none is signed yet, the first is due with fact {}", heads.next_at),
        size => format!("over {size} facts, signed {}", at(heads.signed_at_ms)),
    };
    format!("{signed}; {}; {}", published(heads), compared(heads))
}

fn published(heads: &HeadsReply) -> String {
    match heads.published_at_ms {
        None => "none is published".to_owned(),
        Some(at_ms) => format!(
            "published {} to {} of {} relays{}",
            at(at_ms),
            heads.published_to.len(),
            heads.relays_tried,
            match heads.published_size == heads.size {
                true => String::new(),
                false => format!(" (the one over {} facts)", heads.published_size),
            }
        ),
    }
}

fn compared(heads: &HeadsReply) -> String {
    let answered = heads
        .asked
        .iter()
        .filter(|relay| relay.failure.is_empty())
        .count();
    match heads.compared_at_ms {
        None => "not compared with what others hold".to_owned(),
        Some(at_ms) if answered == heads.asked.len() => {
            format!("compared with what {answered} relays hold {}", at(at_ms))
        }
        Some(_) => format!(
            "not compared at {} of {} relays, which can't be asked",
            heads.asked.len() - answered,
            heads.asked.len()
        ),
    }
}

fn disputed(heads: &[HeldHead]) -> String {
    let head = ["facts", "verdict", "from fact", "held by", "root", "compared"];
    let row = |held: &HeldHead| {
        vec![
            held.size.to_string(),
            held.verdict.clone(),
            held.first_different.to_string(),
            clean_line(&held.held_by),
            short(&held.root),
            at(held.compared_at_ms),
        ]
    };
    table(&head, &heads.iter().map(row).collect::<Vec<_>>())
}

fn text(reply: &HeadsReply, out: Out) -> String {
    let shown = |condition: bool, text: String| if condition { text } else { String::new() };
    let mut text = fields(&[
        (
            "newest head",
            match reply.size {
                0 => "none yet".to_owned(),
                size => format!("{size} facts, signed {}", at(reply.signed_at_ms)),
            },
        ),
        ("root", reply.root.clone()),
        ("checked by", clean_line(&reply.verifier_key)),
        ("published", published(reply)),
        (
            "at",
            shown(
                !reply.published_to.is_empty(),
                clean_line(&reply.published_to.join(", ")),
            ),
        ),
        ("held by others", compared(reply)),
        ("next head", format!("with fact {}", reply.next_at)),
    ]);
    for relay in &reply.asked {
        let answer = match relay.failure.as_str() {
            "" => format!("holds {}", relay.heads),
            failure => format!("could not be asked: {}", clean_line(failure)),
        };
        text += &format!("\n{} {answer}", clean_line(&relay.relay));
    }
    if !reply.disputed.is_empty() {
        let words = "These heads of this ledger say otherwise; it does not earn until a person decides:";
        text += &format!("\n{}\n{}", out.tone(Tone::Bad, words), disputed(&reply.disputed));
        let from = reply.disputed.iter().map(|held| held.first_different).min();
        text += &format!(
            "\nBring back the newer ledger, or: autopilotctl ledger overrule-head {}",
            from.unwrap_or_default()
        );
    }
    if !reply.kept.is_empty() {
        let head = ["provider", "facts", "kept", "trouble"];
        let row = |kept: &KeptHead| {
            vec![
                short(&kept.provider),
                kept.size.to_string(),
                at(kept.kept_at_ms),
                clean_line(&kept.trouble),
            ]
        };
        let rows: Vec<_> = reply.kept.iter().map(row).collect();
        text += &format!("\nKept of providers:\n{}", table(&head, &rows));
    }
    text
}
