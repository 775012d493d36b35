//! The words of each type of fact. A new type of the catalogue does not compile without its own.
use autopilot_events::{
    Event,
    pb::{self, OnchainRole, PaymentPurpose, Purpose},
    words::Msat,
};

use super::{Domain, short};
use crate::{hexadecimal, rows::refusal_name};

/// What it is about, the id of that, and the sentence.
type Words = (Domain, String, String);

/// One type of fact is one arm of one line.
#[rustfmt::skip]
pub(super) fn of(event: &Event) -> Words {
    use Domain::{Chat, Job, Ledger, Network, Wallet};
    let none = String::new;
    match event {
        Event::LedgerOpened(m) => (Ledger, none(), format!("The ledger was opened on {} for identity {}", m.network, short(&m.identity))),
        Event::IdentityBackedUp(m) => (Ledger, none(), format!("The identity's words were backed up ({})", m.to)),
        Event::IdentityProtected(m) => (Ledger, none(), format!("The identity is protected by its {} from now on", m.by)),
        Event::PolicyChanged(m) => (Ledger, none(), policy(m)),
        Event::ProviderWentOnline(_) => (Network, none(), "The provider went online".to_owned()),
        Event::ProviderWentOffline(m) => (Network, none(), format!("The provider went offline: {}", m.reason)),
        Event::LivenessRecorded(m) => (Network, none(), format!("Still online, for {} min", m.online_ms / 60_000)),
        Event::JobReceived(m) => (Job, hexadecimal(&m.job_id), received(m)),
        Event::JobInputsResolved(m) => (Job, hexadecimal(&m.job_id), format!("Job {} has its inputs: {}", short(&m.job_id), count(m.inputs.len() as u64, "input"))),
        Event::JobRefused(m) => (Job, hexadecimal(&m.job_id), refused(m)),
        Event::RefusalMarked(m) if m.wrong => (Job, hexadecimal(&m.job_id), format!("The refusal of job {} was marked as wrong", short(&m.job_id))),
        Event::RefusalMarked(m) => (Job, hexadecimal(&m.job_id), format!("The refusal of job {} was right after all", short(&m.job_id))),
        Event::DemandSeen(m) => (Network, none(), demand(m)),
        Event::IntakeAggregated(m) => (Network, none(), format!("{} beyond the day's room were counted and not judged ({} bytes)", count(m.count, "request"), m.bytes)),
        Event::JobAccepted(m) => (Job, hexadecimal(&m.job_id), format!("Job {} was accepted for {}{}", short(&m.job_id), Msat(m.price_msat), if m.order() == pb::PaymentOrder::PayFirst { ", to be paid first" } else { "" })),
        Event::JobStarted(m) => (Job, hexadecimal(&m.job_id), format!("Work on job {} began{}", short(&m.job_id), if m.attempt > 1 { format!(", attempt {}", m.attempt) } else { none() })),
        Event::JobExecuted(m) => (Job, hexadecimal(&m.job_id), executed(m)),
        Event::JobFailed(m) => (Job, hexadecimal(&m.job_id), format!("Job {} failed ({}): {}", short(&m.job_id), m.code, m.detail)),
        Event::JobDelivered(m) => (Job, hexadecimal(&m.job_id), format!("The result of job {} was delivered: {}", short(&m.job_id), taken(m.relays_accepted, m.relays_tried))),
        Event::InvoiceIssued(m) => (Job, hexadecimal(&m.job_id), format!("An invoice over {} was issued for job {}", Msat(m.amount_msat), short(&m.job_id))),
        Event::InvoiceExpired(m) => (Job, hexadecimal(&m.job_id), format!("The invoice of job {} ran out unpaid", short(&m.job_id))),
        Event::JobPrepaid(m) => (Job, hexadecimal(&m.job_id), format!("Job {} was paid first: {}, owed until it is delivered", short(&m.job_id), Msat(m.amount_msat))),
        Event::JobSettled(m) => (Job, hexadecimal(&m.job_id), format!("Earned {} with job {}", Msat(m.amount_msat), short(&m.job_id))),
        Event::JobRefunded(m) => (Job, hexadecimal(&m.job_id), format!("{} were paid back to the buyer of job {}", Msat(m.amount_msat), short(&m.job_id))),
        Event::JobRefundFailed(m) => (Job, hexadecimal(&m.job_id), format!("Paying back job {} failed: {}", short(&m.job_id), m.reason)),
        Event::JobReceipted(m) => (Job, hexadecimal(&m.job_id), format!("The buyer of job {} signed that it paid {}", short(&m.job_id), Msat(m.amount_msat))),
        Event::EventSigned(m) => (story(m.purpose()), hexadecimal(&m.job_id), format!("{} was signed for job {}", purpose(m.purpose()), short(&m.job_id))),
        Event::EventPublished(m) => (story(m.purpose()), hexadecimal(&m.job_id), format!("{} of job {} was published: {}", purpose(m.purpose()), short(&m.job_id), taken(m.relays_accepted, m.relays_tried))),
        Event::EventAbandoned(m) => (story(m.purpose()), hexadecimal(&m.job_id), format!("{} of job {} was given up: {}", purpose(m.purpose()), short(&m.job_id), m.reason)),
        Event::WalletStarted(m) => (Wallet, none(), format!("The wallet started on {}, blocks from {}", m.network, m.chain_source)),
        Event::WalletStopped(m) => (Wallet, none(), format!("The wallet stopped: {}", m.reason)),
        Event::WalletPaymentReceived(m) => (Wallet, hexadecimal(&m.payment_hash), format!("The wallet received {}", Msat(m.amount_msat))),
        Event::WalletPaymentSent(m) => (Wallet, hexadecimal(&m.payment_hash), format!("The wallet sent {} for a fee of {}", Msat(m.amount_msat), Msat(m.fee_msat))),
        Event::WalletPaymentFailed(m) => (Wallet, hexadecimal(&m.payment_hash), format!("A payment failed: {}", m.reason)),
        Event::WalletChannelOpened(m) => (Wallet, m.channel_id.clone(), channel_opened(m)),
        Event::WalletChannelClosed(m) => (Wallet, m.channel_id.clone(), format!("A channel was closed ({}); ours in it: {}", m.reason, Msat(m.last_balance_msat))),
        Event::WalletOnchainReceived(m) => (Wallet, m.txid.clone(), format!("{} sat arrived on chain: {}", m.amount_sat, role(m.role()))),
        Event::WalletOnchainSent(m) => (Wallet, m.txid.clone(), format!("{} sat left on chain for a fee of {} sat: {}", m.amount_sat, m.fee_sat, role(m.role()))),
        Event::WalletClosingsOver(m) => (Wallet, none(), format!("Closed channels are paid out; {} msat went to fees and dust", m.lost_msat)),
        Event::WalletPaymentForwarded(m) => (Wallet, none(), format!("A payment was forwarded and earned {}", Msat(m.fee_earned_msat))),
        Event::WalletBalanceObserved(m) => (Wallet, none(), format!("The wallet shows {} to spend and room to receive {}", Msat(m.spendable_msat), Msat(m.receivable_msat))),
        Event::WalletReconciled(m) => (Wallet, none(), reconciled(m)),
        Event::PaymentApproved(m) => (Wallet, hexadecimal(&m.payment_hash), format!("{} of {} was approved, fees up to {}", paid_for(m.purpose()), Msat(m.amount_msat), Msat(m.fee_ceiling_msat))),
        Event::PaymentAttempted(m) => (Wallet, hexadecimal(&m.payment_hash), format!("A payment is on its way, attempt {}", m.attempt)),
        Event::OnchainApproved(m) => (Wallet, hexadecimal(&m.intent_id), format!("Sending {} on chain was approved", m.amount_sat.map_or_else(|| "everything".to_owned(), |sat| format!("{sat} sat")))),
        Event::OnchainSent(m) => (Wallet, hexadecimal(&m.intent_id), format!("{} sat were broadcast on chain", m.amount_sat)),
        Event::OnchainFailed(m) => (Wallet, hexadecimal(&m.intent_id), format!("Sending on chain failed: {}", m.reason)),
        Event::OfferApproved(m) => (Wallet, hexadecimal(&m.intent_id), format!("{} of {} to an offer was approved, fees up to {}", paid_for(m.purpose()), Msat(m.amount_msat), Msat(m.fee_ceiling_msat))),
        Event::OfferFailed(m) if m.in_doubt => (Wallet, hexadecimal(&m.intent_id), format!("Whether an offer was paid is in doubt: {}", m.reason)),
        Event::OfferFailed(m) => (Wallet, hexadecimal(&m.intent_id), format!("Paying an offer failed: {}", m.reason)),
        Event::PurchaseRequested(m) => (Network, hexadecimal(&m.purchase_id), format!("Asked for a job of kind {} for at most {}", m.kind, Msat(m.budget_msat))),
        Event::PurchaseOffered(m) => (Network, hexadecimal(&m.purchase_id), format!("Provider {} answered request {}: {}{}", short(&m.provider), short(&m.purchase_id), m.status, m.amount_msat.map_or_else(none, |msat| format!(" for {}", Msat(msat))))),
        Event::PurchaseRejected(m) => (Network, hexadecimal(&m.purchase_id), format!("An answer of {} to request {} was rejected: {}", short(&m.provider), short(&m.purchase_id), m.reason)),
        Event::PurchaseWon(m) => (Network, hexadecimal(&m.purchase_id), format!("Request {} goes to {} for {}", short(&m.purchase_id), short(&m.provider), Msat(m.amount_msat))),
        Event::PurchasePaid(m) => (Network, hexadecimal(&m.purchase_id), format!("Request {} was paid: {} and {} of fees", short(&m.purchase_id), Msat(m.amount_msat), Msat(m.fee_msat))),
        Event::PurchaseClosed(m) => (Network, hexadecimal(&m.purchase_id), format!("Request {} is over: {}", short(&m.purchase_id), m.reason)),
        Event::BuyModeStarted(m) => (Network, hexadecimal(&m.buy_mode_id), format!("Buying by itself began, within {}", Msat(m.budget_msat))),
        Event::BuyModeStopped(m) => (Network, hexadecimal(&m.buy_mode_id), format!("Buying by itself ended ({}): {}, {} spent", m.reason, count(m.purchases, "request"), Msat(m.spent_msat))),
        Event::CanaryStarted(m) => (Network, hexadecimal(&m.job_id), format!("A trial began: the provider asks itself as a stranger, as job {}", short(&m.job_id))),
        Event::CanaryFinished(m) => (Network, hexadecimal(&m.job_id), format!("The trial ended: {}{}", m.outcome, if m.detail.is_empty() { none() } else { format!(", {}", m.detail) })),
        Event::CanarySettled(m) => (Network, hexadecimal(&m.job_id), format!("The trial's {} arrived; they are no earning", Msat(m.amount_msat))),
        Event::HeadSigned(m) => (Ledger, none(), format!("The ledger's head over {} was signed", count(m.size, "fact"))),
        Event::HeadCompared(m) => (Ledger, none(), compared(m)),
        Event::HeadOverruled(m) => (Ledger, none(), format!("A person decided to go on from fact {} although somebody else's head says otherwise: {}", m.first_different, m.reason)),
        Event::HeadPublished(m) => (Ledger, none(), format!("The head over {} was published: {}", count(m.size, "fact"), taken(u32::try_from(m.relays.len()).unwrap_or(u32::MAX), m.relays_tried))),
        Event::HeadKept(m) => (Ledger, hexadecimal(&m.provider), kept(m)),
        Event::PriceObserved(m) => (Ledger, none(), format!("A bitcoin cost {} {} by {}", decimal(m.per_btc, m.decimals), m.currency, m.source)),
        Event::ControlCommanded(m) => (Ledger, hexadecimal(&m.key_digest), format!("A program asked for {}", m.command)),
        Event::ControlAnswered(m) if m.code.is_empty() => (Ledger, hexadecimal(&m.key_digest), "What a program asked for was done".into()),
        Event::ControlAnswered(m) => (Ledger, hexadecimal(&m.key_digest), format!("What a program asked for was refused: {}", m.sentence)),
        Event::TextForgotten(m) => (Ledger, m.subject.clone(), format!("The texts of {} were forgotten", m.subject)),
        Event::AlertAcknowledged(m) => (Ledger, none(), format!("A person knows of the alert {}", m.id)),
        Event::MilestoneReached(m) => (Wallet, none(), format!("Earned {} in all by now", count(m.sats, "sat"))),
        Event::MilestoneCelebrated(m) => (Wallet, none(), format!("The first {} were celebrated", count(m.sats, "sat"))),
        Event::ModelChosen(m) => (Ledger, none(), format!("The model {} was chosen to work on jobs", m.name)),
        Event::ChatAsked(m) if m.previous == 0 => (Chat, hexadecimal(&m.thread_id), format!("Conversation {} with the model began: {}", short(&m.thread_id), written(m))),
        Event::ChatAsked(m) => (Chat, hexadecimal(&m.thread_id), format!("A message was written in conversation {}: {}", short(&m.thread_id), written(m))),
        Event::ChatAnswered(m) => (Chat, hexadecimal(&m.thread_id), replied(m)),
        Event::ChatFailed(m) => (Chat, hexadecimal(&m.thread_id), format!("The model gave no answer in conversation {} ({}): {}", short(&m.thread_id), m.code, m.detail)),
        Event::ChatStopped(m) => (Chat, hexadecimal(&m.thread_id), format!("A message of conversation {} was stopped before its answer", short(&m.thread_id))),
        Event::RelaysChanged(m) => (Network, none(), relays(m)),
        Event::Unknown { kind, version } => (Ledger, none(), format!("Something that only a newer program knows ({kind}, version {version})")),
    }
}

fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn taken(accepted: u32, tried: u32) -> String {
    format!("{accepted} of {} took it", count(tried.into(), "relay"))
}

fn policy(m: &pb::PolicyChanged) -> String {
    let price = m.policy.as_ref().map_or(0, |policy| policy.min_price_msat);
    format!(
        "The rules for taking jobs were changed: {} a job, digest {}",
        Msat(price),
        short(&m.digest)
    )
}

fn received(m: &pb::JobReceived) -> String {
    let bid = m.bid_msat.map_or_else(
        || "without a bid".to_owned(),
        |msat| format!("bidding {}", Msat(msat)),
    );
    let to = if m.targeted {
        "to this provider"
    } else {
        "to anybody"
    };
    format!(
        "Buyer {} asked {to} for a job of kind {}, {bid} (job {})",
        short(&m.requester),
        m.kind,
        short(&m.job_id)
    )
}

fn refused(m: &pb::JobRefused) -> String {
    let setting = match m.setting.as_str() {
        "" => String::new(),
        setting => format!("; {setting} {} would have taken it", m.setting_needed),
    };
    format!(
        "Job {} was refused ({}): {}{setting}",
        short(&m.job_id),
        refusal_name(m.reason),
        m.detail
    )
}

fn executed(m: &pb::JobExecuted) -> String {
    let receipt = m.receipt.as_ref();
    let made = receipt.map_or_else(String::new, |receipt| {
        let ms = receipt.prompt_ms.saturating_add(receipt.generate_ms);
        format!(": {} in {ms} ms", count(receipt.output_tokens.into(), "token"))
    });
    format!("Job {} was worked{made}", short(&m.job_id))
}

fn demand(m: &pb::DemandSeen) -> String {
    let jobs = m
        .kinds
        .iter()
        .fold(0_u64, |sum, kind| sum.saturating_add(kind.jobs));
    let highest = m
        .kinds
        .iter()
        .map(|kind| kind.highest_bid_msat)
        .max()
        .unwrap_or(0);
    let why = if m.online {
        "of kinds that are not served"
    } else {
        "while offline"
    };
    format!(
        "{} were seen {why}, bidding up to {}",
        count(jobs, "request"),
        Msat(highest)
    )
}

fn written(m: &pb::ChatAsked) -> String {
    count(m.text.as_ref().map_or(0, |text| text.size), "byte")
}

fn replied(m: &pb::ChatAnswered) -> String {
    let receipt = m.receipt.clone().unwrap_or_default();
    let left_out = match m.left_out {
        0 => String::new(),
        some => format!(", without {}", count(some.into(), "earlier message")),
    };
    format!(
        "{} answered in conversation {} with {}{left_out}",
        if receipt.model.is_empty() {
            "The model"
        } else {
            &receipt.model
        },
        short(&m.thread_id),
        count(receipt.output_tokens.into(), "token"),
    )
}

fn relays(m: &pb::RelaysChanged) -> String {
    let named = |verb: &str, relays: &[String]| match relays {
        [] => String::new(),
        relays => format!("; {verb}: {}", relays.join(", ")),
    };
    format!(
        "{} are used from now on{}{}",
        count(m.relays.len() as u64, "relay"),
        named("added", &m.added),
        named("removed", &m.removed)
    )
}

fn channel_opened(m: &pb::WalletChannelOpened) -> String {
    let granted = match m.granted_msat {
        0 => String::new(),
        msat => format!(", {} of it granted", Msat(msat)),
    };
    format!(
        "A channel of {} with {} can be used{granted}",
        Msat(m.capacity_msat),
        short(&m.counterparty)
    )
}

fn reconciled(m: &pb::WalletReconciled) -> String {
    match m.difference_msat {
        0 => format!(
            "Wallet and ledger agree over {}",
            count(m.payments_seen.into(), "payment")
        ),
        msat => format!("Wallet and ledger differ by {msat} msat"),
    }
}

fn compared(m: &pb::HeadCompared) -> String {
    match m.verdict() {
        pb::HeadVerdict::Agrees => format!("The head that {} holds agrees with this ledger", m.held_by),
        pb::HeadVerdict::RolledBack => format!(
            "Facts from {2} on are missing here: {0} holds a head over {1}",
            m.held_by,
            count(m.held_size, "fact"),
            m.first_different
        ),
        pb::HeadVerdict::Forked | pb::HeadVerdict::Unspecified => format!(
            "From fact {1} on this ledger is another one than by the head that {0} holds",
            m.held_by, m.first_different
        ),
    }
}

fn kept(m: &pb::HeadKept) -> String {
    let who = short(&m.provider);
    match m.verdict() {
        pb::KeptVerdict::WentBack => format!(
            "The ledger of provider {who} went back from {} to {}",
            count(m.size_before, "fact"),
            m.size
        ),
        pb::KeptVerdict::Changed => format!("The ledger of provider {who} is another one than it was"),
        pb::KeptVerdict::Grew | pb::KeptVerdict::Unspecified => {
            format!(
                "The head of provider {who} over {} was kept",
                count(m.size, "fact")
            )
        }
    }
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Unspecified => "An event",
        Purpose::Processing => "The word that work began",
        Purpose::PaymentRequired => "The quote",
        Purpose::Result => "The result",
        Purpose::Success => "The thanks for the payment",
        Purpose::Error => "The refusal",
        Purpose::Request => "The request",
        Purpose::LostRace => "The word to a provider that came too late",
        Purpose::Receipt => "The receipt for the provider",
    }
}

/// Whether an event belongs to a job that is worked here, or to one that is bought.
fn story(purpose: Purpose) -> Domain {
    match purpose {
        Purpose::Request | Purpose::LostRace | Purpose::Receipt => Domain::Network,
        Purpose::Unspecified
        | Purpose::Processing
        | Purpose::PaymentRequired
        | Purpose::Result
        | Purpose::Success
        | Purpose::Error => Domain::Job,
    }
}

fn paid_for(purpose: PaymentPurpose) -> &'static str {
    match purpose {
        PaymentPurpose::Unspecified => "A payment",
        PaymentPurpose::Withdrawal => "A withdrawal",
        PaymentPurpose::Purchase => "The payment of a request",
        PaymentPurpose::Refund => "A refund",
    }
}

fn role(role: OnchainRole) -> &'static str {
    match role {
        OnchainRole::Unspecified => "what for, the wallet can't tell",
        OnchainRole::Deposit => "a deposit",
        OnchainRole::Send => "sent by the owner",
        OnchainRole::ChannelFunding => "into a channel",
        OnchainRole::ChannelClose => "out of a closed channel",
    }
}

/// Units of 10^-decimals as a decimal number.
fn decimal(units: u64, decimals: u32) -> String {
    let Some(whole) = 10_u64.checked_pow(decimals).filter(|one| *one > 1) else {
        return units.to_string();
    };
    let width = decimals as usize;
    format!("{}.{:0width$}", units / whole, units % whole)
}
