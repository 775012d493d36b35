//! What several requests at a time gain: tokens of all of them per CPU second of the worker, as a ratio to one at a
//! time, in alternation: `cargo run -p autopilot-world-tests --bin batch-bench -- MODEL [ROUNDS]` (default 5). CPU
//! seconds, since other work on the machine does not change them. Prints a row of medians and a line of JSON. The
//! worker comes from `AUTOPILOT_BIN_DIR`.
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use autopilot_core::ports::model::{GenerateRequest, Input, Model, Sampling};
use autopilot_events::words::JobId;
use autopilot_inference::{ModelFile, WorkerConfig, WorkerProcess, worker_program};

const IN_FLIGHT: [u32; 3] = [1, 2, 4];
/// Tokens of each request.
const TOKENS: u32 = 96;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let model = args.next().context("usage: batch-bench MODEL [ROUNDS]")?;
    let rounds: u32 = args.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let home = tempfile::tempdir()?;
    let program = worker_program().map_err(|words| anyhow!(words))?;
    let mut workers = Vec::new();
    for in_flight in IN_FLIGHT {
        let file = ModelFile {
            path: Path::new(&model).canonicalize()?,
            sha256: None,
        };
        let runtime_dir = home.path().join(format!("run-{in_flight}"));
        let mut config = WorkerConfig::new(program.clone(), runtime_dir, file);
        (config.threads, config.in_flight) = (1, in_flight);
        let worker = WorkerProcess::new(config);
        // Loads the model; not counted.
        ensure!(
            worker.describe().await?.in_flight_max == in_flight,
            "memory does not suffice"
        );
        workers.push((worker, in_flight, Vec::new()));
    }
    for _ in 0..rounds {
        for (worker, in_flight, speeds) in &mut workers {
            speeds.push(tokens_per_cpu_s(worker, *in_flight).await?);
        }
    }
    let one: Vec<f64> = workers
        .first()
        .map(|(.., speeds)| speeds.clone())
        .unwrap_or_default();
    let mut figures = serde_json::Map::new();
    for (worker, in_flight, speeds) in &workers {
        worker.stop().await;
        let ratios: Vec<f64> = speeds.iter().zip(&one).map(|(speed, one)| speed / one).collect();
        let (speed, ratio) = (median(speeds), median(&ratios));
        println!(
            "| {in_flight} at a time, one thread | {speed:.0} tokens per CPU second | {ratio:.2} × one at a time |"
        );
        figures.insert(
            in_flight.to_string(),
            serde_json::json!({"tokens_per_cpu_s": speeds, "median_ratio": ratio}),
        );
    }
    println!("{}", serde_json::Value::Object(figures));
    Ok(())
}

/// Tokens of all requests for each second that the worker computed.
async fn tokens_per_cpu_s(worker: &WorkerProcess, in_flight: u32) -> Result<f64> {
    let pid = worker.health().await.pid.context("no worker runs")?;
    let before = cpu_s(pid)?;
    let run = |number: u32| {
        let worker = worker.clone();
        let request = GenerateRequest {
            job: JobId([u8::try_from(number).unwrap_or(0); 32]),
            // Counting goes on: the text does not end before its bound.
            input: Input::Text("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18".into()),
            max_tokens: TOKENS,
            sampling: Sampling {
                temperature_milli: 0,
                ..Sampling::default()
            },
            stop: Vec::new(),
            deadline_ms: None,
        };
        tokio::spawn(async move { worker.generate(request, |_| {}).await })
    };
    let tasks: Vec<_> = (0..in_flight).map(run).collect();
    let mut tokens = 0;
    for task in tasks {
        tokens += task.await??.receipt.output_tokens;
    }
    ensure!(
        tokens == in_flight * TOKENS,
        "an answer ended early: {tokens} tokens"
    );
    Ok(f64::from(tokens) / (cpu_s(pid)? - before).max(0.01))
}

/// CPU time of a process, in seconds (proc(5): fields 14 and 15 of stat, in hundredths on Linux).
fn cpu_s(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("no process")?;
    let field = |at: usize| {
        fields
            .split_whitespace()
            .nth(at)
            .and_then(|ticks| ticks.parse::<f64>().ok())
    };
    Ok(field(11)
        .zip(field(12))
        .map(|(user, system)| user + system)
        .context("no times")?
        / 100.0)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
