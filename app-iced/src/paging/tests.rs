use super::*;
use crate::design::size::ROW;

/// Facts `total`..1 as a host would page them.
fn host(total: u64, ask: Ask) -> Page<u64> {
    let newest = if ask.before == 0 { total } else { ask.before - 1 };
    let rows: Vec<_> = (1..=newest).rev().take(PAGE as usize).collect();
    let next = rows.last().copied().filter(|last| *last > 1).unwrap_or(0);
    Page { rows, next }
}

fn serve(pages: &mut Pages<u64>, total: u64) -> usize {
    let mut calls = 0;
    loop {
        let asks = pages.asks();
        if asks.is_empty() {
            return calls;
        }
        for ask in asks {
            calls += 1;
            pages.answered(ask, Ok(host(total, ask)));
        }
    }
}

#[test]
fn a_million_rows_are_scrolled_through_with_a_few_pages_in_memory() {
    let total = 1_000_000;
    let mut pages = Pages::default();
    serve(&mut pages, total);
    while pages.next.is_some() {
        let bottom = Window::at(pages.len() as f32 * ROW, 600.0);
        pages.scrolled(bottom);
        serve(&mut pages, total);
        assert!(pages.held.len() <= HELD);
    }
    assert_eq!(pages.len(), total as usize);
    pages.scrolled(Window::at(500_000.0 * ROW, 600.0));
    assert_eq!(pages.row(500_000), None, "it was let go");
    serve(&mut pages, total);
    assert_eq!(pages.row(500_000), Some(&500_000));
    assert!(pages.held.len() <= HELD);
}

#[test]
fn new_rows_come_in_at_the_top_and_are_only_announced_below() {
    let mut pages = Pages::default();
    serve(&mut pages, 1_000);
    pages.refresh();
    serve(&mut pages, 1_003);
    assert_eq!(pages.row(0), Some(&1_003));
    pages.scrolled(Window::at(ROW * 350.0, 600.0));
    serve(&mut pages, 1_003);
    let before = pages.row(350).copied();
    pages.refresh();
    assert!(pages.is_behind());
    serve(&mut pages, 1_050);
    assert_eq!(pages.row(350).copied(), before, "what is read stays where it is");
    pages.scrolled(Window::default());
    serve(&mut pages, 1_050);
    assert_eq!(pages.row(0), Some(&1_050));
    assert!(!pages.is_behind());
}

#[test]
fn a_list_that_was_empty_hears_of_its_first_row() {
    let mut pages = Pages::default();
    serve(&mut pages, 0);
    assert!(pages.is_empty() && !pages.is_unknown());
    pages.refresh();
    serve(&mut pages, 1);
    assert_eq!(pages.row(0), Some(&1));
}

#[test]
fn what_changes_while_a_page_is_under_way_is_asked_for_again() {
    for before in [0, 5] {
        let mut pages = Pages::default();
        let ask = pages.asks()[0];
        let answer = host(before, ask);
        pages.refresh();
        assert!(pages.asks().is_empty(), "one at a time");
        pages.answered(ask, Ok(answer));
        serve(&mut pages, 6);
        assert_eq!(pages.row(0), Some(&6));
    }
}

#[test]
fn pages_that_a_filter_empties_are_passed_over() {
    let mut pages = Pages::default();
    let ask = pages.asks()[0];
    pages.answered(
        ask,
        Ok(Page {
            rows: vec![],
            next: 900,
        }),
    );
    assert!(pages.is_unknown());
    let ask = pages.asks()[0];
    assert_eq!(ask.before, 900);
    pages.answered(
        ask,
        Ok(Page {
            rows: vec![7],
            next: 0,
        }),
    );
    assert_eq!((pages.len(), pages.next), (1, None));
    assert!(pages.asks().is_empty());
}

#[test]
fn trouble_is_asked_about_no_further_and_an_answer_for_another_filter_is_dropped() {
    let mut pages: Pages<u64> = Pages::default();
    let ask = pages.asks()[0];
    assert!(pages.asks().is_empty(), "it is under way");
    pages.answered(ask, Err(Trouble::default()));
    assert!(pages.asks().is_empty());
    pages.refresh();
    assert_eq!(pages.asks().len(), 1);
    pages.restart();
    pages.answered(ask, Ok(host(5, ask)));
    assert!(pages.is_unknown());
    serve(&mut pages, 5);
    assert_eq!(pages.len(), 5);
}
