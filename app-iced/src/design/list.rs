//! A list of any length, of which only the rows in sight are made: the window system draws every row that it is given.
use iced::{
    Length, Task,
    widget::{Column, Space, operation, scrollable},
};

use super::{Element, size};

/// Rows made above and below those in sight, so that a quick scroll shows no gap.
const MARGIN: usize = 4;

/// Where a list is scrolled to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    offset: f32,
    height: f32,
}

impl Default for Window {
    /// At the top; about a screen high until the first scroll says more.
    fn default() -> Self {
        Window {
            offset: 0.0,
            height: 1_200.0,
        }
    }
}

impl Window {
    /// After a scroll.
    pub fn scrolled(viewport: scrollable::Viewport) -> Window {
        Window {
            offset: viewport.absolute_offset().y,
            height: viewport.bounds().height,
        }
    }

    /// At an offset, of a height, both in logical pixels.
    pub fn at(offset: f32, height: f32) -> Window {
        Window { offset, height }
    }

    /// Numbers of the rows to make, of `rows` in all.
    pub fn range(&self, rows: usize) -> std::ops::Range<usize> {
        // Offsets are never negative, and a list of pixels beyond u32 can't be scrolled to.
        let first = (self.offset / size::ROW) as usize;
        let in_sight = (self.height / size::ROW) as usize + 1;
        let from = first.saturating_sub(MARGIN).min(rows);
        from..(first + in_sight + MARGIN).min(rows)
    }
}

/// The list, with an id for the keyboard. `row` makes the row of a number; each is [`size::ROW`] high.
pub fn list<'a, M: 'a>(
    id: &'static str,
    window: Window,
    rows: usize,
    row: impl Fn(usize) -> Element<'a, M>,
    on_scroll: impl Fn(Window) -> M + 'a,
) -> Element<'a, M> {
    let range = window.range(rows);
    let gap = |count: usize| Space::new().height(count as f32 * size::ROW);
    let made = Column::new()
        .push(gap(range.start))
        .extend(range.clone().map(|number| {
            iced::widget::container(row(number))
                .height(size::ROW)
                .width(Length::Fill)
                .clip(true)
                .into()
        }))
        .push(gap(rows - range.end));
    scrollable(made)
        .id(id)
        .on_scroll(move |viewport| on_scroll(Window::scrolled(viewport)))
        .height(Length::Fill)
        .width(Length::Fill)
        .into()
}

/// Scrolls a list to its first row.
pub fn to_top<M>(id: &'static str) -> Task<M> {
    operation::scroll_to(id, scrollable::AbsoluteOffset { x: 0.0, y: 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_rows_in_sight_are_made() {
        let at = Window::at;
        assert_eq!(at(0.0, size::ROW * 10.0).range(1_000_000), 0..15);
        let deep = at(size::ROW * 500_000.0, size::ROW * 10.0).range(1_000_000);
        assert_eq!(deep, 499_996..500_015);
        assert_eq!(at(size::ROW * 99.0, size::ROW * 10.0).range(100), 95..100);
        assert_eq!(Window::default().range(0), 0..0);
        assert_eq!(at(1e9, 100.0).range(3), 3..3);
    }
}
