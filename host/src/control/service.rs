//! The service as a table: each call is one line that names what answers it.
use std::sync::{Arc, atomic::AtomicU32};

use autopilot_payee::PayeeResolver;
use autopilot_proto::control::v1::{self as pb, control_server::Control};
use futures_util::future::BoxFuture;
use prost::Message as _;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{at::Marks, chart::Drawn, errors, perf::Meters, tailnet::Glance, withdraw::Plans};
use crate::{config::Config, desk::Desk, heads::Heads, home::Home, outside::Outside, pulse::Beat};

/// What the faces talk to.
#[derive(Clone)]
pub struct Service {
    pub(crate) outside: Outside,
    pub(crate) home: Home,
    pub(crate) config: Arc<Config>,
    pub(crate) npub: String,
    pub(crate) warnings: Arc<Vec<String>>,
    pub(crate) heartbeat: watch::Receiver<Option<Beat>>,
    pub(crate) stop: Arc<Notify>,
    pub(crate) payees: PayeeResolver,
    pub(crate) plans: Arc<Plans>,
    pub(crate) heads: Arc<Heads>,
    pub(crate) desk: Desk,
    /// Earnings by day and model, folded once and then followed.
    pub(crate) chart: Arc<tokio::sync::Mutex<Drawn>>,
    /// States at places of the ledger, for whoever scrubs.
    pub(crate) marks: Marks,
    /// One setting is changed at a time.
    pub(crate) settings: Arc<tokio::sync::Mutex<()>>,
    /// Calls that wait to go online.
    pub(crate) connecting: Arc<AtomicU32>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) tailnet: Glance,
}

/// A call as a program wrote it in JSON: understood, and not carried out yet.
pub(crate) struct Call {
    /// What it asks for, encoded: the same for every way to write the same.
    pub(crate) params: Vec<u8>,
    /// Answers it with JSON.
    pub(crate) carry_out: CarryOut,
}

type CarryOut = Box<dyn FnOnce(Service) -> BoxFuture<'static, Result<Value, Status>> + Send>;

/// Answers each call with the method named beside it, from gRPC and from JSON.
macro_rules! table {
    ($($call:ident($request:ident) -> $reply:ident = $answer:ident;)*) => {
        #[tonic::async_trait]
        impl Control for Service {
            type FollowStream = ReceiverStream<Result<pb::FactLine, Status>>;

            async fn follow(
                &self,
                request: Request<pb::FollowRequest>,
            ) -> Result<Response<Self::FollowStream>, Status> {
                Ok(Response::new(self.follow_facts(request.into_inner())))
            }

            type WatchStream = ReceiverStream<Result<pb::WatchUpdate, Status>>;

            async fn watch(
                &self,
                request: Request<pb::WatchRequest>,
            ) -> Result<Response<Self::WatchStream>, Status> {
                self.watch_views(request.into_inner()).map(Response::new)
            }

            $(async fn $call(&self, request: Request<pb::$request>) -> Result<Response<pb::$reply>, Status> {
                self.$answer(request.into_inner()).await.map(Response::new)
            })*
        }

        impl Service {
            /// Calls by their names in the contract's snake case, those apart that answer with a stream.
            #[cfg(test)]
            pub(crate) const CALLS: &[&str] = &[$(stringify!($call),)*];

            /// A call by name, with its parameters; `None`: there is no such call.
            ///
            /// # Errors
            /// A field that the request does not have, or of another type.
            pub(crate) fn call(name: &str, params: Value) -> Option<Result<Call, Status>> {
                let call = match name {
                    $(stringify!($call) => serde_json::from_value::<pb::$request>(params).map(|request| Call {
                        params: request.encode_to_vec(),
                        carry_out: Box::new(move |service: Service| Box::pin(async move {
                            let reply: pb::$reply = service.$answer(request).await?;
                            // Plain owned data with string keys: making a value of it cannot fail.
                            Ok(serde_json::to_value(reply).unwrap_or_default())
                        })),
                    }),)*
                    _ => return None,
                };
                Some(call.map_err(|error| errors::invalid(error.to_string())))
            }
        }
    };
}

table! {
    status(StatusRequest) -> StatusReply = answer_status;
    go_online(GoOnlineRequest) -> StatusReply = answer_go_online;
    go_offline(GoOfflineRequest) -> StatusReply = answer_go_offline;
    get_policy(GetPolicyRequest) -> PolicyReply = answer_get_policy;
    set_policy(SetPolicyRequest) -> PolicyReply = answer_set_policy;
    jobs(JobsRequest) -> JobsReply = answer_jobs;
    abort(AbortRequest) -> AbortReply = answer_abort;
    history(HistoryRequest) -> HistoryReply = answer_history;
    earnings(EarningsRequest) -> EarningsReply = answer_earnings;
    why(WhyRequest) -> WhyReply = answer_why;
    balance(BalanceRequest) -> BalanceReply = answer_balance;
    receive(ReceiveRequest) -> ReceiveReply = answer_receive;
    decode(DecodeRequest) -> DecodeReply = answer_decode;
    pay(PayRequest) -> PayReply = answer_pay;
    plan_withdrawal(PlanWithdrawalRequest) -> WithdrawalPlan = answer_plan_withdrawal;
    withdraw(WithdrawRequest) -> WithdrawReply = answer_withdraw;
    payments(PaymentsRequest) -> PaymentsReply = answer_payments;
    can_receive(CanReceiveRequest) -> CanReceiveReply = answer_can_receive;
    new_address(NewAddressRequest) -> NewAddressReply = answer_new_address;
    send_onchain(SendOnchainRequest) -> SendOnchainReply = answer_send_onchain;
    open_channel(OpenChannelRequest) -> OpenChannelReply = answer_open_channel;
    close_channel(CloseChannelRequest) -> CloseChannelReply = answer_close_channel;
    refusals(RefusalsRequest) -> RefusalsReply = answer_refusals;
    mark_refusal(MarkRefusalRequest) -> MarkRefusalReply = answer_mark_refusal;
    missed(MissedRequest) -> MissedReply = answer_missed;
    relays(RelaysRequest) -> RelaysReply = answer_relays;
    model(ModelRequest) -> ModelReply = answer_model;
    models(ModelsRequest) -> ModelsReply = answer_models;
    choose_model(ChooseModelRequest) -> ChooseModelReply = answer_choose_model;
    buy(BuyRequest) -> BuyReply = answer_buy;
    debts(DebtsRequest) -> DebtsReply = answer_debts;
    refund(RefundRequest) -> RefundReply = answer_refund;
    purchase(PurchaseRequest) -> PurchaseReply = answer_purchase;
    cancel_purchase(CancelPurchaseRequest) -> PurchaseReply = answer_cancel_purchase;
    start_buy_mode(StartBuyModeRequest) -> BuyModeReply = answer_start_buy_mode;
    stop_buy_mode(StopBuyModeRequest) -> BuyModeReply = answer_stop_buy_mode;
    buy_mode(BuyModeRequest) -> BuyModeReply = answer_buy_mode;
    canary(CanaryRequest) -> CanaryReply = answer_canary;
    record_price(RecordPriceRequest) -> RecordPriceReply = answer_record_price;
    forget(ForgetRequest) -> ForgetReply = answer_forget;
    stop(StopRequest) -> StopReply = answer_stop;
    identity(IdentityRequest) -> IdentityReply = answer_identity;
    heads(HeadsRequest) -> HeadsReply = answer_heads;
    check_ledger(CheckLedgerRequest) -> CheckLedgerReply = answer_check_ledger;
    sign_head(SignHeadRequest) -> HeadsReply = answer_sign_head;
    overrule_head(OverruleHeadRequest) -> HeadsReply = answer_overrule_head;
    panes(PanesRequest) -> PanesReply = answer_panes;
    open_pane(PaneRequest) -> PanesReply = answer_open_pane;
    close_pane(PaneRequest) -> PanesReply = answer_close_pane;
    perf(PerfRequest) -> PerfReply = answer_perf;
    report_frames(Frames) -> FramesReply = answer_report_frames;
    tailnet(TailnetRequest) -> TailnetReply = answer_tailnet;
    activity(ActivityRequest) -> ActivityReply = answer_activity;
    alerts(AlertsRequest) -> AlertsReply = answer_alerts;
    acknowledge_alert(AcknowledgeAlertRequest) -> AlertsReply = answer_acknowledge_alert;
    provider(ProviderRequest) -> ProviderReply = answer_provider;
    inbox(InboxRequest) -> InboxReply = answer_inbox;
    earnings_chart(EarningsChartRequest) -> EarningsChartReply = answer_earnings_chart;
    job_log(JobLogRequest) -> JobLogReply = answer_job_log;
    purchases(PurchasesRequest) -> PurchasesReply = answer_purchases;
    at(AtRequest) -> AtReply = answer_at;
    add_relay(RelayRequest) -> RelaysReply = answer_add_relay;
    remove_relay(RelayRequest) -> RelaysReply = answer_remove_relay;
    retry_relay(RelayRequest) -> RelaysReply = answer_retry_relay;
    celebrate(CelebrateRequest) -> EarningsReply = answer_celebrate;
    chat_threads(ChatThreadsRequest) -> ChatThreadsReply = answer_chat_threads;
    chat_transcript(ChatTranscriptRequest) -> ChatTranscriptReply = answer_chat_transcript;
    chat_send(ChatSendRequest) -> ChatSendReply = answer_chat_send;
    chat_stop(ChatStopRequest) -> ChatStopReply = answer_chat_stop;
}
