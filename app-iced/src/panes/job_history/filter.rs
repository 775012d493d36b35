//! Which jobs the history lists.
use autopilot_proto::control::v1::HistoryRequest;
use iced::{
    Alignment,
    widget::{column, row},
};

use super::Message;
use crate::design::{Element, caption, chip, choice, field, flow, space};

const ROLES: [(&str, &str); 3] = [("", "All"), ("provider", "Sold"), ("buyer", "Bought")];
const WORK: [&str; 11] = [
    "", "received", "accepted", "running", "executed", "delivered", "refused", "failed", "requested", "answered", "closed",
];
const MONEY: [&str; 8] = [
    "", "priced", "invoiced", "settled", "expired", "prepaid", "refunded", "approved",
];

/// What a row has to be like: the words of the ledger, empty for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    role: &'static str,
    work: &'static str,
    money: &'static str,
    /// What is looked for: a kind, the beginning of an id, a key or a model's name.
    search: String,
    /// Whether the filters of work and money are shown.
    pub(super) open: bool,
}

impl Filter {
    /// Whether every row is listed.
    pub fn is_any(&self) -> bool {
        [self.role, self.work, self.money, &self.search] == [""; 4]
    }

    /// The request of a page.
    pub fn request(&self, limit: u32, before_sequence: u64) -> HistoryRequest {
        HistoryRequest {
            limit,
            before_sequence,
            role: self.role.to_owned(),
            work: self.work.to_owned(),
            money: self.money.to_owned(),
            search: self.search.clone(),
        }
    }

    /// The same, narrowed to what was typed; nothing typed widens it again.
    pub(super) fn searching(&self, typed: &str) -> Filter {
        Filter {
            search: typed.trim().to_owned(),
            ..self.clone()
        }
    }

    /// Every other choice, for the keyboard.
    pub(super) fn actions(&self) -> Vec<(String, Message)> {
        let roles = ROLES.into_iter().map(|(role, label)| (label, Filter { role, ..self.clone() }));
        let works = WORK.into_iter().map(|work| (named(work), Filter { work, ..self.clone() }));
        let moneys = MONEY.into_iter().map(|money| (named(money), Filter { money, ..self.clone() }));
        let of = |part: &'static str| {
            move |(label, filter): (&str, Filter)| (format!("Job History: {part} {label}"), Message::Filter(filter))
        };
        let actions = roles.map(of("jobs:")).chain(works.map(of("work:")));
        let mut actions: Vec<_> = actions.chain(moneys.map(of("money:"))).collect();
        actions.retain(|(_, message)| !matches!(message, Message::Filter(filter) if filter == self));
        actions
    }

    /// The filters, and the field that finds a job by its id.
    pub(super) fn view<'a>(&self, typed: &'a str) -> Element<'a, Message> {
        let roles = ROLES.into_iter().map(|(role, label)| {
            let filter = Filter { role, ..self.clone() };
            chip(label, role == self.role, Message::Filter(filter))
        });
        let narrowed = !self.work.is_empty() || !self.money.is_empty();
        let more = chip(if self.open { "Fewer filters" } else { "More filters" }, narrowed, Message::MoreFilters);
        let judged = search(typed);
        let wrong = judged.err().filter(|_| !typed.is_empty());
        let changed = typed.trim() != self.search && (judged.is_ok() || typed.trim().is_empty());
        let found = row![
            field("Look for", typed, "job, market id, buyer, payment hash, kind or model", wrong, Message::Typed),
            choice("Search", changed.then_some(Message::Search)),
            choice("Why wasn't I paid?", id(typed).is_ok().then_some(Message::Find)),
        ]
        .spacing(space::S)
        .align_y(Alignment::End);
        let only = (!self.search.is_empty())
            .then(|| caption(format!("Only “{}” is listed; search nothing to list all", self.search)));
        let top = flow(roles.chain([more]).collect());
        let works = WORK.into_iter().map(|work| {
            let filter = Filter { work, ..self.clone() };
            chip(named(work), work == self.work, Message::Filter(filter))
        });
        let moneys = MONEY.into_iter().map(|money| {
            let filter = Filter { money, ..self.clone() };
            chip(named(money), money == self.money, Message::Filter(filter))
        });
        let line = |name, chips: Vec<_>| column![caption(name), flow(chips)].spacing(space::XS);
        let open = self.open.then(|| {
            column![line("Work", works.collect()), line("Money", moneys.collect())].spacing(space::XS)
        });
        column![found].push(only).push(top).push(open).spacing(space::XS).into()
    }
}

fn named(word: &'static str) -> &'static str {
    match word {
        "" => "any",
        word => word,
    }
}

/// Whether a job can be explained by this.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn id(typed: &str) -> Result<(), &'static str> {
    let typed = typed.trim();
    if !typed.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err("an id has the digits 0–9 and a–f only");
    }
    match typed.len() {
        0..8 => Err("at least 8 digits"),
        8..=64 => Ok(()),
        _ => Err("an id has 64 digits at most"),
    }
}

/// Whether the history can be searched by this.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn search(typed: &str) -> Result<(), &'static str> {
    let typed = typed.trim();
    let digits = typed.chars().all(|c| c.is_ascii_hexdigit());
    match typed.len() {
        0 => Err("there is nothing to search"),
        1..=5 if digits && typed.parse::<u32>().is_err() => Err("an id is found by at least 6 of its digits"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_judged_as_they_are_typed() {
        assert!(id(" 0123abcd ").is_ok());
        assert!(id("0123abc").is_err());
        assert!(id("0123abcg").is_err());
        assert!(id(&"a".repeat(65)).is_err());
        assert!(search("5050").is_ok());
        assert!(search("abc").is_err());
        assert!(search("qwen").is_ok());
    }

    #[test]
    fn each_filter_can_be_chosen_by_keyboard_and_ends_in_its_request() {
        let any = Filter::default();
        let choices = any.actions();
        assert_eq!(choices.len(), ROLES.len() + WORK.len() + MONEY.len() - 3);
        let found = any.searching(" 0123abcd ");
        assert_eq!((found.request(1, 0).search.as_str(), found.is_any()), ("0123abcd", false));
        assert!(found.searching("").is_any());
        let sold = Filter { role: "provider", money: "settled", ..any };
        let request = sold.request(10, 7);
        assert_eq!((request.role.as_str(), request.work.as_str(), request.money.as_str()), ("provider", "", "settled"));
        assert_eq!((request.limit, request.before_sequence, sold.is_any()), (10, 7, false));
    }
}
