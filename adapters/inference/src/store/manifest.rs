//! Models that are known by name: address, size, checksum and licence are pinned in `models.toml`.
use serde::Deserialize;

use super::StoreError;

const MANIFEST: &str = include_str!("../../models.toml");

/// A model that can be pulled by its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// Name in the store, without `.gguf`.
    pub name: String,
    /// Where it comes from, http or https.
    pub url: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// SPDX expression.
    pub licence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    #[serde(default)]
    model: Vec<Pinned>,
}

/// All pinned models. The manifest is part of the program; an entry that can't be read is a fault of its build.
pub fn pinned() -> Result<Vec<Pinned>, StoreError> {
    parse(MANIFEST)
}

fn parse(text: &str) -> Result<Vec<Pinned>, StoreError> {
    let broken = |reason: String| StoreError::File {
        path: "models.toml".into(),
        reason,
    };
    let manifest: Manifest = toml::from_str(text).map_err(|error| broken(error.to_string()))?;
    for model in &manifest.model {
        super::file_name(&model.name)?;
        let is_digest = hex::decode(&model.sha256).is_ok_and(|bytes| bytes.len() == 32);
        if !is_digest || !model.url.starts_with("http") || model.bytes == 0 || model.licence.is_empty() {
            return Err(broken(format!("the entry of {} is not whole", model.name)));
        }
    }
    Ok(manifest.model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_names_a_revision_and_no_branch() {
        let models = pinned().unwrap();
        assert!(!models.is_empty());
        for model in models {
            let revision = model
                .url
                .split_once("/resolve/")
                .and_then(|(_, rest)| rest.split('/').next());
            let revision = revision.unwrap_or_default();
            assert!(
                hex::decode(revision).is_ok_and(|bytes| bytes.len() == 20),
                "{}",
                model.url
            );
            assert!(model.url.starts_with("https://"), "{}", model.url);
        }
    }

    #[test]
    fn an_entry_without_a_checksum_is_refused() {
        let entry =
            "[[model]]\nname='a'\nurl='https://x.invalid/a.gguf'\nbytes=1\nsha256='00'\nlicence='MIT'";
        assert!(parse(entry).is_err());
        let whole = entry.replace("'00'", &format!("'{}'", "00".repeat(32)));
        assert_eq!(parse(&whole).map(|models| models.len()), Ok(1));
    }
}
