//! One question to a stranger's server: guarded, bounded in time, size and redirects.
use std::{sync::Arc, time::Duration};

use autopilot_core::ports::payee::{PayeeError, PayeeErrorCode as Code};
use reqwest::{Client, Response, Url, header::LOCATION, redirect::Policy};

use crate::{
    failure::fail,
    guard::{self, PublicOnly},
};

/// LUD-06 metadata may hold an image of 136,536 characters.
const SIZE_LIMIT: usize = 256 * 1_024;
const REDIRECTS: u32 = 3;

#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    pub(crate) time_limit: Duration,
}

impl Http {
    pub(crate) fn new(time_limit: Duration) -> Result<Self, PayeeError> {
        let client = Client::builder()
            .redirect(Policy::none())
            // A proxy would look names up itself, behind the guard's back.
            .no_proxy()
            .dns_resolver(Arc::new(PublicOnly))
            .user_agent(concat!("autopilot/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| fail(Code::Unsupported, format!("https can't be set up: {error}")))?;
        Ok(Self { client, time_limit })
    }

    /// The body at `url`, whatever the status is: LNURL says its errors in it.
    pub(crate) async fn get(&self, url: Url, local: bool) -> Result<Vec<u8>, PayeeError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        tokio::time::timeout(self.time_limit, self.follow(url, local))
            .await
            .unwrap_or_else(|_| {
                let seconds = self.time_limit.as_secs();
                Err(fail(
                    Code::Unreachable,
                    format!("{host} did not answer within {seconds} seconds"),
                ))
            })
    }

    async fn follow(&self, mut url: Url, local: bool) -> Result<Vec<u8>, PayeeError> {
        for _ in 0..=REDIRECTS {
            guard::check(&url, local)?;
            let host = url.host_str().unwrap_or_default().to_owned();
            let unreachable =
                |error: reqwest::Error| fail(Code::Unreachable, format!("{host}: {}", words(&error)));
            let response = self.client.get(url.clone()).send().await.map_err(unreachable)?;
            if !response.status().is_redirection() {
                return body(response, &host).await;
            }
            let target = response
                .headers()
                .get(LOCATION)
                .and_then(|target| target.to_str().ok());
            url = target
                .and_then(|target| url.join(target).ok())
                .ok_or_else(|| fail(Code::Misbehaved, format!("{host} redirects to no address")))?;
        }
        Err(fail(Code::Misbehaved, "the server redirects in circles"))
    }
}

async fn body(mut response: Response, host: &str) -> Result<Vec<u8>, PayeeError> {
    let mut bytes = Vec::new();
    let broken = |error: reqwest::Error| fail(Code::Unreachable, format!("{host}: {}", words(&error)));
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > SIZE_LIMIT {
            let kib = SIZE_LIMIT / 1_024;
            return Err(fail(
                Code::Misbehaved,
                format!("{host} answers with more than {kib} KiB"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The innermost cause, without the address: it may hold a token.
fn words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
