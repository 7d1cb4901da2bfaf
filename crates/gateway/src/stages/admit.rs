//! admit: whether there is room for the call.

use std::sync::Arc;

use stepwell_policy::{Admission, Permit};
use stepwell_types::Failure;

use crate::stages::identify::Caller;

/// A caller that was let in. Its place is given back when the call has ended.
pub(crate) struct Admitted {
    pub(crate) caller: Caller,
    pub(crate) permit: Permit,
}

/// Takes a place among the calls in flight.
pub(crate) fn call(caller: Caller, admission: &Arc<Admission>) -> Result<Admitted, Failure> {
    let permit = admission.enter()?;
    Ok(Admitted { caller, permit })
}
