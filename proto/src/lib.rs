//! The contracts as Rust types, generated at build time. Meaning lives on the floors above.
#![allow(missing_docs, clippy::all)]

/// `events/v1`: the facts of the ledger.
pub mod events {
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/autopilot.events.v1.rs"));
    }
}

/// `wallet/v1`: host to wallet process.
pub mod wallet {
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/autopilot.wallet.v1.rs"));
    }
}

/// `inference/v1`: host to inference worker.
pub mod inference {
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/autopilot.inference.v1.rs"));
    }
}

/// `control/v1`: faces to host.
pub mod control {
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/autopilot.control.v1.rs"));
    }
}

/// The contracts themselves, with their comments: a `google.protobuf.FileDescriptorSet`.
#[cfg(feature = "rpc")]
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Bytes as hexadecimal text in JSON.
mod hexed {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
