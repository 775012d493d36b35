//! What the fake answers, where that takes more than a line.
use autopilot_proto::control::v1::*;
use tonic::Status;

pub(super) fn refused<T>(code: &'static str, sentence: &str) -> Result<T, Status> {
    let mut status = Status::failed_precondition(sentence);
    status
        .metadata_mut()
        .insert("autopilot-code", code.parse().unwrap());
    Err(status)
}

pub(super) fn basis() -> Option<Basis> {
    Some(Basis {
        sequence: 7,
        chain: "00".repeat(32),
        source: "ledger".into(),
    })
}

/// Fifty facts are here, and a relay holds a head over sixty.
pub(super) fn heads() -> HeadsReply {
    let held = HeldHead {
        size: 60,
        held_by: "wss://relay\u{1b}[2J.example".into(),
        verdict: "rolled-back".into(),
        first_different: 51,
        ..Default::default()
    };
    let asked = |relay: &str, failure: &str| AskedRelay {
        relay: relay.into(),
        heads: 1,
        failure: failure.into(),
    };
    HeadsReply {
        size: 40,
        note: "autopilot.ledger/07\n40\n".into(),
        asked: vec![asked("wss://one", ""), asked("wss://two", "timeout")],
        compared_at_ms: Some(1),
        disputed: vec![held],
        ..Default::default()
    }
}

/// Wallet and ledger differ.
pub(super) fn alerts(state: &str) -> AlertsReply {
    let line = AlertLine {
        id: "wallet-difference".into(),
        severity: "critical".into(),
        state: state.into(),
        what: "wallet and ledger differ by 7 msat".into(),
        next: "autopilotctl report".into(),
        can_earn: true,
        source: "ledger".into(),
        times: 2,
        ..Default::default()
    };
    AlertsReply {
        basis: basis(),
        alerts: vec![line],
        active: u32::from(state == "active"),
    }
}

pub(super) fn panes(open: &str) -> PanesReply {
    let line = PaneLine {
        id: "pane.wallet".into(),
        label: "Wallet".into(),
        title: "LDK Lightning Wallet".into(),
        source: "wallet".into(),
        open: open == "pane.wallet",
        state: "error".into(),
        sentence: "The wallet does not start. Earning is not possible now.".into(),
        next: "Refresh.".into(),
        ..Default::default()
    };
    PanesReply {
        basis: basis(),
        panes: vec![line],
        window: false,
        revision: 0,
    }
}

/// A message is answered piece by piece, and another one too.
pub(super) fn answering() -> Vec<WatchUpdate> {
    let token = |message: &str, text: &str| {
        watch_update::Answer::Token(Token {
            job_id: message.repeat(32),
            text: text.into(),
        })
    };
    let answers = [
        token("aa", ""),
        token("aa", "Hel"),
        token("bb", "what somebody else asked"),
        token("aa", "lo"),
        watch_update::Answer::Chat(ChatThreadsReply::default()),
    ];
    let update = |answer| WatchUpdate {
        answer: Some(answer),
        ..Default::default()
    };
    answers.into_iter().map(update).collect()
}

/// The message of a conversation, as its name says.
pub(super) fn transcript(thread: &str) -> ChatTranscriptReply {
    let (state, code, words, answer) = match thread {
        "answered" => ("done", "", "", "Hello"),
        "whole" => ("done", "", "", "Hello\u{1b}[2J you"),
        "broken" => ("error", "prompt-too-long", "it has 9,000 tokens", ""),
        _ => ("stopped", "", "", ""),
    };
    ChatTranscriptReply {
        thread_id: thread.into(),
        messages: vec![ChatMessage {
            message_id: "aa".repeat(32),
            text: "Say hello.".into(),
            state: state.into(),
            code: code.into(),
            words: words.into(),
            answer: answer.into(),
            left_out: 2,
            model: "llama".into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(super) fn plan_withdrawal(request: PlanWithdrawalRequest) -> Result<WithdrawalPlan, Status> {
    match request.destination.as_str() {
        "lnbcrtpoor" => return refused("insufficient-funds", "only 1 sat can be spent"),
        "nobody@example.com" => return refused("name-not-found", "nobody is known there"),
        _ if request.amount_msat.is_some_and(|msat| msat != 5_000) => {
            return refused("invalid-argument", "it asks for 5 sat: leave the amount out");
        }
        _ => {}
    }
    Ok(WithdrawalPlan {
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
    })
}

pub(super) fn why(request: &WhyRequest) -> Result<WhyReply, Status> {
    match request.job.as_str() {
        "deadbeef" => {
            let rung = Rung {
                name: "request".into(),
                reached: true,
                ..Default::default()
            };
            let answer = "not paid: it was refused".into();
            Ok(WhyReply {
                answer,
                job_id: "deadbeef".into(),
                rungs: vec![rung],
                ..Default::default()
            })
        }
        _ => refused("not-found", "there is no such job"),
    }
}

pub(super) fn history(request: &HistoryRequest) -> Result<HistoryReply, Status> {
    // Two pages: the paid job is on the older one.
    let (sequence, money, next) = match request.before_sequence {
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
    Ok(HistoryReply {
        basis: basis(),
        rows: vec![line],
        next_before_sequence: next,
    })
}
