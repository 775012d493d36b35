//! A list of any length, of which only the rows in sight are made: the window system draws every row that it is given.
use iced::{
    Length, Task,
    widget::{Column, operation, scrollable},
};

use super::{Element, Sheet, size};

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

/// The list, with an id for the keyboard. `row` makes the row of a number; each is [`size::ROW`] high. Another `edition`
/// says that rows in sight may read otherwise than before.
pub fn list<'a, M: 'a>(
    id: &'static str,
    window: Window,
    edition: u64,
    rows: usize,
    row: impl Fn(usize) -> Element<'a, M>,
    on_scroll: impl Fn(Window) -> M + 'a,
) -> Element<'a, M> {
    let range = window.range(rows);
    let made = Column::with_children(range.clone().map(|number| {
        iced::widget::container(row(number))
            .height(size::ROW)
            .width(Length::Fill)
            .clip(true)
            .into()
    }));
    let pixels = |rows: usize| rows as f32 * size::ROW;
    let sheet = Sheet::new(made.width(Length::Fill)).part(pixels(range.start), pixels(rows));
    scrollable(sheet.edition(edition))
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
    use iced::{
        Rectangle, Renderer, Size, Theme,
        advanced::{renderer::Style, widget::operation::scrollable::scroll_to},
        mouse::Cursor,
        widget::Id,
    };
    use iced_test::runtime::user_interface::{Cache, UserInterface};

    use super::*;
    use crate::design::{fonts, swatch};

    /// Size of the list on the screen.
    const SIGHT: Size = Size::new(400.0, 600.0);

    /// A list of a million rows, scrolled and drawn: the areas that the renderer is told of, and where each row's swatch is.
    fn drawn(offset: f32, edition: u64) -> (Vec<Rectangle>, Vec<f32>) {
        let mut renderer = Renderer::new(fonts::BODY, size::BODY.into());
        let window = Window::at(offset, SIGHT.height);
        let list: Element<'_, Window> =
            list("rows", window, edition, 1_000_000, |_| swatch(0), |window| window);
        let mut ui = UserInterface::build(list, SIGHT, Cache::new(), &mut renderer);
        let there = scrollable::AbsoluteOffset {
            x: None,
            y: Some(offset),
        };
        ui.operate(&renderer, &mut scroll_to::<()>(Id::new("rows"), there));
        let style = Style::default();
        ui.draw(&mut renderer, &Theme::Dark, &style, Cursor::Unavailable);
        let layers = renderer.layers();
        let quads = layers.iter().flat_map(|layer| &layer.quads);
        let swatches =
            quads.filter(|(quad, _)| quad.bounds.size() == Size::new(size::CAPTION, size::CAPTION));
        let rows = swatches.map(|(quad, _)| quad.bounds.y).collect();
        (layers.iter().map(|layer| layer.bounds).collect(), rows)
    }

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

    #[test]
    fn rows_a_million_deep_lie_as_the_first_ones_do() {
        for deep in [0.0, 10_000.0, 700_001.0, 999_900.0] {
            let (_, rows) = drawn(deep * size::ROW, 0);
            assert!(rows.len() as f32 >= SIGHT.height / size::ROW, "{deep}: {rows:?}");
            for pair in rows.windows(2) {
                assert!((pair[1] - pair[0] - size::ROW).abs() < 0.01, "{deep}: {rows:?}");
            }
            // The offset itself is what an `f32` can tell: 4 pixels at most.
            let nearest = rows.iter().map(|top| top.abs()).fold(f32::MAX, f32::min);
            assert!(nearest <= 4.0, "{deep}: {rows:?}");
        }
    }

    #[test]
    fn what_moved_or_reads_otherwise_is_painted_as_one_area() {
        let (still, _) = drawn(0.0, 0);
        assert_eq!(drawn(0.0, 0).0, still, "what stays is not painted anew");
        for other in [
            drawn(60.0, 0).0,
            drawn(0.0, 1).0,
            drawn(34_000.0 * size::ROW, 0).0,
        ] {
            let moved: Vec<_> = still.iter().zip(&other).filter(|(a, b)| a != b).collect();
            assert_eq!(moved.len(), 1, "{still:?} {other:?}");
            // Nobody sees the difference.
            for area in [moved[0].0, moved[0].1] {
                assert!(
                    (area.x, area.y) == (0.0, 0.0) && area.height == SIGHT.height,
                    "{area:?}"
                );
                assert!((area.width - SIGHT.width).abs() < 0.1, "{area:?}");
            }
        }
    }
}
