//! plan: from the model's name to the targets to try, in order, and until when.

use std::sync::Arc;
use std::time::Duration;

use stepwell_types::{Endpoint, Failure};
use tokio::time::Instant;

use crate::open_call::OpenCall;
use crate::snapshot::{Resolution, Snapshot};
use crate::stages::admit::Admitted;
use crate::stages::decode::Call;

/// How long a call may take where nobody says: a plan has a target, and a target's provider always does.
const PATIENCE: Duration = Duration::from_mins(10);

/// What will be tried.
pub(crate) struct Plan {
    /// What the model's name stands for.
    pub(crate) resolution: Arc<Resolution>,
    /// When the whole call must be over.
    pub(crate) deadline: Instant,
}

/// Resolves the name and sets the deadline: the nearest of the caller's, the route's and the first provider's.
pub(crate) fn targets(
    call: &Call,
    admitted: &Admitted,
    snapshot: &Snapshot,
    open: &mut OpenCall,
) -> Result<Plan, Failure> {
    let resolution = snapshot.resolve(&call.head.model)?;
    // Targets that cannot serve the endpoint are passed over, unless there are no others: then the first says why.
    if !resolution.targets.iter().any(|target| target.serves(call.endpoint))
        && let Some(target) = resolution.targets.first()
    {
        match (call.endpoint, call.embeds.as_ref()) {
            (Endpoint::Embeddings, Some(embeds)) => {
                target.embedding_face(embeds.codec.format())?;
            }
            _ => {
                target.face(call.dialect)?;
            }
        }
    }
    open.record.route = resolution.route.as_ref().map(|route| Arc::clone(&route.name));
    let of_route = resolution.route.as_ref().and_then(|route| route.timeout);
    let of_provider = resolution.targets.iter().map(|target| target.provider.total).max();
    let patience = [of_route.or(of_provider), admitted.caller.deadline].into_iter().flatten().min();
    let deadline = Instant::now() + patience.unwrap_or(PATIENCE);
    Ok(Plan { resolution, deadline })
}
