//! Short ways to fail.
use autopilot_core::ports::payee::{PayeeError, PayeeErrorCode};

pub(crate) fn fail(code: PayeeErrorCode, message: impl Into<String>) -> PayeeError {
    PayeeError {
        code,
        message: message.into(),
    }
}
