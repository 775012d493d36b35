//! The policy: read, and changed field by field.
use autopilot_cli::money::show_on;
use autopilot_proto::control::v1::{
    GetPolicyRequest, Policy, PolicyReply, SetPolicyRequest, StatusRequest, Topic,
};

use crate::{
    args::{ContentChange, Policy as Action, PolicyChange},
    connect::{Client, call},
    failure::{Failure, Kind, Outcome},
    output::{Out, fields},
};

pub async fn policy(client: &mut Client, out: Out, action: Action) -> Outcome {
    let digest = match &action {
        Action::Show { digest } => digest.clone(),
        Action::Get | Action::Set(_) => String::new(),
    };
    let current = call(client.get_policy(GetPolicyRequest { digest })).await?;
    let reply = match action {
        Action::Get | Action::Show { .. } => current,
        Action::Set(change) => {
            let policy = current
                .policy
                .ok_or_else(|| Failure::new(Kind::Other, "internal", "the host named no policy to change"))?;
            call(client.set_policy(SetPolicyRequest {
                policy: Some(changed(policy, *change)),
            }))
            .await?
        }
    };
    if out.json {
        return out.json_line(&reply);
    }
    let network = call(client.status(StatusRequest {})).await?.network;
    out.line(&text(&reply, &network))
}

fn changed(mut policy: Policy, change: PolicyChange) -> Policy {
    fn set<T>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    set(&mut policy.min_price_msat, change.min_price);
    set(&mut policy.kinds, change.kinds);
    set(&mut policy.max_input_bytes, change.max_input_bytes);
    set(&mut policy.max_in_flight, change.max_in_flight);
    set(&mut policy.per_buyer_per_hour, change.per_buyer_per_hour);
    set(&mut policy.global_per_hour, change.global_per_hour);
    set(&mut policy.unpaid_jobs_per_buyer, change.unpaid_jobs_per_buyer);
    set(&mut policy.unpaid_jobs_total, change.unpaid_jobs_total);
    set(
        &mut policy.order,
        change.order.map(|order| order.name().to_owned()),
    );
    set(&mut policy.accept_open, change.accept_open);
    set(&mut policy.accept_targeted, change.accept_targeted);
    set(&mut policy.max_output_tokens, change.max_output_tokens);
    set(&mut policy.invoice_expiry_s, change.invoice_expiry_s);
    set(&mut policy.quote_without_bid, change.quote_without_bid);
    set(&mut policy.keep_texts_days, change.keep_texts_days);
    set(&mut policy.backup_stop_msat, change.backup_stop);
    content(&mut policy, change.content);
    policy
}

/// The rules of the content policy, one by one. The host compares and keeps them in normal form.
fn content(policy: &mut Policy, change: ContentChange) {
    policy.refused_words.extend(change.refuse_word);
    policy.refused_topics.extend(change.refuse_topic);
    policy.refused_requesters.extend(change.refuse_requester);
    let same = |kept: &str, named: &String| kept.eq_ignore_ascii_case(named) || kept == named.to_lowercase();
    let stays = |kept: &str, gone: &[String]| !gone.iter().any(|named| same(kept, named));
    policy
        .refused_words
        .retain(|word| stays(word, &change.allow_word));
    policy
        .refused_topics
        .retain(|topic| stays(&topic.name, &change.allow_topic));
    policy
        .refused_requesters
        .retain(|key| stays(key, &change.allow_requester));
}

fn text(reply: &PolicyReply, network: &str) -> String {
    let Some(policy) = &reply.policy else {
        return "No policy is set.".to_owned();
    };
    let kinds: Vec<String> = policy.kinds.iter().map(u32::to_string).collect();
    let topic = |topic: &Topic| format!("{}: {}", topic.name, topic.words.join(", "));
    let topics: Vec<String> = policy.refused_topics.iter().map(topic).collect();
    fields(&[
        ("min-price", show_on(policy.min_price_msat, network)),
        ("kinds", kinds.join(", ")),
        ("order", policy.order.clone()),
        ("max-input-bytes", policy.max_input_bytes.to_string()),
        ("max-output-tokens", policy.max_output_tokens.to_string()),
        ("max-in-flight", policy.max_in_flight.to_string()),
        ("per-buyer-per-hour", policy.per_buyer_per_hour.to_string()),
        ("global-per-hour", policy.global_per_hour.to_string()),
        ("unpaid-jobs-per-buyer", policy.unpaid_jobs_per_buyer.to_string()),
        ("unpaid-jobs-total", policy.unpaid_jobs_total.to_string()),
        ("accept-open", policy.accept_open.to_string()),
        ("accept-targeted", policy.accept_targeted.to_string()),
        ("invoice-expiry-s", policy.invoice_expiry_s.to_string()),
        ("quote-without-bid", policy.quote_without_bid.to_string()),
        ("keep-texts-days", keep(policy.keep_texts_days)),
        ("backup-stop", stop(policy.backup_stop_msat, network)),
        ("refused words", policy.refused_words.join(", ")),
        ("refused topics", topics.join("; ")),
        ("refused requesters", policy.refused_requesters.join(", ")),
        ("digest", reply.digest.clone()),
    ])
}

fn stop(msat: u64, network: &str) -> String {
    match msat {
        0 => "never".to_owned(),
        msat => show_on(msat, network),
    }
}

fn keep(days: u32) -> String {
    match days {
        0 => "for good".to_owned(),
        days => days.to_string(),
    }
}
