//! Buttons and fields on a screen of their own, driven by keys.
use iced::{
    Font, Pixels, Renderer,
    advanced::{clipboard, widget::operation::Outcome},
    keyboard::Location,
    widget::{Id, column, container, scrollable, space, text_input},
};
use iced_test::runtime::user_interface::{Cache, UserInterface};

use super::{step::stepping, *};
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
