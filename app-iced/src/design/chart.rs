//! Bars side by side, each of parts on top of each other. What they stand for is written beside them: a chart alone is
//! no statement of sums.
use iced::{
    Length, Point, Rectangle, Renderer, Size, Theme, mouse,
    widget::{Canvas, canvas},
};

use super::{Element, Tone, theme};

/// Height of a chart, in logical pixels.
const HEIGHT: f32 = 140.0;
/// Share of a bar's place that stays free.
const GAP: f32 = 0.2;

/// A part of a bar: which of the series it belongs to, and how much it is.
pub type Part = (usize, u64);

struct Bars<M> {
    bars: Vec<Vec<Part>>,
    chosen: Option<usize>,
    on_choice: Box<dyn Fn(usize) -> M>,
}

/// The chart. `chosen` stands out; a click chooses another bar.
pub fn bars<'a, M: 'a>(
    bars: Vec<Vec<Part>>,
    chosen: Option<usize>,
    on_choice: impl Fn(usize) -> M + 'static,
) -> Element<'a, M> {
    let bars = Bars {
        bars,
        chosen,
        on_choice: Box::new(on_choice),
    };
    Canvas::new(bars).width(Length::Fill).height(HEIGHT).into()
}

/// Parts as shares of the highest bar, from the bottom up: series, where it begins and how high it is.
fn shares(bars: &[Vec<Part>]) -> Vec<Vec<(usize, f32, f32)>> {
    let whole = |bar: &[Part]| bar.iter().fold(0_u128, |sum, (_, part)| sum + u128::from(*part));
    let highest = bars.iter().map(|bar| whole(bar)).max().unwrap_or(0).max(1) as f32;
    let bar = |bar: &Vec<Part>| {
        let mut from = 0.0;
        let mut parts = Vec::with_capacity(bar.len());
        for (series, part) in bar {
            let share = *part as f32 / highest;
            parts.push((*series, from, share));
            from += share;
        }
        parts
    };
    bars.iter().map(bar).collect()
}

impl<M> canvas::Program<M> for Bars<M> {
    type State = ();

    fn update(
        &self,
        _: &mut (),
        event: &canvas::Event,
        bounds: Rectangle,
        cursor: mouse::Cursor,
    ) -> Option<canvas::Action<M>> {
        let canvas::Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left)) = event else {
            return None;
        };
        let at = cursor.position_in(bounds)?;
        let place = (at.x / bounds.width * self.bars.len() as f32) as usize;
        (place < self.bars.len()).then(|| canvas::Action::publish((self.on_choice)(place)).and_capture())
    }

    fn draw(
        &self,
        _: &(),
        renderer: &Renderer,
        theme: &Theme,
        bounds: Rectangle,
        _: mouse::Cursor,
    ) -> Vec<canvas::Geometry> {
        let mut frame = canvas::Frame::new(renderer, bounds.size());
        let place = bounds.width / self.bars.len().max(1) as f32;
        for (number, parts) in shares(&self.bars).into_iter().enumerate() {
            let x = place * (number as f32 + GAP / 2.0);
            let width = place * (1.0 - GAP);
            if self.chosen == Some(number) {
                let behind = Size::new(place, bounds.height);
                frame.fill_rectangle(
                    Point::new(place * number as f32, 0.0),
                    behind,
                    theme::surface(theme, 3),
                );
            }
            for (series, from, share) in parts {
                let (height, bottom) = (share * bounds.height, bounds.height * (1.0 - from));
                let corner = Point::new(x, bottom - height);
                frame.fill_rectangle(corner, Size::new(width, height), theme::series(theme, series));
            }
        }
        let ground = Size::new(bounds.width, 1.0);
        let colour = Tone::Quiet.colour(theme);
        frame.fill_rectangle(Point::new(0.0, bounds.height - 1.0), ground, colour);
        vec![frame.into_geometry()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_fills_the_chart_and_nothing_overflows() {
        let shares = shares(&[vec![(0, u64::MAX), (1, u64::MAX)], vec![], vec![(1, u64::MAX)]]);
        assert_eq!(shares[0], [(0, 0.0, 0.5), (1, 0.5, 0.5)]);
        assert_eq!(shares[1], []);
        assert_eq!(shares[2], [(1, 0.0, 0.5)]);
        assert_eq!(super::shares(&[vec![(0, 0)]])[0], [(0, 0.0, 0.0)]);
    }
}
