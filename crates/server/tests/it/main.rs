//! What the binary and the workspace promise, tried from outside.

#[cfg(test)]
mod architecture;
