//! The list of models: routes first, then every model of every provider, under the names clients may use.

use stepwell_http1::server::Response;
use stepwell_types::{Code, Dialect, Failure};
use stepwell_wire::{Listing, codec};

use crate::answer::{ReplyBody, json};
use crate::snapshot::Snapshot;

/// The whole list, in the client's dialect.
pub(crate) fn list(dialect: Dialect, snapshot: &Snapshot) -> Response<ReplyBody> {
    let names = names(snapshot);
    let listings: Vec<Listing<'_>> =
        names.iter().map(|(id, owner)| Listing { id, owner, created: 0 }).collect();
    json(200, codec(dialect).write_models(&listings))
}

/// One model, if its name would resolve.
pub(crate) fn one(dialect: Dialect, name: &str, snapshot: &Snapshot) -> Response<ReplyBody> {
    let known = names(snapshot);
    let found = known.iter().find(|(id, _)| id == name);
    if let Some((id, owner)) = found {
        json(200, codec(dialect).write_model(&Listing { id, owner, created: 0 }))
    } else {
        let failure =
            Failure::new(Code::ModelNotFound, format!("there is no model `{name}` here")).param("model");
        let body = codec(dialect).write_error(&failure, None);
        json(failure.status, body)
    }
}

/// Every name and who has it.
fn names(snapshot: &Snapshot) -> Vec<(String, String)> {
    let routes = snapshot.settings.routes.keys().map(|name| (name.to_string(), "stepwell".to_owned()));
    let models = snapshot.settings.providers.values().flat_map(|provider| {
        snapshot
            .pricing
            .models(provider)
            .map(|model| (format!("{}/{model}", provider.name), provider.name.to_string()))
    });
    routes.chain(models).collect()
}
