//! What the binary and the workspace promise, tried from outside.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod calls_bedrock;
#[cfg(test)]
mod calls_cancelled;
#[cfg(test)]
mod calls_commands;
#[cfg(test)]
mod calls_models;
#[cfg(test)]
mod calls_passing;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod embeddings;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod faults_failover;
#[cfg(test)]
mod faults_foreign;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod harness_client;
#[cfg(test)]
mod harness_scripted;
#[cfg(test)]
mod import;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod limits_connection;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod prices;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod vertex;
