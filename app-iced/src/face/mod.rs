//! The window's only way to the host: questions and commands one by one, and views as they change.
mod views;
mod watch;
pub mod ways;

use std::path::{Path, PathBuf};

use autopilot_host::control::{self, Client};
use autopilot_proto::control::v1::Trouble;
use iced::Task;
use tonic::{Response, Status};

pub use views::{Link, Shown, Views};
pub use watch::{Day, News, watch};

/// An answer of the host, or its words on why there is none.
pub type Answer<T> = Result<T, Trouble>;

/// A host, by its control socket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Face {
    socket: PathBuf,
}

impl Face {
    /// The host of this socket, whether it runs yet or not.
    pub fn new(socket: impl Into<PathBuf>) -> Face {
        Face {
            socket: socket.into(),
        }
    }

    /// Where it is.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks something, or commands it.
    pub fn ask<T, F>(&self, call: impl FnOnce(Client) -> F + Send + 'static) -> Task<Answer<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<Response<T>, Status>> + Send + 'static,
    {
        let socket = self.socket.clone();
        Task::future(async move {
            let client = control::client(&socket).map_err(|error| Trouble {
                code: "unavailable".to_owned(),
                sentence: error.to_string(),
                next: String::new(),
            })?;
            let answer = call(client).await.map_err(|status| trouble(&status))?;
            Ok(answer.into_inner())
        })
    }
}

/// What a refusal says, with the window's own ways.
pub(crate) fn trouble(status: &Status) -> Trouble {
    let mut trouble = refusal(status);
    ways::trouble_here(&mut trouble);
    trouble
}

fn refusal(status: &Status) -> Trouble {
    let told = control::told(status);
    match status.code() {
        // The transport's own words are of no use to a person.
        tonic::Code::Unavailable if told.code.is_empty() => Trouble {
            code: "unavailable".to_owned(),
            sentence: "the engine does not answer".to_owned(),
            next: "it is tried again by itself; if this stays, start Autopilot again".to_owned(),
        },
        _ => told,
    }
}
