//! What the fake answers to which call: a table.
use std::sync::atomic::Ordering;

use autopilot_proto::control::v1::{control_server::Control, *};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::{
    Host,
    answers::{alerts, basis, heads, history, panes, plan_withdrawal, refused, transcript, why},
    watched,
};

type Answer<T> = Result<Response<T>, Status>;

/// One call a line: what is asked, what is answered, and how.
macro_rules! answers {
    ($($call:ident($ask:ident) -> $reply:ident = $answer:expr;)*) => {
        #[tonic::async_trait]
        impl Control for Host {
            type FollowStream = ReceiverStream<Result<FactLine, Status>>;
            type WatchStream = ReceiverStream<Result<WatchUpdate, Status>>;

            async fn follow(&self, _: Request<FollowRequest>) -> Answer<Self::FollowStream> {
                Ok(Response::new(self.followed()))
            }

            async fn watch(&self, request: Request<WatchRequest>) -> Answer<Self::WatchStream> {
                watched(&request.into_inner()).map(Response::new)
            }

            $(async fn $call(&self, request: Request<$ask>) -> Answer<$reply> {
                let answer: fn(&Host, $ask) -> Result<$reply, Status> = $answer;
                answer(self, request.into_inner()).map(Response::new)
            })*
        }
    };
}

answers! {
    status(StatusRequest) -> StatusReply = |host, _| Ok(host.standing());
    go_online(GoOnlineRequest) -> StatusReply = |_, _| refused("not-ready", "the model is not ready: autopilotctl model warm");
    go_offline(GoOfflineRequest) -> StatusReply = |host, request| Ok(StatusReply {
        warnings: vec![request.reason],
        ..host.standing()
    });
    get_policy(GetPolicyRequest) -> PolicyReply = |_, _| {
        let policy = Policy {
            min_price_msat: 10_000,
            kinds: vec![5050],
            max_in_flight: 1,
            ..Default::default()
        };
        Ok(PolicyReply {
            basis: basis(),
            policy: Some(policy),
            digest: "ab".into(),
        })
    };
    set_policy(SetPolicyRequest) -> PolicyReply = |_, request| {
        let policy = request.policy;
        Ok(PolicyReply {
            basis: basis(),
            policy,
            digest: "cd".into(),
        })
    };
    jobs(JobsRequest) -> JobsReply = |_, _| Ok(JobsReply {
        basis: basis(),
        jobs: vec![],
    });
    abort(AbortRequest) -> AbortReply = |_, _| refused("too-late", "the result is at the relays already");
    cancel_purchase(CancelPurchaseRequest) -> PurchaseReply = |_, _| refused("too-late", "its payment is approved already");
    history(HistoryRequest) -> HistoryReply = |_, request| history(&request);
    earnings(EarningsRequest) -> EarningsReply = |_, request| {
        let day = request;
        let hours = (day.day_end_ms - day.day_start_ms) / 3_600_000;
        let today_jobs = u64::try_from(hours).unwrap();
        Ok(EarningsReply {
            basis: basis(),
            earned_msat: 123_456,
            today_jobs,
            ..Default::default()
        })
    };
    why(WhyRequest) -> WhyReply = |_, request| why(&request);
    balance(BalanceRequest) -> BalanceReply = |_, _| {
        let reply = BalanceReply {
            network: "regtest".into(),
            earned_msat: 123_456,
            ..Default::default()
        };
        Ok(reply)
    };
    receive(ReceiveRequest) -> ReceiveReply = |_, request| {
        let payment_request = format!("lnbcrt{}", request.amount_msat);
        Ok(ReceiveReply {
            network: "regtest".into(),
            payment_request,
            ..Default::default()
        })
    };
    decode(DecodeRequest) -> DecodeReply = |_, _| Ok(DecodeReply {
        network: "regtest".into(),
        payee: "02aa".into(),
        amount_msat: Some(5_000),
        description: "\u{1b}[2J for you".into(),
        ..Default::default()
    });
    pay(PayRequest) -> PayReply = |_, _| refused("internal", "faces pay by plan");
    plan_withdrawal(PlanWithdrawalRequest) -> WithdrawalPlan = |_, request| plan_withdrawal(request);
    withdraw(WithdrawRequest) -> WithdrawReply = |host, request| {
        host.paid.fetch_add(1, Ordering::SeqCst);
        let status = match request.plan_id.as_str() {
            "lnbcrtfails" => "failed",
            "lnbcrtslow" => "pending",
            "lno1doubt" => "in-doubt",
            _ => "succeeded",
        };
        Ok(WithdrawReply {
            status: status.into(),
            network: "regtest".into(),
            ..Default::default()
        })
    };
    payments(PaymentsRequest) -> PaymentsReply = |_, _| refused("wallet-unavailable", "the wallet process is starting");
    can_receive(CanReceiveRequest) -> CanReceiveReply = |_, request| {
        let yes = request.amount_msat <= 50_000;
        Ok(CanReceiveReply {
            yes,
            limit_msat: 50_000,
            ..Default::default()
        })
    };
    new_address(NewAddressRequest) -> NewAddressReply = |_, _| refused("wallet-fault", "the wallet's disk is full");
    send_onchain(SendOnchainRequest) -> SendOnchainReply = |_, _| refused("conflict", "this key was used with another payload");
    open_channel(OpenChannelRequest) -> OpenChannelReply = |host, request| {
        host.count(request.dry_run);
        Ok(OpenChannelReply { opened: false })
    };
    close_channel(CloseChannelRequest) -> CloseChannelReply = |host, request| {
        host.count(request.dry_run);
        Ok(CloseChannelReply {})
    };
    refusals(RefusalsRequest) -> RefusalsReply = |_, request| {
        let RefusalsRequest { reason, rule, .. } = request;
        let line = RefusalLine {
            job_id: "aa".repeat(32),
            text: "a \u{1b}[2J casino".into(),
            reason,
            rule,
            ..Default::default()
        };
        Ok(RefusalsReply {
            refusals: vec![line],
            ..Default::default()
        })
    };
    record_price(RecordPriceRequest) -> RecordPriceReply = |_, request| {
        let asked = request;
        assert_eq!(
            (asked.currency.as_str(), asked.per_btc, asked.decimals),
            ("EUR", 6_123_456, 2)
        );
        Ok(Default::default())
    };
    check_ledger(CheckLedgerRequest) -> CheckLedgerReply = |_, request| {
        let over = request.wait_s > 0;
        Ok(CheckLedgerReply {
            basis: basis(),
            over,
            facts: 6,
            of: 7,
            sentence: "the ledger does not hold: fact 7".into(),
            ..Default::default()
        })
    };
    heads(HeadsRequest) -> HeadsReply = |_, _| Ok(heads());
    sign_head(SignHeadRequest) -> HeadsReply = |_, _| Ok(heads());
    panes(PanesRequest) -> PanesReply = |_, _| Ok(panes(""));
    open_pane(PaneRequest) -> PanesReply = |_, request| Ok(panes(&request.id));
    perf(PerfRequest) -> PerfReply = |_, request| Ok(PerfReply {
        basis: basis(),
        over_ms: request.over_ms,
        rss_bytes: 64 << 20,
        facts_per_minute: 120,
        ..Default::default()
    });
    report_frames(Frames) -> FramesReply = |_, _| Ok(FramesReply {});
    tailnet(TailnetRequest) -> TailnetReply = |_, _| Ok(TailnetReply {
        state: "not-installed".into(),
        ..Default::default()
    });
    close_pane(PaneRequest) -> PanesReply = |_, _| Ok(panes(""));
    overrule_head(OverruleHeadRequest) -> HeadsReply = |host, request| {
        let wish = request;
        if wish.first_different != 51 {
            return refused("not-found", "they disagree from fact 51 on");
        }
        host.count(wish.dry_run);
        Ok(HeadsReply {
            disputed: if wish.dry_run {
                heads().disputed
            } else {
                Vec::new()
            },
            ..heads()
        })
    };
    mark_refusal(MarkRefusalRequest) -> MarkRefusalReply = |_, request| {
        let wrong = u64::from(request.wrong);
        let rule = RuleLine {
            rule: "word:casino".into(),
            refused: 3,
            wrong,
        };
        Ok(MarkRefusalReply {
            rule: Some(rule),
            ..Default::default()
        })
    };
    missed(MissedRequest) -> MissedReply = |_, request| {
        let line = MissedLine {
            reason: "price-too-low".into(),
            jobs: 2,
            msat: 1_400,
            setting: "min-price".into(),
            setting_now: "1000msat".into(),
            setting_needed: "400msat".into(),
            next: "autopilotctl policy set --min-price 400msat".into(),
        };
        Ok(MissedReply {
            since_ms: request.since_ms,
            missed: vec![line],
            ..Default::default()
        })
    };
    start_buy_mode(StartBuyModeRequest) -> BuyModeReply = |_, request| Ok(BuyModeReply {
        state: "running".into(),
        budget_msat: request.budget_msat,
        reserved_msat: request.fee_ceiling_msat,
        ..Default::default()
    });
    stop_buy_mode(StopBuyModeRequest) -> BuyModeReply = |_, _| refused("not-found", "no buy mode runs");
    buy_mode(BuyModeRequest) -> BuyModeReply = |_, _| Ok(BuyModeReply {
        state: "never".into(),
        ..Default::default()
    });
    canary(CanaryRequest) -> CanaryReply = |_, request| {
        let outcome = if request.pay_with.is_empty() {
            "failed"
        } else {
            "paid"
        };
        Ok(CanaryReply {
            outcome: outcome.into(),
            detail: "no relay took the request".into(),
            ..Default::default()
        })
    };
    debts(DebtsRequest) -> DebtsReply = |_, _| {
        let debt = Debt {
            job_id: "77".repeat(32),
            native_id: "78".repeat(32),
            requester: "79".repeat(32),
            amount_msat: 10_000,
            state: "owed".into(),
            ..Default::default()
        };
        Ok(DebtsReply {
            basis: basis(),
            owed_msat: 10_000,
            debts: vec![debt],
        })
    };
    refund(RefundRequest) -> RefundReply = |_, request| {
        let RefundRequest { job, destination, .. } = request;
        let failed = destination != "lno1good";
        Ok(RefundReply {
            basis: basis(),
            job_id: job,
            status: if failed { "failed" } else { "refunded" }.into(),
            amount_msat: 10_000,
            reason: if failed { "no route" } else { "" }.into(),
            ..Default::default()
        })
    };
    relays(RelaysRequest) -> RelaysReply = |_, _| Ok(RelaysReply { relays: vec![] });
    model(ModelRequest) -> ModelReply = |_, request| Ok(ModelReply {
        state: request.action,
        ..Default::default()
    });
    models(ModelsRequest) -> ModelsReply = |_, _| Ok(Default::default());
    choose_model(ChooseModelRequest) -> ChooseModelReply = |_, request| {
        match request.model.as_str() {
            "none" => refused("not-found", "none is no model of the list"),
            name => Ok(ChooseModelReply {
                basis: basis(),
                name: name.to_owned(),
                effect: "once-fetched".into(),
            }),
        }
    };
    buy(BuyRequest) -> BuyReply = |host, request| {
        host.count(request.dry_run);
        Ok(BuyReply {
            purchase_id: request.input,
            ..Default::default()
        })
    };
    purchase(PurchaseRequest) -> PurchaseReply = |_, request| {
        let purchase_id = request.purchase_id;
        let (paid_msat, result) = if purchase_id == "good" {
            (9_000, "an answer\u{7}")
        } else {
            (0, "")
        };
        Ok(PurchaseReply {
            purchase_id,
            state: "closed".into(),
            over: true,
            paid_msat,
            result: result.into(),
            reason: "no provider answered".into(),
            ..Default::default()
        })
    };
    activity(ActivityRequest) -> ActivityReply = |_, _| Ok(Default::default());
    alerts(AlertsRequest) -> AlertsReply = |_, _| Ok(alerts("active"));
    acknowledge_alert(AcknowledgeAlertRequest) -> AlertsReply = |_, request| {
        match request.id.as_str() {
            "wallet-difference" => Ok(alerts("acknowledged")),
            _ => refused("not-found", "there is no such alert"),
        }
    };
    provider(ProviderRequest) -> ProviderReply = |_, _| Ok(Default::default());
    inbox(InboxRequest) -> InboxReply = |_, _| Ok(Default::default());
    earnings_chart(EarningsChartRequest) -> EarningsChartReply = |_, _| Ok(Default::default());
    job_log(JobLogRequest) -> JobLogReply = |_, _| Ok(Default::default());
    purchases(PurchasesRequest) -> PurchasesReply = |_, _| Ok(Default::default());
    at(AtRequest) -> AtReply = |_, _| Ok(Default::default());
    add_relay(RelayRequest) -> RelaysReply = |_, _| Ok(Default::default());
    remove_relay(RelayRequest) -> RelaysReply = |_, _| refused("not-ready", "that is the last relay: without one nobody is heard");
    retry_relay(RelayRequest) -> RelaysReply = |_, _| Ok(Default::default());
    celebrate(CelebrateRequest) -> EarningsReply = |_, _| Ok(Default::default());
    chat_threads(ChatThreadsRequest) -> ChatThreadsReply = |_, _| Ok(Default::default());
    chat_transcript(ChatTranscriptRequest) -> ChatTranscriptReply = |_, request| Ok(transcript(&request.thread_id));
    chat_send(ChatSendRequest) -> ChatSendReply = |_, request| {
        match request.thread_id.as_str() {
            "unknown1" => refused("not-found", "there is no such conversation"),
            _ => Ok(ChatSendReply {
                message_id: "aa".repeat(32),
                // Its text names which of the conversations below it begins.
                thread_id: request.text,
                ..Default::default()
            }),
        }
    };
    chat_stop(ChatStopRequest) -> ChatStopReply = |_, _| refused("not-found", "there is nothing to stop");
    identity(IdentityRequest) -> IdentityReply = |_, _| Ok(Default::default());
    forget(ForgetRequest) -> ForgetReply = |_, request| {
        match (request.job.is_empty(), request.buyer.is_empty()) {
            (false, _) => refused("still-needed", "the texts are needed: the job is not over"),
            (_, false) => Ok(Default::default()),
            _ => Ok(ForgetReply {
                forgotten: 3,
                needed: 1,
                needed_because: "the job is not over".into(),
                overwritten: !request.dry_run,
                ..Default::default()
            }),
        }
    };
    stop(StopRequest) -> StopReply = |_, _| Ok(StopReply {});
}
