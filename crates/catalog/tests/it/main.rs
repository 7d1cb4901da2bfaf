//! What the catalog promises, from outside: the data, costs worked out by hand, the oracle, and properties.

#[cfg(test)]
mod data;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod page;
#[cfg(test)]
mod props;
