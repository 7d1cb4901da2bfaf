//! The simulator over real sockets, spoken to by a bare HTTP client.
