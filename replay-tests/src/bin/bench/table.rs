//! Figures of alternating rounds, as a table for people and as JSON.
use std::{fmt::Write, time::Duration};

use serde_json::{Value, json};

/// One line: ours and the calibrator's, round by round.
pub struct Figure {
    pub name: String,
    pub unit: &'static str,
    /// Who waits for commits at the same time; 0 where nobody does.
    pub producers: u32,
    ours: Vec<f64>,
    theirs: Vec<f64>,
    waits: Vec<[f64; 2]>,
}

/// The middle one of some values.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn bounds(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, 0.0), |(low, high), value| {
        (low.min(*value), high.max(*value))
    })
}

/// The value below which `share` of the sorted values lie.
pub fn quantile(waits: &[Duration], share: f64) -> f64 {
    let mut waits: Vec<_> = waits.iter().map(Duration::as_secs_f64).collect();
    waits.sort_by(f64::total_cmp);
    let place = ((waits.len() as f64 * share) as usize).min(waits.len().saturating_sub(1));
    waits.get(place).copied().unwrap_or(f64::NAN)
}

impl Figure {
    pub fn new(name: impl Into<String>, unit: &'static str) -> Figure {
        Figure {
            name: name.into(),
            unit,
            producers: 0,
            ours: Vec::new(),
            theirs: Vec::new(),
            waits: Vec::new(),
        }
    }

    /// One round of both.
    pub fn add(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
    }

    /// How long producers waited in a round: the 99th percentile of ours and theirs, in seconds.
    pub fn waited(&mut self, ours: &[Duration], theirs: &[Duration]) {
        self.waits.push([quantile(ours, 0.99), quantile(theirs, 0.99)]);
    }

    /// Median of the rounds' 99th percentiles, in seconds: ours, theirs.
    pub fn wait(&self) -> Option<[f64; 2]> {
        let of = |place: usize| median(&self.waits.iter().map(|wait| wait[place]).collect::<Vec<_>>());
        (!self.waits.is_empty()).then(|| [of(0), of(1)])
    }

    pub fn ours(&self) -> f64 {
        median(&self.ours)
    }

    fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.theirs).map(|(a, b)| a / b).collect()
    }

    /// `| name | ours | theirs | ratio (lowest–highest) | p99 |`
    pub fn row(&self) -> String {
        let ratios = self.ratios();
        let (low, high) = bounds(&ratios);
        let mut row = format!(
            "| {} | {} {} | {} | **{:.2}** ({low:.2}–{high:.2}) |",
            self.name,
            number(self.ours()),
            self.unit,
            number(median(&self.theirs)),
            median(&ratios),
        );
        match self.wait() {
            // Writing into a string has no way to fail.
            Some([ours, theirs]) => drop(write!(row, " {:.1} / {:.1} ms |", ours * 1e3, theirs * 1e3)),
            None => row += " |",
        }
        row
    }

    pub fn json(&self) -> Value {
        json!({
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "calibrator": self.theirs,
            "ratio": median(&self.ratios()),
            "p99_s": self.wait(),
        })
    }
}

/// Three figures, grouped by thousands.
pub fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.3}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
