//! Reading tags: names, hexadecimal ids, sums, and the bounds on all of them.

use autopilot_core::ports::market::Bill;
use autopilot_events::words::{EventId, Msat, PublicKey};
use nostr::Event;

use super::{MAX_EVENT_BYTES, MAX_FIELDS, MAX_TAGS, Nip90Error};

/// The tags of an event, and those of its seal, as plain words.
pub(super) struct TagList<'a>(Vec<&'a [String]>);

impl<'a> TagList<'a> {
    /// The clear tags of an event.
    pub fn of(event: &'a Event) -> Self {
        Self(event.tags.iter().map(|tag| tag.as_slice()).collect())
    }

    /// Tags that were found inside a seal.
    pub fn of_sealed(tags: &'a [Vec<String>]) -> Self {
        Self(tags.iter().map(Vec::as_slice).collect())
    }

    /// The fields after the name of each tag called `name`, in order.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [String]> + 's {
        self.0
            .iter()
            .filter(move |tag| tag.first().is_some_and(|n| n == name))
            .map(|tag| tag.get(1..).unwrap_or_default())
    }

    /// The first tag called `name`.
    pub fn first(&self, name: &str) -> Option<&'a [String]> {
        self.all(name).next()
    }

    /// The first field of the first tag called `name`.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.first(name)?.first().map(String::as_str)
    }

    /// Whether there is a tag called `name`.
    pub fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// All ids in tags called `name`; what is no id is skipped.
    pub fn ids(&self, name: &str) -> Vec<EventId> {
        self.all(name)
            .filter_map(|fields| fields.first()?.parse().ok())
            .collect()
    }

    /// All public keys in tags called `name`; what is none is skipped.
    pub fn keys(&self, name: &str) -> Vec<PublicKey> {
        self.all(name)
            .filter_map(|fields| fields.first()?.parse().ok())
            .collect()
    }

    /// The first id in a tag called `name`.
    pub fn id(&self, name: &'static str) -> Result<EventId, Nip90Error> {
        self.value(name)
            .and_then(|text| text.parse().ok())
            .ok_or(Nip90Error::Missing(name))
    }

    /// The `amount` tag. A sum that cannot be read is an error, never nothing.
    pub fn bill(&self) -> Result<Option<Bill>, Nip90Error> {
        let Some(fields) = self.first("amount") else {
            return Ok(None);
        };
        let amount_msat = msat(fields.first(), "amount")?;
        let bolt11 = fields.get(1).filter(|text| !text.is_empty()).cloned();
        Ok(Some(Bill { amount_msat, bolt11 }))
    }
}

/// A sum in millisatoshi, written as a whole number.
pub(super) fn msat(field: Option<&String>, name: &'static str) -> Result<Msat, Nip90Error> {
    field
        .and_then(|text| text.trim().parse().ok())
        .map(Msat)
        .ok_or(Nip90Error::BadAmount(name))
}

/// A bill as a tag.
pub(super) fn bill_tag(bill: &Bill) -> Vec<String> {
    let mut tag = vec!["amount".to_owned(), bill.amount_msat.0.to_string()];
    tag.extend(bill.bolt11.clone());
    tag
}

/// A tag of these words.
pub(super) fn tag<const N: usize>(fields: [&str; N]) -> Vec<String> {
    fields.map(str::to_owned).to_vec()
}

/// Tag and field counts, and the size of it all.
pub(super) fn check_bounds(event: &Event) -> Result<(), Nip90Error> {
    check_tags(event.tags.iter().map(|tag| tag.as_slice()))?;
    let words: usize = event
        .tags
        .iter()
        .flat_map(|tag| tag.as_slice())
        .map(String::len)
        .sum();
    match words.saturating_add(event.content.len()) {
        bytes if bytes > MAX_EVENT_BYTES => Err(Nip90Error::TooMuch {
            what: "bytes",
            count: bytes,
            limit: MAX_EVENT_BYTES,
        }),
        _ => Ok(()),
    }
}

/// Tag and field counts.
pub(super) fn check_tags<'a>(tags: impl ExactSizeIterator<Item = &'a [String]>) -> Result<(), Nip90Error> {
    if tags.len() > MAX_TAGS {
        return Err(Nip90Error::TooMuch {
            what: "tags",
            count: tags.len(),
            limit: MAX_TAGS,
        });
    }
    match tags.map(<[String]>::len).max() {
        Some(count) if count > MAX_FIELDS => Err(Nip90Error::TooMuch {
            what: "fields in a tag",
            count,
            limit: MAX_FIELDS,
        }),
        _ => Ok(()),
    }
}
