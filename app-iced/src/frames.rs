//! What the window's frames cost. The work of a frame is the processor time that the window's thread spends from the end of
//! the frame before it to its own end: messages taken in, the view made and laid out, the widgets drawn, and what was drawn
//! turned into pixels and handed to the display by the software renderer. Not counted is what the thread waits for (the
//! disk, the display, a processor that others use), the display's own work, and that of other threads: the host's, and
//! the tasks that ask it.
use std::{cell::RefCell, collections::VecDeque, time::Duration};

use autopilot_proto::control::v1 as pb;
use iced::{
    Event, Length, Rectangle, Renderer, Size, Theme, Vector,
    advanced::{
        Clipboard, Layout, Shell, Widget, layout, mouse, overlay, renderer,
        widget::{Operation, Tree, tree},
    },
};
use nix::time::{ClockId, clock_gettime};

use crate::design::Element;

/// Frames that figures are made of, at most: the newest.
const KEPT: usize = 1_024;
/// Fewer new frames than this are not worth a report: a tick makes one by itself.
const WORTH: u32 = 2;

/// Sees frames come and go, for the thread that it is made on.
#[derive(Debug, Default)]
pub struct Meter(RefCell<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// When the newest frames ended (Unix time in milliseconds), and the work for each, in microseconds.
    newest: VecDeque<(i64, u64)>,
    unreported: u32,
    /// Processor time at the end of the last frame.
    ended: Duration,
    /// Processor time when drawing began and when it was done, of a frame whose end was not seen yet.
    drawn: Option<(Duration, Duration)>,
}

impl Meter {
    /// The window's thread is in our hands again. Where a frame was drawn, its pixels are on the display by now.
    pub fn entered(&self, now_ms: i64) {
        self.entered_at(spent(), now_ms);
    }

    fn entered_at(&self, spent: Duration, now_ms: i64) {
        let mut seen = self.0.borrow_mut();
        let Some((began, done)) = seen.drawn.take() else {
            return;
        };
        let work = spent.saturating_sub(seen.ended);
        tracing::trace!(
            work_us = us(work),
            made_us = us(began.saturating_sub(seen.ended)),
            drawn_us = us(done.saturating_sub(began)),
            shown_us = us(spent.saturating_sub(done)),
            "frame"
        );
        seen.ended = spent;
        if seen.newest.len() == KEPT {
            seen.newest.pop_front();
        }
        seen.newest.push_back((now_ms, us(work)));
        seen.unreported = seen.unreported.saturating_add(1);
    }

    fn drawn_at(&self, began: Duration, done: Duration) {
        self.0.borrow_mut().drawn = Some((began, done));
    }

    /// What the host is told: the newest frames, where there are new ones.
    pub fn report(&self) -> Option<pb::Frames> {
        let mut seen = self.0.borrow_mut();
        if std::mem::take(&mut seen.unreported) < WORTH {
            return None;
        }
        let mut sorted: Vec<u64> = seen.newest.iter().map(|(_, us)| *us).collect();
        sorted.sort_unstable();
        let at = |share: usize| {
            sorted
                .get((sorted.len() * share).div_ceil(100).saturating_sub(1))
                .copied()
        };
        Some(pb::Frames {
            frames: u64::try_from(sorted.len()).unwrap_or(u64::MAX),
            p50_us: at(50)?,
            p95_us: at(95)?,
            max_us: at(100)?,
            since_ms: seen.newest.front()?.0,
            // The host knows how old it is.
            age_ms: 0,
        })
    }
}

/// Processor time of this thread so far.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The whole window, under the meter.
pub fn metered<'a, M: 'a>(content: Element<'a, M>, meter: &'a Meter) -> Element<'a, M> {
    iced::Element::new(Metered { content, meter })
}

struct Metered<'a, M> {
    content: Element<'a, M>,
    meter: &'a Meter,
}

/// Everything is the content's; only that it is drawn is seen.
impl<M> Widget<M, Theme, Renderer> for Metered<'_, M> {
    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut Renderer,
        theme: &Theme,
        style: &renderer::Style,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let began = spent();
        let content = self.content.as_widget();
        content.draw(tree, renderer, theme, style, layout, cursor, viewport);
        self.meter.drawn_at(began, spent());
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        renderer: &Renderer,
        clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, M>,
        viewport: &Rectangle,
    ) {
        self.meter.entered(crate::app::now_ms());
        let content = self.content.as_widget_mut();
        content.update(tree, event, layout, cursor, renderer, clipboard, shell, viewport);
    }

    fn tag(&self) -> tree::Tag {
        self.content.as_widget().tag()
    }

    fn state(&self) -> tree::State {
        self.content.as_widget().state()
    }

    fn children(&self) -> Vec<Tree> {
        self.content.as_widget().children()
    }

    fn diff(&self, tree: &mut Tree) {
        self.content.as_widget().diff(tree);
    }

    fn size(&self) -> Size<Length> {
        self.content.as_widget().size()
    }

    fn size_hint(&self) -> Size<Length> {
        self.content.as_widget().size_hint()
    }

    fn layout(&mut self, tree: &mut Tree, renderer: &Renderer, limits: &layout::Limits) -> layout::Node {
        self.content.as_widget_mut().layout(tree, renderer, limits)
    }

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &Renderer,
        operation: &mut dyn Operation,
    ) {
        let content = self.content.as_widget_mut();
        content.operate(tree, layout, renderer, operation);
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
        renderer: &Renderer,
    ) -> mouse::Interaction {
        let content = self.content.as_widget();
        content.mouse_interaction(tree, layout, cursor, viewport, renderer)
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, M, Theme, Renderer>> {
        let content = self.content.as_widget_mut();
        content.overlay(tree, layout, renderer, viewport, translation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(meter: &Meter, ended_us: u64, now_ms: i64) {
        let at = Duration::from_micros;
        meter.drawn_at(at(ended_us - 2), at(ended_us - 1));
        meter.entered_at(at(ended_us), now_ms);
    }

    #[test]
    fn the_work_of_a_frame_reaches_from_the_end_of_the_one_before_to_its_own() {
        let meter = Meter::default();
        frame(&meter, 100, 1);
        // What happens without a frame counts for the next one.
        meter.entered_at(Duration::from_micros(130), 2);
        frame(&meter, 150, 3);
        let frames = meter.report().unwrap();
        assert_eq!((frames.frames, frames.since_ms), (2, 1));
        assert_eq!((frames.p50_us, frames.p95_us, frames.max_us), (50, 100, 100));
    }

    #[test]
    fn what_is_kept_is_bounded_and_only_news_is_reported() {
        let meter = Meter::default();
        assert_eq!(meter.report(), None);
        for n in 1..=3_000_u64 {
            frame(&meter, 10 + n * (n + 1) / 2, n as i64);
        }
        let frames = meter.report().unwrap();
        assert_eq!((frames.frames, frames.since_ms), (1_024, 1_977));
        assert_eq!((frames.p50_us, frames.max_us), (2_488, 3_000));
        frame(&meter, 5_000_000, 4_000);
        assert_eq!(meter.report(), None, "a tick's own frame is no news");
    }

    #[test]
    fn this_thread_has_spent_some_time() {
        assert!(spent() > Duration::ZERO);
    }
}
