//! What is or was wrong: by the facts, and what only this run sees; and sums that nobody was shown yet.
use autopilot_core::{Engine, input::Command, presence};
use autopilot_projections::alerts::{Alert, Severity, Standing};
use autopilot_proto::control::v1::{self as pb};
use tonic::Status;

use super::{Service, views::basis};

impl Service {
    pub(super) async fn answer_alerts(&self, _: pb::AlertsRequest) -> Result<pb::AlertsReply, Status> {
        self.look(alerts).await
    }

    pub(super) async fn answer_acknowledge_alert(
        &self,
        request: pb::AcknowledgeAlertRequest,
    ) -> Result<pb::AlertsReply, Status> {
        self.command(Command::AcknowledgeAlert(request.id)).await?;
        self.look(alerts).await
    }

    pub(super) async fn answer_celebrate(
        &self,
        request: pb::CelebrateRequest,
    ) -> Result<pb::EarningsReply, Status> {
        self.command(Command::Celebrate(request.sats)).await?;
        self.answer_earnings(pb::EarningsRequest::default()).await
    }
}

/// Reached, and shown to nobody yet.
pub(super) fn to_celebrate(engine: &Engine) -> Vec<pb::Celebration> {
    let open = engine.state().milestones.to_celebrate();
    open.map(|(sats, milestone)| pb::Celebration {
        sats,
        at_ms: milestone.at_ms,
        sequence: milestone.sequence,
    })
    .collect()
}

/// What the facts say, and what this run sees.
pub(super) fn alerts(engine: &Engine) -> pb::AlertsReply {
    sorted(engine, local(engine))
}

/// What the facts alone say.
pub(super) fn by_facts(engine: &Engine) -> pb::AlertsReply {
    sorted(engine, Vec::new())
}

/// Gravest first: what holds before what is over, the newest of equals first.
fn sorted(engine: &Engine, local: Vec<(bool, Severity, i64, pb::AlertLine)>) -> pb::AlertsReply {
    let state = engine.state();
    let mut all: Vec<(bool, Severity, i64, pb::AlertLine)> = state
        .alerts
        .all()
        .map(|(id, alert)| {
            let over = alert.standing == Standing::Resolved;
            (over, alert.said.severity, alert.last.1, line(id, alert))
        })
        .collect();
    all.extend(local);
    all.extend(engine.read_only().map(read_only));
    all.sort_by(
        |(over, severity, at_ms, _), (other_over, other_severity, other_at_ms, _)| {
            let gravest = other_severity.cmp(severity);
            over.cmp(other_over).then(gravest).then(other_at_ms.cmp(at_ms))
        },
    );
    let alerts: Vec<pb::AlertLine> = all.into_iter().map(|(.., line)| line).collect();
    let active = alerts.iter().filter(|line| line.state == Standing::Active.name());
    pb::AlertsReply {
        basis: Some(basis(engine, "ledger")),
        active: u32::try_from(active.count()).unwrap_or(u32::MAX),
        alerts,
    }
}

fn line(id: &str, alert: &Alert) -> pb::AlertLine {
    pb::AlertLine {
        id: id.to_owned(),
        severity: alert.said.severity.name().to_owned(),
        state: alert.standing.name().to_owned(),
        what: alert.said.what.clone(),
        next: alert.said.next.clone(),
        can_earn: alert.said.can_earn,
        source: "ledger".to_owned(),
        times: alert.times,
        first_sequence: alert.first.0,
        last_sequence: alert.last.0,
        first_at_ms: alert.first.1,
        last_at_ms: alert.last.1,
    }
}

/// A fact that only a newer program knows says so, which is why no fold of this one does.
fn read_only(kind: &str) -> (bool, Severity, i64, pb::AlertLine) {
    let line = pb::AlertLine {
        id: "ledger-read-only".to_owned(),
        severity: Severity::Critical.name().to_owned(),
        state: Standing::Active.name().to_owned(),
        what: format!(
            "the ledger holds a critical fact of an unknown type ({kind}) and is read-only for this program"
        ),
        next: "use the newer program that wrote it".to_owned(),
        source: "ledger".to_owned(),
        times: 1,
        ..pb::AlertLine::default()
    };
    (false, Severity::Critical, i64::MAX, line)
}

/// What stands against earning now and is no fact. It is graver for who is online and believes to earn.
fn local(engine: &Engine) -> Vec<(bool, Severity, i64, pb::AlertLine)> {
    let state = engine.state();
    if state.provider.policy.is_none() {
        return Vec::new();
    }
    let severity = match engine.is_online() {
        true => Severity::Critical,
        false => Severity::Warning,
    };
    let seen = presence::blocking(state, engine.readiness()).into_iter();
    let line = |blocker: presence::Blocker| pb::AlertLine {
        id: format!("local/{}", blocker.code),
        severity: severity.name().to_owned(),
        state: Standing::Active.name().to_owned(),
        what: blocker.sentence,
        source: "local".to_owned(),
        times: 1,
        ..pb::AlertLine::default()
    };
    seen.filter(|blocker| !blocker.by_facts)
        .map(|blocker| (false, severity, i64::MAX, line(blocker)))
        .collect()
}

#[cfg(test)]
mod tests {
    use autopilot_core::{Input, input::Readiness, policy::default_policy};
    use autopilot_events::{Head, pb as facts};
    use autopilot_projections::State;

    use super::*;

    fn tell(engine: &mut Engine, input: Input) {
        let drafts = engine.decide(input, 1_000).unwrap();
        engine.record(drafts, |_| 0, 1_000);
    }

    fn shown(engine: &Engine) -> Vec<(String, String, String)> {
        let lines = alerts(engine).alerts.into_iter();
        lines.map(|line| (line.id, line.state, line.source)).collect()
    }

    #[test]
    fn facts_and_what_this_run_sees_stand_side_by_side_and_badges_tell_them_apart() {
        let mut engine = Engine::new(Head::empty(), State::default());
        assert!(shown(&engine).is_empty(), "who offers no work misses nothing");
        tell(
            &mut engine,
            Input::Person(Command::SetPolicy(default_policy(10_000))),
        );
        tell(
            &mut engine,
            Input::Readiness(Readiness {
                model: Some("tiny".to_owned()),
                receivable: autopilot_events::words::Msat(50_000),
                ..Readiness::default()
            }),
        );
        let reconciled = facts::WalletReconciled {
            difference_msat: 7,
            ..Default::default()
        };
        let difference = autopilot_core::input::WalletInput::Reconciled(reconciled);
        tell(&mut engine, Input::Wallet(difference));
        let is = |id: &str, state: &str, source: &str| (id.to_owned(), state.to_owned(), source.to_owned());
        assert_eq!(
            shown(&engine),
            [
                is("wallet-difference", "active", "ledger"),
                is("local/no-relay", "active", "local"),
            ]
        );
        let known = Command::AcknowledgeAlert("wallet-difference".to_owned());
        tell(&mut engine, Input::Person(known));
        assert_eq!(
            shown(&engine)[0],
            is("wallet-difference", "acknowledged", "ledger")
        );
        assert_eq!(alerts(&engine).active, 1);
        let local = Command::AcknowledgeAlert("local/no-relay".to_owned());
        assert!(
            engine.decide(Input::Person(local), 1_000).is_err(),
            "what is no fact can't be acknowledged by one"
        );
    }
}
