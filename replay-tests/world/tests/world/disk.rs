//! A full disk at each kind of write of a provider at work, on a small file system of its own: nothing that was said is
//! lost, nothing is paid twice, and the words name the disk and what to do.
use std::{
    fs,
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use autopilot_host::sandbox::ChainKind;
use autopilot_world_tests::{
    questions::sound,
    stage::{PRICE_MSAT, Stage, order, outcome, program, settled},
};

/// Room for a provider's home, and small enough to fill at once.
const DISK: &str = "size=64m,mode=700";
/// Bound of a host's end by itself.
const END: Duration = Duration::from_secs(90);
/// A request with its text; a result with its text and receipt; an invoice; money that arrived, in wallet and ledger.
const POINTS: [&str; 4] = [
    "job.received",
    "job.executed",
    "invoice.issued",
    "wallet.payment_received",
];

/// A small file system, gone with this.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: &Path) -> Option<Disk> {
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700).create(path).unwrap();
        let mut mount = Command::new("mount");
        let mount = mount
            .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
            .arg(path)
            .stderr(Stdio::null())
            .status();
        mount
            .is_ok_and(|status| status.success())
            .then(|| Disk(path.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.ballast()).unwrap();
        while file.write(&[1; 4096]).is_ok_and(|count| count > 0) {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since a failed test leaves processes that are just ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_host_and_loses_nothing() {
    let mut mounted = None;
    let stage = Stage::build_with(ChainKind::Simulated, |options| {
        mounted = Disk::mount(&options.home.join("provider"));
    });
    let mut stage = stage.await.unwrap();
    let Some(disk) = mounted else {
        stage.strike().await;
        eprintln!("NOT CHECKED here: this machine lets nobody mount a small file system (needs root)");
        return;
    };
    let mut stopped = 0;
    for (number, point) in POINTS.into_iter().enumerate() {
        let ballast = disk.ballast();
        let plan = format!("disk@commit.before/{point}");
        let armed = [
            ("AUTOPILOT_CRASH", plan.as_str()),
            ("AUTOPILOT_CRASH_BALLAST", ballast.to_str().unwrap()),
        ];
        stage.world.provider.restart(&armed).await.unwrap();
        stage.world.go_online().await.unwrap();
        let mut buyer = stage.world.buyer.client().unwrap();
        let question = format!("Say {number}.");
        let purchase = order(&mut buyer, &stage.world.provider.pubkey, &question)
            .await
            .unwrap();
        // The host stops by itself where the write did not fit any more; where it did, the job is just paid.
        let mut provider = stage.world.provider.client().unwrap();
        // Its facts end with it.
        if settled(&mut provider, number as u64 + 1).await.is_err() {
            let ended = tokio::time::timeout(END, stage.world.provider.ended()).await;
            assert_eq!(ended.expect("an end in time"), "exit status: 1", "{point}");
            stopped += 1;
            says_full(&disk, stage.world.provider.home.path());
        }
        assert!(disk.ballast().exists(), "{point} was never reached");
        fs::remove_file(disk.ballast()).unwrap();

        stage
            .world
            .provider
            .restart(&[("AUTOPILOT_CRASH", "")])
            .await
            .unwrap();
        stage.world.go_online().await.unwrap();
        let reply = outcome(&mut buyer, &purchase).await.unwrap();
        assert_eq!(reply.paid_msat, PRICE_MSAT, "{point}: {reply:?}");
        let mut provider = stage.world.provider.client().unwrap();
        let earned = settled(&mut provider, number as u64 + 1).await.unwrap();
        assert_eq!(
            (earned.jobs_settled, earned.earned_msat),
            (number as u64 + 1, (number as u64 + 1) * PRICE_MSAT),
            "{point}"
        );
    }
    assert!(stopped > 0, "no write ever failed");
    // The wallet's own list agrees once it started again, and the ledger is whole.
    stage.world.provider.restart(&[]).await.unwrap();
    let home = stage.world.provider.home.path().to_owned();
    stage.world.provider.stop_in_order().await;
    let sound = sound(&home).await.unwrap();
    assert_eq!((sound.settled, sound.difference_msat), (POINTS.len() as u64, 0));
    assert_eq!(sound.settled_msat, POINTS.len() as u64 * PRICE_MSAT);
    drop(disk);
    stage.strike().await;
}

/// What a person reads meanwhile: the state is told truly, the cause and the next step are named.
fn says_full(disk: &Disk, home: &Path) {
    disk.fill();
    let run = |name: &str, arguments: &[&str]| {
        let mut command = Command::new("timeout");
        command.arg("60").arg(program(name).unwrap());
        // A host that is down stays down: what is said of it is looked at.
        command.env("AUTOPILOT_NO_START", "1");
        let output = command
            .args(arguments)
            .arg("--home")
            .arg(home)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, _, words) = run("autopilot-headless", &["provider"]);
    assert_eq!(code, Some(1), "{words}");
    assert!(
        words.contains("full") && words.contains("free some space"),
        "{words}"
    );
    let (code, data, _) = run("autopilotctl", &["doctor", "--json"]);
    assert_eq!(code, Some(4), "{data}");
    assert!(
        data.contains(r#"{"name":"disk","state":"fail""#) && data.contains("a full disk stops the ledger"),
        "{data}"
    );
    let (code, _, words) = run("autopilotctl", &["status", "--json"]);
    assert_eq!(
        code,
        Some(3),
        "earning is not possible, and nobody says it is: {words}"
    );
}
