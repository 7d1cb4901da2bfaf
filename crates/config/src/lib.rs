//! Configuration text to `Settings`, with every mistake reported at once, where it stands and how to mend it.
//!
//! It never opens a socket or a store and never keeps a secret in a printable form.
