//! The wallet port over `wallet/v1`.
use std::{future::Future, os::unix::ffi::OsStrExt, path::Path, time::Duration};

use autopilot_core::ports::wallet::{
    Balances, CanReceive, ChannelId, DecodedInvoice, DecodedOffer, Invoice, NodeId, OnchainAmount,
    OnchainSend, OpenChannel, PayOffer, PayRequest, Payment, PaymentPage, TransactionPage, Wallet,
    WalletError, WalletErrorCode, WalletEvent, WalletInfo,
};
use autopilot_events::words::{Msat, PaymentHash};
use autopilot_proto::wallet::v1::{self as rpc, send_onchain_request::What, wallet_client};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, sync::mpsc, time::timeout};
use tonic::{
    Response, Status,
    transport::{Channel, Endpoint},
};

use crate::{convert, events};

/// For calls that only look or write a record.
const QUICK: Duration = Duration::from_secs(15);
/// For calls that speak to the chain source or a peer.
const SLOW: Duration = Duration::from_secs(60);
/// `sockaddr_un` holds 108 bytes with its end.
const SOCKET_PATH_LIMIT: usize = 107;

/// A connection to a wallet process. Cheap to clone; connects when used, and again after a restart of the process.
#[derive(Clone, Debug)]
pub struct WalletClient {
    channel: Channel,
}

impl WalletClient {
    /// Prepares a connection to the process that listens on `socket`. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument` when the path is too long for a Unix socket.
    pub fn new(socket: &Path) -> Result<Self, WalletError> {
        let length = socket.as_os_str().as_bytes().len();
        let invalid = |message: String| WalletError {
            code: WalletErrorCode::InvalidArgument,
            message,
        };
        if length > SOCKET_PATH_LIMIT {
            let path = socket.display();
            return Err(invalid(format!(
                "the socket path {path} has {length} bytes; Unix allows {SOCKET_PATH_LIMIT}. Choose a shorter home folder"
            )));
        }
        let socket = socket.to_owned();
        // The address is only for the HTTP/2 header: the connector goes to the socket.
        let endpoint = Endpoint::try_from("http://wallet").map_err(|error| invalid(error.to_string()))?;
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        Ok(Self {
            channel: endpoint.connect_with_connector_lazy(connector),
        })
    }

    pub(crate) fn rpc(&self) -> wallet_client::WalletClient<Channel> {
        wallet_client::WalletClient::new(self.channel.clone())
    }

    /// The wallet's events: the current one again every few seconds until [`Wallet::ack_event`], then the next. Goes
    /// on over restarts of the process; ends when the receiver is dropped.
    pub fn events(&self) -> mpsc::Receiver<WalletEvent> {
        events::follow(self.clone())
    }
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, WalletError> {
    match timeout(limit, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(convert::error(&status)),
        Err(_) => Err(WalletError {
            code: WalletErrorCode::Unavailable,
            message: format!("the wallet did not answer within {} seconds", limit.as_secs()),
        }),
    }
}

impl Wallet for WalletClient {
    async fn info(&self) -> Result<WalletInfo, WalletError> {
        convert::info(within(QUICK, self.rpc().get_info(rpc::GetInfoRequest {})).await?)
    }

    async fn balances(&self) -> Result<Balances, WalletError> {
        convert::balances(within(QUICK, self.rpc().get_balances(rpc::GetBalancesRequest {})).await?)
    }

    async fn sync(&self) -> Result<WalletInfo, WalletError> {
        convert::info(within(SLOW, self.rpc().sync(rpc::SyncRequest {})).await?)
    }

    async fn create_invoice(
        &self,
        key: &str,
        amount: Msat,
        description: &str,
        expiry_s: u32,
    ) -> Result<Invoice, WalletError> {
        let request = rpc::CreateInvoiceRequest {
            key: key.to_owned(),
            amount_msat: amount.0,
            description: description.to_owned(),
            expiry_s,
        };
        convert::invoice(within(QUICK, self.rpc().create_invoice(request)).await?)
    }

    async fn create_offer(
        &self,
        amount: Option<Msat>,
        description: &str,
        expiry_s: Option<u32>,
    ) -> Result<String, WalletError> {
        let request = rpc::CreateOfferRequest {
            amount_msat: amount.map(|amount| amount.0),
            description: description.to_owned(),
            expiry_s,
        };
        Ok(within(QUICK, self.rpc().create_offer(request)).await?.bolt12)
    }

    async fn decode_invoice(&self, bolt11: &str) -> Result<DecodedInvoice, WalletError> {
        let request = rpc::DecodeInvoiceRequest {
            bolt11: bolt11.to_owned(),
        };
        convert::decoded(within(QUICK, self.rpc().decode_invoice(request)).await?)
    }

    async fn can_receive(&self, amount: Msat) -> Result<CanReceive, WalletError> {
        let request = rpc::CanReceiveRequest {
            amount_msat: amount.0,
        };
        let reply = within(QUICK, self.rpc().can_receive(request)).await?;
        Ok(CanReceive {
            yes: reply.yes,
            reason: reply.reason,
            limit: Msat(reply.limit_msat),
        })
    }

    async fn pay(&self, request: PayRequest) -> Result<Payment, WalletError> {
        let request = rpc::PayRequest {
            bolt11: request.bolt11,
            amount_msat: request.amount.map(|amount| amount.0),
            fee_ceiling_msat: request.fee_ceiling.0,
            retry_failed: request.retry_failed,
            payee: request.payee.map(|payee| payee.to_vec()).unwrap_or_default(),
        };
        convert::payment(within(SLOW, self.rpc().pay(request)).await?)
    }

    async fn decode_offer(&self, bolt12: &str) -> Result<DecodedOffer, WalletError> {
        let request = rpc::DecodeOfferRequest {
            bolt12: bolt12.to_owned(),
        };
        convert::decoded_offer(within(QUICK, self.rpc().decode_offer(request)).await?)
    }

    async fn pay_offer(&self, request: PayOffer) -> Result<Payment, WalletError> {
        let request = rpc::PayOfferRequest {
            key: request.key,
            bolt12: request.bolt12,
            amount_msat: request.amount.0,
            fee_ceiling_msat: request.fee_ceiling.0,
        };
        convert::payment(within(SLOW, self.rpc().pay_offer(request)).await?)
    }

    async fn payment(&self, hash: PaymentHash) -> Result<Payment, WalletError> {
        let request = rpc::GetPaymentRequest {
            payment_hash: hash.to_vec(),
        };
        convert::payment(within(QUICK, self.rpc().get_payment(request)).await?)
    }

    async fn payments(&self, limit: u32, page: Option<&str>) -> Result<PaymentPage, WalletError> {
        let request = rpc::ListPaymentsRequest {
            limit,
            page_token: page.unwrap_or_default().to_owned(),
        };
        let reply = within(QUICK, self.rpc().list_payments(request)).await?;
        let payments = reply
            .payments
            .into_iter()
            .map(convert::payment)
            .collect::<Result<_, _>>()?;
        Ok(PaymentPage {
            payments,
            next: Some(reply.next_page_token).filter(|token| !token.is_empty()),
        })
    }

    async fn transactions(&self, page: Option<&str>) -> Result<TransactionPage, WalletError> {
        let request = rpc::ListOnchainRequest {
            page_token: page.unwrap_or_default().to_owned(),
        };
        convert::transactions(within(QUICK, self.rpc().list_onchain(request)).await?)
    }

    async fn ack_event(&self, id: [u8; 32]) -> Result<bool, WalletError> {
        let request = rpc::AckEventRequest { id: id.to_vec() };
        Ok(within(QUICK, self.rpc().ack_event(request)).await?.was_current)
    }

    async fn open_channel(&self, request: OpenChannel) -> Result<bool, WalletError> {
        let too_large = |_| WalletError {
            code: WalletErrorCode::InvalidArgument,
            message: "a forwarding fee of more than 4,294,967 sat".into(),
        };
        let fee = request
            .forwarding_fee_base
            .map(|fee| u32::try_from(fee.0))
            .transpose()
            .map_err(too_large)?;
        let request = rpc::OpenChannelRequest {
            node_id: request.node_id.to_vec(),
            address: request.address,
            capacity_sat: request.capacity_sat,
            push_msat: request.push.0,
            announce: request.announce,
            only_if_none: request.only_if_none,
            forwarding_fee_base_msat: fee,
        };
        Ok(within(SLOW, self.rpc().open_channel(request)).await?.opened)
    }

    async fn close_channel(&self, channel_id: ChannelId, force: bool) -> Result<(), WalletError> {
        let request = rpc::CloseChannelRequest {
            channel_id: channel_id.to_vec(),
            force,
        };
        within(SLOW, self.rpc().close_channel(request)).await.map(drop)
    }

    async fn connect_peer(&self, node_id: NodeId, address: &str, persist: bool) -> Result<(), WalletError> {
        let request = rpc::ConnectPeerRequest {
            node_id: node_id.to_vec(),
            address: address.to_owned(),
            persist,
        };
        within(SLOW, self.rpc().connect_peer(request)).await.map(drop)
    }

    async fn new_onchain_address(&self) -> Result<String, WalletError> {
        Ok(within(
            QUICK,
            self.rpc().new_onchain_address(rpc::NewOnchainAddressRequest {}),
        )
        .await?
        .address)
    }

    async fn send_onchain(
        &self,
        key: &str,
        address: &str,
        amount: OnchainAmount,
    ) -> Result<OnchainSend, WalletError> {
        let what = match amount {
            OnchainAmount::Sat(sat) => What::AmountSat(sat),
            OnchainAmount::All => What::All(true),
        };
        let request = rpc::SendOnchainRequest {
            key: key.to_owned(),
            address: address.to_owned(),
            what: Some(what),
        };
        let reply = within(SLOW, self.rpc().send_onchain(request)).await?;
        Ok(OnchainSend {
            txid: Some(reply.txid).filter(|txid| !txid.is_empty()),
            existed: reply.existed,
        })
    }
}
