//! Loading: the file's digest first, then the memory it needs, then the runtime.
use std::{
    fs::{File, Metadata},
    io::{ErrorKind, Read},
    num::NonZeroU32,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use autopilot_proto::inference::v1::{LoadRequest, ModelInfo};
use llama_cpp_2::{
    context::params::{KvCacheType, LlamaContextParams},
    gguf::GgufContext,
    llama_backend::LlamaBackend,
    model::{LlamaModel, params::LlamaModelParams},
};
use sha2::{Digest, Sha256};

use crate::{failure::Failure, machine, prompt::Template};

const N_CTX_DEFAULT: u32 = 2048;
const N_BATCH_DEFAULT: u32 = 256;
const N_BATCH_MAX: u32 = 4096;
const N_SEQ_MAX: u32 = 64;
const THREADS_MAX: u32 = 256;
/// Bytes of an F16 value in the KV cache.
const KV_VALUE_BYTES: u64 = 2;
/// Graphs, logits of a whole batch and the tokenizer, generously.
const BUFFERS_BYTES: u64 = 256 << 20;
/// Address space beyond the need: thread stacks, allocator arenas, and weights that the runtime keeps a second
/// time in an order that suits the CPU.
const ADDRESS_SLACK_BYTES: u64 = 512 << 20;

/// A model in memory and what it runs with.
pub struct Loaded {
    pub model: LlamaModel,
    pub template: Template,
    pub context: LlamaContextParams,
    pub info: ModelInfo,
    pub watch: Watch,
    pub load_ms: u64,
}

/// The file that was loaded, as it was then. Its weights are mapped: who writes into it changes them.
#[derive(Clone)]
pub struct Watch {
    file: Arc<File>,
    path: PathBuf,
    seen: Stamp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    /// Device and inode.
    place: (u64, u64),
    /// Size, and when it was last written into.
    content: (u64, i64, i64),
    /// When anything about it last changed; giving its name to another file is such a change.
    change: (i64, i64),
}

impl Stamp {
    fn of(about: &Metadata) -> Stamp {
        Stamp {
            place: (about.dev(), about.ino()),
            content: (about.size(), about.mtime(), about.mtime_nsec()),
            change: (about.ctime(), about.ctime_nsec()),
        }
    }
}

impl Watch {
    fn begin(file: File, path: &Path) -> std::io::Result<Watch> {
        let seen = Stamp::of(&file.metadata()?);
        Ok(Watch {
            file: Arc::new(file),
            path: path.to_owned(),
            seen,
        })
    }

    /// Whether the mapped bytes are still those that were hashed.
    pub fn is_intact(&self) -> bool {
        self.file
            .metadata()
            .is_ok_and(|about| Stamp::of(&about).content == self.seen.content)
    }

    /// Whether the path still leads to them.
    pub fn is_current(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|about| Stamp::of(&about) == self.seen)
    }
}

/// Checks and loads the file that the request names.
pub fn load(backend: &LlamaBackend, request: &LoadRequest) -> Result<Loaded, Failure> {
    let begun = Instant::now();
    let path = PathBuf::from(&request.path);
    let mut file = open(&path)?;
    let unreadable = |error: std::io::Error| Failure::ModelUnreadable(format!("{}: {error}", path.display()));
    let file_bytes = file.metadata().map_err(unreadable)?.len();
    let before = file
        .metadata()
        .map(|about| Stamp::of(&about))
        .map_err(unreadable)?;
    let digests = digest(&mut file).map_err(unreadable)?;
    check_digest(&digests, &request.expected_sha256)?;
    // The runtime opens the very file that was hashed, whatever its name points to by now.
    let opened = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let shape = Shape::read(&opened)?;
    let n_ctx = context_length(request.n_ctx, shape.n_ctx_train)?;
    let n_batch = match (request.embeddings, request.n_batch) {
        // An embedding is computed over the whole text at once: input beyond n_ubatch aborts the runtime.
        (true, _) => n_ctx,
        (false, 0) => N_BATCH_DEFAULT.min(n_ctx),
        (false, asked) => asked.min(N_BATCH_MAX).min(n_ctx),
    };
    let threads = if request.threads == 0 {
        machine::default_threads()
    } else {
        request.threads.min(THREADS_MAX)
    };
    let kv_bytes = shape.kv_bytes_per_token.saturating_mul(n_ctx.into());
    let need = |n_seq: u32| {
        file_bytes
            .saturating_add(file_bytes / 8)
            .saturating_add(kv_bytes.saturating_mul(n_seq.into()))
            .saturating_add(BUFFERS_BYTES)
    };
    let limit_bytes = memory_limit(request.memory_limit_bytes);
    // Fewer at once rather than none: the others wait in line.
    let asked = if request.embeddings {
        1
    } else {
        request.n_seq.clamp(1, N_SEQ_MAX)
    };
    let n_seq = (2..=asked)
        .rev()
        .find(|n_seq| need(*n_seq) <= limit_bytes)
        .unwrap_or(1);
    let need_bytes = need(n_seq);
    check_memory(need_bytes, limit_bytes)?;
    // A token of each sequence has to fit one batch.
    let n_batch = n_batch.max(n_seq);
    let growth_bytes = need_bytes
        .saturating_add(file_bytes)
        .saturating_add(ADDRESS_SLACK_BYTES);
    let bound = machine::bound_growth(growth_bytes)
        .map_err(|error| Failure::Internal(format!("the memory bound cannot be set: {error}")))?;

    let settings = LlamaModelParams::default().with_n_gpu_layers(0);
    let model = LlamaModel::load_from_file(backend, &opened, &settings)
        .map_err(|error| Failure::ModelUnreadable(format!("the runtime cannot load it: {error}")))?;
    let template = Template::of(&model)?;
    let watch = Watch::begin(file, &path).map_err(unreadable)?;
    if watch.seen != before {
        return Err(Failure::ModelUnreadable(format!(
            "{}: it was changed while it was loaded",
            path.display()
        )));
    }
    let context = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(n_ctx.saturating_mul(n_seq)))
        .with_n_batch(n_batch)
        .with_n_ubatch(n_batch)
        .with_n_seq_max(n_seq)
        .with_n_threads(as_count(threads))
        .with_n_threads_batch(as_count(threads))
        .with_type_k(KvCacheType::F16)
        .with_type_v(KvCacheType::F16)
        .with_embeddings(request.embeddings);
    let info = ModelInfo {
        path: request.path.clone(),
        digest: digests.blake3.to_vec(),
        sha256: digests.sha256.to_vec(),
        name: model
            .meta_val_str("general.name")
            .ok()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| stem(&path)),
        architecture: shape.architecture,
        n_ctx_train: model.n_ctx_train(),
        n_params: model.n_params(),
        file_bytes,
        has_template: template.name == "model",
        runtime_build: machine::runtime_build(),
        cpu_features: machine::cpu_features(),
        threads,
        n_ctx,
        n_seq,
        n_batch,
        n_ubatch: n_batch,
        kv_settings: format!(
            "k=f16 v=f16 seq_max={n_seq} unified={} flash_attention={}",
            context.kv_unified(),
            flash_attention(context.flash_attention_policy())
        ),
        memory_need_bytes: need_bytes,
        memory_bound_bytes: bound,
        dimensions: 0,
    };
    Ok(Loaded {
        model,
        template,
        context,
        info,
        watch,
        load_ms: elapsed_ms(begun),
    })
}

/// Milliseconds since `begun`.
pub fn elapsed_ms(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn as_count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn flash_attention(policy: llama_cpp_sys_2::llama_flash_attn_type) -> &'static str {
    match policy {
        0 => "off",
        1 => "on",
        _ => "auto",
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::ModelMissing(path.display().to_string()),
        _ => Failure::ModelUnreadable(format!("{}: {error}", path.display())),
    })
}

struct Digests {
    blake3: [u8; 32],
    sha256: [u8; 32],
}

fn digest(file: &mut File) -> std::io::Result<Digests> {
    let (mut blake3, mut sha256) = (blake3::Hasher::new(), Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => {
                blake3.update(&buffer[..count]);
                sha256.update(&buffer[..count]);
            }
        }
    }
    Ok(Digests {
        blake3: *blake3.finalize().as_bytes(),
        sha256: sha256.finalize().into(),
    })
}

fn check_digest(found: &Digests, expected_sha256: &[u8]) -> Result<(), Failure> {
    if expected_sha256.is_empty() || expected_sha256 == found.sha256 {
        return Ok(());
    }
    Err(Failure::ModelDigestMismatch {
        found: format!("sha256 {}", hex::encode(found.sha256)),
        expected: hex::encode(expected_sha256),
    })
}

fn context_length(asked: u32, trained: u32) -> Result<u32, Failure> {
    match asked {
        0 => Ok(N_CTX_DEFAULT.min(trained)),
        asked if asked > trained => Err(Failure::RequestInvalid(format!(
            "a context of {asked} tokens; the model was trained with {trained}"
        ))),
        asked => Ok(asked),
    }
}

fn memory_limit(asked_bytes: u64) -> u64 {
    match asked_bytes {
        0 => machine::available_bytes().unwrap_or(u64::MAX),
        limit => limit,
    }
}

fn check_memory(need_bytes: u64, limit_bytes: u64) -> Result<(), Failure> {
    if need_bytes > limit_bytes {
        return Err(Failure::ModelTooLarge {
            need_bytes,
            limit_bytes,
        });
    }
    Ok(())
}

/// What the file's header says about the memory that a context needs.
struct Shape {
    architecture: String,
    n_ctx_train: u32,
    kv_bytes_per_token: u64,
}

impl Shape {
    fn read(path: &Path) -> Result<Shape, Failure> {
        let unreadable = |what: &str| Failure::ModelUnreadable(format!("no whole GGUF file: {what}"));
        let header = GgufContext::from_file(path).ok_or_else(|| unreadable("its header cannot be read"))?;
        let at = header.find_key("general.architecture");
        let is_text = at >= 0 && header.kv_type(at) == llama_cpp_sys_2::GGUF_TYPE_STRING;
        let architecture = is_text
            .then(|| header.val_str(at))
            .flatten()
            .ok_or_else(|| unreadable("no architecture"))?;
        let number = |key: &str| {
            let at = header.find_key(&format!("{architecture}.{key}"));
            (at >= 0 && header.kv_type(at) == llama_cpp_sys_2::GGUF_TYPE_UINT32).then(|| header.val_u32(at))
        };
        let n_ctx_train = number("context_length").ok_or_else(|| unreadable("no context length"))?;
        let n_layer = number("block_count").ok_or_else(|| unreadable("no layer count"))?;
        let n_embd = number("embedding_length").ok_or_else(|| unreadable("no embedding length"))?;
        let n_head = number("attention.head_count").unwrap_or(1).max(1);
        let n_head_kv = number("attention.head_count_kv").unwrap_or(n_head);
        let key = number("attention.key_length").unwrap_or(n_embd / n_head);
        let value = number("attention.value_length").unwrap_or(n_embd / n_head);
        let values_per_token = u64::from(n_layer)
            .saturating_mul(n_head_kv.into())
            .saturating_mul(u64::from(key).saturating_add(value.into()));
        Ok(Shape {
            architecture: architecture.to_owned(),
            n_ctx_train,
            kv_bytes_per_token: values_per_token.saturating_mul(KV_VALUE_BYTES),
        })
    }
}
