//! Whatever comes, in whatever order: the promises of `promises.rs` hold, and the facts alone say what is.
use autopilot_core::{Engine, Input, effects::outstanding};
use autopilot_projections::{
    State,
    jobs::{Money, Work},
};
use proptest::{prelude::*, sample::Index};

use crate::{
    arbitrary::{Step, steps, take},
    carried::carry,
    given::online,
    ledger::{Ledger, fold},
};

fn config() -> ProptestConfig {
    // More of them with PROPTEST_CASES.
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(256);
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn lived(steps: &[Step]) -> Ledger {
    let mut ledger = online();
    steps.iter().for_each(|step| take(&mut ledger, step));
    ledger
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_facts_alone_say_what_is(steps in steps(), cut in any::<Index>()) {
        let ledger = lived(&steps);
        let (head, state) = fold(&ledger.facts);
        prop_assert_eq!(head, *ledger.engine.head());
        prop_assert_eq!(&state, ledger.engine.state());
        prop_assert_eq!(state.digests(), ledger.engine.state().digests());
        // Through a snapshot anywhere, with the facts after it.
        let cut = cut.index(ledger.facts.len() + 1);
        let (head, before) = fold(&ledger.facts[..cut]);
        let mut engine = Engine::new(head, State::from_snapshot(&before.to_snapshot()).unwrap());
        ledger.facts[cut..].iter().for_each(|fact| engine.replay(fact));
        prop_assert_eq!(engine.state().digests(), state.digests());
        prop_assert_eq!(engine.state().to_snapshot(), state.to_snapshot());
        prop_assert_eq!(outstanding(engine.state()), ledger.engine.outstanding());
    }

    #[test]
    fn an_intake_that_comes_again_changes_nothing(steps in steps(), again in proptest::collection::vec(any::<Index>(), 1..40)) {
        let mut ledger = online();
        for (number, step) in steps.iter().enumerate() {
            take(&mut ledger, step);
            if ledger.intakes.is_empty() {
                continue;
            }
            let before = (*ledger.engine.head(), ledger.engine.state().digests());
            let intake = again[number % again.len()].get(&ledger.intakes).clone();
            prop_assert_eq!(ledger.submit(intake), ["duplicate"]);
            prop_assert_eq!((*ledger.engine.head(), ledger.engine.state().digests()), before);
        }
    }

    #[test]
    fn deciding_again_after_a_kill_decides_the_same(steps in steps()) {
        let mut ledger = lived(&steps);
        // A tick twice at the same time: what was due is done, nothing is due again.
        ledger.submit(Input::Tick);
        let again = ledger.submit(Input::Tick);
        prop_assert!(again.is_empty(), "{:?}", again);
        ledger.reopen(ledger.facts.len());
        ledger.submit(Input::Resumed);
        let mut other = Engine::new(*ledger.engine.head(), ledger.engine.state().clone());
        prop_assert_eq!(other.decide(Input::Tick, ledger.now_ms), ledger.engine.decide(Input::Tick, ledger.now_ms));
    }

    #[test]
    fn left_alone_with_a_willing_world_everything_ends(steps in steps()) {
        let mut ledger = lived(&steps);
        settle_down(&mut ledger)?;
        ledger.now_ms += 200_000_000;
        ledger.submit(Input::Tick);
        settle_down(&mut ledger)?;
        ledger.now_ms += 200_000_000;
        ledger.submit(Input::Tick);
        let state = ledger.engine.state();
        prop_assert_eq!(state.purchases.open().count(), 0);
        prop_assert_eq!(state.wallet.outgoing().count(), 0);
        for (_, job) in state.jobs.open() {
            let debt = job.pay_first && job.work == Work::Failed && job.money == Money::Prepaid;
            prop_assert!(debt, "only a debt stays in sight: {:?}", job);
        }
    }
}

/// Does all outstanding work as it should be done.
fn settle_down(ledger: &mut Ledger) -> Result<(), TestCaseError> {
    while let Some(effect) = ledger.engine.outstanding().first().cloned() {
        let before = ledger.facts.len();
        carry(ledger, &effect, true);
        prop_assert!(ledger.facts.len() > before, "{:?} leads nowhere", effect);
    }
    Ok(())
}
