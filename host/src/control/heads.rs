//! Signed heads: of this ledger, what others hold of it, and what we hold of others.
use autopilot_core::{Engine, heads::due_at, input::Command};
use autopilot_events::pb::{HeadVerdict, KeptVerdict};
use autopilot_projections::{heads::Comparison, kept_heads::Trouble};
use autopilot_proto::control::v1 as pb;
use tonic::{Code as Grpc, Status};

use super::{Service, errors, views::basis};
use crate::heads::{AskedRelay, HeadsError};

impl Service {
    pub(super) async fn answer_heads(&self, _: pb::HeadsRequest) -> Result<pb::HeadsReply, Status> {
        let reply = self.look(|engine| of_engine(engine, true)).await?;
        Ok(self.with_comparison(reply))
    }

    pub(super) async fn answer_sign_head(&self, _: pb::SignHeadRequest) -> Result<pb::HeadsReply, Status> {
        self.heads.sign().await.map_err(|error| match error {
            HeadsError::Ledger(error) => errors::submit(error),
            HeadsError::Read(error) => errors::read(error),
            HeadsError::Head(error) => errors::coded(Grpc::Internal, "internal", error.to_string()),
        })?;
        self.answer_heads(pb::HeadsRequest {}).await
    }

    pub(super) async fn answer_overrule_head(
        &self,
        request: pb::OverruleHeadRequest,
    ) -> Result<pb::HeadsReply, Status> {
        let command = Command::OverruleHead {
            from: request.first_different,
            reason: request.reason,
        };
        match request.dry_run {
            true => self.rehearse(command).await?,
            false => self.command(command).await?,
        }
        self.answer_heads(pb::HeadsRequest {}).await
    }

    /// What `status` says of heads: nothing of others' ledgers, and no note.
    pub(super) async fn heads_in_short(&self) -> Result<pb::HeadsReply, Status> {
        let reply = self.look(|engine| of_engine(engine, false)).await?;
        Ok(self.with_comparison(reply))
    }

    fn with_comparison(&self, mut reply: pb::HeadsReply) -> pb::HeadsReply {
        self.heads.verifier_key().clone_into(&mut reply.verifier_key);
        if let Some(asked) = self.heads.asked() {
            reply.compared_at_ms = Some(asked.at_ms);
            reply.asked = asked.relays.into_iter().map(relay).collect();
        }
        reply
    }
}

fn relay(asked: AskedRelay) -> pb::AskedRelay {
    pb::AskedRelay {
        relay: asked.relay,
        heads: asked.heads.as_ref().copied().unwrap_or_default(),
        failure: asked.heads.err().unwrap_or_default(),
    }
}

fn of_engine(engine: &Engine, whole: bool) -> pb::HeadsReply {
    let state = engine.state();
    let signed = state.heads.signed.clone().unwrap_or_default();
    let published = state.heads.published.clone();
    let mut reply = pb::HeadsReply {
        basis: Some(basis(engine, "ledger")),
        size: signed.size,
        published_at_ms: published.as_ref().map(|published| published.at_ms),
        disputed: state.heads.disputed.iter().map(held).collect(),
        next_at: due_at(state),
        ..pb::HeadsReply::default()
    };
    if signed.size > 0 {
        reply.root = signed.root.to_string();
        reply.signed_at_ms = signed.at_ms;
    }
    if let Some(published) = published {
        reply.published_size = published.size;
        reply.published_to = published.relays;
        reply.relays_tried = published.tried;
    }
    if whole {
        reply.note = signed.note;
        let kept = state.kept_heads.all().map(|(provider, kept)| pb::KeptHead {
            provider: provider.to_string(),
            origin: kept.origin.clone(),
            size: kept.size,
            root: kept.root.to_string(),
            created_at_s: kept.created_at_s,
            kept_at_ms: kept.at_ms,
            trouble: kept.trouble.as_ref().map(trouble).unwrap_or_default(),
        });
        reply.kept = kept.collect();
    }
    reply
}

fn held(disputed: &Comparison) -> pb::HeldHead {
    let verdict = match HeadVerdict::try_from(disputed.verdict) {
        Ok(HeadVerdict::RolledBack) => "rolled-back",
        _ => "forked",
    };
    pb::HeldHead {
        size: disputed.held_size,
        root: disputed.held_root.to_string(),
        held_by: disputed.held_by.clone(),
        verdict: verdict.to_owned(),
        first_different: disputed.first_different,
        compared_at_ms: disputed.at_ms,
    }
}

/// What is held against a provider's ledger, in words for its buyer.
pub(super) fn trouble(trouble: &Trouble) -> String {
    let Trouble {
        size_before, size, ..
    } = trouble;
    match KeptVerdict::try_from(trouble.verdict) {
        Ok(KeptVerdict::WentBack) => {
            format!("its ledger went back from {size_before} facts to {size}: it was rolled back or replaced")
        }
        _ => format!(
            "its ledger was replaced: a head over {size_before} facts was followed by another over {size}"
        ),
    }
}
