//! `control/v1` over HTTP, for scripts and agents on this machine: the same calls, views and facts as over the socket.
//!
//! - `GET /v1/snapshot`: views, with the number of the last durable fact and a signature ([`snapshot`]).
//! - `GET /v1/events`: facts after a number, by long poll or as server-sent events ([`events`]).
//! - `POST /v1/commands`: any call by its name; what lasts is done once for each key ([`commands`]).
//! - `GET /v1/openapi.json`: all of this, described from the contract itself ([`openapi`]).
//!
//! It listens on the loopback address alone, and a file that only the owner can read says where, with a token that is
//! made anew at every start ([`manifest`]). What keeps web pages and other users out is in [`guard`].
mod canonical;
mod class;
mod commands;
mod errors;
mod events;
mod guard;
mod manifest;
mod openapi;
mod paths;
mod rate;
mod serve;
mod snapshot;

use std::{io, net::Ipv4Addr, path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    clock::now_ms,
    control::Service,
    secrets::{self, SecretsError},
};

use commands::Commands;
use errors::Problem;
use guard::Guard;
pub use manifest::Manifest;

/// Why it can't be served.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No port, or no file.
    #[error("the HTTP control can't be served: {0}")]
    Io(#[from] io::Error),
    /// The manifest.
    #[error(transparent)]
    Home(#[from] crate::home::HomeError),
    /// No random bytes for a token.
    #[error(transparent)]
    Token(#[from] SecretsError),
}

/// What a handler has.
#[derive(Clone)]
struct Face {
    service: Service,
    commands: Arc<Commands>,
}

/// HTTP control that is served until it is stopped.
pub struct Served {
    file: PathBuf,
    manifest: Manifest,
    end: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Served {
    /// Begins to serve, and says so in the manifest. `params_key` keys the digests of commands' parameters.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn start(service: Service, params_key: [u8; 32]) -> Result<Served, HttpError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let token = hex::encode(secrets::random::<32>()?);
        let manifest = Manifest {
            address: address.to_string(),
            pid: std::process::id(),
            token: token.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            home: service.home.path().to_owned(),
            started_at_ms: now_ms(),
        };
        let file = service.home.control_manifest();
        let face = Face {
            commands: Arc::new(Commands::new(service.outside.ledger.clone(), params_key)),
            service,
        };
        let router = router(face, Guard::new(&token, address.port()));
        let (end, ended) = watch::channel(false);
        let task = tokio::spawn(serve::serve(listener, router, ended));
        manifest.write(&file)?;
        Ok(Served {
            file,
            manifest,
            end,
            task,
        })
    }

    /// Where it is, and how it is reached.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Takes the manifest away, lets answers that are under way a moment, and ends.
    pub async fn stop(self) {
        self.manifest.remove(&self.file);
        let _ = self.end.send(true);
        let _ = self.task.await;
    }
}

fn router(face: Face, guard: Guard) -> Router {
    Router::new()
        .route("/v1/snapshot", get(snapshot::answer))
        .route("/v1/events", get(events::answer))
        .route("/v1/commands", post(commands::answer))
        .layer(DefaultBodyLimit::max(commands::BODY_BYTES_MAX))
        .route("/v1/openapi.json", get(openapi::answer))
        .method_not_allowed_fallback(async || Problem::method())
        .fallback(async || Problem::unknown_path())
        .with_state(face)
        .layer(from_fn_with_state(Arc::new(guard), guard::check))
}

#[cfg(test)]
mod tests;
