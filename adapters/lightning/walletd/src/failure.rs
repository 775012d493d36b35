//! Failures that cross the socket: a closed code and a sentence for a person, by exhaustive matches.
use autopilot_proto::wallet::v1::{Failure, FailureCode};
use ldk_node::NodeError;
use prost::Message;
use tonic::{Code, Status};

/// A failed call. The message holds no secret.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) code: FailureCode,
    pub(crate) message: String,
}

pub(crate) type Answer<T> = Result<T, Failed>;

pub(crate) fn failed(code: FailureCode, message: impl Into<String>) -> Failed {
    Failed {
        code,
        message: message.into(),
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Failed {
    failed(FailureCode::InvalidArgument, message)
}

impl From<Failed> for Status {
    fn from(failed: Failed) -> Status {
        let code = match failed.code {
            FailureCode::InvalidArgument | FailureCode::WrongNetwork | FailureCode::SelfPayment => {
                Code::InvalidArgument
            }
            FailureCode::Conflict => Code::AlreadyExists,
            FailureCode::NotFound => Code::NotFound,
            FailureCode::Expired | FailureCode::InsufficientFunds | FailureCode::NoRoute => {
                Code::FailedPrecondition
            }
            FailureCode::ChainBehind | FailureCode::PeerUnreachable => Code::Unavailable,
            FailureCode::WalletFault | FailureCode::Unspecified => Code::Internal,
        };
        let details = Failure {
            code: failed.code.into(),
            message: failed.message.clone(),
        };
        Status::with_details(code, failed.message, details.encode_to_vec().into())
    }
}

impl From<NodeError> for Failed {
    fn from(error: NodeError) -> Failed {
        use NodeError as E;
        let code = match error {
            E::ConnectionFailed => FailureCode::PeerUnreachable,
            E::InsufficientFunds | E::OnchainTxCreationFailed => FailureCode::InsufficientFunds,
            E::FeerateEstimationUpdateFailed
            | E::FeerateEstimationUpdateTimeout
            | E::TxSyncFailed
            | E::TxSyncTimeout
            | E::WalletOperationTimeout => FailureCode::ChainBehind,
            E::PaymentSendingFailed => FailureCode::NoRoute,
            E::DuplicatePayment => FailureCode::Conflict,
            E::InvalidNetwork => FailureCode::WrongNetwork,
            E::UriParameterParsingFailed
            | E::InvalidAddress
            | E::InvalidSocketAddress
            | E::InvalidPublicKey
            | E::InvalidSecretKey
            | E::InvalidOfferId
            | E::InvalidNodeId
            | E::InvalidPaymentId
            | E::InvalidPaymentHash
            | E::InvalidPaymentPreimage
            | E::InvalidPaymentSecret
            | E::InvalidAmount
            | E::InvalidInvoice
            | E::InvalidOffer
            | E::InvalidRefund
            | E::InvalidChannelId
            | E::InvalidUri
            | E::InvalidQuantity
            | E::InvalidNodeAlias
            | E::InvalidDateTime
            | E::InvalidFeeRate
            | E::InvalidCustomTlvs
            | E::InvalidBlindedPaths
            | E::UnsupportedCurrency => FailureCode::InvalidArgument,
            E::AlreadyRunning
            | E::NotRunning
            | E::InvoiceCreationFailed
            | E::InvoiceRequestCreationFailed
            | E::OfferCreationFailed
            | E::RefundCreationFailed
            | E::ProbeSendingFailed
            | E::ChannelCreationFailed
            | E::ChannelClosingFailed
            | E::ChannelSplicingFailed
            | E::ChannelConfigUpdateFailed
            | E::PersistenceFailed
            | E::WalletOperationFailed
            | E::OnchainTxSigningFailed
            | E::GossipUpdateFailed
            | E::GossipUpdateTimeout
            | E::LiquidityRequestFailed
            | E::LiquiditySourceUnavailable
            | E::LiquidityFeeTooHigh
            | E::AsyncPaymentServicesDisabled => FailureCode::WalletFault,
        };
        failed(code, error.to_string())
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Failed {
        failed(FailureCode::WalletFault, format!("the wallet folder: {error}"))
    }
}
