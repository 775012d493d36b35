//! Each resolver against a server on this machine: an honest one, and ones that lie, hang, flood and send astray.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod dns;
mod lnurl;
mod servers;
