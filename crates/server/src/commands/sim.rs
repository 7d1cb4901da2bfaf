//! `stepwell sim`: the simulated provider on its own.

use std::process::ExitCode;
use std::time::Duration;

use stepwell_sim::{Sim, SimOptions, Timing};

use super::Failure;
use crate::cli::SimArgs;
use crate::output;
use crate::serve::signals::StopSignals;

pub(super) fn run(args: &SimArgs) -> Result<ExitCode, Failure> {
    let fault = args.fault.as_deref().map(str::parse).transpose().map_err(Failure::new)?;
    let options = SimOptions {
        timing: Timing {
            ttft: Duration::from_millis(args.ttft_ms),
            tokens_per_second: args.tps,
            per_event: Duration::from_millis(args.event_ms),
            tokens: args.tokens,
        },
        fault,
        oracle: !args.no_oracle,
        burst_bytes: args.burst_bytes,
        ..SimOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.threads.max(1))
        .enable_all()
        .build()
        .map_err(Failure::new)?;
    runtime.block_on(async {
        let sim = Sim::bind(args.listen, options).await.map_err(Failure::new)?;
        let address = sim.local_addr();
        output::note(format_args!(
            "stepwell sim: a simulated provider, nothing here is a model\n  \
             OpenAI dialect     http://{address}/v1\n  Anthropic dialect  http://{address}\n  \
             Gemini dialect     http://{address}\n  Cohere dialect     http://{address}\n  \
             its account        http://{address}/sim/oracle\n  models             small, large\n  \
             any key works; one that begins with sk-bad is refused"
        ));
        sim.run(async { StopSignals::listen().next().await }).await;
        Ok(ExitCode::SUCCESS)
    })
}
