//! Power loss for one process: `LD_PRELOAD` puts this before the C library's calls that open, write, cut, sync and
//! remove files. For files whose path ends in `AUTOPILOT_UNSYNCED`, or in that and one of SQLite's suffixes, every write
//! is noted beside the file (`….unsynced`) before it happens, and forgotten when a sync has succeeded. After a `kill -9`
//! the notes are what a disk without power may have lost; `autopilot_world_tests::life::power` takes it away.
//!
//! A note: kind (1 byte: 0 written, 1 cut), offset, the file's length before, bytes replaced, bytes written (8 bytes
//! each, little-endian), then the bytes replaced and the bytes written. For a cut the offset is the new length and the
//! bytes replaced are what was cut off.
//!
//! Not taken away: that a file was made, renamed or removed. SQLite syncs the folder for that.
#![expect(
    clippy::missing_safety_doc,
    reason = "each asks of its caller what the C library's function of that name asks"
)]

mod notes;

use std::ffi::{CStr, c_char, c_int, c_void};

use libc::{mode_t, off_t, size_t, ssize_t};
use notes::{Change, forget, is_watched, note, synced, watch};

/// The next definition of a symbol, which is the C library's.
macro_rules! real {
    ($name:ident as $kind:ty) => {{
        // SAFETY: the name ends in a zero byte, and the type is that of the C library's function.
        unsafe {
            let found = libc::dlsym(libc::RTLD_NEXT, concat!(stringify!($name), "\0").as_ptr().cast());
            std::mem::transmute::<*mut c_void, $kind>(found)
        }
    }};
}

fn opened(fd: c_int, path: *const c_char) -> c_int {
    if fd >= 0 && !path.is_null() {
        // SAFETY: the C library has just read this path.
        watch(fd, unsafe { CStr::from_ptr(path) });
    }
    fd
}

/// `open(2)`. The mode is an argument like any other on this platform, read only where a file is made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let real = real!(open as unsafe extern "C" fn(*const c_char, c_int, mode_t) -> c_int);
    // SAFETY: passed on as it came.
    opened(unsafe { real(path, flags, mode) }, path)
}

/// `open64(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let real = real!(open64 as unsafe extern "C" fn(*const c_char, c_int, mode_t) -> c_int);
    // SAFETY: passed on as it came.
    opened(unsafe { real(path, flags, mode) }, path)
}

/// `close(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    forget(fd);
    let real = real!(close as unsafe extern "C" fn(c_int) -> c_int);
    // SAFETY: passed on as it came.
    unsafe { real(fd) }
}

fn written(fd: c_int, bytes: *const c_void, count: size_t, offset: i64) {
    // SAFETY: the caller lends `count` bytes for this call.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), count) };
    note(fd, &Change::Written { offset, bytes });
}

/// `write(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    if is_watched(fd) {
        // SAFETY: asks where the file stands.
        written(fd, bytes, count, unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) });
    }
    let real = real!(write as unsafe extern "C" fn(c_int, *const c_void, size_t) -> ssize_t);
    // SAFETY: passed on as it came.
    unsafe { real(fd, bytes, count) }
}

/// `pwrite(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, count: size_t, at: off_t) -> ssize_t {
    if is_watched(fd) {
        written(fd, bytes, count, at);
    }
    let real = real!(pwrite as unsafe extern "C" fn(c_int, *const c_void, size_t, off_t) -> ssize_t);
    // SAFETY: passed on as it came.
    unsafe { real(fd, bytes, count, at) }
}

/// `pwrite64(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, count: size_t, at: off_t) -> ssize_t {
    // SAFETY: the same call by another name.
    unsafe { pwrite(fd, bytes, count, at) }
}

/// `ftruncate(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(fd: c_int, length: off_t) -> c_int {
    note(fd, &Change::Cut { length });
    let real = real!(ftruncate as unsafe extern "C" fn(c_int, off_t) -> c_int);
    // SAFETY: passed on as it came.
    unsafe { real(fd, length) }
}

/// `ftruncate64(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off_t) -> c_int {
    // SAFETY: the same call by another name.
    unsafe { ftruncate(fd, length) }
}

/// `fsync(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    let real = real!(fsync as unsafe extern "C" fn(c_int) -> c_int);
    // SAFETY: passed on as it came.
    synced(fd, || unsafe { real(fd) })
}

/// `fdatasync(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    let real = real!(fdatasync as unsafe extern "C" fn(c_int) -> c_int);
    // SAFETY: passed on as it came.
    synced(fd, || unsafe { real(fd) })
}

/// `unlink(2)`: a file made anew under the same name has lost nothing yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    let real = real!(unlink as unsafe extern "C" fn(*const c_char) -> c_int);
    if !path.is_null() {
        // SAFETY: the caller gives a path that ends in a zero byte.
        if let Some(notes) = notes::path_of(unsafe { CStr::from_ptr(path) }) {
            // SAFETY: a path of ours that ends in a zero byte.
            unsafe { real(notes.as_ptr()) };
        }
    }
    // SAFETY: passed on as it came.
    unsafe { real(path) }
}
