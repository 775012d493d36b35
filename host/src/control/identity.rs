//! How the identity is kept. The words never pass here: a face that has the passphrase opens the file itself.
use autopilot_core::input::Command;
use autopilot_events::pb as facts;
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, errors, views::basis};
use crate::secrets::protection;

impl Service {
    pub(super) async fn answer_identity(
        &self,
        request: pb::IdentityRequest,
    ) -> Result<pb::IdentityReply, Status> {
        if let Some(note) = custody_note(&request)? {
            self.command(note).await?;
        }
        let (npub, network) = (self.npub.clone(), self.config.network.clone());
        let protected_by = protection(&self.home).name().to_owned();
        self.look(move |engine| {
            let (custody, identity) = (&engine.state().custody, &engine.state().provider.identity);
            pb::IdentityReply {
                basis: Some(basis(engine, "ledger")),
                npub,
                public_key: identity
                    .as_ref()
                    .map(|i| i.public_key.clone())
                    .unwrap_or_default(),
                network,
                protected_by,
                backed_up_at_ms: custody.backed_up_at_ms,
                backups: custody.backups,
            }
        })
        .await
    }
}

/// What is to be recorded: one thing, or nothing.
pub(crate) fn custody_note(request: &pb::IdentityRequest) -> Result<Option<Command>, Status> {
    match (request.backed_up_to.as_str(), request.protected_by.as_str()) {
        ("", "") => Ok(None),
        (to @ ("terminal" | "file" | "screen"), "") => {
            Ok(Some(Command::NoteBackup(facts::IdentityBackedUp {
                to: to.to_owned(),
            })))
        }
        ("", by @ ("folder" | "passphrase" | "keyring")) => {
            Ok(Some(Command::NoteProtection(facts::IdentityProtected {
                by: by.to_owned(),
            })))
        }
        _ => Err(errors::invalid(
            "a backup goes to terminal, screen or file; protection is by folder, passphrase or keyring",
        )),
    }
}
