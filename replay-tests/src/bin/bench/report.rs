//! The table, the figures and the curves, printed and written.
use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    alone::Task,
    chart::{Curve, Labels, draw},
    sizes::pages_of,
    table::{Figure, median, number},
};

/// What was measured of one ledger.
pub struct Size {
    pub facts: u64,
    pub bytes: u64,
    pub snapshot_bytes: u64,
    pub start_s: Vec<f64>,
    pub start_cpu_s: Vec<f64>,
    pub alone: Vec<(Task, Value)>,
    pub pages: Vec<Vec<(String, [f64; 2])>>,
}

impl Size {
    pub fn new(facts: u64, path: &Path) -> Size {
        Size {
            facts,
            bytes: fs::metadata(path).map_or(0, |file| file.len()),
            snapshot_bytes: 0,
            start_s: Vec::new(),
            start_cpu_s: Vec::new(),
            alone: Vec::new(),
            pages: Vec::new(),
        }
    }

    fn alone(&self, task: Task, key: &str) -> f64 {
        let found = self.alone.iter().find(|(done, _)| *done as u8 == task as u8);
        found.and_then(|(_, said)| said[key].as_f64()).unwrap_or(f64::NAN)
    }
}

/// Everything that a run found.
pub struct Report {
    machine: String,
    appends: Vec<Figure>,
    figures: Vec<Figure>,
    pub sizes: Vec<Size>,
}

impl Report {
    pub fn begin() -> Report {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        Report {
            machine: format!(
                "{cores} cores; load before the run {}",
                load.split(' ').take(3).collect::<Vec<_>>().join(" ")
            ),
            appends: Vec::new(),
            figures: Vec::new(),
            sizes: Vec::new(),
        }
    }

    pub fn appends(&mut self, figures: Vec<Figure>) {
        figures.iter().for_each(|figure| eprintln!("{}", figure.row()));
        self.appends = figures;
    }

    pub fn figure(&mut self, figure: Figure) {
        eprintln!("{}", figure.row());
        self.figures.push(figure);
    }

    /// Prints the tables and writes `speed.md`'s measured part, `speed.json` and the curves.
    pub fn end(&self, out: Option<&Path>) -> anyhow::Result<()> {
        let tables = self.tables();
        println!("{tables}");
        let Some(out) = out else { return Ok(()) };
        fs::create_dir_all(out)?;
        fs::write(out.join("speed-table.md"), tables)?;
        fs::write(out.join("speed.json"), format!("{:#}\n", self.json()))?;
        if !self.appends.is_empty() {
            fs::write(out.join("speed-producers.svg"), self.producers())?;
        }
        if self.sizes.len() > 1 {
            fs::write(out.join("speed-length.svg"), self.lengths())?;
        }
        Ok(())
    }

    fn tables(&self) -> String {
        let mut text = format!("{}.\n\n", self.machine);
        text += "| what | ours | calibrator | ratio (lowest–highest round) | p99 wait, ours / calibrator |\n|---|---|---|---|---|\n";
        for figure in self.appends.iter().chain(&self.figures) {
            text += &figure.row();
            text.push('\n');
        }
        let Some(first) = self.sizes.first() else {
            return text;
        };
        text += "\n| facts | file, snapshot | start to first view: wall, CPU | CPU against the first | replay, memory | audit fast, CPU | audit deep, CPU, memory |\n|---|---|---|---|---|---|---|\n";
        for size in &self.sizes {
            let start_cpu = median(&size.start_cpu_s);
            text += &format!(
                "| {} | {:.0} MB, {:.0} kB | {:.1} ms, {:.1} ms | {:.2} | {:.2} CPU-s, {:.0} MiB | {:.2} s | {:.2} s, {:.0} MiB |\n",
                number(size.facts as f64),
                size.bytes as f64 / 1e6,
                size.snapshot_bytes as f64 / 1e3,
                median(&size.start_s) * 1e3,
                start_cpu * 1e3,
                start_cpu / median(&first.start_cpu_s),
                size.alone(Task::Replay, "cpu_s"),
                size.alone(Task::Replay, "memory_bytes") / f64::from(1 << 20),
                size.alone(Task::Fast, "cpu_s"),
                size.alone(Task::Deep, "cpu_s"),
                size.alone(Task::Deep, "memory_bytes") / f64::from(1 << 20),
            );
        }
        text += "\n| a page of 50 rows: p99, CPU |";
        for size in &self.sizes {
            text += &format!(" {} facts |", number(size.facts as f64));
        }
        text += &format!(
            " ratio of p99, of CPU |\n|---|{}---|\n",
            "---|".repeat(self.sizes.len())
        );
        for (place, (name, base)) in pages_of(first).into_iter().enumerate() {
            text += &format!("| {name} |");
            let mut last = base;
            for size in &self.sizes {
                last = pages_of(size)[place].1;
                text += &format!(" {:.2} ms, {:.2} ms |", last[0] * 1e3, last[1] * 1e3);
            }
            text += &format!(" {:.2}, {:.2} |\n", last[0] / base[0], last[1] / base[1]);
        }
        text
    }

    fn json(&self) -> Value {
        let size = |size: &Size| {
            json!({
                "facts": size.facts,
                "file_bytes": size.bytes,
                "snapshot_bytes": size.snapshot_bytes,
                "start_s": size.start_s,
                "start_cpu_s": size.start_cpu_s,
                "alone": size.alone.iter().map(|(task, said)| (format!("{task:?}"), said.clone())).collect::<serde_json::Map<_, _>>(),
                "page_p99_s": pages_of(size),
            })
        };
        json!({
            "machine": self.machine,
            "figures": self.appends.iter().chain(&self.figures).map(Figure::json).collect::<Vec<_>>(),
            "sizes": self.sizes.iter().map(size).collect::<Vec<_>>(),
        })
    }

    /// Producers against the wait of the slowest hundredth.
    fn producers(&self) -> String {
        let of = |place: usize, name: &str| Curve {
            name: name.to_owned(),
            points: self
                .appends
                .iter()
                .filter_map(|figure| Some((f64::from(figure.producers), figure.wait()?[place] * 1e3)))
                .collect(),
        };
        draw(
            &Labels {
                title: "Producers against latency",
                x: "producers",
                y: "p99 until durable, ms",
            },
            &[of(0, "ledger"), of(1, "flat file")],
        )
    }

    /// What the length of the ledger costs.
    fn lengths(&self) -> String {
        let curve = |name: &str, of: &dyn Fn(&Size) -> f64| Curve {
            name: name.to_owned(),
            points: self
                .sizes
                .iter()
                .map(|size| (size.facts as f64, of(size) * 1e3))
                .collect(),
        };
        let page = |size: &Size| {
            pages_of(size)
                .iter()
                .map(|(_, [p99, _])| *p99)
                .fold(0.0, f64::max)
        };
        draw(
            &Labels {
                title: "Cost against the ledger's length",
                x: "facts",
                y: "ms",
            },
            &[
                curve("audit, deep", &|size| size.alone(Task::Deep, "cpu_s")),
                curve("replay, all folds", &|size| size.alone(Task::Replay, "cpu_s")),
                curve("audit, fast", &|size| size.alone(Task::Fast, "cpu_s")),
                curve("start to first view", &|size| median(&size.start_s)),
                curve("slowest page, p99", &page),
            ],
        )
    }
}
