//! What is asked for and at which terms, judged as it is typed.
use autopilot_proto::control::v1::{BuyRequest, StartBuyModeRequest};

use crate::words::msat_of;

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // `Field::name` says what each is.
pub enum Field {
    Input,
    Budget,
    Fee,
    Kind,
    Provider,
    Deadline,
    Window,
    PayFirst,
    MaxTokens,
    PerJob,
    Pace,
    Count,
    Hours,
}

/// Fields of one request.
pub const ONCE: [Field; 9] = [
    Field::Input,
    Field::Budget,
    Field::Fee,
    Field::Kind,
    Field::Provider,
    Field::Deadline,
    Field::Window,
    Field::PayFirst,
    Field::MaxTokens,
];

/// Fields of buy mode.
pub const MODE: [Field; 13] = [
    Field::Input,
    Field::Budget,
    Field::PerJob,
    Field::Fee,
    Field::Pace,
    Field::Count,
    Field::Hours,
    Field::Kind,
    Field::Provider,
    Field::Deadline,
    Field::Window,
    Field::PayFirst,
    Field::MaxTokens,
];

impl Field {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Field::Input => "What to ask",
            Field::Budget => "Budget (sats)",
            Field::Fee => "Routing of one payment, at most (sats)",
            Field::Kind => "Kind",
            Field::Provider => "Only this provider (public key; empty: anybody)",
            Field::Deadline => "Seconds that a provider has",
            Field::Window => "Seconds to collect offers (0: the first wins)",
            Field::PayFirst => "Paid before a result, at most (sats)",
            Field::MaxTokens => "Longest answer in tokens (0: open)",
            Field::PerJob => "One answer, at most (sats)",
            Field::Pace => "Seconds between requests, at least",
            Field::Count => "Requests, at most (0: as the budget allows)",
            Field::Hours => "Hours that it runs, at most",
        }
    }

    /// What stands in it before anything is typed.
    fn usual(self) -> &'static str {
        match self {
            Field::Input | Field::Budget | Field::Provider | Field::PerJob => "",
            Field::Fee => "5",
            Field::Kind => "5050",
            Field::Deadline | Field::Pace => "60",
            Field::Window | Field::PayFirst | Field::MaxTokens | Field::Count => "0",
            Field::Hours => "24",
        }
    }

    /// What it is read as: msat, seconds, a count. A text reads as 0.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn read(self, typed: &str) -> Result<u64, &'static str> {
        let between = |least: u64, most: u64, words: &'static str| {
            let number = typed.trim().parse().ok();
            number.filter(|number| (least..=most).contains(number)).ok_or(words)
        };
        match self {
            Field::Input if typed.trim().is_empty() => Err("there is nothing to ask"),
            Field::Input => Ok(0),
            Field::Budget | Field::PerJob => match msat_of(typed)? {
                0 => Err("nothing is to be had for nothing"),
                msat => Ok(msat),
            },
            Field::Fee | Field::PayFirst => msat_of(typed),
            Field::Kind => between(5_000, 5_999, "kinds lie in 5000–5999"),
            Field::Provider => {
                let key = typed.trim();
                let hex = key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit());
                match key.is_empty() || hex {
                    true => Ok(0),
                    false => Err("a provider's key has 64 hexadecimal digits"),
                }
            }
            Field::Deadline => between(1, 86_400, "1 to 86400 seconds"),
            Field::Window => between(0, 86_400, "0 to 86400 seconds"),
            Field::MaxTokens | Field::Count => between(0, u64::from(u32::MAX), "a number, or 0"),
            Field::Pace => between(1, 86_400, "1 to 86400 seconds"),
            Field::Hours => between(1, 720, "1 to 720 hours"),
        }
    }
}

/// The form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    typed: Vec<String>,
    /// The texts are sealed for the one provider.
    pub sealed: bool,
    /// A delivery that fails after its payment is paid back to this wallet.
    pub refund: bool,
}

impl Default for Form {
    fn default() -> Self {
        Form {
            typed: MODE.iter().map(|_| String::new()).collect::<Vec<_>>(),
            sealed: false,
            refund: false,
        }
        .with_usual()
    }
}

impl Form {
    fn with_usual(mut self) -> Form {
        for field in MODE {
            self.typed[field as usize] = field.usual().to_owned();
        }
        self
    }

    /// What stands in a field.
    pub fn get(&self, field: Field) -> &str {
        &self.typed[field as usize]
    }

    /// Something was typed.
    pub fn set(&mut self, field: Field, typed: String) {
        self.typed[field as usize] = typed;
    }

    fn read(&self, field: Field) -> Result<u64, &'static str> {
        field.read(self.get(field))
    }

    fn read_u32(&self, field: Field) -> Option<u32> {
        self.read(field).ok().and_then(|number| u32::try_from(number).ok())
    }

    /// What is wrong in a field that something stands in.
    pub fn wrong(&self, field: Field) -> Option<&'static str> {
        match (field, self.read(field)) {
            _ if self.get(field).is_empty() && field.usual().is_empty() => None,
            (_, Err(words)) => Some(words),
            (Field::Provider, Ok(_)) if self.sealed && self.get(field).trim().is_empty() => {
                Some("a sealed request is for one provider: name it")
            }
            _ => None,
        }
    }

    /// What is missing or wrong first, in words.
    pub fn first_wrong(&self, fields: &[Field]) -> Option<(&'static str, &'static str)> {
        if self.sealed && self.get(Field::Provider).trim().is_empty() && fields == ONCE {
            return Some((Field::Provider.name(), "a sealed request is for one provider: name it"));
        }
        let wrong = fields.iter().find_map(|field| Some((field.name(), self.read(*field).err()?)));
        // Routing is part of the budget of buy mode.
        let above = self.read(Field::PerJob).ok() > self.read(Field::Budget).ok() && fields == MODE;
        wrong.or(above.then_some((Field::PerJob.name(), "that is more than the budget")))
    }

    /// One request, once nothing is wrong.
    pub fn once(&self, dry_run: bool) -> Option<BuyRequest> {
        if self.first_wrong(&ONCE).is_some() {
            return None;
        }
        Some(BuyRequest {
            input: self.get(Field::Input).to_owned(),
            kind: self.read_u32(Field::Kind)?,
            budget_msat: self.read(Field::Budget).ok()?,
            fee_ceiling_msat: self.read(Field::Fee).ok()?,
            deadline_s: self.read_u32(Field::Deadline)?,
            provider: self.get(Field::Provider).trim().to_lowercase(),
            pay_first_ceiling_msat: self.read(Field::PayFirst).ok()?,
            max_tokens: self.read_u32(Field::MaxTokens)?,
            window_s: self.read_u32(Field::Window)?,
            encrypted: self.sealed,
            refund_offer: if self.refund { "auto".to_owned() } else { String::new() },
            dry_run,
            ..BuyRequest::default()
        })
    }

    /// Buy mode, once nothing is wrong.
    pub fn mode(&self, dry_run: bool) -> Option<StartBuyModeRequest> {
        if self.first_wrong(&MODE).is_some() {
            return None;
        }
        Some(StartBuyModeRequest {
            input: self.get(Field::Input).to_owned(),
            budget_msat: self.read(Field::Budget).ok()?,
            per_job_msat: self.read(Field::PerJob).ok()?,
            fee_ceiling_msat: self.read(Field::Fee).ok()?,
            pay_first_ceiling_msat: self.read(Field::PayFirst).ok()?,
            pace_s: self.read_u32(Field::Pace)?,
            count: self.read_u32(Field::Count)?,
            at_once: 0,
            kind: self.read_u32(Field::Kind)?,
            provider: self.get(Field::Provider).trim().to_lowercase(),
            deadline_s: self.read_u32(Field::Deadline)?,
            window_s: self.read_u32(Field::Window)?,
            max_tokens: self.read_u32(Field::MaxTokens)?,
            for_s: self.read_u32(Field::Hours)?.checked_mul(3_600)?,
            dry_run,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(fields: &[(Field, &str)]) -> Form {
        let mut form = Form::default();
        for (field, text) in fields {
            form.set(*field, (*text).to_owned());
        }
        form
    }

    #[test]
    fn a_request_is_made_only_of_what_is_right() {
        assert_eq!(Form::default().once(false), None);
        assert_eq!(Form::default().first_wrong(&ONCE).unwrap().0, "What to ask");
        let form = typed(&[(Field::Input, "Why?"), (Field::Budget, "1 000")]);
        let request = form.once(true).unwrap();
        assert_eq!((request.budget_msat, request.fee_ceiling_msat), (1_000_000, 5_000));
        assert_eq!((request.kind, request.deadline_s, request.dry_run), (5_050, 60, true));
        for (field, text) in [
            (Field::Budget, "0"),
            (Field::Budget, "1.5"),
            (Field::Kind, "6050"),
            (Field::Provider, "npub1"),
            (Field::Deadline, "0"),
            (Field::Fee, ""),
        ] {
            let mut wrong = form.clone();
            wrong.set(field, text.to_owned());
            assert_eq!(wrong.once(false), None, "{field:?} {text}");
        }
        assert!(typed(&[(Field::Kind, "x")]).wrong(Field::Kind).is_some());
        assert_eq!(Form::default().wrong(Field::Budget), None, "nothing was typed yet");
    }

    #[test]
    fn a_sealed_request_needs_its_provider() {
        let mut form = typed(&[(Field::Input, "Why?"), (Field::Budget, "10")]);
        form.sealed = true;
        assert_eq!(form.once(false), None);
        form.set(Field::Provider, "AB".repeat(32));
        assert_eq!(form.once(false).unwrap().provider, "ab".repeat(32));
    }

    #[test]
    fn buy_mode_spends_no_more_on_one_answer_than_on_all() {
        let mut form = typed(&[(Field::Input, "Why?"), (Field::Budget, "100"), (Field::PerJob, "200")]);
        assert_eq!(form.mode(false), None);
        form.set(Field::PerJob, "20".to_owned());
        let request = form.mode(false).unwrap();
        assert_eq!((request.per_job_msat, request.pace_s, request.for_s), (20_000, 60, 86_400));
    }
}
