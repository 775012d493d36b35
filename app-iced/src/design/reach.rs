//! Buttons for the keyboard: Tab reaches them as it reaches fields, a ring shows where it is, and Enter or the space bar
//! presses. The toolkit's own buttons hear the pointer alone.
mod step;
#[cfg(test)]
mod tests;

use iced::{
    Background, Border, Color, Event, Length, Rectangle, Size, Theme, Vector,
    advanced::{
        Clipboard, Layout, Renderer as _, Shell, Widget, layout, mouse, overlay, renderer,
        widget::{Operation, Tree, operation::Focusable, tree},
    },
    keyboard::{self, Key, key::Named},
    touch,
};

pub use self::step::{leave, step};
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
