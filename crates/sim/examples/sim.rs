//! Serves the simulator on the address given as first argument, by default `127.0.0.1:7099`, until it is killed.

use std::net::SocketAddr;

use stepwell_sim::{Sim, SimOptions};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:7099").parse()?;
    let oracle = arguments.next().as_deref() != Some("--no-oracle");
    let sim = Sim::bind(address, SimOptions { oracle, ..SimOptions::default() }).await?;
    let bound = sim.local_addr();
    std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("listening on http://{bound}\n"))?;
    sim.run(std::future::pending()).await;
    Ok(())
}
