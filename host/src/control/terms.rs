//! The provider's policy: shown, and set as a whole.
use autopilot_core::{input::Command, policy};
use autopilot_events::{
    Event,
    pb::{PaymentOrder, Policy, RefusedTopic},
};
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors, views::basis};

impl Service {
    pub(super) async fn answer_get_policy(
        &self,
        request: pb::GetPolicyRequest,
    ) -> Result<pb::PolicyReply, Status> {
        if !request.digest.is_empty() {
            return self.past_policy(request.digest.to_lowercase()).await;
        }
        self.look(|engine| pb::PolicyReply {
            basis: Some(basis(engine, "ledger")),
            policy: Some(shown(&engine.state().provider.policy())),
            digest: engine.state().provider.policy_digest.to_string(),
        })
        .await
    }

    pub(super) async fn answer_set_policy(
        &self,
        request: pb::SetPolicyRequest,
    ) -> Result<pb::PolicyReply, Status> {
        let wanted = request
            .policy
            .ok_or_else(|| errors::invalid("a policy is needed"))?;
        let order = order_of(&wanted.order)?;
        let current = self.look(|engine| engine.state().provider.policy.clone()).await?;
        let base = current.unwrap_or_else(|| policy::default_policy(wanted.min_price_msat));
        let policy = Policy {
            min_price_msat: wanted.min_price_msat,
            kinds: wanted.kinds,
            max_input_bytes: wanted.max_input_bytes,
            max_in_flight: wanted.max_in_flight,
            per_buyer_per_hour: wanted.per_buyer_per_hour,
            global_per_hour: wanted.global_per_hour,
            unpaid_jobs_per_buyer: wanted.unpaid_jobs_per_buyer,
            unpaid_jobs_total: wanted.unpaid_jobs_total,
            order: order as i32,
            accept_open: wanted.accept_open,
            accept_targeted: wanted.accept_targeted,
            max_output_tokens: wanted.max_output_tokens,
            invoice_expiry_s: wanted.invoice_expiry_s,
            quote_without_bid: wanted.quote_without_bid,
            refused_words: wanted.refused_words,
            refused_topics: wanted
                .refused_topics
                .into_iter()
                .map(|topic| RefusedTopic {
                    name: topic.name,
                    words: topic.words,
                })
                .collect(),
            refused_requesters: wanted.refused_requesters,
            keep_texts_days: wanted.keep_texts_days,
            backup_stop_msat: wanted.backup_stop_msat,
            ..base
        };
        self.command(Command::SetPolicy(policy)).await?;
        self.answer_get_policy(pb::GetPolicyRequest::default()).await
    }

    /// A policy that some judgement cites. Policies change seldom, so that no index is kept of them.
    async fn past_policy(&self, digest: String) -> Result<pb::PolicyReply, Status> {
        if digest.len() < 8 || !digest.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(errors::invalid(
                "name the policy by at least 8 digits of its digest",
            ));
        }
        let basis = self.look(|engine| basis(engine, "ledger")).await?;
        let mut after = 0;
        loop {
            let page = self
                .outside
                .ledger
                .reader()
                .facts(after, 4_096)
                .await
                .map_err(errors::read)?;
            let Some(last) = page.last() else {
                return Err(errors::not_found("no policy of this ledger ever had this digest"));
            };
            after = last.fact.sequence;
            let found = page.iter().find_map(|fact| match &fact.event {
                Event::PolicyChanged(m) if hex::encode(&m.digest).starts_with(&digest) => Some(m),
                _ => None,
            });
            if let Some(m) = found {
                return Ok(pb::PolicyReply {
                    basis: Some(basis),
                    policy: m.policy.as_ref().map(shown),
                    digest: hex::encode(&m.digest),
                });
            }
        }
    }
}

pub(super) fn order_name(order: i32) -> &'static str {
    if order == PaymentOrder::PayFirst as i32 {
        "pay-first"
    } else {
        "work-first"
    }
}

fn order_of(name: &str) -> Result<PaymentOrder, Status> {
    match name {
        "work-first" => Ok(PaymentOrder::WorkFirst),
        "pay-first" => Ok(PaymentOrder::PayFirst),
        _ => Err(errors::invalid("the order is work-first or pay-first")),
    }
}

fn shown(policy: &Policy) -> pb::Policy {
    pb::Policy {
        min_price_msat: policy.min_price_msat,
        kinds: policy.kinds.clone(),
        max_input_bytes: policy.max_input_bytes,
        max_in_flight: policy.max_in_flight,
        per_buyer_per_hour: policy.per_buyer_per_hour,
        global_per_hour: policy.global_per_hour,
        unpaid_jobs_per_buyer: policy.unpaid_jobs_per_buyer,
        unpaid_jobs_total: policy.unpaid_jobs_total,
        order: order_name(policy.order).to_owned(),
        accept_open: policy.accept_open,
        accept_targeted: policy.accept_targeted,
        max_output_tokens: policy.max_output_tokens,
        invoice_expiry_s: policy.invoice_expiry_s,
        quote_without_bid: policy.quote_without_bid,
        refused_words: policy.refused_words.clone(),
        refused_topics: policy
            .refused_topics
            .iter()
            .map(|topic| pb::Topic {
                name: topic.name.clone(),
                words: topic.words.clone(),
            })
            .collect(),
        refused_requesters: policy.refused_requesters.clone(),
        keep_texts_days: policy.keep_texts_days,
        backup_stop_msat: policy.backup_stop_msat,
    }
}
