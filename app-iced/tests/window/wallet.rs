//! A wallet that follows a script: it speaks `wallet/v1` on the home's own socket, and can be taken away.
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    pin::Pin,
    time::SystemTime,
};

use autopilot_proto::wallet::v1::{
    self as rpc,
    wallet_server::{Wallet, WalletServer},
};
use tokio::{net::UnixListener, sync::oneshot, task::JoinHandle};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status, transport::Server};

/// A node id that is a point of the curve: its generator.
const NODE: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
/// What can be sent, and what can arrive, in msat.
pub const SPENDABLE_MSAT: u64 = 21_000;
pub const RECEIVABLE_MSAT: u64 = 90_000_000;

/// The wallet's process: it says that it is ready and holds on to its leash. The answers come from here.
pub fn program(folder: &Path) -> PathBuf {
    let path = folder.join("walletd");
    let script = format!(
        "#!/bin/sh\nread -r configuration\necho '{{\"ready\":true,\"node_id\":\"{NODE}\"}}'\nexec cat >/dev/null\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A wallet that answers until it is dropped.
pub struct Scripted {
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Scripted {
    /// Begins to answer. Must be called inside a runtime.
    pub fn answer(socket: &Path) -> Scripted {
        let _ = fs::remove_file(socket);
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = Server::builder()
            .add_service(WalletServer::new(Script))
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener), async { drop(stopped.await) });
        let serving = tokio::spawn(async move { serving.await.unwrap() });
        Scripted {
            stop: Some(stop),
            serving: Some(serving),
        }
    }

    /// It answers no more, to whoever is connected already neither.
    pub fn vanish(&mut self) {
        self.stop.take();
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

struct Script;

fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn node() -> Vec<u8> {
    (0..33)
        .map(|at| u8::from_str_radix(&NODE[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

type Reply<T> = Result<Response<T>, Status>;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Reply<T>> + Send + 'a>>;

/// Calls that no test needs, as `async_trait` writes them: it sees no calls within a macro.
macro_rules! refused {
    ($($call:ident($request:ident) -> $reply:ident;)*) => {
        $(fn $call<'a, 'b>(&'a self, _: Request<rpc::$request>) -> Answer<'b, rpc::$reply>
        where
            'a: 'b,
            Self: 'b,
        {
            Box::pin(async { Err(Status::unimplemented("the script has nothing for it")) })
        })*
    };
}

#[tonic::async_trait]
impl Wallet for Script {
    async fn get_info(&self, _: Request<rpc::GetInfoRequest>) -> Reply<rpc::Info> {
        let peer = rpc::Peer {
            node_id: node(),
            address: SocketAddr::from(([127, 0, 0, 1], 9735)).to_string(),
            connected: true,
        };
        Ok(Response::new(rpc::Info {
            node_id: node(),
            network: "regtest".into(),
            running: true,
            tip_height: 100,
            tip_hash: vec![1; 32],
            lightning_synced_at_s: now_s(),
            onchain_synced_at_s: now_s(),
            fees_updated_at_s: now_s(),
            peers: vec![peer],
            connected: true,
            chain_source: "esplora".into(),
            ..rpc::Info::default()
        }))
    }

    async fn get_balances(&self, _: Request<rpc::GetBalancesRequest>) -> Reply<rpc::Balances> {
        let channel = rpc::Channel {
            channel_id: vec![7; 32],
            funding_outpoint: format!("{}:0", "ab".repeat(32)),
            counterparty: node(),
            capacity_sat: 100_000,
            balance_msat: SPENDABLE_MSAT,
            spendable_msat: SPENDABLE_MSAT,
            receivable_msat: RECEIVABLE_MSAT,
            ready: true,
            usable: true,
            confirmations: 6,
            ..rpc::Channel::default()
        };
        Ok(Response::new(rpc::Balances {
            spendable_msat: SPENDABLE_MSAT,
            receivable_msat: RECEIVABLE_MSAT,
            channels: vec![channel],
            tip_height: 100,
            ..rpc::Balances::default()
        }))
    }

    async fn sync(&self, _: Request<rpc::SyncRequest>) -> Reply<rpc::Info> {
        self.get_info(Request::new(rpc::GetInfoRequest {})).await
    }

    async fn can_receive(&self, request: Request<rpc::CanReceiveRequest>) -> Reply<rpc::CanReceiveReply> {
        let yes = request.into_inner().amount_msat <= RECEIVABLE_MSAT;
        Ok(Response::new(rpc::CanReceiveReply {
            yes,
            reason: if yes {
                "it can arrive"
            } else {
                "the channel is too small"
            }
            .into(),
            limit_msat: RECEIVABLE_MSAT,
            minimum_msat: 1,
        }))
    }

    async fn list_payments(&self, _: Request<rpc::ListPaymentsRequest>) -> Reply<rpc::ListPaymentsReply> {
        Ok(Response::new(rpc::ListPaymentsReply::default()))
    }

    async fn list_onchain(&self, _: Request<rpc::ListOnchainRequest>) -> Reply<rpc::ListOnchainReply> {
        Ok(Response::new(rpc::ListOnchainReply::default()))
    }

    type EventsStream = ReceiverStream<Result<rpc::Event, Status>>;

    /// Nothing happens, for as long as somebody listens.
    async fn events(&self, _: Request<rpc::EventsRequest>) -> Reply<Self::EventsStream> {
        let (tell, told) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move { tell.closed().await });
        Ok(Response::new(ReceiverStream::new(told)))
    }

    refused! {
        create_invoice(CreateInvoiceRequest) -> Invoice;
        create_offer(CreateOfferRequest) -> Offer;
        decode_invoice(DecodeInvoiceRequest) -> DecodedInvoice;
        pay(PayRequest) -> Payment;
        decode_offer(DecodeOfferRequest) -> DecodedOffer;
        pay_offer(PayOfferRequest) -> Payment;
        get_payment(GetPaymentRequest) -> Payment;
        ack_event(AckEventRequest) -> AckEventReply;
        open_channel(OpenChannelRequest) -> OpenChannelReply;
        close_channel(CloseChannelRequest) -> CloseChannelReply;
        connect_peer(ConnectPeerRequest) -> ConnectPeerReply;
        new_onchain_address(NewOnchainAddressRequest) -> NewOnchainAddressReply;
        send_onchain(SendOnchainRequest) -> SendOnchainReply;
    }
}
