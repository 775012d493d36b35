//! The socket: made private, and only taken over when nobody answers there.
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

use autopilot_proto::control::v1::control_server::ControlServer;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use super::Service;

/// The largest request, in bytes.
const MAX_REQUEST_BYTES: usize = 256 * 1024;

/// Makes the socket. The ledger's lock makes sure that there is one host only.
///
/// # Errors
/// When the socket can't be made, or somebody answers there.
pub async fn bind(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).await.is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another host answers at the control socket",
        ));
    }
    let _ = fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until `stop` is done. Connections that are open then have a moment to end by themselves.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    listener: UnixListener,
    service: Service,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let server = ControlServer::new(service).max_decoding_message_size(MAX_REQUEST_BYTES);
    Server::builder()
        .add_service(server)
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop)
        .await
        .map_err(io::Error::other)
}
