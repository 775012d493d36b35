//! The plan: what a destination is, which way is taken, how much of what would leave. Asks the payee's servers at most;
//! records and spends nothing.
use std::time::Instant;

use autopilot_core::{
    input::{Command, sent_key},
    offers::{Offer, OfferWish},
    ports::{
        payee::{Callback, Payees, Resolved, Way},
        wallet::{Balances, Wallet},
    },
};
use autopilot_events::{pb as facts, words::Msat};
use autopilot_proto::control::v1 as pb;
use tonic::Status;

use super::{
    Planned,
    sums::{Sum, Terms, everything, given, onchain_notes},
};
use crate::{
    clock::now_ms,
    control::{Service, errors, views::basis},
    outside, secrets,
};

/// Longest destination that a fact keeps, in characters: an LNURL or invoice fits.
const DESTINATION_KEPT: usize = 2_000;

/// Everything that a plan rests on.
struct Question {
    request: pb::PlanWithdrawalRequest,
    resolved: Resolved,
    live: Balances,
}

impl Question {
    /// What an approval says of the destination.
    fn resolution(&self, step: &str, range: Option<&Callback>) -> facts::Resolution {
        let mut path = self.resolved.path.clone();
        if path.last().is_none_or(|last| last != step) {
            path.push(step.to_owned());
        }
        facts::Resolution {
            destination: self
                .request
                .destination
                .trim()
                .chars()
                .take(DESTINATION_KEPT)
                .collect(),
            path,
            authority: self.resolved.authority.clone(),
            min_msat: range.map(|range| range.min.0),
            max_msat: range.map(|range| range.max.0),
            description: self.resolved.description.clone(),
            proof_digest: self
                .resolved
                .proof_digest
                .map(|digest| digest.to_vec())
                .unwrap_or_default(),
            resolved_at_ms: now_ms(),
        }
    }

    fn sum(&self, terms: Terms) -> Result<Sum, Status> {
        match self.request.all {
            true => everything(&self.request, terms, &self.live),
            false => given(&self.request, self.resolved.amount, terms, &self.live),
        }
    }

    fn shown(&self, kind: &str, resolution: &facts::Resolution) -> pb::WithdrawalPlan {
        pb::WithdrawalPlan {
            kind: kind.to_owned(),
            destination: resolution.destination.clone(),
            path: resolution.path.clone(),
            authority: resolution.authority.clone(),
            min_msat: resolution.min_msat,
            max_msat: resolution.max_msat,
            description: resolution.description.clone(),
            ..pb::WithdrawalPlan::default()
        }
    }
}

fn named(way: &Way) -> &'static str {
    match way {
        Way::Bolt11(_) => "its invoice",
        Way::Offer(_) => "its offer",
        Way::Callback(_) => "its LNURL",
        Way::Onchain(_) => "its address",
    }
}

impl Service {
    /// The first way that can be paid now, in the stated order; what was passed over is named.
    pub(in crate::control) async fn answer_plan_withdrawal(
        &self,
        request: pb::PlanWithdrawalRequest,
    ) -> Result<pb::WithdrawalPlan, Status> {
        if request.all && request.amount_msat.is_some() {
            return Err(errors::invalid("either an amount or everything, not both"));
        }
        let resolved = self
            .payees
            .resolve(&request.destination)
            .await
            .map_err(errors::payee)?;
        crate::treasury::observe(&self.outside)
            .await
            .map_err(errors::submit)?;
        let live = self.outside.wallet.balances().await.map_err(errors::wallet)?;
        let question = Question {
            request,
            resolved,
            live,
        };
        let mut notes = question.resolved.notes.clone();
        let mut problem = None;
        for way in &question.resolved.ways {
            match self.plan_by(&question, way).await {
                Ok(planned) => return self.kept(planned, notes).await,
                Err(status) => {
                    notes.push(format!("{} is passed over: {}", named(way), status.message()));
                    problem.get_or_insert(status);
                }
            }
        }
        Err(problem.unwrap_or_else(|| errors::invalid("nothing in it can be paid")))
    }

    async fn kept(&self, mut planned: Planned, mut notes: Vec<String>) -> Result<pb::WithdrawalPlan, Status> {
        let id = secrets::random::<16>().map_err(|e| errors::invalid(e.to_string()))?;
        notes.append(&mut planned.shown.notes);
        planned.shown.notes = notes;
        planned.shown.plan_id = hex::encode(id);
        planned.shown.network = self.config.network.clone();
        planned.shown.basis = Some(self.look(|engine| basis(engine, "wallet")).await?);
        let shown = planned.shown.clone();
        self.plans.keep(planned);
        Ok(shown)
    }

    async fn plan_by(&self, question: &Question, way: &Way) -> Result<Planned, Status> {
        match way {
            Way::Bolt11(invoice) => self.plan_invoice(question, invoice, None).await,
            Way::Callback(callback) => self.plan_callback(question, callback).await,
            Way::Offer(offer) => self.plan_offer(question, offer).await,
            Way::Onchain(address) => self.plan_onchain(question, address).await,
        }
    }

    async fn plan_callback(&self, question: &Question, callback: &Callback) -> Result<Planned, Status> {
        let terms = Terms {
            most: Some(callback.max),
            whole_sat: true,
            ..Terms::default()
        };
        let sum = question.sum(terms)?;
        let invoice = self
            .payees
            .invoice(callback, sum.amount, &question.request.comment)
            .await
            .map_err(errors::payee)?;
        self.plan_invoice(question, &invoice, Some((callback, sum))).await
    }

    async fn plan_invoice(
        &self,
        question: &Question,
        invoice: &str,
        asked: Option<(&Callback, Sum)>,
    ) -> Result<Planned, Status> {
        let decoded = self
            .outside
            .wallet
            .decode_invoice(invoice)
            .await
            .map_err(errors::wallet)?;
        let linked = question.resolved.amount;
        if let (Some(fixed), Some(linked)) = (decoded.amount, linked)
            && fixed != linked
        {
            let differ = format!("the link asks for {linked} and the invoice in it for {fixed}");
            return Err(errors::invalid(differ));
        }
        let resolution = question.resolution("bolt11", asked.as_ref().map(|(callback, _)| *callback));
        let terms = Terms {
            fixed: decoded.amount,
            payee: Some(decoded.payee),
            ..Terms::default()
        };
        let sum = match asked {
            Some((_, sum)) => sum,
            None => question.sum(terms)?,
        };
        let mut shown = question.shown("bolt11", &resolution);
        shown.payee = hex::encode(decoded.payee);
        shown.payment_hash = decoded.payment_hash.to_string();
        if shown.description.is_empty() {
            shown.description = decoded.description.chars().take(300).collect();
        }
        let expires_at_s = decoded.expires_at_s;
        shown.expires_at_ms = i64::try_from(expires_at_s.saturating_mul(1_000)).ok();
        let paid = self
            .outside
            .ledger
            .reader()
            .lookup(&sent_key(&decoded.payment_hash.0))
            .await;
        let paid = paid.map_err(errors::read)?.is_some();
        let command = Command::Pay {
            bill: outside::bill(invoice, decoded),
            amount: Some(sum.amount),
            fee_ceiling: sum.ceiling,
            resolution: Some(resolution),
        };
        let mut planned = lightning(shown, command, sum);
        match paid {
            true => planned
                .shown
                .notes
                .push("this invoice was paid before: nothing is paid again".to_owned()),
            false => self.rehearse(planned.command.clone()).await?,
        }
        Ok(planned)
    }

    async fn plan_offer(&self, question: &Question, bolt12: &str) -> Result<Planned, Status> {
        let decoded = self
            .outside
            .wallet
            .decode_offer(bolt12)
            .await
            .map_err(errors::wallet)?;
        let terms = Terms {
            fixed: decoded.amount,
            ..Terms::default()
        };
        let mut sum = question.sum(terms)?;
        if !question.request.comment.is_empty() {
            sum.notes
                .push("the comment is not sent: only LNURL servers are given one".to_owned());
        }
        let resolution = question.resolution("bolt12", None);
        let mut shown = question.shown("bolt12", &resolution);
        shown.payee = decoded.payee.map(hex::encode).unwrap_or_default();
        shown.offer_id = hex::encode(decoded.offer_id);
        if shown.description.is_empty() {
            shown.description = decoded.description.chars().take(300).collect();
        }
        let at_ms = |s: u64| i64::try_from(s.saturating_mul(1_000)).unwrap_or(i64::MAX);
        shown.expires_at_ms = decoded.expires_at_s.map(at_ms);
        let command = Command::PayOffer(OfferWish {
            intent_id: secrets::random().map_err(|e| errors::invalid(e.to_string()))?,
            offer: Offer {
                bolt12: bolt12.to_owned(),
                offer_id: decoded.offer_id,
                payee: decoded.payee.map(|payee| payee.to_vec()).unwrap_or_default(),
                amount: decoded.amount,
                networks: decoded.networks,
                expires_at_ms: decoded.expires_at_s.map(at_ms),
            },
            amount: Some(sum.amount),
            fee_ceiling: sum.ceiling,
            purpose: facts::PaymentPurpose::Withdrawal,
            job_id: Vec::new(),
            resolution: Some(resolution),
        });
        let planned = lightning(shown, command, sum);
        self.rehearse(planned.command.clone()).await?;
        Ok(planned)
    }

    async fn plan_onchain(&self, question: &Question, address: &str) -> Result<Planned, Status> {
        let wanted = question
            .request
            .amount_msat
            .map(Msat)
            .or(question.resolved.amount);
        let amount_sat = match (question.request.all, wanted) {
            (true, _) => None,
            (false, Some(Msat(msat))) if msat > 0 && msat.is_multiple_of(1_000) => Some(msat / 1_000),
            (false, Some(_)) => return Err(errors::invalid("on chain only whole satoshi can be sent")),
            (false, None) => {
                return Err(errors::invalid(
                    "it names no amount: add AMOUNT (such as 1000sat), --sats N, or --all",
                ));
            }
        };
        let resolution = question.resolution("onchain", None);
        let mut shown = question.shown("onchain", &resolution);
        shown.address = address.to_owned();
        shown.amount_msat = amount_sat.map(|sat| sat.saturating_mul(1_000));
        shown.notes = onchain_notes(amount_sat, &question.live);
        if amount_sat.is_none() && question.live.onchain_spendable_sat == 0 {
            let nothing = "nothing on chain can be sent";
            return Err(errors::coded(
                tonic::Code::FailedPrecondition,
                "insufficient-funds",
                nothing,
            ));
        }
        let intent: [u8; 16] = secrets::random().map_err(|e| errors::invalid(e.to_string()))?;
        let command = Command::SendOnchain(facts::OnchainApproved {
            intent_id: intent.to_vec(),
            address: address.to_owned(),
            amount_sat,
            resolution: Some(resolution),
        });
        self.rehearse(command.clone()).await?;
        Ok(Planned {
            shown,
            command,
            made: Instant::now(),
        })
    }
}

fn lightning(mut shown: pb::WithdrawalPlan, command: Command, sum: Sum) -> Planned {
    shown.amount_msat = Some(sum.amount.0);
    shown.fee_ceiling_msat = sum.ceiling.0;
    shown.notes.extend(sum.notes);
    Planned {
        shown,
        command,
        made: Instant::now(),
    }
}
