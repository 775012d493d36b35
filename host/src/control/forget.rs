//! Texts that a person wants forgotten.
use autopilot_events::pb::ForgetReason;
use autopilot_projections::rows::Role;
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors, views::basis};
use crate::forget::{ForgetError, Whose, forget};

impl Service {
    pub(super) async fn answer_forget(&self, request: pb::ForgetRequest) -> Result<pb::ForgetReply, Status> {
        let named = (
            request.job.as_str(),
            request.chat.as_str(),
            request.buyer.as_str(),
            request.before_ms,
        );
        let (whose, reason) = match named {
            (job, "", "", 0) if !job.is_empty() => (self.subject(job).await?, ForgetReason::Job),
            ("", chat, "", 0) if !chat.is_empty() => {
                let thread = self.thread_named(chat).await?;
                (Whose::Subject(thread.subject()), ForgetReason::Job)
            }
            ("", "", key, 0) if !key.is_empty() => {
                let buyer = autopilot_nostr::public_key(key)
                    .ok_or_else(|| errors::invalid("a buyer is named by npub1… or 64 hexadecimal digits"))?;
                (Whose::Buyer(buyer), ForgetReason::Buyer)
            }
            ("", "", "", before_ms) if before_ms > 0 => (Whose::Before(before_ms), ForgetReason::Age),
            _ => {
                return Err(errors::invalid(
                    "name a job, a conversation, a buyer or an age: one of them",
                ));
            }
        };
        let alone = matches!(whose, Whose::Subject(_));
        let done = forget(&self.outside.ledger, whose, reason, request.dry_run)
            .await
            .map_err(|error| match error {
                ForgetError::Submit(error) => errors::submit(error),
                ForgetError::Read(error) => errors::read(error),
            })?;
        if alone && !done.needed.is_empty() {
            return Err(errors::coded(
                tonic::Code::FailedPrecondition,
                "still-needed",
                done.needed_because,
            ));
        }
        Ok(pb::ForgetReply {
            basis: Some(self.look(|engine| basis(engine, "ledger")).await?),
            forgotten: done.subjects,
            needed: done.needed.len() as u64,
            needed_because: done.needed_because,
            overwritten: done.overwritten,
        })
    }

    /// When the texts of a subject were forgotten, if they were.
    pub(super) async fn forgotten(&self, subject: &str) -> Result<Option<i64>, Status> {
        let at_ms = self.outside.ledger.forgotten_at_ms(subject).await;
        at_ms.map_err(errors::read)
    }

    async fn subject(&self, job: &str) -> Result<Whose, Status> {
        let row = self.find(job).await?;
        let buys = row.role.as_deref() == Some(Role::Buyer.name());
        let kind = if buys { "purchase" } else { "job" };
        Ok(Whose::Subject(format!("{kind}/{}", row.job_id)))
    }
}
