//! The upkeep thread: syncs in groups, makes the next segment ready, and takes disk space ahead of the end.
//!
//! What it has not got round to, an append does itself. It never retries a sync that failed.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::files::SegmentFile;
use super::state::Unsynced;
use super::ticket::Durable;
use super::{Durability, Shared};
use crate::Error;

/// How long [`Durability::Async`] holds records in the process.
const ASYNC_INTERVAL: Duration = Duration::from_millis(50);

/// Starts the thread.
pub(super) fn start(shared: Arc<Shared>) -> Result<JoinHandle<()>, Error> {
    let dir = shared.dir.clone();
    thread::Builder::new()
        .name("journal-upkeep".to_owned())
        .spawn(move || run(&shared))
        .map_err(Error::io("start a thread for", &dir))
}

fn run(shared: &Shared) {
    loop {
        let began = shared.clock.moment();
        let mut state = shared.state.lock();
        while !state.dirty && !state.stopping {
            state.upkeep_idle = true;
            shared.upkeep.wait(&mut state);
        }
        state.upkeep_idle = false;
        let stopping = state.stopping;
        if state.flush().is_err() {
            tracing::error!("buffered records could not be written");
        }
        let unsynced = state.take_unsynced();
        drop(state);
        sync(shared, &unsynced);
        if stopping {
            return;
        }
        prepare_next(shared);
        take_space(shared);
        pause(shared, shared.clock.moment().micros_since(began));
    }
}

fn sync(shared: &Shared, unsynced: &Unsynced) {
    let began = shared.clock.moment();
    let mut fsyncs = 0;
    let mut flush = |file: &Arc<dyn SegmentFile>| {
        fsyncs += 1;
        file.sync()
    };
    let result = unsynced
        .sealed
        .iter()
        .try_for_each(|(file, length)| flush(file).and_then(|()| file.trim(*length)))
        .and_then(|()| flush(&unsynced.active));
    let spent_us = shared.clock.moment().micros_since(began);
    let mut state = shared.state.lock();
    state.fsyncs += fsyncs;
    state.fsync_us += spent_us;
    if let Err(error) = result {
        state.fail(&error);
    }
    if state.failed.is_none() {
        state.synced(unsynced.end);
    }
    let failed = state.failed.clone();
    drop(state);
    shared.durable.send_modify(|durable| publish(durable, unsynced, failed));
}

fn publish(durable: &mut Durable, unsynced: &Unsynced, failed: Option<Arc<str>>) {
    if failed.is_none() {
        durable.position = unsynced.end;
    }
    durable.failed = failed;
}

fn prepare_next(shared: &Shared) {
    let (number, reserved) = {
        let state = shared.state.lock();
        if !state.wants_next(&shared.options) {
            return;
        }
        (state.number + 1, state.reserved)
    };
    match shared.create_segment(number, reserved) {
        Ok(next) => {
            let mut state = shared.state.lock();
            state.next = Some(next);
            state.hurry = false;
        }
        Err(error) => tracing::warn!(%error, "the next journal segment cannot be made ready"),
    }
}

fn take_space(shared: &Shared) {
    let (number, wanted) = {
        let state = shared.state.lock();
        (state.number, state.wants_space())
    };
    let Some((file, from, length)) = wanted else { return };
    match file.allocate(from, length) {
        Ok(supported) => shared.state.lock().allocated(number, from, length, supported),
        Err(error) => tracing::warn!(%error, "no disk space ahead of the journal's end"),
    }
}

/// Waits out the rest of the interval between two syncs.
fn pause(shared: &Shared, spent_us: u64) {
    let interval = match shared.options.durability {
        Durability::Strict => return,
        Durability::Grouped => shared.options.group_interval,
        Durability::Async => ASYNC_INTERVAL,
    };
    let left = interval.saturating_sub(Duration::from_micros(spent_us));
    let mut state = shared.state.lock();
    if !state.stopping && !state.hurry {
        shared.upkeep.wait_for(&mut state, left);
    }
}
