//! The way to a running host: `control/v1` over its Unix socket.
use std::{future::Future, io, path::Path, sync::Mutex, time::Duration};

use autopilot_cli::home::control_socket;
use autopilot_proto::control::v1::control_client::ControlClient;
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};
use tonic::{
    Response, Status,
    transport::{Channel, Endpoint},
};

use crate::failure::{Failure, Kind, Outcome};

pub type Client = ControlClient<Channel>;

/// Longest path that the kernel takes for a Unix socket, bytes.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const CONNECT_BOUND: Duration = Duration::from_secs(5);
/// Longest that a host may take for an answer that waits for nothing outside it.
pub const ANSWER_BOUND: Duration = Duration::from_secs(60);
/// Largest answer, bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Connects to the host of a home folder, once.
pub async fn connect(home: &Path) -> Outcome<Client> {
    let path = control_socket(home);
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_BYTES_MAX {
        let message = format!(
            "the socket path has {length} bytes, the kernel takes at most {SOCKET_PATH_BYTES_MAX}: {}",
            path.display()
        );
        return Err(Failure::new(Kind::Unreachable, "path-too-long", message)
            .next("use a home folder with a shorter path"));
    }
    let stream = match timeout(CONNECT_BOUND, UnixStream::connect(&path)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(unreachable(&path, &error)),
        Err(_) => return Err(unreachable(&path, &io::ErrorKind::TimedOut.into())),
    };
    // One connection, no silent reconnecting to another host that might have started meanwhile.
    let stream = Mutex::new(Some(TokioIo::new(stream)));
    let connector = tower::service_fn(move |_| {
        let taken = stream.lock().ok().and_then(|mut stream| stream.take());
        async move { taken.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    });
    let channel = Endpoint::from_static("http://control.invalid")
        .connect_with_connector(connector)
        .await;
    let channel = channel.map_err(|error| unreachable(&path, &io::Error::other(error)))?;
    Ok(ControlClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX))
}

/// Whether nobody serves here: no socket, or one that is left from a host that ended.
pub async fn is_absent(home: &Path) -> bool {
    let connected = timeout(CONNECT_BOUND, UnixStream::connect(control_socket(home))).await;
    let absent = |error: &io::Error| {
        matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        )
    };
    connected.is_ok_and(|connected| connected.as_ref().is_err_and(absent))
}

fn unreachable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    let message = match error.kind() {
        io::ErrorKind::NotFound => format!("no host is running for this home folder (there is no {path})"),
        io::ErrorKind::ConnectionRefused => format!("no host is running: {path} is left from one that ended"),
        io::ErrorKind::PermissionDenied => format!("{path} belongs to somebody else"),
        io::ErrorKind::TimedOut => format!("the host at {path} does not answer"),
        _ => format!("the host at {path} can't be reached: {error}"),
    };
    let next = match error.kind() {
        io::ErrorKind::PermissionDenied => "run this as the owner of the home folder",
        io::ErrorKind::TimedOut => "autopilotctl doctor",
        _ => "start one (autopilot-headless provider --home DIR), or name another home folder with --home",
    };
    Failure::new(Kind::Unreachable, "unreachable", message).next(next)
}

/// One call, bounded in time.
pub async fn call<T>(answer: impl Future<Output = Result<Response<T>, Status>>) -> Outcome<T> {
    call_within(ANSWER_BOUND, answer).await
}

/// One call that may wait at the host for `wait_s` seconds.
pub async fn call_waiting<T>(
    wait_s: u32,
    answer: impl Future<Output = Result<Response<T>, Status>>,
) -> Outcome<T> {
    call_within(ANSWER_BOUND + Duration::from_secs(wait_s.into()), answer).await
}

async fn call_within<T>(
    bound: Duration,
    answer: impl Future<Output = Result<Response<T>, Status>>,
) -> Outcome<T> {
    match timeout(bound, answer).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => {
            let message = format!("the host did not answer within {} s", bound.as_secs());
            Err(Failure::new(Kind::Timeout, "timeout", message).next("autopilotctl doctor"))
        }
    }
}
