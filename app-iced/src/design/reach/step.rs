//! The way of the focus: to the next field or button in the order of the screen, or to the one before.
use iced::{
    Rectangle, Task, Vector,
    advanced::widget::{
        Operation, operate,
        operation::{self, Focusable, Outcome, Scrollable, scrollable::AbsoluteOffset},
    },
    widget::Id,
};

/// Moves the focus to the next field or button, or to the one before, round and round, and brings it into sight. What
/// lies within the container `front`, where there is one, is all that is reached.
pub fn step<M: Send + 'static>(back: bool, front: Option<Id>) -> Task<M> {
    operate(stepping(back, front))
}

/// Nothing has the focus any more.
pub fn leave<M: Send + 'static>() -> Task<M> {
    operate(operation::focusable::unfocus())
}

pub(super) fn stepping<M: Send + 'static>(back: bool, front: Option<Id>) -> impl Operation<M> + 'static {
    let survey = Survey {
        back,
        within_front: front.is_none(),
        front,
        ..Survey::default()
    };
    operation::then(survey, |to| Go { to, ..Go::default() })
}

/// A field or a button.
#[derive(Clone, Copy, Debug)]
struct Stop {
    /// Which of all that can be focused it is.
    place: usize,
    focused: bool,
    /// The innermost list it lies in, and by how much that has to be scrolled to show it.
    scroll: Option<(usize, f32)>,
}

/// Looks for everything that can be focused, and from it for where the focus goes.
#[derive(Debug, Default)]
struct Survey {
    back: bool,
    front: Option<Id>,
    within_front: bool,
    /// The widget whose children come next is the front.
    enters_front: bool,
    /// The list whose children come next: its number and the part of its content that is in sight.
    enters_list: Option<(usize, Rectangle)>,
    list: Option<(usize, Rectangle)>,
    lists: usize,
    focusable: usize,
    /// What can be reached, in the order of the screen.
    stops: Vec<Stop>,
}

impl Survey {
    fn to(&self) -> Option<Stop> {
        let last = self.stops.len().checked_sub(1)?;
        let next = match (self.stops.iter().position(|stop| stop.focused), self.back) {
            (None, false) => 0,
            (None, true) | (Some(0), true) => last,
            (Some(at), true) => at - 1,
            (Some(at), false) if at == last => 0,
            (Some(at), false) => at + 1,
        };
        self.stops.get(next).copied()
    }
}

impl Operation<Option<Stop>> for Survey {
    fn traverse(&mut self, operate: &mut dyn FnMut(&mut dyn Operation<Option<Stop>>)) {
        let (within_front, list) = (self.within_front, self.list);
        self.within_front |= std::mem::take(&mut self.enters_front);
        self.list = self.enters_list.take().or(list);
        operate(self);
        (self.within_front, self.list) = (within_front, list);
    }

    fn container(&mut self, id: Option<&Id>, _bounds: Rectangle) {
        self.enters_front = id.is_some() && id == self.front.as_ref();
        self.enters_list = None;
    }

    fn scrollable(
        &mut self,
        _id: Option<&Id>,
        bounds: Rectangle,
        _content_bounds: Rectangle,
        translation: Vector,
        _state: &mut dyn Scrollable,
    ) {
        self.enters_front = false;
        self.enters_list = Some((self.lists, bounds + translation));
        self.lists += 1;
    }

    fn focusable(&mut self, _id: Option<&Id>, bounds: Rectangle, state: &mut dyn Focusable) {
        if self.within_front {
            let below = |seen: Rectangle| (bounds.y + bounds.height) - (seen.y + seen.height);
            self.stops.push(Stop {
                place: self.focusable,
                focused: state.is_focused(),
                scroll: self.list.and_then(|(list, seen)| match bounds.y < seen.y {
                    true => Some((list, bounds.y - seen.y)),
                    false => (below(seen) > 0.0).then(|| (list, below(seen))),
                }),
            });
        }
        self.focusable += 1;
    }

    fn finish(&self) -> Outcome<Option<Stop>> {
        Outcome::Some(self.to())
    }
}

/// Puts the focus where it goes.
#[derive(Debug, Default)]
struct Go {
    to: Option<Stop>,
    lists: usize,
    focusable: usize,
}

impl<M> Operation<M> for Go {
    fn traverse(&mut self, operate: &mut dyn FnMut(&mut dyn Operation<M>)) {
        operate(self);
    }

    fn scrollable(
        &mut self,
        _id: Option<&Id>,
        bounds: Rectangle,
        content_bounds: Rectangle,
        _translation: Vector,
        state: &mut dyn Scrollable,
    ) {
        let scroll = self.to.and_then(|stop| stop.scroll);
        if let Some((_, y)) = scroll.filter(|(list, _)| *list == self.lists) {
            state.scroll_by(AbsoluteOffset { x: 0.0, y }, bounds, content_bounds);
        }
        self.lists += 1;
    }

    fn focusable(&mut self, _id: Option<&Id>, _bounds: Rectangle, state: &mut dyn Focusable) {
        match self.to.is_some_and(|stop| stop.place == self.focusable) {
            true => state.focus(),
            false if state.is_focused() => state.unfocus(),
            false => {}
        }
        self.focusable += 1;
    }
}
