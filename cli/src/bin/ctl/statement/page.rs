//! The page for people, beside a statement.
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use autopilot_host::statement::Reader;
use autopilot_statement::{Heading, Line, Page, Totals};

use crate::{
    failure::{Failure, Kind, Outcome},
    whole::Whole,
};

/// A page that is written beside a statement, where one was asked for.
pub struct Beside {
    page: Option<Page<BufWriter<File>>>,
    whole: Option<Whole>,
}

impl Beside {
    /// Begins it, where a path is given.
    pub fn begin(path: Option<&Path>) -> Outcome<Beside> {
        Ok(Beside {
            page: None,
            whole: path.map(Whole::beside).transpose()?,
        })
    }

    /// Everything above the first row.
    pub fn heading(&mut self, heading: &Heading) -> io::Result<()> {
        if let Some(whole) = &self.whole {
            let file = BufWriter::new(whole.file.get_ref().try_clone()?);
            self.page = Some(Page::begin(file, heading)?);
        }
        Ok(())
    }

    /// A row.
    pub fn line(&mut self, line: &Line) -> io::Result<()> {
        self.page.as_mut().map_or(Ok(()), |page| page.row(line))
    }

    /// Ends it and puts it in its place.
    pub fn keep(&mut self, totals: &Totals, force: bool) -> Outcome {
        let ended = self.page.take().map(|page| page.end(totals)?.flush());
        ended.transpose().map_err(|error| unwritable(&error))?;
        self.whole.as_mut().map_or(Ok(()), |whole| whole.keep(force))
    }
}

impl Reader for Beside {
    fn heading(&mut self, heading: &Heading) -> io::Result<()> {
        Beside::heading(self, heading)
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        Beside::line(self, line)
    }
}

/// As a failure.
pub fn unwritable(error: &io::Error) -> Failure {
    Failure::new(
        Kind::Other,
        "output",
        format!("the page can't be written: {error}"),
    )
}
