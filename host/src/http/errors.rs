//! Errors as HTTP has them: a status, and `{"error":{"code","sentence","next"}}`.
use autopilot_proto::control::v1::Trouble;
use axum::{
    Json,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tonic::{Code, Status};

use crate::control::watch::trouble;

/// What went wrong, for a program and for a person.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) trouble: Trouble,
    header: Option<Box<(HeaderName, &'static str)>>,
}

#[derive(Serialize)]
struct Document {
    error: Trouble,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &str, sentence: impl Into<String>, next: &str) -> Problem {
        Problem {
            status,
            trouble: Trouble {
                code: code.to_owned(),
                sentence: sentence.into(),
                next: next.to_owned(),
            },
            header: None,
        }
    }

    pub(super) fn with(mut self, name: HeaderName, value: &'static str) -> Problem {
        self.header = Some(Box::new((name, value)));
        self
    }

    pub(super) fn invalid(sentence: impl Into<String>) -> Problem {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-argument",
            sentence,
            "GET /v1/openapi.json",
        )
    }

    pub(super) fn unknown_path() -> Problem {
        let sentence = "there is nothing under this path";
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            sentence,
            "GET /v1/openapi.json",
        )
    }

    pub(super) fn method() -> Problem {
        let sentence = "this path has another method";
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "invalid-argument",
            sentence,
            "GET /v1/openapi.json",
        )
    }

    pub(super) fn unauthorized(sentence: &str) -> Problem {
        let next = "send the token of <home>/run/control.json as `Authorization: Bearer …`";
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", sentence, next)
            .with(header::WWW_AUTHENTICATE, "Bearer")
    }
}

/// A refusal keeps its code and words; its kind says the status.
impl From<Status> for Problem {
    fn from(status: Status) -> Problem {
        let (http, code) = match status.code() {
            Code::InvalidArgument => (StatusCode::BAD_REQUEST, "invalid-argument"),
            Code::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Code::AlreadyExists | Code::Aborted => (StatusCode::CONFLICT, "conflict"),
            Code::FailedPrecondition => (StatusCode::UNPROCESSABLE_ENTITY, "not-ready"),
            Code::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            Code::Unavailable | Code::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Code::Unimplemented => (StatusCode::NOT_IMPLEMENTED, "unimplemented"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        let mut trouble = trouble(&status);
        if trouble.code.is_empty() {
            trouble.code = code.to_owned();
        }
        Problem {
            status: http,
            trouble,
            header: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Json(Document { error: self.trouble });
        match self.header {
            Some(header) => (self.status, [*header], document).into_response(),
            None => (self.status, document).into_response(),
        }
    }
}
