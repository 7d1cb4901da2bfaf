//! Dialects: bytes to typed calls and back, as pure push machines.
//!
//! It never does I/O, never reads a clock, and never knows a provider, a route or a price.
