//! What the description says is what is answered.
use serde_json::{Value, json};

use super::World;

/// Whether a value is what a schema says, as far as this description's words go.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what}: {value} against {schema}"));
    if let Some(name) = schema["$ref"].as_str() {
        let target = document
            .pointer(&name[1..])
            .ok_or_else(|| format!("{name} leads nowhere"))?;
        return fits(document, target, value);
    }
    for (word, exactly) in [("oneOf", true), ("anyOf", false)] {
        if let Some(choices) = schema[word].as_array() {
            let fit = choices
                .iter()
                .filter(|choice| fits(document, choice, value).is_ok())
                .count();
            return if fit == 1 || (!exactly && fit > 0) {
                Ok(())
            } else {
                wrong(word)
            };
        }
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return wrong("const");
    }
    let right = match schema["type"].as_str() {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("null") => value.is_null(),
        Some(_) => false,
    };
    if !right {
        return wrong("type");
    }
    if schema.get("minimum").is_some() && !value.is_u64() {
        return wrong("minimum");
    }
    for item in value.as_array().into_iter().flatten() {
        fits(document, &schema["items"], item)?;
    }
    let Some(fields) = value.as_object() else {
        return Ok(());
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap()) {
            return wrong(&format!("{name} is missing"));
        }
    }
    for (name, field) in fields {
        match schema["properties"].get(name) {
            Some(inner) => fits(document, inner, field)?,
            None if schema["additionalProperties"] == false => return wrong(name),
            None => {}
        }
    }
    Ok(())
}

#[tokio::test]
async fn answers_are_what_the_description_says() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(&folder.path().join("home")).await;
    let document = world.get("/v1/openapi.json").await.body;
    assert_eq!(document["openapi"], "3.1.0");
    let schema_of = |path: &str, method: &str| {
        let place = [
            "paths",
            path,
            method,
            "responses",
            "200",
            "content",
            "application/json",
            "schema",
        ];
        place.iter().fold(&document, |value, name| &value[*name]).clone()
    };
    for (path, asked) in [
        ("/v1/snapshot", "/v1/snapshot"),
        ("/v1/events", "/v1/events?limit=5"),
    ] {
        fits(&document, &schema_of(path, "get"), &world.get(asked).await.body).unwrap();
    }
    let request = &document["components"]["schemas"]["Command"];
    let orders = [
        json!({"command": "status"}),
        json!({"command": "get-policy"}),
        json!({"command": "history", "params": {"limit": 5, "role": "provider"}}),
        json!({"command": "earnings"}),
        json!({"command": "heads"}),
        json!({"command": "identity", "key": "i", "params": {"backed_up_to": "file"}}),
        json!({"command": "open-pane", "params": {"id": "wallet"}}),
        json!({"command": "missed"}),
        json!({"command": "at", "params": {"sequence": 1, "view": "status"}}),
        json!({"command": "alerts"}),
        json!({"command": "inbox"}),
    ];
    for order in orders {
        fits(&document, request, &order).unwrap();
        let name = format!("command.{}", order["command"].as_str().unwrap());
        let answer = world.command(&order).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        fits(&document, &schema_of("/v1/commands", "post"), &answer.body).unwrap();
        let reply = &document["components"]["schemas"][name]["x-reply"];
        fits(&document, reply, &answer.body["reply"]).unwrap();
    }
    let refused = world
        .command(&json!({"command": "why", "params": {"job": "00"}}))
        .await;
    assert!(refused.status >= 400);
    fits(
        &document,
        &json!({"$ref": "#/components/schemas/Error"}),
        &refused.body,
    )
    .unwrap();
    for wrong in [
        json!({"command": "status", "more": 1}),
        json!({"command": "buy"}),
        json!({"command": "buy", "key": "k", "params": {"no": 1}}),
    ] {
        assert!(fits(&document, request, &wrong).is_err(), "{wrong}");
    }
    world.stop().await;
}
