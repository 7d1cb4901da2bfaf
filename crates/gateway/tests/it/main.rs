//! What the gateway promises across the rooms it joins: what a provider metered, and what that costs.

#[cfg(test)]
mod usage;
