//! The simulator inside this process: the same code as `stepwell sim`, on a loopback port of its own.

use std::net::{Ipv4Addr, SocketAddr};

use stepwell_sim::{Sim, SimOptions};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::commands::Failure;

/// The name of its kind in the catalog.
pub(super) const KIND: &str = "sim";

/// How many entries its account keeps: nobody reads it here, and memory is the product's.
const ACCOUNT: usize = 1_000;

/// Starts it on a thread of its own and gives its base URL.
pub(super) async fn start(stop: &CancellationToken) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    let (bound, address) = oneshot::channel();
    let stop = stop.clone();
    let serve = async move {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = SimOptions { oracle_entries: ACCOUNT, ..SimOptions::default() };
        let (sim, answer) = match Sim::bind(address, options).await {
            Ok(sim) => {
                let address = sim.local_addr();
                (Some(sim), Ok(address))
            }
            Err(error) => (None, Err(error)),
        };
        // Whoever waits for the address is gone only if the whole process is going.
        if let (Ok(()), Some(sim)) = (bound.send(answer), sim) {
            sim.run(stop.cancelled_owned()).await;
        }
    };
    std::thread::Builder::new()
        .name("simulator".to_owned())
        .spawn(move || runtime.block_on(serve))
        .map_err(Failure::new)?;
    let bound = address.await.map_err(Failure::new)?;
    let address = bound.map_err(|error| Failure(format!("the simulator cannot start: {error}")))?;
    Ok(format!("http://{address}/v1"))
}
