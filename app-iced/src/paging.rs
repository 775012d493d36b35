//! A list that is known page by page, newest first: a cursor for each page that was seen, and the rows of the pages
//! around those in sight. However long the list is, memory holds a few pages of it.
use std::collections::{BTreeMap, BTreeSet};

use autopilot_proto::control::v1::Trouble;
use iced::widget::{center, column};

use crate::{
    design::{
        Element, caption, choice,
        list::{self, Window},
        space,
    },
    face::Answer,
    panes::frame,
};

/// Rows on a page.
pub const PAGE: u32 = 100;
/// Pages whose rows are held.
const HELD: usize = 6;

/// A page that is wanted: rows older than `before`, or the newest where that is 0. The default one is the first that any
/// list asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    generation: u64,
    page: usize,
    /// For the request.
    pub before: u64,
}

/// A page as it came: its rows, and where the next one begins (0: that was all).
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Newest first.
    pub rows: Vec<T>,
    /// For the request of the next page.
    pub next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Start {
    before: u64,
    row: usize,
}

/// The list.
#[derive(Debug)]
pub struct Pages<T> {
    generation: u64,
    /// Where each page that was seen begins.
    starts: Vec<Start>,
    /// Rows of the pages that were seen.
    rows: usize,
    /// Where the first page begins that was not seen; none: that was all.
    next: Option<u64>,
    held: BTreeMap<usize, Vec<T>>,
    /// Held pages that may read otherwise by now.
    stale: BTreeSet<usize>,
    asked: BTreeSet<usize>,
    /// Pages that were asked for before the newest change: their answers may be older than it.
    late: BTreeSet<usize>,
    trouble: Option<Trouble>,
    /// It was known to the end once: where it has no row it is empty, and not only not here yet.
    whole_once: bool,
    window: Window,
    /// What was newest when it was asked for last.
    newest: u64,
    /// Counts what changes rows without a scroll.
    edition: u64,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages {
            generation: 0,
            starts: Vec::new(),
            rows: 0,
            next: Some(0),
            held: BTreeMap::new(),
            stale: BTreeSet::new(),
            asked: BTreeSet::new(),
            late: BTreeSet::new(),
            trouble: None,
            whole_once: false,
            window: Window::default(),
            newest: 0,
            edition: 0,
        }
    }
}

impl<T> Pages<T> {
    /// Another list from now on: pages of the former one that still come are dropped.
    pub fn restart(&mut self) {
        *self = Pages {
            generation: self.generation + 1,
            newest: self.newest,
            edition: self.edition + 1,
            ..Pages::default()
        };
    }

    /// Rows may have changed, or new ones come: what is in sight is asked for again.
    pub fn refresh(&mut self) {
        self.stale = self.held.keys().copied().collect();
        self.late = self.asked.clone();
        self.trouble = None;
        if self.rows == 0 {
            self.next = Some(0);
        }
    }

    /// Whether what is newest is another one than when this was asked last: then rows may have changed.
    pub fn moved(&mut self, newest: u64) -> bool {
        let moved = std::mem::replace(&mut self.newest, newest) != newest;
        if moved {
            self.refresh();
        }
        moved
    }

    /// Scrolled.
    pub fn scrolled(&mut self, window: Window) {
        self.window = window;
    }

    /// Rows that are known of.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether no row is known of.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Whether nothing came yet.
    pub fn is_unknown(&self) -> bool {
        self.rows == 0 && self.next.is_some()
    }

    /// Whether newer rows may have come above what is in sight.
    pub fn is_behind(&self) -> bool {
        self.stale.contains(&0) && !self.in_sight().contains(&0)
    }

    /// The row of a number, where its page is held.
    pub fn row(&self, number: usize) -> Option<&T> {
        let page = self.page_of(number)?;
        self.held.get(&page)?.get(number - self.starts[page].row)
    }

    /// Rows in sight that are held.
    pub fn seen(&self) -> impl Iterator<Item = &T> {
        self.window.range(self.rows).filter_map(|number| self.row(number))
    }

    fn page_of(&self, number: usize) -> Option<usize> {
        if number >= self.rows {
            return None;
        }
        self.starts
            .partition_point(|start| start.row <= number)
            .checked_sub(1)
    }

    /// Pages that the window looks at.
    fn in_sight(&self) -> std::ops::Range<usize> {
        let rows = self.window.range(self.rows);
        let first = self.page_of(rows.start).unwrap_or(0);
        let end = rows.end.checked_sub(1).and_then(|last| self.page_of(last));
        first..end.map_or(first, |last| last + 1)
    }

    /// Pages to ask for now. Each is under way until it is answered.
    pub fn asks(&mut self) -> Vec<Ask> {
        if self.trouble.is_some() {
            return Vec::new();
        }
        let sight = self.in_sight();
        let missing = |page: &usize| !self.held.contains_key(page) || self.stale.contains(page);
        let mut pages: Vec<_> = sight.filter(missing).collect();
        // One screen ahead, so that scrolling seldom meets a gap.
        let ahead = self.window.range(usize::MAX).len();
        if self.next.is_some() && self.window.range(usize::MAX).end + ahead > self.rows {
            pages.push(self.starts.len());
        }
        pages.retain(|page| self.asked.insert(*page));
        let ask = |page| Ask {
            generation: self.generation,
            page,
            before: self
                .starts
                .get(page)
                .map_or(self.next.unwrap_or(0), |start| start.before),
        };
        pages.into_iter().map(ask).collect()
    }

    /// A page came, or did not.
    pub fn answered(&mut self, ask: Ask, answer: Answer<Page<T>>) {
        if ask.generation != self.generation {
            return;
        }
        self.asked.remove(&ask.page);
        let page = match answer {
            Ok(page) => page,
            Err(trouble) => {
                self.trouble = Some(trouble);
                return;
            }
        };
        self.trouble = None;
        self.edition += 1;
        self.stale.remove(&ask.page);
        match self.starts.get(ask.page) {
            Some(start) if start.before == ask.before => self.again(ask.page, page),
            None if ask.page == self.starts.len() && self.next == Some(ask.before) => self.append(ask, page),
            // The pages before it changed meanwhile.
            _ => {}
        }
        if self.late.remove(&ask.page) {
            self.once_more(ask.page);
        }
        self.let_go();
    }

    /// An answer that was under way when something changed is shown, and asked for again.
    fn once_more(&mut self, page: usize) {
        if self.held.contains_key(&page) {
            self.stale.insert(page);
        }
        if self.rows == 0 {
            self.next = Some(0);
        }
    }

    fn append(&mut self, ask: Ask, page: Page<T>) {
        self.next = (page.next != 0).then_some(page.next);
        self.whole_once |= self.next.is_none();
        // A filter may leave nothing of a page: looking goes on behind it.
        if page.rows.is_empty() {
            return;
        }
        self.starts.push(Start {
            before: ask.before,
            row: self.rows,
        });
        self.rows += page.rows.len();
        self.held.insert(ask.page, page.rows);
    }

    /// A page was asked for once more. Where it ends elsewhere now, those behind it are other pages.
    fn again(&mut self, number: usize, page: Page<T>) {
        let begins = self.starts[number];
        let (ended, row) = match self.starts.get(number + 1) {
            Some(behind) => (Some(behind.before), behind.row),
            None => (self.next, self.rows),
        };
        let ends = (page.next != 0).then_some(page.next);
        if (ended, row) == (ends, begins.row + page.rows.len()) {
            self.held.insert(number, page.rows);
            return;
        }
        self.starts.truncate(number);
        self.held.retain(|held, _| *held < number);
        self.stale.retain(|held| *held < number);
        self.asked.retain(|asked| *asked < number);
        (self.rows, self.next) = (begins.row, Some(begins.before));
        let ask = Ask {
            generation: self.generation,
            page: number,
            before: begins.before,
        };
        self.append(ask, page);
    }

    /// Lets go of the pages that are farthest from those in sight.
    fn let_go(&mut self) {
        let sight = self.in_sight();
        while self.held.len() > HELD.max(sight.len()) {
            let far = |page: &usize| page.abs_diff(sight.start).max(page.abs_diff(sight.end));
            let Some(page) = self.held.keys().copied().max_by_key(far) else {
                return;
            };
            self.held.remove(&page);
            self.stale.remove(&page);
        }
    }

    /// The list, or why there is none. `empty` is what stands where the list has no row.
    pub fn view<'a, M: Clone + 'a>(
        &'a self,
        id: &'static str,
        empty: impl FnOnce() -> Element<'a, M>,
        row: impl Fn(&'a T) -> Element<'a, M>,
        on_scroll: impl Fn(Window) -> M + 'a,
        again: M,
    ) -> Element<'a, M> {
        let broken = self.trouble.as_ref().map(|trouble| -> Element<'a, M> {
            let lines = column![frame::unreadable(trouble), choice("Try again", Some(again))];
            lines.spacing(space::S).into()
        });
        match (self.rows, self.next, broken) {
            (0, _, Some(broken)) => center(broken).into(),
            (0, _, None) if self.whole_once => empty(),
            (0, _, None) => frame::loading(),
            (rows, next, broken) => {
                let known = rows + usize::from(next.is_some());
                let make = |number| match self.row(number) {
                    Some(held) => row(held),
                    None => caption("…").into(),
                };
                let list = list::list(id, self.window, self.edition, known, make, on_scroll);
                column![].push(broken).push(list).into()
            }
        }
    }
}

#[cfg(test)]
mod tests;
