//! A display without a screen, and hands and eyes for what is shown there.
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// Bound of one change on the screen; generous, since machines are shared and debug builds draw slowly.
const PATIENCE: Duration = Duration::from_secs(120);
/// Colours that a drawn window has at least: an empty one has one, a frame without text a dozen.
const COLOURS_MIN: u32 = 40;

/// An X server that draws into memory, on a number that it found free.
pub struct Display {
    /// As `DISPLAY` names it.
    pub name: String,
    server: Child,
}

impl Display {
    pub async fn start() -> Display {
        let mut server = Command::new("Xvfb")
            .args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1360x860x24",
                "-nolisten",
                "tcp",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("Xvfb is installed: ./test does that");
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        // It says its number once it serves.
        let number = timeout(PATIENCE, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        Display {
            name: format!(":{number}"),
            server,
        }
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("DISPLAY", &self.name)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{program} {arguments:?} took too long"));
        let output = output.unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {words}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until the window's title says this: what the window itself holds to be true.
    pub async fn title(&self, word: &str) {
        // Its pattern knows no letters beyond ASCII where no locale is set.
        let title = format!("^Autopilot .* {word}$");
        self.run("xdotool", &["search", "--sync", "--name", &title]).await;
    }

    /// Presses keys. There is no window manager to give the focus.
    pub async fn keys(&self, keys: &[&str]) {
        let focus = [
            "search",
            "--sync",
            "--onlyvisible",
            "--name",
            "^Autopilot",
            "windowfocus",
            "--sync",
        ];
        self.run(
            "xdotool",
            &[&focus[..], &["key", "--clearmodifiers"], keys].concat(),
        )
        .await;
    }

    /// Types a text.
    pub async fn types(&self, text: &str) {
        self.run("xdotool", &["type", "--delay", "12", text]).await;
    }

    /// Takes a picture, which must not be blank, and leaves it in the folder that `AUTOPILOT_SCREENSHOTS` names.
    pub async fn picture(&self, folder: &Path, name: &str) {
        let named = std::env::var_os("AUTOPILOT_SCREENSHOTS").map(PathBuf::from);
        let path = named.as_deref().unwrap_or(folder).join(format!("{name}.png"));
        let path = path.to_str().unwrap();
        self.run("import", &["-window", "root", path]).await;
        let colours = self.run("identify", &["-format", "%k", path]).await;
        let colours: u32 = colours.trim().parse().unwrap();
        assert!(colours >= COLOURS_MIN, "{path} is blank: {colours} colours");
    }

    pub async fn stop(mut self) {
        self.server.kill().await.unwrap();
    }
}
