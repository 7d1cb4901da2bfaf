//! A provider that is only simulated, over real sockets, with scripted faults and an account of its own.
//!
//! It never uses the encoders of `wire` nor the sums of `catalog`: it is their independent witness. Its wire forms
//! are written from the vendors' documentation, and it refuses what the vendors refuse.
//!
//! # What a request may ask of it
//!
//! In the last user text, for use behind a gateway, or by the header in brackets:
//!
//! | directive | what it does |
//! |---|---|
//! | `[[sim:tokens=50 ttft-ms=20 tps=100 event-ms=10]]` | length and pace, see [`Timing`] (`x-sim-tokens`, `x-sim-ttft-ms`, `x-sim-tps`, `x-sim-event-ms`) |
//! | `[[fault:cut 5]]` | something goes wrong, see [`Fault`] (`x-sim-fault`) |
//! | `[[refuse]]` | the model refuses; in Gemini's dialect the prompt is blocked |
//! | `[[finish:REASON]]` | the reply ends for a reason of the dialect's: `content_filter`, `max_output_tokens`, `pause_turn`, `SAFETY`, … |
//! | `[[redacted-thinking]]` | Anthropic's thinking comes redacted |
//!
//! A tool that the last user text names is called, several at once if it names several; results of tools are quoted.
//! OpenAI's dialects are at `/v1/chat/completions` and `/v1/responses`, Anthropic's at `/v1/messages`, Gemini's under
//! `/v1beta/models` and `/v1/models`, Cohere's at `/v2/chat`, Bedrock's under `/model`, Ollama's at `/api/chat`, which needs no
//! key. Vectors come at `/v1/embeddings` and from Gemini's `embedContent` and `batchEmbedContents`, of the model `embed` alone.
//! Any key is taken but one that begins with `sk-bad`. The endpoints under `/sim` need none: `GET /sim` (models, prices),
//! `GET|DELETE /sim/oracle`, `GET|POST|DELETE /sim/faults`, `POST /sim/refuse?ms=N`.
//!
//! ```no_run
//! # async fn example() -> Result<(), stepwell_sim::Error> {
//! use stepwell_sim::{Sim, SimOptions};
//! let sim = Sim::bind(([127, 0, 0, 1], 0).into(), SimOptions::default()).await?;
//! let base_url = format!("http://{}/v1", sim.local_addr());
//! let oracle = sim.oracle();
//! sim.run(std::future::pending()).await;
//! # let _ = (base_url, oracle); Ok(()) }
//! ```

mod answer;
mod anthropic;
mod ask;
mod bedrock;
mod body;
mod check;
mod cohere;
mod control;
mod delivery;
mod embed;
mod error;
mod failure;
mod faults;
mod gemini;
mod generate;
mod head;
mod json;
mod keys;
mod knobs;
mod ollama;
mod openai;
mod options;
mod oracle;
mod prompt_cache;
mod reply;
mod route;
mod schema;
mod server;
mod shapes;
mod socket;
mod state;
mod text;

pub use error::Error;
pub use faults::{Fault, FaultParseError, Faults, Scripted};
pub use options::{ModelOptions, Prices, SimOptions, Timing};
pub use oracle::{Ended, Oracle, OracleEntry, OracleTotals};
pub use server::{Sim, SimHandle};
