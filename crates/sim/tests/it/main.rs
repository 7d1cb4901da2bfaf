//! The simulator over real sockets, spoken to by a bare HTTP client.

#[cfg(test)]
mod anthropic;
#[cfg(test)]
mod bedrock;
#[cfg(test)]
mod client;
#[cfg(test)]
mod cohere;
#[cfg(test)]
mod embeddings;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod ollama;
#[cfg(test)]
mod openai;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod pace;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod strict_responses;
