//! The other end of the socket.
use std::path::{Path, PathBuf};

use autopilot_proto::control::v1::control_client::ControlClient;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

/// A client of a running host.
pub type Client = ControlClient<Channel>;

/// The largest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// A client of the host at this socket. It connects with the first call, and again after a restart of the host.
///
/// # Errors
/// When the address can't be used at all.
pub fn client(socket: &Path) -> Result<Client, tonic::transport::Error> {
    let path: PathBuf = socket.to_owned();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    });
    let channel = Endpoint::try_from("http://control.invalid")?.connect_with_connector_lazy(connector);
    Ok(ControlClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES))
}
