//! Writes a statement. Each line goes through the checker first, so that nothing is written that would not check.
use std::io::{self, Write};

use crate::{
    Checker, Entry, Header, Heading, Line, Settlement, SignedEvent, StatementError, Totals, Why,
    check::Checked,
};

/// Why a statement was not written.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// It would not hold.
    #[error("the statement would not hold: {0}")]
    Unsound(#[from] StatementError),
    /// The file can't be written.
    #[error("the statement can't be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes a statement line by line.
#[derive(Debug)]
pub struct Composer<W> {
    out: W,
    checker: Checker,
}

fn line(entry: &Entry) -> Result<String, StatementError> {
    entry.to_line().map_err(|error| StatementError {
        line: 0,
        fact: None,
        why: Why::Malformed(error),
    })
}

impl<W: Write> Composer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// [`ComposeError`].
    pub fn begin(mut out: W, header: Header) -> Result<Composer<W>, ComposeError> {
        let text = line(&Entry::Statement(Box::new(header)))?;
        let checker = Checker::begin(text.as_bytes(), &[])?;
        out.write_all(text.as_bytes())?;
        Ok(Composer { out, checker })
    }

    /// What the header says.
    pub fn heading(&self) -> &Heading {
        self.checker.heading()
    }

    /// Writes a settlement, and answers what it shows.
    ///
    /// # Errors
    /// [`ComposeError`]; after [`ComposeError::Unsound`] nothing was written, and another line may follow.
    pub fn settled(&mut self, settlement: Settlement) -> Result<Line, ComposeError> {
        let text = line(&Entry::Settled(Box::new(settlement)))?;
        let checked = self.checker.line(text.as_bytes())?;
        self.out.write_all(text.as_bytes())?;
        match checked {
            Checked::Settled(line) => Ok(*line),
            Checked::Seal => Err(io::Error::other("a settlement was read as a seal").into()),
        }
    }

    /// Content and tags of the event of kind [`crate::APPLICATION_DATA_KIND`] that the seller signs as the seal.
    pub fn unsealed(&self) -> (String, Vec<Vec<String>>) {
        self.checker.unsealed()
    }

    /// Writes the seal, and hands the file back.
    ///
    /// # Errors
    /// [`ComposeError`].
    pub fn seal(mut self, seal: SignedEvent) -> Result<(W, Totals), ComposeError> {
        let text = line(&Entry::Seal(Box::new(seal)))?;
        self.checker.line(text.as_bytes())?;
        self.out.write_all(text.as_bytes())?;
        let (_, totals) = self.checker.end()?;
        Ok((self.out, totals))
    }
}
