//! The numbers of a policy, as data: name, bounds, and where each stands.
use autopilot_proto::control::v1::Policy;

/// What a number is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Price and size.
    Job,
    /// How many, how often.
    Limits,
    /// What is kept.
    Texts,
}

/// A number that can be set.
pub struct Field {
    /// What it is called, with its unit.
    pub name: &'static str,
    /// What stands in an empty field.
    pub hint: &'static str,
    /// What it is about.
    pub group: Group,
    least: u64,
    most: u64,
    get: fn(&Policy) -> u64,
    put: fn(&mut Policy, u64),
}

/// A number that the policy holds in 32 bits: the bounds of its field lie within.
fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

macro_rules! field {
    ($group:ident, $name:literal, $hint:literal, $least:literal ..= $most:literal, $field:ident) => {
        Field {
            name: $name,
            hint: $hint,
            group: Group::$group,
            least: $least,
            most: $most,
            get: |policy| u64::from(policy.$field),
            put: |policy, value| policy.$field = narrow(value),
        }
    };
}

/// All of them, in the order of the form.
pub const FIELDS: [Field; 10] = [
    Field {
        name: "Least price (sats)",
        hint: "10",
        group: Group::Job,
        least: 1,
        most: 100_000_000,
        get: |policy| policy.min_price_msat / 1_000,
        // A price with parts of a sat, set elsewhere, stays as it is while nobody types another.
        put: |policy, value| {
            if policy.min_price_msat / 1_000 != value {
                policy.min_price_msat = value.saturating_mul(1_000);
            }
        },
    },
    Field {
        name: "Longest request (bytes)",
        hint: "16384",
        group: Group::Job,
        least: 1,
        most: 16_384,
        get: |policy| policy.max_input_bytes,
        put: |policy, value| policy.max_input_bytes = value,
    },
    field!(Job, "Longest answer (tokens)", "256", 1..=8_192, max_output_tokens),
    field!(Job, "An invoice is good for (s)", "3600", 60..=86_400, invoice_expiry_s),
    field!(Limits, "Jobs worked on at once", "1", 1..=64, max_in_flight),
    field!(Limits, "Jobs of one buyer in an hour", "600", 1..=100_000, per_buyer_per_hour),
    field!(Limits, "Jobs of everybody in an hour", "2000", 1..=1_000_000, global_per_hour),
    field!(Limits, "Unpaid jobs of one buyer", "3", 0..=10_000, unpaid_jobs_per_buyer),
    field!(Limits, "Unpaid jobs in all", "20", 0..=100_000, unpaid_jobs_total),
    field!(Texts, "Texts are kept for (days; 0: always)", "0", 0..=36_500, keep_texts_days),
];

impl Field {
    /// Its number in a policy, as text.
    pub fn write(&self, policy: &Policy) -> String {
        (self.get)(policy).to_string()
    }

    /// A number from what was typed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self, typed: &str) -> Result<u64, &'static str> {
        let value: u64 = typed.trim().parse().map_err(|_| "a whole number is needed")?;
        match value {
            value if value < self.least => Err("too small"),
            value if value > self.most => Err("too large"),
            value => Ok(value),
        }
    }

    /// Puts a number that was read into a policy.
    pub fn set(&self, policy: &mut Policy, value: u64) {
        (self.put)(policy, value);
    }
}
