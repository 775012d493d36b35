//! `wallet/v1` on the socket: each call on a blocking thread, because the engine's calls block.
use std::{pin::Pin, sync::Arc, time::Duration};

use autopilot_proto::wallet::v1::{self as rpc, FailureCode, wallet_server};
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Response, Status};

use crate::{
    events::Events,
    failure::{Answer, failed},
    wallet::{Wallet, thirty_two},
};

/// How often an event that is not acknowledged is given again.
const REPEAT: Duration = Duration::from_secs(3);

/// The service. Clones share everything.
#[derive(Clone)]
pub(crate) struct Service {
    wallet: Arc<Wallet>,
    events: Arc<Events>,
}

impl Service {
    pub(crate) fn new(wallet: Arc<Wallet>) -> Self {
        let events = Arc::new(Events::start(wallet.clone()));
        Self { wallet, events }
    }

    async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Wallet) -> Answer<T> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        let wallet = self.wallet.clone();
        match tokio::task::spawn_blocking(move || call(&wallet)).await {
            Ok(answer) => Ok(Response::new(answer?)),
            Err(_) => Err(failed(FailureCode::WalletFault, "the wallet process failed inside").into()),
        }
    }
}

#[tonic::async_trait]
impl wallet_server::Wallet for Service {
    async fn get_info(&self, _: Request<rpc::GetInfoRequest>) -> Result<Response<rpc::Info>, Status> {
        self.run(|wallet| Ok(wallet.info())).await
    }

    async fn get_balances(
        &self,
        _: Request<rpc::GetBalancesRequest>,
    ) -> Result<Response<rpc::Balances>, Status> {
        self.run(Wallet::balances).await
    }

    async fn sync(&self, _: Request<rpc::SyncRequest>) -> Result<Response<rpc::Info>, Status> {
        self.run(|wallet| wallet.sync().map(|()| wallet.info())).await
    }

    async fn create_invoice(
        &self,
        request: Request<rpc::CreateInvoiceRequest>,
    ) -> Result<Response<rpc::Invoice>, Status> {
        self.run(move |wallet| wallet.create_invoice(request.get_ref()))
            .await
    }

    async fn create_offer(
        &self,
        request: Request<rpc::CreateOfferRequest>,
    ) -> Result<Response<rpc::Offer>, Status> {
        self.run(move |wallet| wallet.create_offer(request.get_ref()))
            .await
    }

    async fn decode_invoice(
        &self,
        request: Request<rpc::DecodeInvoiceRequest>,
    ) -> Result<Response<rpc::DecodedInvoice>, Status> {
        self.run(move |wallet| wallet.decode_invoice(&request.get_ref().bolt11))
            .await
    }

    async fn can_receive(
        &self,
        request: Request<rpc::CanReceiveRequest>,
    ) -> Result<Response<rpc::CanReceiveReply>, Status> {
        self.run(move |wallet| wallet.can_receive(request.get_ref().amount_msat))
            .await
    }

    async fn pay(&self, request: Request<rpc::PayRequest>) -> Result<Response<rpc::Payment>, Status> {
        self.run(move |wallet| wallet.pay(request.get_ref())).await
    }

    async fn decode_offer(
        &self,
        request: Request<rpc::DecodeOfferRequest>,
    ) -> Result<Response<rpc::DecodedOffer>, Status> {
        self.run(move |wallet| wallet.decode_offer(&request.get_ref().bolt12))
            .await
    }

    async fn pay_offer(
        &self,
        request: Request<rpc::PayOfferRequest>,
    ) -> Result<Response<rpc::Payment>, Status> {
        self.run(move |wallet| wallet.pay_offer(request.get_ref())).await
    }

    async fn get_payment(
        &self,
        request: Request<rpc::GetPaymentRequest>,
    ) -> Result<Response<rpc::Payment>, Status> {
        self.run(move |wallet| wallet.payment(thirty_two(&request.get_ref().payment_hash, "a payment hash")?))
            .await
    }

    async fn list_payments(
        &self,
        request: Request<rpc::ListPaymentsRequest>,
    ) -> Result<Response<rpc::ListPaymentsReply>, Status> {
        self.run(move |wallet| wallet.list_payments(request.get_ref()))
            .await
    }

    async fn list_onchain(
        &self,
        request: Request<rpc::ListOnchainRequest>,
    ) -> Result<Response<rpc::ListOnchainReply>, Status> {
        self.run(move |wallet| wallet.list_onchain(request.get_ref()))
            .await
    }

    type EventsStream = Pin<Box<dyn Stream<Item = Result<rpc::Event, Status>> + Send>>;

    async fn events(&self, _: Request<rpc::EventsRequest>) -> Result<Response<Self::EventsStream>, Status> {
        let mut current = self.events.watch();
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let event = current.borrow_and_update().clone();
                if let Some(event) = event
                    && sender.send(event).await.is_err()
                {
                    return;
                }
                tokio::select! {
                    changed = current.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(REPEAT) => {}
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver).map(Ok))))
    }

    async fn ack_event(
        &self,
        request: Request<rpc::AckEventRequest>,
    ) -> Result<Response<rpc::AckEventReply>, Status> {
        let id = thirty_two(&request.get_ref().id, "an event id")?;
        Ok(Response::new(rpc::AckEventReply {
            was_current: self.events.ack(id.to_vec()).await,
        }))
    }

    async fn open_channel(
        &self,
        request: Request<rpc::OpenChannelRequest>,
    ) -> Result<Response<rpc::OpenChannelReply>, Status> {
        self.run(move |wallet| wallet.open_channel(request.get_ref()))
            .await
    }

    async fn close_channel(
        &self,
        request: Request<rpc::CloseChannelRequest>,
    ) -> Result<Response<rpc::CloseChannelReply>, Status> {
        self.run(move |wallet| wallet.close_channel(request.get_ref()))
            .await
    }

    async fn connect_peer(
        &self,
        request: Request<rpc::ConnectPeerRequest>,
    ) -> Result<Response<rpc::ConnectPeerReply>, Status> {
        self.run(move |wallet| wallet.connect_peer(request.get_ref()))
            .await
    }

    async fn new_onchain_address(
        &self,
        _: Request<rpc::NewOnchainAddressRequest>,
    ) -> Result<Response<rpc::NewOnchainAddressReply>, Status> {
        self.run(Wallet::new_onchain_address).await
    }

    async fn send_onchain(
        &self,
        request: Request<rpc::SendOnchainRequest>,
    ) -> Result<Response<rpc::SendOnchainReply>, Status> {
        self.run(move |wallet| wallet.send_onchain(request.get_ref()))
            .await
    }
}
