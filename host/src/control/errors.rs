//! Errors that cross the socket: a small closed code in the metadata, and a sentence for a person.
use autopilot_core::{
    Refusal,
    ports::{market::MarketError, model::ModelError, payee::PayeeError, wallet::WalletError},
    refusal::Code,
};
use autopilot_proto::control::v1::Trouble;
use autopilot_store_sqlite::ReadError;
use tonic::{Code as Grpc, Status, metadata::MetadataValue};

use crate::ledger::SubmitError;

/// Metadata key of the code.
pub const CODE_KEY: &str = "autopilot-code";

/// Metadata key of what a person can do, where the code alone does not say it.
pub const NEXT_KEY: &str = "autopilot-next";

/// A status with a code and a sentence.
pub fn coded(grpc: Grpc, code: &'static str, sentence: impl Into<String>) -> Status {
    let mut status = Status::new(grpc, sentence);
    status
        .metadata_mut()
        .insert(CODE_KEY, MetadataValue::from_static(code));
    status
}

/// What an error that crossed the socket says: its code and its next step, empty where it names none, and its sentence.
pub fn told(status: &Status) -> Trouble {
    let said = |key| {
        let value = status.metadata().get(key).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    Trouble {
        code: said(CODE_KEY),
        sentence: status.message().to_owned(),
        next: said(NEXT_KEY),
    }
}

/// The usual next step of a code, where nothing better is known.
pub fn next_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "not-ready" => "autopilotctl status",
        "insufficient-funds" => "autopilotctl wallet balance",
        "already-paid" => "autopilotctl wallet history",
        "policy-invalid" => "autopilotctl policy get",
        "invoice-unusable" | "expired" | "wrong-network" => "ask the payee for a new invoice of this network",
        "chain-behind" => "autopilotctl wait wallet-connected",
        "no-route" | "peer-unreachable" => "autopilotctl wallet balance",
        "read-only" => "use the newer program that wrote this ledger",
        "unavailable" | "wallet-unavailable" => "autopilotctl doctor",
        "destination-unreadable" | "destination-unsupported" => "autopilotctl withdraw --help",
        "name-not-found" => "ask the payee for their name, an invoice or an offer",
        "name-unproven" => {
            "name another resolver as `dns` under [wallet] in config.toml, or ask the payee for an invoice"
        }
        "payee-unreachable" | "payee-refused" => "try again later, or ask the payee for an invoice",
        "payee-misbehaved" | "address-forbidden" => "ask the payee for an invoice or an offer",
        "amount-out-of-range" => "choose an amount that the payee takes",
        "comment-too-long" => "shorten --comment, or leave it out",
        _ => return None,
    })
}

pub(super) fn refused(refusal: Refusal) -> Status {
    let (grpc, code) = match refusal.code {
        Code::PolicyInvalid => (Grpc::InvalidArgument, "policy-invalid"),
        Code::PriceInvalid => (Grpc::InvalidArgument, "price-invalid"),
        Code::NotReady => (Grpc::FailedPrecondition, "not-ready"),
        Code::AlreadySo => (Grpc::FailedPrecondition, "already-so"),
        Code::NotFound => (Grpc::NotFound, "not-found"),
        Code::InsufficientFunds => (Grpc::FailedPrecondition, "insufficient-funds"),
        Code::InvoiceUnusable => (Grpc::InvalidArgument, "invoice-unusable"),
        Code::AlreadyPaid => (Grpc::AlreadyExists, "already-paid"),
        Code::StillNeeded => (Grpc::FailedPrecondition, "still-needed"),
        Code::TextTooLong => (Grpc::InvalidArgument, "text-too-long"),
        Code::TooManyWaiting => (Grpc::FailedPrecondition, "too-many-waiting"),
        Code::TooManyThreads => (Grpc::FailedPrecondition, "too-many-threads"),
        Code::TooLate => (Grpc::FailedPrecondition, "too-late"),
        Code::ReadOnly => (Grpc::FailedPrecondition, "read-only"),
    };
    coded(grpc, code, refusal.sentence)
}

pub(crate) fn submit(error: SubmitError) -> Status {
    match error {
        SubmitError::Refused(refusal) => refused(refusal),
        SubmitError::Conflict { .. } => coded(Grpc::AlreadyExists, "conflict", error.to_string()),
        SubmitError::Seal(_) => coded(Grpc::Internal, "internal", error.to_string()),
        SubmitError::Stopped => coded(Grpc::Unavailable, "unavailable", error.to_string()),
    }
}

pub(crate) fn read(error: ReadError) -> Status {
    coded(Grpc::Internal, "internal", error.to_string())
}

pub(super) fn wallet(error: WalletError) -> Status {
    use autopilot_core::ports::wallet::WalletErrorCode as Wallet;
    let grpc = match error.code {
        Wallet::InvalidArgument | Wallet::WrongNetwork | Wallet::Expired | Wallet::SelfPayment => {
            Grpc::InvalidArgument
        }
        Wallet::Conflict => Grpc::AlreadyExists,
        Wallet::NotFound => Grpc::NotFound,
        Wallet::InsufficientFunds | Wallet::ChainBehind | Wallet::NoRoute => Grpc::FailedPrecondition,
        Wallet::PeerUnreachable | Wallet::Unavailable => Grpc::Unavailable,
        Wallet::Fault => Grpc::Internal,
    };
    coded(grpc, error.code.name(), error.message)
}

pub(super) fn payee(error: PayeeError) -> Status {
    use autopilot_core::ports::payee::PayeeErrorCode as Payee;
    let grpc = match error.code {
        Payee::Unreachable => Grpc::Unavailable,
        Payee::NameNotFound => Grpc::NotFound,
        Payee::NameUnproven | Payee::Refused | Payee::Misbehaved | Payee::Forbidden => {
            Grpc::FailedPrecondition
        }
        Payee::Unreadable
        | Payee::Unsupported
        | Payee::WrongNetwork
        | Payee::AmountOutOfRange
        | Payee::CommentTooLong => Grpc::InvalidArgument,
    };
    coded(grpc, error.code.name(), error.message)
}

pub(super) fn market(error: MarketError) -> Status {
    coded(Grpc::InvalidArgument, "invalid-argument", error.to_string())
}

pub(super) fn model(error: ModelError) -> Status {
    let mut status = coded(Grpc::FailedPrecondition, error.code().as_str(), error.to_string());
    status
        .metadata_mut()
        .insert(NEXT_KEY, MetadataValue::from_static(error.next_step()));
    status
}

pub(crate) fn invalid(sentence: impl Into<String>) -> Status {
    coded(Grpc::InvalidArgument, "invalid-argument", sentence)
}

pub(super) fn not_found(sentence: impl Into<String>) -> Status {
    coded(Grpc::NotFound, "not-found", sentence)
}
