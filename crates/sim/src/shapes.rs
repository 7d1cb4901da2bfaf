//! Readers that the dialects share: the models and limits on lists.

use crate::check::{Fields, Invalid, Path, Problem};
use crate::options::ModelOptions;

/// The models that are served.
#[derive(Debug)]
pub(crate) struct Models(Vec<ModelOptions>);

impl Models {
    /// These models; at most `u16::MAX`.
    pub(crate) fn new(models: Vec<ModelOptions>) -> Self {
        Self(models)
    }

    /// The place of a model, with or without `sim/` before its name.
    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        let name = name.strip_prefix("sim/").unwrap_or(name);
        self.0.iter().position(|model| model.name == name).and_then(|place| u16::try_from(place).ok())
    }

    /// The model at a place.
    pub(crate) fn get(&self, place: u16) -> Option<&ModelOptions> {
        self.0.get(usize::from(place))
    }

    /// Every model, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ModelOptions> {
        self.0.iter()
    }
}

/// Reads the field `model`.
pub(crate) fn model<'m>(
    fields: &Fields<'_, '_, '_>,
    models: &'m Models,
) -> Result<(u16, &'m ModelOptions), Invalid> {
    let name = fields.required_text("model")?;
    let found = models.find(name).and_then(|place| models.get(place).map(|model| (place, model)));
    found.ok_or_else(|| fields.at("model").invalid(Problem::NoModel { name: name.to_owned() }))
}

/// Refuses a list that is longer than the vendor takes.
pub(crate) fn at_most(path: &Path<'_>, length: usize, most: usize) -> Result<(), Invalid> {
    if length > most {
        return Err(path.rule(format!("List should have at most {most} items, not {length}")));
    }
    Ok(())
}
