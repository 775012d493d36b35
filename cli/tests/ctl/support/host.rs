//! A host of a few words: real gRPC over a real socket, with answers that a test chooses.
#![allow(clippy::unwrap_used)] // In tests a panic is the verdict.

mod answers;

use std::{
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use autopilot_proto::control::v1::{
    control_server::{Control, ControlServer},
    *,
};
use tokio::{net::UnixListener, sync::broadcast, task::JoinHandle};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status};

use answers::{alerts, answering, basis, heads, panes, refused, transcript};

/// What the fake knows.
#[derive(Clone)]
pub struct Host {
    pub online: Arc<AtomicBool>,
    pub paid: Arc<AtomicUsize>,
    /// What spends, done for real and not as a dry run.
    pub done: Arc<AtomicUsize>,
    pub facts: broadcast::Sender<FactLine>,
}

/// Ends the server when dropped.
pub struct Served(JoinHandle<()>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub fn serve(home: &Path) -> (Host, Served) {
    let run = home.join("run");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&run)
        .unwrap();
    let listener = UnixListener::bind(run.join("control.sock")).unwrap();
    let host = Host {
        online: Arc::default(),
        paid: Arc::default(),
        done: Arc::default(),
        facts: broadcast::channel(64).0,
    };
    let server = tonic::transport::Server::builder().add_service(ControlServer::new(host.clone()));
    let task = tokio::spawn(async move {
        server
            .serve_with_incoming(UnixListenerStream::new(listener))
            .await
            .unwrap();
    });
    (host, Served(task))
}

impl Host {
    fn count(&self, dry_run: bool) {
        self.done.fetch_add(usize::from(!dry_run), Ordering::SeqCst);
    }

    fn standing(&self) -> StatusReply {
        let online = self.online.load(Ordering::SeqCst);
        StatusReply {
            basis: basis(),
            state: if online { "online" } else { "offline" }.into(),
            blockers: if online {
                vec![]
            } else {
                vec!["no relay is connected: check the network".into()]
            },
            network: "regtest".into(),
            price_msat: 10_000,
            earned_msat: 123_456,
            ..Default::default()
        }
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Control for Host {
    type FollowStream = ReceiverStream<Result<FactLine, Status>>;

    async fn status(&self, _: Request<StatusRequest>) -> Answer<StatusReply> {
        Ok(Response::new(self.standing()))
    }
    async fn go_online(&self, _: Request<GoOnlineRequest>) -> Answer<StatusReply> {
        refused("not-ready", "the model is not ready: autopilotctl model warm")
    }
    async fn go_offline(&self, request: Request<GoOfflineRequest>) -> Answer<StatusReply> {
        Ok(Response::new(StatusReply {
            warnings: vec![request.into_inner().reason],
            ..self.standing()
        }))
    }
    async fn get_policy(&self, _: Request<GetPolicyRequest>) -> Answer<PolicyReply> {
        let policy = Policy {
            min_price_msat: 10_000,
            kinds: vec![5050],
            max_in_flight: 1,
            ..Default::default()
        };
        Ok(Response::new(PolicyReply {
            basis: basis(),
            policy: Some(policy),
            digest: "ab".into(),
        }))
    }
    async fn set_policy(&self, request: Request<SetPolicyRequest>) -> Answer<PolicyReply> {
        let policy = request.into_inner().policy;
        Ok(Response::new(PolicyReply {
            basis: basis(),
            policy,
            digest: "cd".into(),
        }))
    }
    async fn jobs(&self, _: Request<JobsRequest>) -> Answer<JobsReply> {
        Ok(Response::new(JobsReply {
            basis: basis(),
            jobs: vec![],
        }))
    }
    async fn abort(&self, _: Request<AbortRequest>) -> Answer<AbortReply> {
        refused("too-late", "the result is at the relays already")
    }
    async fn cancel_purchase(&self, _: Request<CancelPurchaseRequest>) -> Answer<PurchaseReply> {
        refused("too-late", "its payment is approved already")
    }
    async fn history(&self, request: Request<HistoryRequest>) -> Answer<HistoryReply> {
        // Two pages: the paid job is on the older one.
        let (sequence, money, next) = match request.into_inner().before_sequence {
            0 => (6, "invoiced", 6),
            _ => (2, "settled", 0),
        };
        let line = HistoryLine {
            job_id: format!("{sequence:064x}"),
            role: "provider".into(),
            first_sequence: sequence,
            work: "delivered".into(),
            money: money.into(),
            ..Default::default()
        };
        Ok(Response::new(HistoryReply {
            basis: basis(),
            rows: vec![line],
            next_before_sequence: next,
        }))
    }
    async fn earnings(&self, request: Request<EarningsRequest>) -> Answer<EarningsReply> {
        let day = request.into_inner();
        let hours = (day.day_end_ms - day.day_start_ms) / 3_600_000;
        let today_jobs = u64::try_from(hours).unwrap();
        Ok(Response::new(EarningsReply {
            basis: basis(),
            earned_msat: 123_456,
            today_jobs,
            ..Default::default()
        }))
    }
    async fn why(&self, request: Request<WhyRequest>) -> Answer<WhyReply> {
        match request.into_inner().job.as_str() {
            "deadbeef" => {
                let rung = Rung {
                    name: "request".into(),
                    reached: true,
                    ..Default::default()
                };
                let answer = "not paid: it was refused".into();
                Ok(Response::new(WhyReply {
                    answer,
                    job_id: "deadbeef".into(),
                    rungs: vec![rung],
                    ..Default::default()
                }))
            }
            _ => refused("not-found", "there is no such job"),
        }
    }
    async fn balance(&self, _: Request<BalanceRequest>) -> Answer<BalanceReply> {
        let reply = BalanceReply {
            network: "regtest".into(),
            earned_msat: 123_456,
            ..Default::default()
        };
        Ok(Response::new(reply))
    }
    async fn receive(&self, request: Request<ReceiveRequest>) -> Answer<ReceiveReply> {
        let payment_request = format!("lnbcrt{}", request.into_inner().amount_msat);
        Ok(Response::new(ReceiveReply {
            network: "regtest".into(),
            payment_request,
            ..Default::default()
        }))
    }
    async fn decode(&self, _: Request<DecodeRequest>) -> Answer<DecodeReply> {
        Ok(Response::new(DecodeReply {
            network: "regtest".into(),
            payee: "02aa".into(),
            amount_msat: Some(5_000),
            description: "\u{1b}[2J for you".into(),
            ..Default::default()
        }))
    }
    async fn pay(&self, _: Request<PayRequest>) -> Answer<PayReply> {
        refused("internal", "faces pay by plan")
    }
    async fn plan_withdrawal(&self, request: Request<PlanWithdrawalRequest>) -> Answer<WithdrawalPlan> {
        let request = request.into_inner();
        match request.destination.as_str() {
            "lnbcrtpoor" => return refused("insufficient-funds", "only 1 sat can be spent"),
            "nobody@example.com" => return refused("name-not-found", "nobody is known there"),
            _ if request.amount_msat.is_some_and(|msat| msat != 5_000) => {
                return refused("invalid-argument", "it asks for 5 sat: leave the amount out");
            }
            _ => {}
        }
        Ok(Response::new(WithdrawalPlan {
            basis: basis(),
            plan_id: request.destination.clone(),
            network: "regtest".into(),
            kind: "bolt11".into(),
            destination: request.destination,
            path: vec!["bip21".into(), "bolt11".into()],
            payee: "02aa".into(),
            amount_msat: Some(5_000),
            fee_ceiling_msat: 5_000,
            description: "\u{1b}[2J for you".into(),
            notes: vec!["its offer is passed over: it has run out".into()],
            ..Default::default()
        }))
    }
    async fn withdraw(&self, request: Request<WithdrawRequest>) -> Answer<WithdrawReply> {
        self.paid.fetch_add(1, Ordering::SeqCst);
        let status = match request.into_inner().plan_id.as_str() {
            "lnbcrtfails" => "failed",
            "lnbcrtslow" => "pending",
            "lno1doubt" => "in-doubt",
            _ => "succeeded",
        };
        Ok(Response::new(WithdrawReply {
            status: status.into(),
            network: "regtest".into(),
            ..Default::default()
        }))
    }
    async fn payments(&self, _: Request<PaymentsRequest>) -> Answer<PaymentsReply> {
        refused("wallet-unavailable", "the wallet process is starting")
    }
    async fn can_receive(&self, request: Request<CanReceiveRequest>) -> Answer<CanReceiveReply> {
        let yes = request.into_inner().amount_msat <= 50_000;
        Ok(Response::new(CanReceiveReply {
            yes,
            limit_msat: 50_000,
            ..Default::default()
        }))
    }
    async fn new_address(&self, _: Request<NewAddressRequest>) -> Answer<NewAddressReply> {
        refused("wallet-fault", "the wallet's disk is full")
    }
    async fn send_onchain(&self, _: Request<SendOnchainRequest>) -> Answer<SendOnchainReply> {
        refused("conflict", "this key was used with another payload")
    }
    async fn open_channel(&self, request: Request<OpenChannelRequest>) -> Answer<OpenChannelReply> {
        self.count(request.into_inner().dry_run);
        Ok(Response::new(OpenChannelReply { opened: false }))
    }
    async fn close_channel(&self, request: Request<CloseChannelRequest>) -> Answer<CloseChannelReply> {
        self.count(request.into_inner().dry_run);
        Ok(Response::new(CloseChannelReply {}))
    }
    async fn refusals(&self, request: Request<RefusalsRequest>) -> Answer<RefusalsReply> {
        let RefusalsRequest { reason, rule, .. } = request.into_inner();
        let line = RefusalLine {
            job_id: "aa".repeat(32),
            text: "a \u{1b}[2J casino".into(),
            reason,
            rule,
            ..Default::default()
        };
        Ok(Response::new(RefusalsReply {
            refusals: vec![line],
            ..Default::default()
        }))
    }
    async fn record_price(&self, request: Request<RecordPriceRequest>) -> Answer<RecordPriceReply> {
        let asked = request.into_inner();
        assert_eq!(
            (asked.currency.as_str(), asked.per_btc, asked.decimals),
            ("EUR", 6_123_456, 2)
        );
        Ok(Response::new(RecordPriceReply::default()))
    }

    async fn check_ledger(&self, request: Request<CheckLedgerRequest>) -> Answer<CheckLedgerReply> {
        let over = request.into_inner().wait_s > 0;
        Ok(Response::new(CheckLedgerReply {
            basis: basis(),
            over,
            facts: 6,
            of: 7,
            sentence: "the ledger does not hold: fact 7".into(),
            ..Default::default()
        }))
    }
    async fn heads(&self, _: Request<HeadsRequest>) -> Answer<HeadsReply> {
        Ok(Response::new(heads()))
    }
    async fn sign_head(&self, _: Request<SignHeadRequest>) -> Answer<HeadsReply> {
        Ok(Response::new(heads()))
    }
    type WatchStream = ReceiverStream<Result<WatchUpdate, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Answer<Self::WatchStream> {
        match request.into_inner().views.as_slice() {
            [chat, tokens] if (chat.as_str(), tokens.as_str()) == ("chat", "tokens") => {
                let (sender, receiver) = tokio::sync::mpsc::channel(8);
                for update in answering() {
                    sender.try_send(Ok(update)).unwrap();
                }
                Ok(Response::new(ReceiverStream::new(receiver)))
            }
            _ => refused("invalid-argument", "nothing is watched here"),
        }
    }
    async fn panes(&self, _: Request<PanesRequest>) -> Answer<PanesReply> {
        Ok(Response::new(panes("")))
    }
    async fn open_pane(&self, request: Request<PaneRequest>) -> Answer<PanesReply> {
        Ok(Response::new(panes(&request.into_inner().id)))
    }
    async fn perf(&self, request: Request<PerfRequest>) -> Answer<PerfReply> {
        Ok(Response::new(PerfReply {
            basis: basis(),
            over_ms: request.into_inner().over_ms,
            rss_bytes: 64 << 20,
            facts_per_minute: 120,
            ..Default::default()
        }))
    }
    async fn report_frames(&self, _: Request<Frames>) -> Answer<FramesReply> {
        Ok(Response::new(FramesReply {}))
    }
    async fn tailnet(&self, _: Request<TailnetRequest>) -> Answer<TailnetReply> {
        Ok(Response::new(TailnetReply {
            state: "not-installed".into(),
            ..Default::default()
        }))
    }
    async fn close_pane(&self, _: Request<PaneRequest>) -> Answer<PanesReply> {
        Ok(Response::new(panes("")))
    }
    async fn overrule_head(&self, request: Request<OverruleHeadRequest>) -> Answer<HeadsReply> {
        let wish = request.into_inner();
        if wish.first_different != 51 {
            return refused("not-found", "they disagree from fact 51 on");
        }
        self.count(wish.dry_run);
        Ok(Response::new(HeadsReply {
            disputed: if wish.dry_run {
                heads().disputed
            } else {
                Vec::new()
            },
            ..heads()
        }))
    }
    async fn mark_refusal(&self, request: Request<MarkRefusalRequest>) -> Answer<MarkRefusalReply> {
        let wrong = u64::from(request.into_inner().wrong);
        let rule = RuleLine {
            rule: "word:casino".into(),
            refused: 3,
            wrong,
        };
        Ok(Response::new(MarkRefusalReply {
            rule: Some(rule),
            ..Default::default()
        }))
    }
    async fn missed(&self, request: Request<MissedRequest>) -> Answer<MissedReply> {
        let line = MissedLine {
            reason: "price-too-low".into(),
            jobs: 2,
            msat: 1_400,
            setting: "min-price".into(),
            setting_now: "1000msat".into(),
            setting_needed: "400msat".into(),
            next: "autopilotctl policy set --min-price 400msat".into(),
        };
        Ok(Response::new(MissedReply {
            since_ms: request.into_inner().since_ms,
            missed: vec![line],
            ..Default::default()
        }))
    }
    async fn start_buy_mode(&self, request: Request<StartBuyModeRequest>) -> Answer<BuyModeReply> {
        let request = request.into_inner();
        Ok(Response::new(BuyModeReply {
            state: "running".into(),
            budget_msat: request.budget_msat,
            reserved_msat: request.fee_ceiling_msat,
            ..Default::default()
        }))
    }
    async fn stop_buy_mode(&self, _: Request<StopBuyModeRequest>) -> Answer<BuyModeReply> {
        refused("not-found", "no buy mode runs")
    }
    async fn buy_mode(&self, _: Request<BuyModeRequest>) -> Answer<BuyModeReply> {
        Ok(Response::new(BuyModeReply {
            state: "never".into(),
            ..Default::default()
        }))
    }
    async fn canary(&self, request: Request<CanaryRequest>) -> Answer<CanaryReply> {
        let outcome = if request.into_inner().pay_with.is_empty() {
            "failed"
        } else {
            "paid"
        };
        Ok(Response::new(CanaryReply {
            outcome: outcome.into(),
            detail: "no relay took the request".into(),
            ..Default::default()
        }))
    }
    async fn debts(&self, _: Request<DebtsRequest>) -> Answer<DebtsReply> {
        let debt = Debt {
            job_id: "77".repeat(32),
            native_id: "78".repeat(32),
            requester: "79".repeat(32),
            amount_msat: 10_000,
            state: "owed".into(),
            ..Default::default()
        };
        Ok(Response::new(DebtsReply {
            basis: basis(),
            owed_msat: 10_000,
            debts: vec![debt],
        }))
    }
    async fn refund(&self, request: Request<RefundRequest>) -> Answer<RefundReply> {
        let RefundRequest { job, destination, .. } = request.into_inner();
        let failed = destination != "lno1good";
        Ok(Response::new(RefundReply {
            basis: basis(),
            job_id: job,
            status: if failed { "failed" } else { "refunded" }.into(),
            amount_msat: 10_000,
            reason: if failed { "no route" } else { "" }.into(),
            ..Default::default()
        }))
    }
    async fn relays(&self, _: Request<RelaysRequest>) -> Answer<RelaysReply> {
        Ok(Response::new(RelaysReply { relays: vec![] }))
    }
    async fn model(&self, request: Request<ModelRequest>) -> Answer<ModelReply> {
        Ok(Response::new(ModelReply {
            state: request.into_inner().action,
            ..Default::default()
        }))
    }
    async fn models(&self, _: Request<ModelsRequest>) -> Answer<ModelsReply> {
        Ok(Response::new(ModelsReply::default()))
    }
    async fn choose_model(&self, request: Request<ChooseModelRequest>) -> Answer<ChooseModelReply> {
        match request.into_inner().model.as_str() {
            "none" => refused("not-found", "none is no model of the list"),
            name => Ok(Response::new(ChooseModelReply {
                basis: basis(),
                name: name.to_owned(),
                effect: "once-fetched".into(),
            })),
        }
    }
    async fn buy(&self, request: Request<BuyRequest>) -> Answer<BuyReply> {
        let request = request.into_inner();
        self.count(request.dry_run);
        Ok(Response::new(BuyReply {
            purchase_id: request.input,
            ..Default::default()
        }))
    }
    async fn purchase(&self, request: Request<PurchaseRequest>) -> Answer<PurchaseReply> {
        let purchase_id = request.into_inner().purchase_id;
        let (paid_msat, result) = if purchase_id == "good" {
            (9_000, "an answer\u{7}")
        } else {
            (0, "")
        };
        Ok(Response::new(PurchaseReply {
            purchase_id,
            state: "closed".into(),
            over: true,
            paid_msat,
            result: result.into(),
            reason: "no provider answered".into(),
            ..Default::default()
        }))
    }
    async fn follow(&self, _: Request<FollowRequest>) -> Answer<Self::FollowStream> {
        let (sender, receiver) = tokio::sync::mpsc::channel(64);
        let mut facts = self.facts.subscribe();
        tokio::spawn(async move {
            while let Ok(fact) = facts.recv().await {
                if sender.send(Ok(fact)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
    async fn activity(&self, _: Request<ActivityRequest>) -> Answer<ActivityReply> {
        Ok(Response::new(ActivityReply::default()))
    }
    async fn alerts(&self, _: Request<AlertsRequest>) -> Answer<AlertsReply> {
        Ok(Response::new(alerts("active")))
    }
    async fn acknowledge_alert(&self, request: Request<AcknowledgeAlertRequest>) -> Answer<AlertsReply> {
        match request.into_inner().id.as_str() {
            "wallet-difference" => Ok(Response::new(alerts("acknowledged"))),
            _ => refused("not-found", "there is no such alert"),
        }
    }
    async fn provider(&self, _: Request<ProviderRequest>) -> Answer<ProviderReply> {
        Ok(Response::new(ProviderReply::default()))
    }
    async fn inbox(&self, _: Request<InboxRequest>) -> Answer<InboxReply> {
        Ok(Response::new(InboxReply::default()))
    }
    async fn earnings_chart(&self, _: Request<EarningsChartRequest>) -> Answer<EarningsChartReply> {
        Ok(Response::new(EarningsChartReply::default()))
    }
    async fn job_log(&self, _: Request<JobLogRequest>) -> Answer<JobLogReply> {
        Ok(Response::new(JobLogReply::default()))
    }
    async fn purchases(&self, _: Request<PurchasesRequest>) -> Answer<PurchasesReply> {
        Ok(Response::new(PurchasesReply::default()))
    }
    async fn at(&self, _: Request<AtRequest>) -> Answer<AtReply> {
        Ok(Response::new(AtReply::default()))
    }
    async fn add_relay(&self, _: Request<RelayRequest>) -> Answer<RelaysReply> {
        Ok(Response::new(RelaysReply::default()))
    }
    async fn remove_relay(&self, _: Request<RelayRequest>) -> Answer<RelaysReply> {
        refused("not-ready", "that is the last relay: without one nobody is heard")
    }
    async fn retry_relay(&self, _: Request<RelayRequest>) -> Answer<RelaysReply> {
        Ok(Response::new(RelaysReply::default()))
    }
    async fn celebrate(&self, _: Request<CelebrateRequest>) -> Answer<EarningsReply> {
        Ok(Response::new(EarningsReply::default()))
    }
    async fn chat_threads(&self, _: Request<ChatThreadsRequest>) -> Answer<ChatThreadsReply> {
        Ok(Response::new(ChatThreadsReply::default()))
    }
    async fn chat_transcript(&self, request: Request<ChatTranscriptRequest>) -> Answer<ChatTranscriptReply> {
        Ok(Response::new(transcript(&request.into_inner().thread_id)))
    }
    async fn chat_send(&self, request: Request<ChatSendRequest>) -> Answer<ChatSendReply> {
        let request = request.into_inner();
        match request.thread_id.as_str() {
            "unknown1" => refused("not-found", "there is no such conversation"),
            _ => Ok(Response::new(ChatSendReply {
                message_id: "aa".repeat(32),
                // Its text names which of the conversations below it begins.
                thread_id: request.text,
                ..Default::default()
            })),
        }
    }
    async fn chat_stop(&self, _: Request<ChatStopRequest>) -> Answer<ChatStopReply> {
        refused("not-found", "there is nothing to stop")
    }
    async fn identity(&self, _: Request<IdentityRequest>) -> Answer<IdentityReply> {
        Ok(Response::new(IdentityReply::default()))
    }
    async fn forget(&self, request: Request<ForgetRequest>) -> Answer<ForgetReply> {
        let request = request.into_inner();
        match (request.job.is_empty(), request.buyer.is_empty()) {
            (false, _) => refused("still-needed", "the texts are needed: the job is not over"),
            (_, false) => Ok(Response::new(ForgetReply::default())),
            _ => Ok(Response::new(ForgetReply {
                forgotten: 3,
                needed: 1,
                needed_because: "the job is not over".into(),
                overwritten: !request.dry_run,
                ..Default::default()
            })),
        }
    }
    async fn stop(&self, _: Request<StopRequest>) -> Answer<StopReply> {
        Ok(Response::new(StopReply {}))
    }
}
