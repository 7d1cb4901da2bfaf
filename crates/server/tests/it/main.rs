//! What the binary and the workspace promise, tried from outside.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod harness_client;
#[cfg(test)]
mod harness_scripted;
