//! Buttons for the keyboard: Tab reaches them as it reaches fields, a ring shows where it is, and Enter or the space bar
//! presses. The toolkit's own buttons hear the pointer alone.
use iced::{
    Background, Border, Color, Event, Length, Rectangle, Size, Task, Theme, Vector,
    advanced::{
        Clipboard, Layout, Renderer as _, Shell, Widget, layout, mouse, overlay, renderer,
        widget::{
            Operation, Tree, operate,
            operation::{self, Focusable, Outcome, Scrollable, scrollable::AbsoluteOffset},
            tree,
        },
    },
    keyboard::{self, Key, key::Named},
    touch,
    widget::Id,
};

use super::{Element, size};

/// Thickness of the ring, in logical pixels.
const RING: f32 = 2.0;

/// A button that the keyboard reaches while it is `live`.
pub fn reachable<'a, M: 'a>(button: impl Into<Element<'a, M>>, live: bool) -> Element<'a, M> {
    let button = button.into();
    Element::new(Reachable { button, live })
}

struct Reachable<'a, M> {
    button: Element<'a, M>,
    live: bool,
}

#[derive(Debug, Default)]
struct Focus {
    held: bool,
}

impl Focusable for Focus {
    fn is_focused(&self) -> bool {
        self.held
    }

    fn focus(&mut self) {
        self.held = true;
    }

    fn unfocus(&mut self) {
        self.held = false;
    }
}

/// Whether an event presses what has the focus. A key that is held down presses once.
fn presses(event: &Event) -> bool {
    let Event::Keyboard(keyboard::Event::KeyPressed {
        key,
        modifiers,
        repeat: false,
        ..
    }) = event
    else {
        return false;
    };
    modifiers.is_empty() && matches!(key, Key::Named(Named::Enter | Named::Space))
}

/// Whether an event takes the focus away: the pointer is used, or Escape.
fn lets_go(event: &Event) -> bool {
    match event {
        Event::Mouse(mouse::Event::ButtonPressed(_)) | Event::Touch(touch::Event::FingerPressed { .. }) => {
            true
        }
        Event::Keyboard(keyboard::Event::KeyPressed { key, .. }) => *key == Key::Named(Named::Escape),
        _ => false,
    }
}

impl<M> Widget<M, Theme, iced::Renderer> for Reachable<'_, M> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<Focus>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(Focus::default())
    }

    fn children(&self) -> Vec<Tree> {
        vec![Tree::new(&self.button)]
    }

    fn diff(&self, tree: &mut Tree) {
        tree.diff_children(std::slice::from_ref(&self.button));
    }

    fn size(&self) -> Size<Length> {
        self.button.as_widget().size()
    }

    fn size_hint(&self) -> Size<Length> {
        self.button.as_widget().size_hint()
    }

    fn layout(
        &mut self,
        tree: &mut Tree,
        renderer: &iced::Renderer,
        limits: &layout::Limits,
    ) -> layout::Node {
        let button = self.button.as_widget_mut();
        button.layout(&mut tree.children[0], renderer, limits)
    }

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &iced::Renderer,
        operation: &mut dyn Operation,
    ) {
        let focus = tree.state.downcast_mut::<Focus>();
        match self.live {
            true => operation.focusable(None, layout.bounds(), focus),
            false => focus.unfocus(),
        }
        let button = self.button.as_widget_mut();
        button.operate(&mut tree.children[0], layout, renderer, operation);
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        renderer: &iced::Renderer,
        clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, M>,
        viewport: &Rectangle,
    ) {
        let focus = tree.state.downcast_mut::<Focus>();
        if focus.held && lets_go(event) {
            focus.held = false;
            shell.request_redraw();
        }
        let button = self.button.as_widget_mut();
        if focus.held && self.live && presses(event) && !shell.is_event_captured() {
            // The button hears a click in its middle: what it says is its own.
            let middle = mouse::Cursor::Available(layout.bounds().center());
            let mut said = Vec::new();
            for click in [
                mouse::Event::ButtonPressed(mouse::Button::Left),
                mouse::Event::ButtonReleased(mouse::Button::Left),
            ] {
                let mut heard = Shell::new(&mut said);
                let (event, tree) = (Event::Mouse(click), &mut tree.children[0]);
                button.update(
                    tree, &event, layout, middle, renderer, clipboard, &mut heard, viewport,
                );
            }
            said.into_iter().for_each(|message| shell.publish(message));
            shell.capture_event();
            return;
        }
        button.update(
            &mut tree.children[0],
            event,
            layout,
            cursor,
            renderer,
            clipboard,
            shell,
            viewport,
        );
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut iced::Renderer,
        theme: &Theme,
        style: &renderer::Style,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        let button = self.button.as_widget();
        button.draw(
            &tree.children[0],
            renderer,
            theme,
            style,
            layout,
            cursor,
            viewport,
        );
        if self.live && tree.state.downcast_ref::<Focus>().held {
            let ring = renderer::Quad {
                bounds: layout.bounds(),
                border: Border {
                    color: theme.palette().text,
                    width: RING,
                    radius: size::ROUND.into(),
                },
                ..renderer::Quad::default()
            };
            renderer.fill_quad(ring, Background::Color(Color::TRANSPARENT));
        }
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
        renderer: &iced::Renderer,
    ) -> mouse::Interaction {
        let button = self.button.as_widget();
        button.mouse_interaction(&tree.children[0], layout, cursor, viewport, renderer)
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &iced::Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, M, Theme, iced::Renderer>> {
        let button = self.button.as_widget_mut();
        button.overlay(&mut tree.children[0], layout, renderer, viewport, translation)
    }
}

/// Moves the focus to the next field or button, or to the one before, round and round, and brings it into sight. What
/// lies within the container `front`, where there is one, is all that is reached.
pub fn step<M: Send + 'static>(back: bool, front: Option<Id>) -> Task<M> {
    operate(stepping(back, front))
}

/// Nothing has the focus any more.
pub fn leave<M: Send + 'static>() -> Task<M> {
    operate(operation::focusable::unfocus())
}

fn stepping<M: Send + 'static>(back: bool, front: Option<Id>) -> impl Operation<M> + 'static {
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

#[cfg(test)]
mod tests {
    use iced::{
        Font, Pixels, Renderer,
        advanced::clipboard,
        keyboard::Location,
        widget::{column, container, scrollable, space, text_input},
    };
    use iced_test::runtime::user_interface::{Cache, UserInterface};

    use super::*;
    use crate::design::{action, choice};

    const SIZE: Size = Size::new(300.0, 200.0);
    const FRONT: &str = "front";

    /// A screen whose last button lies below what can be seen, and whose second can't be pressed.
    fn screen<'a>() -> Element<'a, &'static str> {
        scrollable(column![
            action("first", Some("first")),
            action("dead", None),
            text_input("", "").on_input(|_| "typed"),
            container(choice("third", Some("third"))).id(FRONT),
            space().height(400.0),
            choice("far", Some("far")),
        ])
        .into()
    }

    fn key(named: Named) -> Event {
        Event::Keyboard(keyboard::Event::KeyPressed {
            key: Key::Named(named),
            modified_key: Key::Named(named),
            physical_key: keyboard::key::Physical::Unidentified(keyboard::key::NativeCode::Unidentified),
            location: Location::Standard,
            modifiers: keyboard::Modifiers::empty(),
            text: None,
            repeat: false,
        })
    }

    struct Window {
        renderer: Renderer,
        cache: Option<Cache>,
    }

    impl Window {
        fn open() -> Window {
            Window {
                renderer: Renderer::new(Font::DEFAULT, Pixels(14.0)),
                cache: Some(Cache::new()),
            }
        }

        fn with<T>(
            &mut self,
            f: impl FnOnce(&mut UserInterface<'_, &'static str, Theme, Renderer>, &mut Renderer) -> T,
        ) -> T {
            let cache = self.cache.take().unwrap();
            let mut interface = UserInterface::build(screen(), SIZE, cache, &mut self.renderer);
            let result = f(&mut interface, &mut self.renderer);
            self.cache = Some(interface.into_cache());
            result
        }

        /// One Tab.
        fn tab(&mut self, back: bool, front: Option<&'static str>) {
            self.with(|interface, renderer| {
                let mut next: Option<Box<dyn Operation<()>>> =
                    Some(Box::new(stepping(back, front.map(Id::from))));
                while let Some(mut operation) = next.take() {
                    interface.operate(renderer, operation.as_mut());
                    if let Outcome::Chain(chained) = operation.finish() {
                        next = Some(chained);
                    }
                }
            });
        }

        fn hears(&mut self, event: Event, cursor: mouse::Cursor) -> Vec<&'static str> {
            self.with(|interface, renderer| {
                let mut said = Vec::new();
                interface.update(&[event], cursor, renderer, &mut clipboard::Null, &mut said);
                said
            })
        }

        fn enter(&mut self) -> Vec<&'static str> {
            self.hears(key(Named::Enter), mouse::Cursor::Unavailable)
        }
    }

    #[test]
    fn tab_reaches_what_can_be_pressed_in_the_order_of_the_screen_and_enter_presses_it() {
        let mut window = Window::open();
        assert_eq!(window.enter(), Vec::<&str>::new(), "nothing has the focus");
        let mut pressed = Vec::new();
        for _ in 0..5 {
            window.tab(false, None);
            pressed.push(window.enter());
        }
        // The second stop is the field, which has no use for Enter here.
        assert_eq!(
            pressed,
            [vec!["first"], vec![], vec!["third"], vec!["far"], vec!["first"]]
        );
        window.tab(true, None);
        assert_eq!(
            window.hears(key(Named::Space), mouse::Cursor::Unavailable),
            ["far"]
        );
    }

    #[test]
    fn the_pointer_and_escape_take_the_focus_away() {
        for ends in [
            key(Named::Escape),
            Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left)),
        ] {
            let mut window = Window::open();
            window.tab(false, None);
            window.hears(ends, mouse::Cursor::Unavailable);
            assert_eq!(window.enter(), Vec::<&str>::new());
        }
    }

    #[test]
    fn nothing_behind_what_has_to_be_answered_is_reached() {
        let mut window = Window::open();
        for _ in 0..3 {
            window.tab(false, Some(FRONT));
            assert_eq!(window.enter(), ["third"]);
        }
    }

    #[test]
    fn what_gets_the_focus_comes_into_sight() {
        let mut window = Window::open();
        let far = |window: &mut Window| {
            // The lowest line of what can be seen, where the last button comes to lie.
            let cursor = mouse::Cursor::Available(iced::Point::new(20.0, SIZE.height - 8.0));
            let pressed = window.hears(
                Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left)),
                cursor,
            );
            assert_eq!(pressed, Vec::<&str>::new());
            window.hears(
                Event::Mouse(mouse::Event::ButtonReleased(mouse::Button::Left)),
                cursor,
            )
        };
        assert_eq!(far(&mut window), Vec::<&str>::new());
        window.tab(true, None);
        assert_eq!(far(&mut window), ["far"]);
    }
}
