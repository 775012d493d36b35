//! What was written and not synced.
use std::{
    ffi::{CStr, CString, c_int},
    fs::{File, OpenOptions},
    mem::ManuallyDrop,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::FileExt},
    },
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Descriptors that are looked at; SQLite's are low.
const DESCRIPTORS: usize = 4_096;
/// What SQLite adds to a database's name.
const SUFFIXES: [&[u8]; 3] = [b"", b"-wal", b"-journal"];

/// For each descriptor of a watched file, its notes. One lock for all: a write and its note are one step, as are a sync
/// and its forgetting.
static NOTES: Mutex<[Option<OwnedFd>; DESCRIPTORS]> = Mutex::new([const { None }; DESCRIPTORS]);

/// What a call is about to change.
pub enum Change<'a> {
    /// These bytes at this offset.
    Written { offset: i64, bytes: &'a [u8] },
    /// The file's length.
    Cut { length: i64 },
}

/// A panic in a test's own library loses nothing that the next call needs.
fn notes() -> MutexGuard<'static, [Option<OwnedFd>; DESCRIPTORS]> {
    NOTES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn index(fd: c_int) -> Option<usize> {
    usize::try_from(fd).ok().filter(|index| *index < DESCRIPTORS)
}

/// Where a watched file's notes lie; nothing for any other file.
pub fn path_of(path: &CStr) -> Option<CString> {
    let wanted = std::env::var_os("AUTOPILOT_UNSYNCED")?;
    let path = path.to_bytes();
    let watched = SUFFIXES.iter().any(|suffix| {
        let file = path.strip_suffix(*suffix);
        file.is_some_and(|file| file.ends_with(wanted.as_bytes()))
    });
    let mut notes = path.to_vec();
    notes.extend_from_slice(b".unsynced");
    watched.then(|| CString::new(notes).ok()).flatten()
}

/// Begins to note what is written to this descriptor, if its file is watched.
pub fn watch(fd: c_int, path: &CStr) {
    let (Some(index), Some(path)) = (index(fd), path_of(path)) else {
        return;
    };
    let path = std::ffi::OsStr::from_bytes(path.to_bytes());
    let file = OpenOptions::new().create(true).append(true).open(path);
    notes()[index] = file.ok().map(OwnedFd::from);
}

/// Whether writes to this descriptor are noted.
pub fn is_watched(fd: c_int) -> bool {
    index(fd).is_some_and(|index| notes()[index].is_some())
}

/// The descriptor is closed. Its file's notes stay: closing syncs nothing.
pub fn forget(fd: c_int) {
    let closed = index(fd).and_then(|index| notes()[index].take());
    // Closed without the lock: that is a call of `close` as well.
    drop(closed);
}

/// Notes a change before it happens. A note that can't be written is one loss less to try.
pub fn note(fd: c_int, change: &Change<'_>) {
    let notes = notes();
    let Some(file) = index(fd).and_then(|index| notes[index].as_ref()) else {
        return;
    };
    // SAFETY: the caller holds this descriptor open for this call, and it is not closed here.
    let target = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    let Ok(length) = target.metadata().map(|meta| meta.len()) else {
        return;
    };
    let (kind, offset, upto, new): (u8, u64, u64, &[u8]) = match change {
        Change::Written { offset, bytes } => {
            let offset = u64::try_from(*offset).unwrap_or(0);
            (0, offset, (offset + bytes.len() as u64).min(length), bytes)
        }
        Change::Cut { length: to } => (1, u64::try_from(*to).unwrap_or(0), length, &[]),
    };
    let mut old = vec![0; usize::try_from(upto.saturating_sub(offset)).unwrap_or(0)];
    // A descriptor that can't be read from has no bytes to give back: they count as zeros.
    let _ = target.read_exact_at(&mut old, offset);
    let mut record = vec![kind];
    for number in [offset, length, old.len() as u64, new.len() as u64] {
        record.extend_from_slice(&number.to_le_bytes());
    }
    record.extend_from_slice(&old);
    record.extend_from_slice(new);
    // The system itself is asked: the library's calls are ours, and would wait for the lock that is held here.
    // SAFETY: an open file of ours, and bytes that live until the call is over.
    unsafe { libc::syscall(libc::SYS_write, file.as_raw_fd(), record.as_ptr(), record.len()) };
}

/// Syncs, and forgets the notes when that succeeded.
pub fn synced(fd: c_int, sync: impl FnOnce() -> c_int) -> c_int {
    let notes = notes();
    let answer = sync();
    if let Some(file) = index(fd).and_then(|index| notes[index].as_ref())
        && answer == 0
    {
        // SAFETY: an open file of ours; the system itself, as above.
        unsafe { libc::syscall(libc::SYS_ftruncate, file.as_raw_fd(), 0) };
    }
    answer
}
