//! Which home folder is meant: `--home`, then `AUTOPILOT_HOME`, then the XDG data folder.
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// No home folder was named, and the environment names none either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no home folder: neither --home nor AUTOPILOT_HOME is given, and XDG_DATA_HOME and HOME are not set")]
pub struct NoHome;

/// The home folder as an absolute path. It need not exist. `given` is `--home` or `AUTOPILOT_HOME`.
///
/// # Errors
/// [`NoHome`].
pub fn resolve(given: Option<&Path>) -> Result<PathBuf, NoHome> {
    resolve_with(given, |name| std::env::var_os(name))
}

fn resolve_with(
    given: Option<&Path>,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, NoHome> {
    if let Some(path) = given.filter(|path| !path.as_os_str().is_empty()) {
        // Without a current folder a relative path stays as it is; opening it then says what is wrong.
        return Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    }
    // The XDG rules: a relative path counts as not set.
    let absolute = |name: &str| {
        environment(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    data.map(|data| data.join("autopilot")).ok_or(NoHome)
}

/// Where a running host serves its commands.
pub fn control_socket(home: &Path) -> PathBuf {
    home.join("run").join("control.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_flag_then_xdg_then_home() {
        let environment = |name: &str| match name {
            "XDG_DATA_HOME" => Some("/data".into()),
            "HOME" => Some("/root".into()),
            _ => None,
        };
        assert_eq!(resolve_with(Some(Path::new("/x")), environment), Ok("/x".into()));
        assert_eq!(resolve_with(None, environment), Ok("/data/autopilot".into()));
        let relative = |name: &str| match name {
            "XDG_DATA_HOME" => Some("data".into()),
            other => environment(other),
        };
        assert_eq!(
            resolve_with(None, relative),
            Ok("/root/.local/share/autopilot".into())
        );
        assert_eq!(resolve_with(None, |_| None), Err(NoHome));
    }
}
