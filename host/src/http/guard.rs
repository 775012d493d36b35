//! Who may ask. A web page that makes a browser send requests here is told by its `Origin`, one that points a name of its
//! own at this machine by the `Host`, and anybody else by the token.
use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::Response,
};

use super::{errors::Problem, rate::Bucket};

/// Requests at once, and in each second after it.
const BURST: u32 = 200;
const PER_S: u32 = 50;

pub(super) struct Guard {
    /// Of the token: equality of these takes the same time wherever two differ.
    token: blake3::Hash,
    hosts: [String; 3],
    bucket: Bucket,
}

impl Guard {
    pub(super) fn new(token: &str, port: u16) -> Guard {
        Guard {
            token: blake3::hash(token.as_bytes()),
            hosts: ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")),
            bucket: Bucket::new(BURST, PER_S, Instant::now()),
        }
    }

    fn admits(&self, headers: &HeaderMap, now: Instant) -> Result<(), Problem> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST).unwrap_or_default();
        let one_host = headers.get_all(header::HOST).iter().count() == 1;
        if !one_host || !self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)) {
            let sentence = "the Host is not this machine's loopback address with this port";
            return Err(Problem::new(StatusCode::FORBIDDEN, "foreign-host", sentence, ""));
        }
        if headers.contains_key(header::ORIGIN) {
            let sentence = "web pages are not served";
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "foreign-origin",
                sentence,
                "",
            ));
        }
        let Some(given) = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")) else {
            return Err(Problem::unauthorized("a token is needed"));
        };
        if blake3::hash(given.trim().as_bytes()) != self.token {
            return Err(Problem::unauthorized(
                "this is not the token of the host that runs",
            ));
        }
        // After the token, so that a stranger's requests take nothing from the owner's.
        if !self.bucket.take(now) {
            let sentence = format!("more than {PER_S} requests a second");
            let problem = Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                sentence,
                "wait a second",
            );
            return Err(problem.with(header::RETRY_AFTER, "1"));
        }
        Ok(())
    }
}

pub(super) async fn check(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    guard.admits(request.headers(), Instant::now())?;
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_on_this_machine_passes() {
        let guard = Guard::new("secret", 700);
        let code = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            let admitted = guard.admits(&headers, Instant::now());
            admitted.map_or_else(|problem| problem.trouble.code, |()| "passes".to_owned())
        };
        let bearer = ("authorization", "Bearer secret");
        for host in ["127.0.0.1:700", "localhost:700", "LOCALHOST:700", "[::1]:700"] {
            assert_eq!(code(&[("host", host), bearer]), "passes");
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1:701",
            "rebound.example:700",
            "127.0.0.1.example:700",
        ] {
            assert_eq!(code(&[("host", host), bearer]), "foreign-host");
        }
        let here = ("host", "localhost:700");
        assert_eq!(code(&[bearer]), "foreign-host");
        assert_eq!(code(&[here, here, bearer]), "foreign-host");
        assert_eq!(
            code(&[here, bearer, ("origin", "http://localhost:700")]),
            "foreign-origin"
        );
        assert_eq!(code(&[here, bearer, ("origin", "null")]), "foreign-origin");
        for token in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer secre",
            "Bearer secrets",
            "secret",
            "Basic secret",
        ] {
            assert_eq!(code(&[here, ("authorization", token)]), "unauthorized");
        }
        assert_eq!(code(&[here]), "unauthorized");
    }

    #[test]
    fn too_many_are_told_to_wait() {
        let guard = Guard::new("secret", 700);
        let mut headers = HeaderMap::new();
        headers.append("host", "localhost:700".parse().unwrap());
        headers.append("authorization", "Bearer secret".parse().unwrap());
        let now = Instant::now();
        let admitted = (0..BURST + 50).filter(|_| guard.admits(&headers, now).is_ok());
        assert_eq!(admitted.count(), BURST as usize);
        let refused = guard.admits(&headers, now).unwrap_err();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    }
}
