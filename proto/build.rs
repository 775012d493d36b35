//! Compiles the contracts without a system protoc.
use std::{env, path::PathBuf};

use prost_types::field_descriptor_proto::{Label, Type};

const CONTRACTS: [&str; 4] = [
    "events/v1/events.proto",
    "wallet/v1/wallet.proto",
    "inference/v1/inference.proto",
    "control/v1/control.proto",
];

const FACTS: &str = ".autopilot.events.v1";
const SERDE: &str = "#[derive(serde::Serialize, serde::Deserialize)]";

/// Paths of the single `bytes` fields of the facts: as JSON they read as hexadecimal text.
fn bytes_fields(descriptors: &prost_types::FileDescriptorSet) -> Vec<String> {
    let facts = descriptors
        .file
        .iter()
        .filter(|file| file.package() == &FACTS[1..]);
    facts
        .flat_map(|file| &file.message_type)
        .flat_map(|message| message.field.iter().map(move |field| (message, field)))
        .filter(|(_, field)| field.r#type() == Type::Bytes && field.label() != Label::Repeated)
        .map(|(message, field)| format!("{FACTS}.{}.{}", message.name(), field.name()))
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    for contract in CONTRACTS {
        println!("cargo:rerun-if-changed={contract}");
    }
    let rpc = env::var_os("CARGO_FEATURE_RPC").is_some();
    let descriptors = protox::compile(CONTRACTS, [&root])?;
    let mut builder = tonic_prost_build::configure()
        .build_client(rpc)
        .build_server(rpc)
        .type_attribute(FACTS, SERDE)
        .type_attribute(".autopilot.control.v1", SERDE);
    for field in bytes_fields(&descriptors) {
        builder = builder.field_attribute(field, "#[serde(with = \"crate::hexed\")]");
    }
    builder.compile_fds(descriptors)?;
    Ok(())
}
