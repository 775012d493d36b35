//! Prompts become tokens. The template's own pieces are parsed for special tokens; contents never are, so that
//! a `<|im_end|>` typed by a customer is ten characters and not the end of a turn.
use autopilot_proto::inference::v1::{Chat, ChatMessage, generate_request::Input};
use llama_cpp_2::{
    model::{LlamaChatMessage, LlamaChatTemplate, LlamaModel},
    token::LlamaToken,
    vocab::LlamaVocab,
};

use crate::failure::Failure;

/// Most bytes of all contents together.
const CONTENT_BYTES_MAX: usize = 256 << 10;
const MESSAGES_MAX: usize = 64;

/// A tokenised prompt.
pub struct Prompt {
    pub tokens: Vec<LlamaToken>,
    /// Template and contents as text, for its digest.
    pub text: String,
    /// `model`, `chatml` or `none`.
    pub template: &'static str,
}

/// A template that the runtime can render.
pub struct Template {
    inner: LlamaChatTemplate,
    pub name: &'static str,
}

impl Template {
    /// The model's own template when the runtime knows it, else ChatML.
    pub fn of(model: &LlamaModel) -> Result<Template, Failure> {
        let probe = [ChatMessage {
            role: "user".into(),
            content: String::new(),
        }];
        if let Ok(inner) = model.chat_template(None) {
            let own = Template { inner, name: "model" };
            if own.render(model, &probe).is_ok() {
                return Ok(own);
            }
        }
        let inner = LlamaChatTemplate::new("chatml").map_err(|error| Failure::Internal(error.to_string()))?;
        Ok(Template {
            inner,
            name: "chatml",
        })
    }

    /// Renders the template around markers that stand for the contents, and cuts at them: the pieces of the
    /// template before, between and after the contents. No content takes part, so none can be mistaken.
    fn render(&self, model: &LlamaModel, messages: &[ChatMessage]) -> Result<Vec<String>, Failure> {
        let turns = messages.iter().enumerate().map(|(at, message)| {
            LlamaChatMessage::new(message.role.clone(), marker(at))
                .map_err(|error| Failure::RequestInvalid(error.to_string()))
        });
        let turns = turns.collect::<Result<Vec<_>, _>>()?;
        let rendered = model
            .apply_chat_template(&self.inner, &turns, true)
            .map_err(|error| Failure::Internal(format!("the chat template cannot be applied: {error}")))?;
        cut(&rendered, messages.len())
            .ok_or_else(|| Failure::RequestInvalid("the model's template cannot hold these roles".into()))
    }
}

fn marker(at: usize) -> String {
    format!("[[content {at} of the conversation]]")
}

/// Cuts at the markers; `None` unless each of them stands there once and in order.
fn cut(rendered: &str, contents: usize) -> Option<Vec<String>> {
    let mut pieces = Vec::with_capacity(contents + 1);
    let mut rest = rendered;
    for at in 0..contents {
        let (before, after) = rest.split_once(&marker(at))?;
        pieces.push(before.to_owned());
        rest = after;
    }
    pieces.push(rest.to_owned());
    let left_over = |piece: &String| (0..contents).any(|at| piece.contains(&marker(at)));
    (!pieces.iter().any(left_over)).then_some(pieces)
}

/// Tokenises the input of a request.
pub fn tokenise(model: &LlamaModel, template: &Template, input: Option<&Input>) -> Result<Prompt, Failure> {
    let vocab = model.vocab();
    let mut prompt = match input {
        None => return Err(Failure::RequestInvalid("the request has no input".into())),
        Some(Input::Text(text)) => {
            check_contents(std::iter::once(text.as_str()))?;
            Prompt {
                tokens: vocab.tokenize(text.as_bytes(), false, false),
                text: text.clone(),
                template: "none",
            }
        }
        Some(Input::Chat(chat)) => tokenise_chat(model, &vocab, template, chat)?,
    };
    if vocab.should_add_bos() && prompt.tokens.first() != Some(&vocab.bos()) {
        prompt.tokens.insert(0, vocab.bos());
    }
    Ok(prompt)
}

fn tokenise_chat(
    model: &LlamaModel,
    vocab: &LlamaVocab<'_>,
    template: &Template,
    chat: &Chat,
) -> Result<Prompt, Failure> {
    let count = chat.messages.len();
    if count == 0 || count > MESSAGES_MAX {
        return Err(Failure::RequestInvalid(format!(
            "{count} messages; 1 to {MESSAGES_MAX} are possible"
        )));
    }
    if chat
        .messages
        .iter()
        .any(|message| !["system", "user", "assistant"].contains(&message.role.as_str()))
    {
        return Err(Failure::RequestInvalid(
            "a role other than system, user, assistant".into(),
        ));
    }
    check_contents(chat.messages.iter().map(|message| message.content.as_str()))?;
    let pieces = template.render(model, &chat.messages)?;
    let mut prompt = Prompt {
        tokens: Vec::new(),
        text: String::new(),
        template: template.name,
    };
    let contents = chat
        .messages
        .iter()
        .map(|message| Some(message.content.as_str()))
        .chain([None]);
    for (piece, content) in pieces.iter().zip(contents) {
        prompt.text.push_str(piece);
        vocab.tokenize_into(piece.as_bytes(), &mut prompt.tokens, false, true);
        if let Some(content) = content {
            prompt.text.push_str(content);
            vocab.tokenize_into(content.as_bytes(), &mut prompt.tokens, false, false);
        }
    }
    Ok(prompt)
}

fn check_contents<'a>(contents: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let bytes: usize = contents.map(str::len).sum();
    match bytes {
        0 => Err(Failure::RequestInvalid("the input is empty".into())),
        bytes if bytes > CONTENT_BYTES_MAX => Err(Failure::RequestInvalid(format!(
            "the input has {bytes} bytes, at most {CONTENT_BYTES_MAX}"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_cut_once_per_content_and_in_order() {
        let rendered = format!("<s>{}<m>{}<e>", marker(0), marker(1));
        assert_eq!(
            cut(&rendered, 2),
            Some(vec!["<s>".into(), "<m>".into(), "<e>".into()])
        );
        assert_eq!(cut(&format!("{}{}", marker(1), marker(0)), 2), None);
        assert_eq!(cut(&format!("{}{}", marker(0), marker(0)), 1), None);
        assert_eq!(cut("nothing", 1), None);
    }
}
