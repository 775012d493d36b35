//! Generation speed of the worker as a ratio to llama.cpp's own llama-bench, in alternation, with the same model,
//! thread count, batch sizes and depth: `cargo run -p autopilot-world-tests --bin tokens-bench -- LLAMA_BENCH MODEL
//! [ROUNDS]` (default 7). Prints a row of medians, the ratio being that of a round's two speeds, and a line of JSON.
//! The worker comes from `AUTOPILOT_BIN_DIR`.
use std::{path::Path, process::Command};

use anyhow::{Context, Result, anyhow, ensure};
use autopilot_core::ports::model::{GenerateRequest, Input, Model, Sampling};
use autopilot_events::words::JobId;
use autopilot_inference::{ModelFile, WorkerConfig, WorkerProcess, worker_program};

const THREADS: u32 = 1;
const BATCH: u32 = 256;
/// Decodes that are timed on either side.
const DECODES: u32 = 64;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(bench), Some(model)) = (args.next(), args.next()) else {
        return Err(anyhow!("usage: tokens-bench LLAMA_BENCH MODEL [ROUNDS]"));
    };
    let rounds: u8 = args.next().map_or(Ok(7), |rounds| rounds.parse())?;
    let home = tempfile::tempdir()?;
    let file = ModelFile {
        path: Path::new(&model).canonicalize()?,
        sha256: None,
    };
    let program = worker_program().map_err(|words| anyhow!(words))?;
    let mut config = WorkerConfig::new(program, home.path().join("run"), file);
    (config.threads, config.n_batch) = (THREADS, BATCH);
    let worker = WorkerProcess::new(config);

    // Not counted: loads the model and tells the depth at which the calibrator has to generate.
    let (_, depth) = ours(&worker, 0).await?;
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        theirs.push(calibrator(&bench, &model, depth)?);
        own.push(ours(&worker, round).await?.0);
    }
    worker.stop().await;

    let ratios: Vec<f64> = own
        .iter()
        .zip(&theirs)
        .map(|(own, theirs)| own / theirs)
        .collect();
    let (speed, bench, ratio) = (median(&own), median(&theirs), median(&ratios));
    println!(
        "| generation, one thread | {speed:.0} tokens/s | {ratio:.2} × llama-bench ({bench:.0} tokens/s) |"
    );
    println!(
        "{}",
        serde_json::json!({"rounds": rounds, "threads": THREADS, "n_batch": BATCH, "decodes": DECODES, "depth": depth,
            "worker_tokens_per_s": own, "llama_bench_tokens_per_s": theirs, "median_of_ratios": ratio})
    );
    Ok(())
}

/// Tokens per second of the worker, by its receipt, and the prompt's length in tokens.
async fn ours(worker: &WorkerProcess, round: u8) -> Result<(f64, u32)> {
    let request = GenerateRequest {
        job: JobId([round; 32]),
        // Counting goes on: the text does not end before its bound.
        input: Input::Text("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18".into()),
        // The first token comes out of the prompt's decode, which llama-bench does not count either.
        max_tokens: DECODES + 1,
        sampling: Sampling {
            temperature_milli: 0,
            ..Sampling::default()
        },
        stop: Vec::new(),
        deadline_ms: None,
    };
    let receipt = worker.generate(request, |_| {}).await?.receipt;
    ensure!(
        receipt.output_tokens == DECODES + 1 && (receipt.threads, receipt.n_batch) == (THREADS, BATCH),
        "not what was asked: {receipt:?}"
    );
    let seconds = receipt.generate_ms.max(1) as f64 / 1_000.0;
    Ok((f64::from(DECODES) / seconds, receipt.prompt_tokens))
}

/// Tokens per second that llama-bench reports for one repetition.
fn calibrator(program: &str, model: &str, depth: u32) -> Result<f64> {
    let settings = format!("-t {THREADS} -b {BATCH} -ub {BATCH} -p 0 -n {DECODES} -d {depth} -r 1 -o json");
    let output = Command::new(program)
        .args(["-m", model])
        .args(settings.split(' '))
        .output()
        .with_context(|| format!("{program} does not start; scripts/llama-bench.sh builds it"))?;
    ensure!(
        output.status.success(),
        "llama-bench: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let reply: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    reply[0]["avg_ts"].as_f64().context("llama-bench names no avg_ts")
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
