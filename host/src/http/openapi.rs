//! `GET /v1/openapi.json`: made from the contract's own descriptors, so that it can't say anything else than the contract.
use std::collections::{BTreeMap, BTreeSet};

use autopilot_proto::DESCRIPTORS;
use axum::Json;
use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};
use serde_json::{Map, Value, json};

use super::{
    class::{Class, class_of},
    errors::Problem,
};
use crate::control::watch::view_names;

const PACKAGE: &str = "autopilot.control.v1";
/// Numbers of fields in the descriptors themselves, by which comments are found.
const MESSAGES: i32 = 4;
const FIELDS: i32 = 2;
const SERVICES: i32 = 6;
const METHODS: i32 = 2;

pub(super) async fn answer() -> Result<Json<Value>, Problem> {
    let contract =
        Contract::read().ok_or_else(|| Problem::from(tonic::Status::internal("no descriptors")))?;
    Ok(Json(contract.document()))
}

/// The contract with its comments.
struct Contract {
    file: FileDescriptorProto,
    comments: BTreeMap<Vec<i32>, String>,
}

/// A call: its name in kebab case, what it takes and gives, and what the contract says of it.
struct Described<'a> {
    name: String,
    snake: String,
    request: &'a str,
    reply: &'a str,
    comment: &'a str,
}

impl Contract {
    fn read() -> Option<Contract> {
        let set = FileDescriptorSet::decode(DESCRIPTORS).ok()?;
        let file = set.file.into_iter().find(|file| file.package() == PACKAGE)?;
        let comments = file.source_code_info.iter().flat_map(|info| &info.location);
        let comments = comments.map(|place| {
            let said = [place.leading_comments(), place.trailing_comments()];
            let lines = said.iter().flat_map(|text| text.lines()).map(str::trim);
            (
                place.path.clone(),
                Vec::from_iter(lines.filter(|line| !line.is_empty())).join(" "),
            )
        });
        Some(Contract {
            comments: comments.collect(),
            file,
        })
    }

    fn comment(&self, path: &[i32]) -> &str {
        self.comments.get(path).map(String::as_str).unwrap_or_default()
    }

    /// Calls that answer once: those with a stream are the snapshot and the events.
    fn calls(&self) -> Vec<Described<'_>> {
        let methods = self
            .file
            .service
            .iter()
            .flat_map(|service| &service.method)
            .enumerate();
        let once = methods.filter(|(_, method)| !method.server_streaming());
        once.map(|(index, method)| {
            let snake = snake(method.name());
            Described {
                name: snake.replace('_', "-"),
                snake,
                request: short(method.input_type()),
                reply: short(method.output_type()),
                comment: self.comment(&[SERVICES, 0, METHODS, place(index)]),
            }
        })
        .collect()
    }

    fn message(&self, name: &str) -> Option<(usize, &DescriptorProto)> {
        let mut messages = self.file.message_type.iter().enumerate();
        messages.find(|(_, message)| message.name() == name)
    }

    /// Schemas of the messages that these rest on. What is sent has no further fields; a request may leave fields out.
    fn schemas(&self, requests: &BTreeSet<&str>, replies: &BTreeSet<&str>) -> Map<String, Value> {
        let sent = self.closure(requests);
        let all = sent.iter().copied().chain(self.closure(replies));
        let schema = |name: &str| {
            let (index, message) = self.message(name)?;
            let alone = message
                .field
                .iter()
                .enumerate()
                .filter(|(_, field)| choice_of(field).is_none());
            let fields = alone.map(|(number, field)| {
                let mut schema = of_field(field);
                let comment = self.comment(&[MESSAGES, place(index), FIELDS, place(number)]);
                describe(&mut schema, comment);
                (field.name().to_owned(), schema)
            });
            let fields: Map<String, Value> = fields.chain(choices(message)).collect();
            let required = match requests.contains(name) {
                true => Vec::new(),
                false => fields.keys().cloned().collect(),
            };
            let mut schema = json!({ "type": "object", "properties": fields, "required": required });
            if sent.contains(name) {
                schema["additionalProperties"] = false.into();
            }
            describe(&mut schema, self.comment(&[MESSAGES, place(index)]));
            Some((name.to_owned(), schema))
        };
        all.filter_map(schema).collect()
    }

    fn closure<'a>(&'a self, names: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
        let (mut all, mut todo) = (names.clone(), Vec::from_iter(names.iter().copied()));
        while let Some((_, message)) = todo.pop().and_then(|name| self.message(name)) {
            let inner = message
                .field
                .iter()
                .filter(|field| field.r#type() == Type::Message);
            todo.extend(
                inner
                    .map(|field| short(field.type_name()))
                    .filter(|name| all.insert(name)),
            );
        }
        all
    }

    /// The message that answers a view, by the name of the view.
    fn view(&self, name: &str) -> Option<&str> {
        let (_, update) = self.message("WatchUpdate")?;
        let field = update.field.iter().find(|field| field.name() == name)?;
        Some(short(field.type_name()))
    }

    fn document(&self) -> Value {
        let calls = self.calls();
        let views: BTreeMap<&str, &str> = view_names()
            .filter_map(|name| Some((name, self.view(name)?)))
            .collect();
        let requests = calls.iter().map(|call| call.request).collect();
        let mut replies: BTreeSet<&str> = calls.iter().map(|call| call.reply).collect();
        let answers = Vec::from_iter(replies.iter().map(|name| reference(name)));
        replies.extend(views.values());
        replies.insert("Trouble");
        let mut schemas = self.schemas(&requests, &replies);
        schemas.extend(fixed_schemas(&views, answers));
        let commands = calls.iter().map(command);
        let commands = Vec::from_iter(commands.map(|(name, schema)| {
            let named = reference(&name);
            schemas.insert(name, schema);
            named
        }));
        schemas.insert("Command".to_owned(), json!({ "oneOf": commands }));
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Autopilot control",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "A running host, for programs of its owner on this machine. Address and token are in \
                    <home>/run/control.json. Whole numbers are up to 2^64-1.",
            },
            "security": [{ "token": [] }],
            "paths": super::paths::paths(),
            "components": {
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
                "schemas": schemas,
            },
        })
    }
}

/// Schemas of what HTTP itself adds.
fn fixed_schemas(views: &BTreeMap<&str, &str>, answers: Vec<Value>) -> Map<String, Value> {
    let trouble = json!({
        "type": "object", "properties": { "trouble": reference("Trouble") }, "required": ["trouble"],
        "additionalProperties": false,
    });
    let view = |(name, message): (&&str, &&str)| {
        (
            (*name).to_owned(),
            json!({ "oneOf": [reference(message), reference("ViewTrouble")] }),
        )
    };
    let views: Map<String, Value> = views.iter().map(view).collect();
    let schemas = [
        ("ViewTrouble", trouble),
        (
            "Views",
            json!({ "type": "object", "properties": views, "additionalProperties": false }),
        ),
        (
            "Answer",
            json!({
                "type": "object", "required": ["reply", "repeated"],
                "properties": {
                    "reply": { "anyOf": answers },
                    "repeated": { "type": "boolean", "description": "the outcome of the first time, recorded then" },
                },
            }),
        ),
        (
            "Error",
            json!({
                "type": "object", "properties": { "error": reference("Trouble") }, "required": ["error"],
            }),
        ),
    ];
    schemas
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// The schema of one command.
fn command(call: &Described<'_>) -> (String, Value) {
    let class = class_of(&call.snake);
    let mut required = vec!["command"];
    if class != Class::Free && call.name != "identity" {
        required.push("key");
    }
    let repeats = match class {
        Class::Free => "changes nothing that lasts: needs no key",
        Class::Again => "done once for each key, and safe to repeat after a crash",
        Class::Once => "done once for each key, and never again after a crash",
    };
    let mut schema = json!({
        "type": "object",
        "properties": {
            "command": { "const": call.name },
            "key": { "type": "string", "minLength": 1, "maxLength": 128 },
            "params": reference(call.request),
        },
        "required": required,
        "additionalProperties": false,
        "x-reply": reference(call.reply),
    });
    let comment = match call.comment {
        "" => repeats.to_owned(),
        comment => format!("{comment}. {repeats}"),
    };
    describe(&mut schema, &comment);
    (format!("command.{}", call.name), schema)
}

fn of_scalar(field: &FieldDescriptorProto) -> Value {
    match field.r#type() {
        Type::Message => reference(short(field.type_name())),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Uint64 => json!({ "type": "integer", "format": "uint64", "minimum": 0 }),
        Type::Uint32 => json!({ "type": "integer", "format": "uint32", "minimum": 0 }),
        Type::Int64 => json!({ "type": "integer", "format": "int64" }),
        Type::Int32 => json!({ "type": "integer", "format": "int32" }),
        Type::Double | Type::Float => json!({ "type": "number" }),
        _ => json!({ "type": "string" }),
    }
}

fn of_field(field: &FieldDescriptorProto) -> Value {
    let scalar = of_scalar(field);
    match field.label() {
        Label::Repeated => json!({ "type": "array", "items": scalar }),
        _ if field.proto3_optional() || field.r#type() == Type::Message => {
            json!({ "oneOf": [scalar, { "type": "null" }] })
        }
        _ => scalar,
    }
}

/// The choice that a field is one of, as a place among the message's.
fn choice_of(field: &FieldDescriptorProto) -> Option<i32> {
    field.oneof_index.filter(|_| !field.proto3_optional())
}

/// Choices read as an object with one field, that is named after what was chosen: `{"Status": {…}}`.
fn choices(message: &DescriptorProto) -> impl Iterator<Item = (String, Value)> {
    let choices = message.oneof_decl.iter().enumerate().map(|(index, choice)| {
        let fields = message
            .field
            .iter()
            .filter(|field| choice_of(field) == Some(place(index)));
        let mut schemas = Vec::from_iter(fields.map(|field| {
            let name = field.name().split('_').map(capital).collect::<String>();
            json!({
                "type": "object", "properties": { &name: of_scalar(field) }, "required": [&name],
                "additionalProperties": false,
            })
        }));
        schemas.push(json!({ "type": "null" }));
        (choice.name().to_owned(), schemas)
    });
    // A field that may be absent is a choice of its own in the descriptors.
    let real = choices.filter(|(_, schemas)| schemas.len() > 1);
    real.map(|(name, schemas)| (name, json!({ "oneOf": schemas })))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(letters)
        .collect()
}

fn describe(schema: &mut Value, comment: &str) {
    if !comment.is_empty() {
        schema["description"] = comment.into();
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Places in descriptors are small.
fn place(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

/// `GoOnline` as `go_online`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Service;

    /// A call of the contract that the table of answers lacks, or the other way round, shows here.
    #[test]
    fn every_call_is_described() {
        let contract = Contract::read().unwrap();
        let described: BTreeSet<String> = contract.calls().into_iter().map(|call| call.snake).collect();
        let answered: BTreeSet<String> = Service::CALLS.iter().map(|call| (*call).to_owned()).collect();
        assert_eq!(described, answered);
        let document = contract.document();
        for name in &described {
            let schema = &document["components"]["schemas"][format!("command.{}", name.replace('_', "-"))];
            assert!(schema["properties"]["params"]["$ref"].is_string(), "{name}");
        }
        let streams: Vec<_> = contract.file.service[0]
            .method
            .iter()
            .filter(|m| m.server_streaming())
            .collect();
        assert_eq!(streams.len(), 2, "follow is the events, watch is the snapshot");
        let views = &document["components"]["schemas"]["Views"]["properties"];
        assert_eq!(views.as_object().unwrap().len(), view_names().count());
        let go_offline = &document["components"]["schemas"]["command.stop-buy-mode"]["description"];
        assert!(
            go_offline.as_str().unwrap().contains("kill switch"),
            "the contract's comment: {go_offline}"
        );
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = Contract::read().unwrap().document();
        let text = document.to_string();
        for part in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
