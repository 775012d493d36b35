//! The one way to write a JSON value down: keys sorted by their bytes, no white space, text as it is but for the escapes
//! that JSON needs. What other programs write for `sort_keys` without spaces is the same.
use serde_json::Value;

/// The bytes that a signature is over.
pub(super) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            list(text, ('{', '}'), fields.into_iter(), |(name, value), text| {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(value, text);
            });
        }
        Value::Array(values) => list(text, ('[', ']'), values.iter(), write),
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn list<T>(
    text: &mut String,
    (open, close): (char, char),
    items: impl Iterator<Item = T>,
    each: impl Fn(T, &mut String),
) {
    text.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        each(item, text);
    }
    text.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_written_one_way() {
        let value = json!({"b": [1, null, {"y": true, "x": "a\"\u{1}é"}], "a": {}, "B": []});
        assert_eq!(
            canonical(&value),
            r#"{"B":[],"a":{},"b":[1,null,{"x":"a\"\u0001é","y":true}]}"#
        );
    }
}
