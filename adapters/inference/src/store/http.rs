//! What a pull asks of an http server, and how its answers are read.
use std::time::Duration;

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_RANGE, RANGE},
};

use super::{StoreError, part::Part};

const CONNECT_BOUND: Duration = Duration::from_secs(15);
/// Longest silence of a server.
const READ_BOUND: Duration = Duration::from_secs(30);

/// An http or https address.
pub fn address(text: &str) -> Result<Url, StoreError> {
    let bad = |reason: String| StoreError::BadAddress { reason };
    let url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(bad(format!("{other} is neither http nor https"))),
    }
}

/// Asks for what is missing; begins again when the server cannot go on from there.
pub async fn request(url: &Url, part: &mut Part) -> Result<Response, StoreError> {
    let cut = |have_bytes, error: &reqwest::Error| StoreError::Cut {
        have_bytes,
        reason: words(error),
    };
    let client = Client::builder()
        .connect_timeout(CONNECT_BOUND)
        .read_timeout(READ_BOUND)
        .user_agent(concat!("autopilot/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| cut(part.have, &error))?;
    loop {
        let mut request = client.get(url.clone());
        if part.have > 0 {
            request = request.header(RANGE, format!("bytes={}-", part.have));
        }
        let response = request.send().await.map_err(|error| cut(part.have, &error))?;
        match response.status() {
            StatusCode::OK => {
                part.restart()?;
                return Ok(response);
            }
            StatusCode::PARTIAL_CONTENT => return Ok(response),
            // Either everything is there already, or the file behind the address has shrunk.
            StatusCode::RANGE_NOT_SATISFIABLE if part.have > 0 => {
                if content_range(&response).is_some_and(|(_, total)| total == Some(part.have)) {
                    return Ok(response);
                }
                part.restart()?;
            }
            status => {
                return Err(StoreError::Refused {
                    status: status.as_u16(),
                });
            }
        }
    }
}

/// Size of the whole file as the server says it; the outer `None`: everything is there already.
pub fn total_bytes(response: &Response, part: &Part) -> Result<Option<Option<u64>>, StoreError> {
    match response.status() {
        StatusCode::RANGE_NOT_SATISFIABLE => Ok(None),
        StatusCode::PARTIAL_CONTENT => match content_range(response) {
            Some((Some(begin), total)) if begin == part.have => Ok(Some(total)),
            _ => Err(StoreError::BadAddress {
                reason: "the server sent another part than was asked for".into(),
            }),
        },
        _ => Ok(Some(response.content_length())),
    }
}

/// `bytes BEGIN-END/TOTAL` or `bytes */TOTAL`.
fn content_range(response: &Response) -> Option<(Option<u64>, Option<u64>)> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let begin = range
        .split_once('-')
        .and_then(|(begin, _)| begin.trim().parse().ok());
    Some((begin, total.trim().parse().ok()))
}

/// An error with its causes, without the address (which may hold a token).
pub fn words(error: &reqwest::Error) -> String {
    let mut words = if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        "the connection failed".into()
    };
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}
