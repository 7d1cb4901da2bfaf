//! The ledger and its journal behind small traits, and the databases that implement them.
//!
//! It is the only crate that knows a database; it never decides policy.

mod block_on;
mod data_dir;
mod error;
mod facts;
mod journal;
mod ledger;
mod priority;
mod ship;
mod sketch;
mod sqlite;

pub use data_dir::DataDir;
pub use error::Error;
pub use journal::{
    Appender, Durability, Journal, JournalError, JournalOptions, JournalStatus, Opened, Ticket,
};
pub use ledger::{
    Batch, BoxFuture, CallFilter, CallRow, Checkpoint, Cursor, Dimension, Health, Ledger, Page, Percentiles,
    Position, Shipped, Step, UsageQuery, UsageRow,
};
pub use ship::{Shipper, ShipperOptions, ShipperStatus};
pub use sqlite::SqliteLedger;
