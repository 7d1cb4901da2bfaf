//! A provider that is only simulated, over real sockets, with scripted faults and an account of its own.
//!
//! It never uses the encoders of `wire` nor the sums of `catalog`: it is their independent witness.
