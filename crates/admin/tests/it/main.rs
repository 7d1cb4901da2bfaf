//! The management API over a real ledger in a temporary directory, without sockets.

#[cfg(test)]
mod calls;
#[cfg(test)]
mod config;
#[cfg(test)]
mod description;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod status;
#[cfg(test)]
mod support;
#[cfg(test)]
mod token;
#[cfg(test)]
mod usage;
