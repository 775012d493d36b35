//! Every fact has words of its own.
use std::collections::{BTreeMap, BTreeSet};

use autopilot_events::catalogue::CATALOGUE;
use autopilot_projections::activity::{Domain, line};
use autopilot_replay_tests::stories::history;
use proptest::prelude::*;

use crate::golden::everything;

#[test]
fn every_type_of_the_catalogue_has_words_of_its_own() {
    let facts = everything();
    let mut words: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for fact in &facts {
        let line = line(fact);
        assert_eq!(
            (line.sequence, &line.kind),
            (fact.fact.sequence, &fact.fact.r#type)
        );
        assert!(
            line.sentence.starts_with(char::is_uppercase) || line.sentence.starts_with(char::is_numeric),
            "{line:?}"
        );
        assert!(Domain::of_name(line.domain.name()) == Some(line.domain));
        // Ids and sums apart, which any two facts have their own of.
        let said: Vec<&str> = line
            .sentence
            .split_whitespace()
            .filter(|word| !word.contains(|c: char| c.is_ascii_digit()))
            .collect();
        words.entry(said.join(" ")).or_default().insert(line.kind);
    }
    let told: BTreeSet<&str> = words.values().flatten().map(String::as_str).collect();
    for (kind, _, _) in CATALOGUE {
        assert!(told.contains(kind), "{kind} has no specimen");
    }
    for (said, kinds) in words {
        assert_eq!(kinds.len(), 1, "{kinds:?} all say: {said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Words are made of the fact alone: the same for ever, and never empty.
    #[test]
    fn words_rest_on_the_fact_alone(facts in history(12)) {
        for fact in &facts {
            let first = line(fact);
            prop_assert!(!first.sentence.is_empty());
            prop_assert_eq!(first, line(fact));
        }
    }
}
