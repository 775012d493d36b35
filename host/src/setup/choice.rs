//! Models that could serve here: each with what it needs, whether that is there, and one that is recommended.
use std::path::{Path, PathBuf};

use super::{Machine, Serve};
use crate::{
    config::{Config, Model},
    models::{self, Pinned, StoreError, StoredModel},
};

/// What the runtime takes beside the weights, bytes: graphs, logits, and one job's context of a small model. The worker
/// reckons exactly, from the file's own header, before it loads anything.
const BESIDE_BYTES: u64 = 512 << 20;
/// Left on the disk beside a fetched model, bytes: a full disk stops the ledger.
const DISK_RESERVE_BYTES: u64 = 1 << 30;
/// Weights that a core computes in a time that a buyer waits for, bytes: a rule of thumb, and only for recommending.
const BYTES_A_CORE: u64 = 1 << 30;

/// Where a choice comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// It is on this machine.
    Here(PathBuf),
    /// It has to be fetched, from the pinned list.
    Fetch {
        /// SPDX expression.
        licence: String,
    },
    /// A model server that this home is configured for; nothing is known of what it needs.
    Server(String),
}

/// A model that could serve.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub from: From,
    /// Size of the file, bytes; 0 for a server.
    pub bytes: u64,
    /// Memory that it needs, bytes, about; 0 for a server.
    pub need_bytes: u64,
    /// Why it can't serve here, and what would help; none: it fits.
    pub why_not: Option<String>,
    /// The one to take where nothing speaks for another.
    pub recommended: bool,
    /// What to wish for.
    pub serve: Serve,
}

/// Everything that could serve at `home`: the configured server, what is in the home's store, and the pinned list, the
/// best first.
///
/// # Errors
/// [`StoreError`] when the store's folder or the pinned list can't be read.
pub fn models(home: &Path, machine: &Machine) -> Result<Vec<Choice>, StoreError> {
    let configured = Config::read(&home.join("config.toml"))
        .ok()
        .and_then(|config| config.model);
    Ok(choices(
        configured,
        models::list(home)?,
        models::known()?,
        machine,
    ))
}

fn choices(
    configured: Option<Model>,
    stored: Vec<StoredModel>,
    pinned: Vec<Pinned>,
    machine: &Machine,
) -> Vec<Choice> {
    let mut all = Vec::new();
    let mut elsewhere = None;
    match configured {
        Some(Model::Server(server)) => all.push(Choice {
            name: server.model.clone().unwrap_or_else(|| server.url.clone()),
            from: From::Server(server.url.clone()),
            bytes: 0,
            need_bytes: 0,
            why_not: None,
            recommended: false,
            serve: Serve::Server(server),
        }),
        Some(Model::File { path, .. }) => elsewhere = Some(path),
        None => {}
    }
    let here = |name: &str| stored.iter().any(|model| stem(&model.name) == name);
    let to_fetch: Vec<Pinned> = pinned.into_iter().filter(|model| !here(&model.name)).collect();
    // A configured file outside the store is on this machine as well.
    let elsewhere = elsewhere.filter(|path| stored.iter().all(|model| model.path != *path));
    let elsewhere = elsewhere.and_then(|path| Some((std::fs::metadata(&path).ok()?.len(), path)));
    all.extend(elsewhere.map(|(bytes, path)| of_file(path, bytes, machine)));
    all.extend(
        stored
            .into_iter()
            .map(|model| of_file(model.path, model.bytes, machine)),
    );
    all.extend(to_fetch.into_iter().map(|model| of_pinned(model, machine)));
    // What fits first; then what needs no fetching; then the larger, since it answers better.
    all.sort_by_key(|choice| {
        let fetched = matches!(choice.from, From::Fetch { .. });
        (
            choice.why_not.is_some(),
            !matches!(choice.from, From::Server(_)),
            fetched,
            u64::MAX - choice.bytes,
        )
    });
    if let Some(best) = recommended(&all, machine) {
        all[best].recommended = true;
    }
    all
}

fn of_file(path: PathBuf, bytes: u64, machine: &Machine) -> Choice {
    let name = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    Choice {
        name: name.to_owned(),
        bytes,
        need_bytes: need(bytes),
        why_not: why_not(bytes, 0, machine),
        recommended: false,
        serve: Serve::File(path.clone()),
        from: From::Here(path),
    }
}

fn of_pinned(model: Pinned, machine: &Machine) -> Choice {
    Choice {
        bytes: model.bytes,
        need_bytes: need(model.bytes),
        why_not: why_not(
            model.bytes,
            model.bytes.saturating_add(DISK_RESERVE_BYTES),
            machine,
        ),
        recommended: false,
        serve: Serve::Pinned(model.name.clone()),
        name: model.name,
        from: From::Fetch {
            licence: model.licence,
        },
    }
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".gguf").unwrap_or(name)
}

/// The weights with what the runtime keeps a second time, and the rest.
fn need(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 8).saturating_add(BESIDE_BYTES)
}

fn why_not(bytes: u64, disk_bytes: u64, machine: &Machine) -> Option<String> {
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    if !machine.missing.is_empty() {
        return Some(format!(
            "this processor has no {}, which the model runtime is built for: use a model server instead",
            machine.missing.join(", ")
        ));
    }
    let need = need(bytes);
    if let Some(all) = machine.memory_bytes.filter(|all| *all < need) {
        return Some(format!(
            "it needs about {} MiB of memory, and this machine has {} MiB",
            mib(need),
            mib(all)
        ));
    }
    if let Some(free) = machine.available_bytes.filter(|free| *free < need) {
        return Some(format!(
            "it needs about {} MiB of memory, and {} MiB are free now: end other programs first",
            mib(need),
            mib(free)
        ));
    }
    if let Some(free) = machine.disk_bytes.filter(|free| *free < disk_bytes) {
        return Some(format!(
            "it needs {} MiB on the disk, and {} MiB are free: free some first",
            mib(disk_bytes),
            mib(free)
        ));
    }
    None
}

/// The largest that fits, leaves half of the memory to everything else and is not too slow for the cores; a server that
/// a person set up goes first. Where none is that small, the smallest that fits.
fn recommended(all: &[Choice], machine: &Machine) -> Option<usize> {
    let fits = |choice: &Choice| choice.why_not.is_none();
    let server = all
        .iter()
        .position(|choice| matches!(choice.from, From::Server(_)));
    let memory = machine.memory_bytes.map_or(u64::MAX, |bytes| bytes / 2);
    let weights = BYTES_A_CORE.saturating_mul(machine.cores.into());
    let light = |choice: &Choice| choice.need_bytes <= memory && choice.bytes <= weights;
    let files = || all.iter().enumerate().filter(|(_, choice)| fits(choice));
    server
        .or_else(|| {
            files()
                .filter(|(_, choice)| light(choice))
                .max_by_key(|(_, choice)| choice.bytes)
                .map(|(at, _)| at)
        })
        .or_else(|| files().min_by_key(|(_, choice)| choice.bytes).map(|(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn pinned(name: &str, bytes: u64) -> Pinned {
        Pinned {
            name: name.to_owned(),
            url: "https://models.example/m.gguf".to_owned(),
            bytes,
            sha256: "00".repeat(32),
            licence: "Apache-2.0".to_owned(),
        }
    }

    fn machine(memory_gib: u64, cores: u32) -> Machine {
        Machine {
            cores,
            threads: cores,
            memory_bytes: Some(memory_gib * GIB),
            available_bytes: Some(memory_gib * GIB * 3 / 4),
            disk_bytes: Some(100 * GIB),
            ..Machine::default()
        }
    }

    fn best(machine: &Machine, configured: Option<Model>) -> (String, Vec<String>) {
        let pinned = vec![
            pinned("small", GIB / 2),
            pinned("middle", 4 * GIB),
            pinned("large", 40 * GIB),
        ];
        let all = choices(configured, Vec::new(), pinned, machine);
        let marked: Vec<_> = all.iter().filter(|choice| choice.recommended).collect();
        assert!(marked.len() <= 1);
        let why = all.iter().filter_map(|choice| choice.why_not.clone());
        (
            marked
                .first()
                .map(|choice| choice.name.clone())
                .unwrap_or_default(),
            why.collect(),
        )
    }

    #[test]
    fn the_hardware_found_decides_what_is_recommended() {
        let (name, why) = best(&machine(16, 8), None);
        assert_eq!((name.as_str(), why.len()), ("middle", 1));
        assert!(why[0].contains("this machine has 16384 MiB"), "{why:?}");
        assert_eq!(best(&machine(16, 2), None).0, "small", "two cores are slow");
        assert_eq!(best(&machine(128, 64), None).0, "large");
        assert_eq!(best(&machine(1, 1), None).0, "", "nothing fits");
        let full = Machine {
            disk_bytes: Some(GIB),
            ..machine(16, 8)
        };
        assert!(
            best(&full, None)
                .1
                .iter()
                .all(|why| why.contains("disk") || why.contains("memory"))
        );
        let old = Machine {
            missing: vec!["avx2".to_owned()],
            ..machine(16, 8)
        };
        let (name, why) = best(&old, None);
        assert_eq!((name.as_str(), why.len()), ("", 3));
        assert!(why[0].contains("has no avx2"));
    }

    #[test]
    fn the_pinned_list_has_a_model_for_small_and_usual_machines() {
        let best = |machine: &Machine| {
            let all = choices(None, Vec::new(), models::known().unwrap(), machine);
            all.into_iter()
                .find(|choice| choice.recommended)
                .map(|choice| choice.serve)
        };
        let pinned = |name: &str| Some(Serve::Pinned(name.to_owned()));
        assert_eq!(best(&machine(2, 2)), pinned("qwen2.5-0.5b-instruct-q4_k_m"));
        assert_eq!(best(&machine(8, 2)), pinned("qwen2.5-1.5b-instruct-q4_k_m"));
        assert_eq!(best(&machine(16, 8)), pinned("qwen3-4b-instruct-2507-q4_k_m"));
    }

    #[test]
    fn a_server_that_was_set_up_goes_first_and_what_is_here_is_not_fetched() {
        let server = crate::config::ModelServer {
            url: "http://127.0.0.1:8080/v1".to_owned(),
            ..Default::default()
        };
        let named = best(&machine(16, 8), Some(Model::Server(server))).0;
        assert_eq!(named, "http://127.0.0.1:8080/v1");
        let stored = StoredModel {
            name: "small.gguf".to_owned(),
            path: "/h/models/small.gguf".into(),
            bytes: GIB / 2,
            sha256: None,
        };
        let all = choices(
            None,
            vec![stored],
            vec![pinned("small", GIB / 2)],
            &machine(16, 8),
        );
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].serve, Serve::File("/h/models/small.gguf".into()));
    }
}
