//! What is scrolled, painted as one area. The renderer paints what differs from the frame before, piece by piece, and goes
//! through everything on the window for each piece. Of a list that moved every word is a piece: a hundred of them cost
//! fifteen times what the whole list costs.
use iced::{
    Event, Length, Point, Rectangle, Renderer, Size, Theme, Vector,
    advanced::{
        Clipboard, Layout, Renderer as _, Shell, Widget, layout, mouse, overlay, renderer,
        widget::{Operation, Tree, tree},
    },
};

use super::Element;

/// How much wider the area is for each pixel that it was scrolled: far less than can be seen, and more than is lost in
/// windows of any width.
const STEP: f32 = 1.0 / 2_048.0;
/// Steps before it begins anew, at a sixteenth of a pixel.
const STEPS: u64 = 128;

/// Content that a scrollable scrolls.
pub struct Sheet<'a, M> {
    content: Element<'a, M>,
    above: f32,
    height: Option<f32>,
    edition: u64,
    /// The content's layout as if there were nothing above it.
    placed: layout::Node,
}

impl<'a, M> Sheet<'a, M> {
    /// Of this content, which does not fill the height that it is given.
    pub fn new(content: impl Into<Element<'a, M>>) -> Self {
        Sheet {
            content: content.into(),
            above: 0.0,
            height: None,
            edition: 0,
            placed: layout::Node::default(),
        }
    }

    /// The content is only a part: so much is above it, of so much in all (logical pixels). What is drawn is placed within
    /// the part, since a pixel is more than what an `f32` can tell apart at some ten million.
    pub fn part(self, above: f32, height: f32) -> Self {
        Sheet {
            above,
            height: Some(height),
            ..self
        }
    }

    /// Another number says that most of the content reads otherwise than before.
    pub fn edition(self, edition: u64) -> Self {
        Sheet { edition, ..self }
    }

    /// The part of it in sight, as it is told to the renderer: where its bounds differ from those of the frame before, the
    /// renderer paints all of it at once.
    fn sight(&self, sight: Rectangle, scrolled: f32) -> Rectangle {
        // A negative offset, as while bouncing, is as good as none.
        let step = (scrolled.abs() as u64).wrapping_add(self.edition) % STEPS;
        Rectangle {
            width: sight.width + step as f32 * STEP,
            ..sight
        }
    }
}

impl<'a, M: 'a> From<Sheet<'a, M>> for Element<'a, M> {
    fn from(sheet: Sheet<'a, M>) -> Self {
        iced::Element::new(sheet)
    }
}

/// Everything but where it is placed and that it is a layer is the content's.
impl<M> Widget<M, Theme, Renderer> for Sheet<'_, M> {
    fn size(&self) -> Size<Length> {
        Size::new(self.content.as_widget().size().width, Length::Shrink)
    }

    fn layout(&mut self, tree: &mut Tree, renderer: &Renderer, limits: &layout::Limits) -> layout::Node {
        let content = self.content.as_widget_mut().layout(tree, renderer, limits);
        self.placed = content.clone();
        let size = Size::new(content.size().width, self.height.unwrap_or(content.size().height));
        layout::Node::with_children(size, vec![content.move_to(Point::new(0.0, self.above))])
    }

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
        let above = Vector::new(0.0, self.above);
        let corner = layout.position();
        let placed = Layout::with_offset(corner - Point::ORIGIN, &self.placed);
        let (cursor, viewport) = (cursor - above, *viewport - above);
        let sight = self.sight(viewport, viewport.y + self.above - corner.y);
        let content = self.content.as_widget();
        renderer.with_translation(above, |renderer| {
            renderer.with_layer(sight, |renderer| {
                content.draw(tree, renderer, theme, style, placed, cursor, &viewport);
            });
        });
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
        let content = self.content.as_widget_mut();
        content.update(
            tree,
            event,
            layout.child(0),
            cursor,
            renderer,
            clipboard,
            shell,
            viewport,
        );
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

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &Renderer,
        operation: &mut dyn Operation,
    ) {
        let content = self.content.as_widget_mut();
        content.operate(tree, layout.child(0), renderer, operation);
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
        content.mouse_interaction(tree, layout.child(0), cursor, viewport, renderer)
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
        content.overlay(tree, layout.child(0), renderer, viewport, translation)
    }
}
