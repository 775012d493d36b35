//! Failures as the contract carries them: a closed code, a sentence, and two figures where there are any.
use autopilot_proto::inference::v1::{Failure as Wire, FailureCode};
use prost::Message;
use tonic::{Code, Status};

/// Why a call fails.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    #[error("there is no model file at {0}")]
    ModelMissing(String),
    #[error("{0}")]
    ModelUnreadable(String),
    #[error("found {found}, expected {expected}")]
    ModelDigestMismatch { found: String, expected: String },
    #[error("the model needs about {need_bytes} bytes, {limit_bytes} are allowed")]
    ModelTooLarge { need_bytes: u64, limit_bytes: u64 },
    #[error("no model is loaded")]
    ModelNotLoaded,
    #[error("the prompt has {tokens} tokens, at most {limit} fit")]
    PromptTooLong { tokens: u64, limit: u64 },
    #[error("{0}")]
    RequestInvalid(String),
    #[error("a generation is running")]
    Busy,
    #[error("the deadline passed")]
    Deadline,
    #[error("memory ran out while {0}")]
    OutOfMemory(&'static str),
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    fn codes(&self) -> (FailureCode, Code) {
        match self {
            Failure::ModelMissing(_) => (FailureCode::ModelMissing, Code::NotFound),
            Failure::ModelUnreadable(_) => (FailureCode::ModelUnreadable, Code::FailedPrecondition),
            Failure::ModelDigestMismatch { .. } => {
                (FailureCode::ModelDigestMismatch, Code::FailedPrecondition)
            }
            Failure::ModelTooLarge { .. } => (FailureCode::ModelTooLarge, Code::ResourceExhausted),
            Failure::ModelNotLoaded => (FailureCode::ModelNotLoaded, Code::FailedPrecondition),
            Failure::PromptTooLong { .. } => (FailureCode::PromptTooLong, Code::InvalidArgument),
            Failure::RequestInvalid(_) => (FailureCode::RequestInvalid, Code::InvalidArgument),
            Failure::Busy => (FailureCode::Busy, Code::Unavailable),
            Failure::Deadline => (FailureCode::Deadline, Code::DeadlineExceeded),
            Failure::OutOfMemory(_) => (FailureCode::OutOfMemory, Code::ResourceExhausted),
            Failure::Internal(_) => (FailureCode::Internal, Code::Internal),
        }
    }

    fn figures(&self) -> (u64, u64) {
        match *self {
            Failure::ModelTooLarge {
                need_bytes,
                limit_bytes,
            } => (need_bytes, limit_bytes),
            Failure::PromptTooLong { tokens, limit } => (tokens, limit),
            _ => (0, 0),
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Status {
        let (code, grpc) = failure.codes();
        let (value, limit) = failure.figures();
        let message = failure.to_string();
        let wire = Wire {
            code: code.into(),
            message: message.clone(),
            value,
            limit,
        };
        Status::with_details(grpc, message, wire.encode_to_vec().into())
    }
}
