//! The stages, in the order of the pipeline. Each takes and gives types that prove the stage before it ran.

pub(crate) mod admit;
pub(crate) mod attempt;
pub(crate) mod decode;
pub(crate) mod identify;
pub(crate) mod plan;
pub(crate) mod settle;
