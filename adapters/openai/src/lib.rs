//! A model behind an OpenAI-compatible HTTP server: llama-server, Ollama, vLLM and the like.
//!
//! [`OpenAiServer`] implements `autopilot_core::ports::model::Model`. The server is somebody else's program: what it
//! says is bounded, checked and never quoted, since it may hold prompt or key; what it claims (its model's name, its
//! counts of tokens) is marked as claimed in the receipt, and nothing is claimed about a repetition.
//!
//! The interface is that of `POST /v1/chat/completions` and `/v1/completions` with `stream: true`, and of
//! `GET /v1/models`, as <https://platform.openai.com/docs/api-reference> describes them.

mod answer;
mod ask;
mod config;
mod failure;
mod models;
mod server;
mod sse;

#[doc(hidden)]
pub use answer::read_stream;
pub use config::ServerConfig;
#[doc(hidden)]
pub use models::read_list;
pub use server::{OpenAiServer, ServerHealth};
