//! Requests of faces. The first byte says which; the rest is the message.
use autopilot_proto::control::v1 as pb;
use prost::Message;

macro_rules! requests {
    ($($name:ident),* $(,)?) => {
        const KINDS: &[fn(&[u8])] = &[$(read::<pb::$name>),*];
    };
}

requests!(
    GoOnlineRequest,
    GoOfflineRequest,
    GetPolicyRequest,
    SetPolicyRequest,
    AbortRequest,
    HistoryRequest,
    EarningsRequest,
    WhyRequest,
    ReceiveRequest,
    DecodeRequest,
    PayRequest,
    PlanWithdrawalRequest,
    WithdrawRequest,
    PaymentsRequest,
    CanReceiveRequest,
    SendOnchainRequest,
    OpenChannelRequest,
    CloseChannelRequest,
    RefusalsRequest,
    MarkRefusalRequest,
    MissedRequest,
    ModelRequest,
    BuyRequest,
    PurchaseRequest,
    StartBuyModeRequest,
    CanaryRequest,
    RefundRequest,
    FollowRequest,
    RecordPriceRequest,
    IdentityRequest,
);

/// What is understood is understood the same when it is said again.
fn read<M: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(request) = M::decode(bytes) {
        let again = M::decode(request.encode_to_vec().as_slice());
        assert_eq!(again.as_ref(), Ok(&request));
    }
}

pub fn request(bytes: &[u8]) {
    if let Some((kind, message)) = bytes.split_first() {
        KINDS[usize::from(*kind) % KINDS.len()](message);
    }
}
