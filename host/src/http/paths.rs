//! The paths of the HTTP control, as its description has them.
use serde_json::{Value, json};

fn errors(mut responses: Value) -> Value {
    let error = json!({
        "description": "refused: a code for programs, a sentence for people, and what can be done",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    responses["default"] = error;
    responses
}

fn query(name: &str, kind: &str, description: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": { "type": kind }, "description": description })
}

/// Each path with what it takes and gives.
pub(super) fn paths() -> Value {
    json!({
        "/v1/snapshot": { "get": snapshot() },
        "/v1/events": { "get": events() },
        "/v1/commands": { "post": commands() },
        "/v1/openapi.json": { "get": {
            "operationId": "openapi",
            "responses": errors(json!({ "200": { "description": "this document" } })),
        } },
    })
}

fn snapshot() -> Value {
    json!({
        "operationId": "snapshot",
        "description": "What there is to see now. `revision` is the last durable fact before the views were made: the events \
            after it are what is new. `signature` is the blake3 digest, in hexadecimal, of the canonical JSON of `views`: UTF-8, \
            the keys of each object sorted by their bytes, no white space, no escapes but those that JSON needs (in Python: \
            json.dumps(views, sort_keys=True, separators=(\",\", \":\"), ensure_ascii=False)). The ETag is the signature.",
        "parameters": [
            query("views", "string", "names with commas between; without it all"),
            query("day_start_ms", "integer", "when today began, for `earnings`"),
            query("day_end_ms", "integer", "when it ends"),
            { "name": "If-None-Match", "in": "header", "schema": { "type": "string" } },
        ],
        "responses": errors(json!({
            "200": { "description": "the views", "content": { "application/json": { "schema": {
                "type": "object",
                "properties": {
                    "revision": { "type": "integer", "format": "uint64", "minimum": 0 },
                    "signature": { "type": "string" },
                    "views": { "$ref": "#/components/schemas/Views" },
                },
                "required": ["revision", "signature", "views"],
            } } } },
            "304": { "description": "the views are as they were" },
        })),
    })
}

fn events() -> Value {
    let number = json!({ "type": "integer", "format": "uint64", "minimum": 0 });
    let text = json!({ "type": "string" });
    let fact = json!({
        "type": "object",
        "properties": {
            "sequence": number, "at_ms": { "type": "integer" }, "type": text, "stream": text, "source": text,
            "chain": text, "payload": {},
        },
        "required": ["sequence", "at_ms", "type", "stream", "source", "chain", "payload"],
    });
    json!({
        "operationId": "events",
        "description": "Facts after a number, in order and without a gap. A page, which waits for its first fact as long as \
            `wait_s` says; or with `Accept: text/event-stream` every fact as it comes, with its number as the event's id, so that \
            `Last-Event-ID` goes on where a stream broke off.",
        "parameters": [
            query("after", "integer", "facts after this one; 0: from the first"),
            query("limit", "integer", "at most so many: 1 to 1000, and 100 without it; a stream has no limit without it"),
            query("wait_s", "integer", "wait so long for the first one: up to 60"),
            { "name": "Last-Event-ID", "in": "header", "schema": { "type": "string" } },
        ],
        "responses": errors(json!({
            "200": { "description": "facts", "content": {
                "application/json": { "schema": {
                    "type": "object",
                    "properties": { "events": { "type": "array", "items": fact }, "after": number, "head": number },
                    "required": ["events", "after", "head"],
                } },
                "text/event-stream": { "schema": text },
            } },
        })),
    })
}

fn commands() -> Value {
    json!({
        "operationId": "command",
        "description": "Carries a command out. One that changes something that lasts needs a key of your own making: the same \
            key with the same parameters is answered with the outcome of the first time (`repeated`), also after a restart, and \
            with other parameters it is a conflict (409).",
        "requestBody": {
            "required": true,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Command" } } },
        },
        "responses": errors(json!({
            "200": {
                "description": "done; `x-reply` of the command names what the reply is",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Answer" } } },
            },
        })),
    })
}
