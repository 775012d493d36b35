//! The table of functions that SQLite calls: each asks the disk first, and then does what it does to the real file.
//!
//! Safety: SQLite hands `xOpen` a block of `szOsFile` bytes, aligned to eight, that is a file's own until `xClose`; ours
//! begins it, the real file system's lies behind. Every other function is called with such a block only, or with the table
//! that was registered, which lives as long as the process.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    mem::{size_of, zeroed},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr::{null, null_mut},
    sync::OnceLock,
};

use libsqlite3_sys as ffi;
use libsqlite3_sys::{sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use crate::{
    disk::{Refusal, Verdict, disk},
    medium::Change,
};

/// Ours: the real one lies behind it.
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// Boxed; null for files that need not survive.
    path: *mut PathBuf,
}

/// Makes this file system the one that every new connection of this process uses.
///
/// # Panics
/// There is no `unix` file system to lie beneath: SQLite was built for another machine.
pub fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // SAFETY: the name is a C string; what is found lives as long as the process.
        let real = unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) };
        assert!(!real.is_null(), "SQLite has no file system of the name unix");
        // SAFETY: `real` was found just now. The copy is leaked, so that the table lives as long as the process.
        unsafe {
            let faulty = Box::leak(Box::new(*real));
            faulty.iVersion = 1;
            faulty.szOsFile = c_int::try_from(size_of::<File>()).unwrap_or(0) + (*real).szOsFile;
            faulty.zName = c"faulty".as_ptr();
            faulty.pNext = null_mut();
            faulty.pAppData = real.cast();
            faulty.xOpen = Some(open);
            faulty.xDelete = Some(delete);
            faulty.xAccess = Some(access);
            faulty.xFullPathname = Some(full_pathname);
            assert_eq!(ffi::sqlite3_vfs_register(faulty, 1), ffi::SQLITE_OK);
        }
    });
}

fn code(refusal: Refusal) -> c_int {
    match refusal {
        Refusal::Full => ffi::SQLITE_FULL,
        Refusal::Write => ffi::SQLITE_IOERR_WRITE,
        Refusal::Sync => ffi::SQLITE_IOERR_FSYNC,
    }
}

/// The real file behind ours.
unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: the block is of `szOsFile` bytes, and `File` is a multiple of eight bytes.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

unsafe fn methods(file: *mut sqlite3_file) -> &'static sqlite3_io_methods {
    // SAFETY: SQLite calls a file's functions only while it is open, when its table is set; tables are static.
    unsafe { &*(*real(file)).pMethods }
}

unsafe fn path<'a>(file: *mut sqlite3_file) -> Option<&'a Path> {
    // SAFETY: set by `open`, freed by `close`.
    unsafe { (*file.cast::<File>()).path.as_ref().map(PathBuf::as_path) }
}

unsafe fn named(name: *const c_char) -> PathBuf {
    // SAFETY: SQLite hands over C strings.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

unsafe fn beneath(vfs: *mut sqlite3_vfs) -> *mut sqlite3_vfs {
    // SAFETY: `install` put it there.
    unsafe { (*vfs).pAppData.cast() }
}

/// Calls a function of the real table with the real file; one that is missing answers with an error.
macro_rules! really {
    ($file:expr, $function:ident $(, $argument:expr)*) => {
        // SAFETY: an open file's own table, called with its own file.
        unsafe {
            match methods($file).$function {
                Some(function) => function(real($file) $(, $argument)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    };
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let survives = ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL;
    // SAFETY: as at the top; the block is ours to write.
    unsafe {
        let ours = file.cast::<File>();
        (*ours).base.pMethods = null();
        (*ours).path = null_mut();
        if disk().is_down() {
            return ffi::SQLITE_CANTOPEN;
        }
        let kept = !name.is_null() && flags & survives != 0;
        if kept {
            disk().opened(&named(name));
        }
        let Some(really) = (*beneath(vfs)).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let result = really(beneath(vfs), name, real(file), flags, out);
        if (*real(file)).pMethods.is_null() {
            return result;
        }
        (*ours).base.pMethods = table();
        if kept {
            (*ours).path = Box::into_raw(Box::new(named(name)));
        }
        result
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: as at the top.
    unsafe {
        if disk().is_down() {
            return ffi::SQLITE_IOERR_DELETE;
        }
        disk().deleted(&named(name));
        (*beneath(vfs))
            .xDelete
            .map_or(ffi::SQLITE_IOERR, |really| really(beneath(vfs), name, sync))
    }
}

unsafe extern "C" fn access(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: as at the top.
    unsafe {
        (*beneath(vfs))
            .xAccess
            .map_or(ffi::SQLITE_IOERR, |really| really(beneath(vfs), name, flags, out))
    }
}

unsafe extern "C" fn full_pathname(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: as at the top.
    unsafe {
        (*beneath(vfs))
            .xFullPathname
            .map_or(ffi::SQLITE_IOERR, |really| really(beneath(vfs), name, size, out))
    }
}

/// The functions of our files. No shared mapping of the database: every write is seen.
fn table() -> &'static sqlite3_io_methods {
    static TABLE: OnceLock<sqlite3_io_methods> = OnceLock::new();
    TABLE.get_or_init(|| {
        // SAFETY: a table of optional functions: none of them is there.
        let mut table: sqlite3_io_methods = unsafe { zeroed() };
        table.iVersion = 2;
        table.xClose = Some(close);
        table.xRead = Some(read);
        table.xWrite = Some(write);
        table.xTruncate = Some(truncate);
        table.xSync = Some(sync);
        table.xFileSize = Some(file_size);
        table.xLock = Some(lock);
        table.xUnlock = Some(unlock);
        table.xCheckReservedLock = Some(check_reserved_lock);
        table.xFileControl = Some(file_control);
        table.xSectorSize = Some(sector_size);
        table.xDeviceCharacteristics = Some(device_characteristics);
        table.xShmMap = Some(shm_map);
        table.xShmLock = Some(shm_lock);
        table.xShmBarrier = Some(shm_barrier);
        table.xShmUnmap = Some(shm_unmap);
        table
    })
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let result = really!(file, xClose);
    // SAFETY: made by `open`, and the block is not used after this.
    unsafe {
        let ours = file.cast::<File>();
        if !(*ours).path.is_null() {
            drop(Box::from_raw((*ours).path));
        }
        (*ours).path = null_mut();
    }
    result
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    amount: c_int,
    at: sqlite3_int64,
) -> c_int {
    if disk().is_down() {
        return ffi::SQLITE_IOERR_READ;
    }
    really!(file, xRead, to, amount, at)
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    from: *const c_void,
    amount: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: as at the top.
    let Some(path) = (unsafe { path(file) }) else {
        return really!(file, xWrite, from, amount, at);
    };
    let (length, start) = (
        usize::try_from(amount).unwrap_or(0),
        usize::try_from(at).unwrap_or(0),
    );
    // SAFETY: SQLite hands over as many bytes as it says.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), length) };
    let mut disk = disk();
    match disk.judge(false) {
        Verdict::Do => {
            disk.change(path, Change::Write(start, bytes.to_vec()));
            really!(file, xWrite, from, amount, at)
        }
        Verdict::Down => {
            disk.change(path, Change::Write(start, bytes.to_vec()));
            ffi::SQLITE_IOERR_WRITE
        }
        Verdict::Refuse(Refusal::Full) => {
            disk.change(path, Change::Write(start, bytes[..length / 2].to_vec()));
            really!(file, xWrite, from, amount / 2, at);
            ffi::SQLITE_FULL
        }
        Verdict::Refuse(refusal) => code(refusal),
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: as at the top.
    let Some(path) = (unsafe { path(file) }) else {
        return really!(file, xTruncate, size);
    };
    let length = usize::try_from(size).unwrap_or(0);
    let mut disk = disk();
    match disk.judge(false) {
        Verdict::Do => {
            disk.change(path, Change::Truncate(length));
            really!(file, xTruncate, size)
        }
        Verdict::Down => {
            disk.change(path, Change::Truncate(length));
            ffi::SQLITE_IOERR_TRUNCATE
        }
        Verdict::Refuse(_) => ffi::SQLITE_IOERR_TRUNCATE,
    }
}

/// The real file is not synced: the medium is ours, and the page cache outlives this process.
unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: as at the top.
    let Some(path) = (unsafe { path(file) }) else {
        return ffi::SQLITE_OK;
    };
    let mut disk = disk();
    match disk.judge(true) {
        Verdict::Do => {
            disk.sync(path);
            ffi::SQLITE_OK
        }
        Verdict::Down => ffi::SQLITE_IOERR_FSYNC,
        Verdict::Refuse(refusal) => code(refusal),
    }
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut sqlite3_int64) -> c_int {
    really!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    really!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    really!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    really!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, what: c_int, argument: *mut c_void) -> c_int {
    really!(file, xFileControl, what, argument)
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    really!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    really!(file, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    really!(file, xShmMap, page, size, extend, out)
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    really!(file, xShmLock, offset, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    // SAFETY: an open file's own table, called with its own file.
    unsafe {
        if let Some(function) = methods(file).xShmBarrier {
            function(real(file));
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    really!(file, xShmUnmap, delete)
}
