//! One load thread: a small runtime of its own with a share of the connections.
//!
//! It never keeps time: it opens its connections, waits for the start, and makes calls until there are no more.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use tokio::runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::client::{Connection, Work};
use crate::source::Source;
use crate::tally::Lane;

/// How many connections are opened at the same time, so that a listener's queue does not overflow.
const OPENING: usize = 64;

/// What a load thread tells the controller.
pub(crate) enum News {
    /// The connections have been tried; how many opened, and what the first failure was.
    Ready { opened: usize, error: Option<io::Error> },
    /// The last call has ended.
    Done,
}

/// What the controller tells the threads: nothing yet, or where calls come from.
type Go = watch::Receiver<Option<Arc<Source>>>;

/// The whole life of one load thread.
pub(crate) fn drive(
    work: &Arc<Work>,
    lane: &Arc<Lane>,
    connections: usize,
    go: &Go,
    tell: &SyncSender<News>,
) {
    // A controller that is gone needs no news: nothing below waits for it to take them.
    let say = |news| drop(tell.send(news));
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return say(News::Ready { opened: 0, error: Some(error) }),
    };
    runtime.block_on(async {
        let (mut connections_open, error) = open_all(work, lane, connections).await;
        say(News::Ready { opened: connections_open.len(), error });
        // Those that could not be opened try again with their first call.
        connections_open.resize_with(connections, || Connection::new(Arc::clone(work), Arc::clone(lane)));
        let mut tasks = JoinSet::new();
        for connection in connections_open {
            tasks.spawn(make_calls(connection, go.clone()));
        }
        while tasks.join_next().await.is_some() {}
    });
    say(News::Done);
}

/// Opens connections until all are open or one fails.
async fn open_all(work: &Arc<Work>, lane: &Arc<Lane>, count: usize) -> (Vec<Connection>, Option<io::Error>) {
    let gate = Arc::new(Semaphore::new(OPENING));
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let mut connection = Connection::new(Arc::clone(work), Arc::clone(lane));
        let gate = Arc::clone(&gate);
        tasks.spawn(async move {
            let _turn = gate.acquire().await;
            connection.open().await.map(|()| connection)
        });
    }
    let mut open = Vec::with_capacity(count);
    while let Some(opened) = tasks.join_next().await {
        match opened.map_err(io::Error::other).and_then(|result| result) {
            Ok(connection) => open.push(connection),
            Err(error) => return (open, Some(error)),
        }
    }
    (open, None)
}

async fn make_calls(mut connection: Connection, mut go: Go) {
    // A start that never comes means that the controller gave up.
    let Ok(source) = go.wait_for(Option::is_some).await.map(|source| source.clone()) else { return };
    let Some(source) = source else { return };
    while let Some(due) = source.next().await {
        connection.call(due).await;
    }
}
