//! Compiles the contracts without a system protoc.
use std::{collections::BTreeSet, env, fs, path::PathBuf};

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};

const CONTRACTS: [&str; 4] = [
    "events/v1/events.proto",
    "wallet/v1/wallet.proto",
    "inference/v1/inference.proto",
    "control/v1/control.proto",
];

const FACTS: &str = ".autopilot.events.v1";
const CONTROL: &str = ".autopilot.control.v1";
const SERDE: &str = "#[derive(serde::Serialize, serde::Deserialize)]";
/// A request in JSON may leave fields out, and is refused where it has others.
const REQUEST: &str = "#[serde(default, deny_unknown_fields)]";
/// What a request carries whole: a field left out of a policy would read as zero, so none may be.
const WHOLE: &str = "#[serde(deny_unknown_fields)]";

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

/// Messages that somebody sends to `control/v1`: the requests, and what lies in them.
fn requests(descriptors: &prost_types::FileDescriptorSet) -> (BTreeSet<String>, BTreeSet<String>) {
    let control = |file: &&prost_types::FileDescriptorProto| file.package() == &CONTROL[1..];
    let files: Vec<_> = descriptors.file.iter().filter(control).collect();
    let calls = files
        .iter()
        .flat_map(|file| &file.service)
        .flat_map(|service| &service.method);
    let requests: BTreeSet<String> = calls.map(|call| call.input_type().to_owned()).collect();
    let fields_of = |name: &str| {
        let messages = files.iter().flat_map(|file| &file.message_type);
        let message = messages
            .into_iter()
            .find(|message| format!("{CONTROL}.{}", message.name()) == name);
        message
            .map(|message| message.field.as_slice())
            .unwrap_or_default()
    };
    let (mut within, mut todo) = (BTreeSet::new(), Vec::from_iter(requests.clone()));
    while let Some(name) = todo.pop() {
        for field in fields_of(&name)
            .iter()
            .filter(|field| field.r#type() == Type::Message)
        {
            if within.insert(field.type_name().to_owned()) {
                todo.push(field.type_name().to_owned());
            }
        }
    }
    (requests, within)
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
        .type_attribute(CONTROL, SERDE);
    let (requests, within) = requests(&descriptors);
    for request in requests {
        builder = builder.type_attribute(request, REQUEST);
    }
    for message in within {
        builder = builder.type_attribute(message, WHOLE);
    }
    for field in bytes_fields(&descriptors) {
        builder = builder.field_attribute(field, "#[serde(with = \"crate::hexed\")]");
    }
    let described = PathBuf::from(env::var("OUT_DIR")?).join("descriptors.bin");
    fs::write(described, descriptors.encode_to_vec())?;
    builder.compile_fds(descriptors)?;
    Ok(())
}
