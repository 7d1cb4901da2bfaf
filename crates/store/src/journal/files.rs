//! What the journal asks of the file system, as traits, so that tests can make a disk fail.
//!
//! It never decides what a failure means.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Creates segments.
pub(crate) trait Files: Send + Sync {
    /// A new, empty file; an error if there is one.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>>;
    /// Makes the directory's entries durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// One segment, open for writing.
pub(crate) trait SegmentFile: Send + Sync {
    /// Hands all the bytes to the operating system.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
    /// Takes disk space for `length` bytes from `offset`, beyond the file's end. False where the file system
    /// cannot.
    fn allocate(&self, offset: u64, length: u64) -> io::Result<bool>;
    /// Cuts the file to `length` and gives back space beyond it.
    fn trim(&self, length: u64) -> io::Result<()>;
}

/// The machine's own file system.
#[derive(Debug)]
pub(crate) struct SystemFiles;

impl Files for SystemFiles {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Arc::new(options.open(path)?))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

impl SegmentFile for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    #[cfg(target_os = "linux")]
    fn allocate(&self, offset: u64, length: u64) -> io::Result<bool> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(self, FallocateFlags::KEEP_SIZE, offset, length) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn allocate(&self, _offset: u64, _length: u64) -> io::Result<bool> {
        Ok(false)
    }

    fn trim(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
