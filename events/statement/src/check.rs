//! From the first line to the seal, in one pass and bounded memory.
use std::{collections::HashSet, io::BufRead};

use autopilot_events::{
    head::SignedHead,
    tree,
    witness::{Cosigned, Witness},
};
use sha2::{Digest, Sha256};

use crate::{
    APPLICATION_DATA_KIND, Entry, FORMAT, Header, Heading, LIMITS, Line, MAX_LINE_BYTES, MAX_SETTLEMENTS,
    Settlement, SignedEvent, StatementError, Totals, Why,
    settled::{self, Against},
};

/// Hexadecimal digits of the root in the address of a head's event.
const ADDRESS_DIGITS: usize = 16;

/// Checks a statement whose lines come one by one.
#[derive(Debug)]
pub struct Checker {
    heading: Heading,
    head: SignedHead,
    number: u64,
    last_fact: u64,
    seen: HashSet<[u8; 32]>,
    totals: Totals,
    before: Sha256,
    sealed: bool,
}

/// What a line after the first one turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// A settlement that holds.
    Settled(Box<Line>),
    /// The seal, which holds.
    Seal,
}

fn at(line: u64, why: Why) -> StatementError {
    StatementError {
        line,
        fact: None,
        why,
    }
}

fn entry(line: &[u8]) -> Result<Entry, Why> {
    if line.len() > MAX_LINE_BYTES {
        return Err(Why::Malformed(format!(
            "the line is longer than {MAX_LINE_BYTES} bytes"
        )));
    }
    let line = line.strip_suffix(b"\n").ok_or(Why::Cut)?;
    serde_json::from_slice(line).map_err(|error| Why::Malformed(format!("no line of a statement: {error}")))
}

impl Checker {
    /// Begins with the first line, its end included. `witnesses` are those that the checker trusts.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn begin(line: &[u8], witnesses: &[Witness]) -> Result<Checker, StatementError> {
        let header = match entry(line) {
            Ok(Entry::Statement(header)) => header,
            Ok(_) => return Err(at(1, Why::Malformed("the first line is no header".into()))),
            Err(why) => return Err(at(1, why)),
        };
        let (head, witnessed_by) = check_header(&header, witnesses).map_err(|why| at(1, why))?;
        let heading = Heading {
            seller: header.head.author(),
            origin: head.origin.clone(),
            network: header.network,
            node: header.node,
            from_ms: header.from_ms,
            to_ms: header.to_ms,
            facts: head.size,
            root: head.root.to_string(),
            head_at_s: header.head.created_at,
            witnessed_by,
        };
        Ok(Checker {
            heading,
            head,
            number: 1,
            last_fact: 0,
            seen: HashSet::new(),
            totals: Totals::default(),
            before: Sha256::new_with_prefix(line),
            sealed: false,
        })
    }

    /// What the header says.
    pub fn heading(&self) -> &Heading {
        &self.heading
    }

    /// What the settlements so far add up to.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Checks the next line, its end included.
    ///
    /// # Errors
    /// [`StatementError`]; then the checker stands where it stood before the line.
    pub fn line(&mut self, line: &[u8]) -> Result<Checked, StatementError> {
        let number = self.number + 1;
        if self.sealed {
            return Err(at(number, Why::AfterSeal));
        }
        match entry(line).map_err(|why| at(number, why))? {
            Entry::Statement(_) => Err(at(number, Why::Malformed("a second header".into()))),
            Entry::Seal(seal) => {
                check_seal(&seal, &self.unsealed(), &self.heading).map_err(|why| at(number, why))?;
                self.sealed = true;
                self.number = number;
                Ok(Checked::Seal)
            }
            Entry::Settled(settlement) => {
                let report = self.settlement(&settlement)?;
                self.before.update(line);
                self.number = number;
                Ok(Checked::Settled(Box::new(report)))
            }
        }
    }

    /// After the last line.
    ///
    /// # Errors
    /// [`Why::Cut`] where no seal was met.
    pub fn end(self) -> Result<(Heading, Totals), StatementError> {
        match self.sealed {
            true => Ok((self.heading, self.totals)),
            false => Err(at(self.number + 1, Why::Cut)),
        }
    }

    fn settlement(&mut self, settlement: &Settlement) -> Result<Line, StatementError> {
        let mut fact = None;
        let against = Against {
            heading: &self.heading,
            head: &self.head,
            last_fact: self.last_fact,
        };
        let checked = settled::read(settlement)
            .inspect(|read| fact = Some(read.sequence))
            .and_then(|read| settled::check(settlement, &read, &against));
        let line = checked
            .and_then(|line| self.count(line))
            .map_err(|why| StatementError {
                line: self.number + 1,
                fact,
                why,
            })?;
        Ok(line)
    }

    /// Each payment once, and sums that can be.
    fn count(&mut self, line: Line) -> Result<Line, Why> {
        if self.totals.all.lines >= MAX_SETTLEMENTS {
            return Err(Why::TooMany);
        }
        if self.seen.contains(&line.payment_hash.0) {
            return Err(Why::Repeated);
        }
        let totals = self.totals.with(&line);
        self.totals = totals.ok_or(Why::Fact("the sums are beyond what can be"))?;
        self.seen.insert(line.payment_hash.0);
        self.last_fact = line.fact;
        Ok(line)
    }

    /// The content and tags of the seal that would end the statement here.
    pub(crate) fn unsealed(&self) -> (String, Vec<Vec<String>>) {
        let all = &self.totals.all;
        let tag = |name: &str, value: String| vec![name.to_owned(), value];
        let tags = vec![
            tag("d", FORMAT.to_owned()),
            tag("lines", all.lines.to_string()),
            tag("amount_msat", all.amount_msat.to_string()),
        ];
        (hex::encode(self.before.clone().finalize()), tags)
    }
}

fn check_header(header: &Header, witnesses: &[Witness]) -> Result<(SignedHead, Vec<Cosigned>), Why> {
    if header.format != FORMAT {
        return Err(Why::Version);
    }
    if header.limits != LIMITS {
        return Err(Why::Limits);
    }
    if let (Some(from), Some(to)) = (header.from_ms, header.to_ms)
        && from >= to
    {
        return Err(Why::Window);
    }
    let event = &header.head;
    if event.kind != APPLICATION_DATA_KIND {
        return Err(Why::HeadEvent("another kind"));
    }
    if !event.holds() {
        return Err(Why::HeadEvent("id or signature does not hold"));
    }
    let key = event.word("verifier").ok_or(Why::HeadEvent("it names no key"))?;
    let head = SignedHead::open(event.content.as_bytes(), key).map_err(Why::Head)?;
    let root: String = head.root.to_string().chars().take(ADDRESS_DIGITS).collect();
    if event.word("d") != Some(&format!("{}/{}/{root}", head.origin, head.size)) {
        return Err(Why::HeadEvent("its address is not that of the head"));
    }
    let mut note = event.content.clone();
    for line in &header.cosignatures {
        note.push_str(line);
        note.push('\n');
    }
    let mut witnessed_by = Vec::new();
    for witness in witnesses {
        witnessed_by.extend(witness.cosigned(note.as_bytes()).map_err(|_| Why::Cosignature)?);
    }
    Ok((head, witnessed_by))
}

fn check_seal(seal: &SignedEvent, due: &(String, Vec<Vec<String>>), heading: &Heading) -> Result<(), Why> {
    if seal.kind != APPLICATION_DATA_KIND || !seal.holds() {
        return Err(Why::Seal("id or signature does not hold"));
    }
    if seal.author() != heading.seller {
        return Err(Why::Seal("it is not the seller's"));
    }
    if seal.tags != due.1 {
        return Err(Why::Seal("count or sum is not that of the lines"));
    }
    if seal.content != due.0 {
        return Err(Why::Seal("it is over other lines"));
    }
    Ok(())
}

/// Checks a whole file and hands over each settlement, as far as they hold.
///
/// # Errors
/// [`StatementError`]; what was handed over before is no statement then.
pub fn check(
    mut file: impl BufRead,
    witnesses: &[Witness],
    mut heading: impl FnMut(&Heading),
    mut each: impl FnMut(&Line),
) -> Result<(Heading, Totals), StatementError> {
    let mut line = Vec::new();
    next(&mut file, &mut line).map_err(|why| at(1, why))?;
    let mut checker = Checker::begin(&line, witnesses)?;
    heading(checker.heading());
    loop {
        next(&mut file, &mut line).map_err(|why| at(checker.number + 1, why))?;
        if line.is_empty() {
            return checker.end();
        }
        if let Checked::Settled(line) = checker.line(&line)? {
            each(&line);
        }
    }
}

/// Reads one line, its end included, or nothing at the end of the file; never more than one line may have.
fn next(file: &mut impl BufRead, line: &mut Vec<u8>) -> Result<(), Why> {
    line.clear();
    let mut bounded = std::io::Read::take(file, MAX_LINE_BYTES as u64 + 1);
    let read = bounded.read_until(b'\n', line);
    read.map(|_| ())
        .map_err(|error| Why::Unreadable(error.to_string()))
}

/// Whether the head's tree has a fact at a number.
pub(crate) fn included(head: &SignedHead, sequence: u64, fact: &[u8], proof: &[u8]) -> Result<(), Why> {
    let (hashes, rest) = proof.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(Why::Proof(tree::ProofError::Invalid));
    }
    let hashes: Vec<_> = hashes
        .iter()
        .map(|hash| autopilot_events::words::TreeHash(*hash))
        .collect();
    let leaf = tree::leaf(fact);
    // Number 0 wraps to a leaf that lies in no tree.
    tree::check_inclusion(&leaf, sequence.wrapping_sub(1), head.size, &hashes, &head.root).map_err(Why::Proof)
}
