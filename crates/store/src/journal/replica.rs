//! The replica id: made once per journal directory and kept beside its segments.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use stepwell_types::{ReplicaId, Timestamp};
use uuid::Uuid;

use crate::Error;

/// The id in `dir`, or a new one, written so that a crash leaves either none or the whole of it.
pub(crate) fn load_or_create(dir: &Path, now: Timestamp) -> Result<ReplicaId, Error> {
    let path = dir.join("replica");
    match fs::read_to_string(&path) {
        Ok(text) => match Uuid::parse_str(text.trim()) {
            Ok(id) => Ok(ReplicaId(id)),
            Err(_) => Err(Error::Foreign { path, expected: "replica id" }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let replica = ReplicaId::new(now);
            let partial = dir.join("replica.new");
            let mut file = File::create(&partial).map_err(Error::io("create", &partial))?;
            writeln!(file, "{replica}")
                .and_then(|()| file.sync_all())
                .map_err(Error::io("write", &partial))?;
            fs::rename(&partial, &path).map_err(Error::io("rename", &partial))?;
            File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", dir))?;
            Ok(replica)
        }
        Err(source) => Err(Error::io("read", &path)(source)),
    }
}
