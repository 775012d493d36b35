//! What end-to-end tests share: a world in a temporary folder, and the questions that are asked of every ledger.
pub mod books;
pub mod life;
pub mod matrix;
pub mod model_server;
pub mod questions;
pub mod stage;
