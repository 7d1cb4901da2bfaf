//! Providers, models and prices as data, with the look-ups and the integer sums over them.
//!
//! It never does I/O and never computes money in floating point.
