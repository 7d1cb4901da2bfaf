//! A config of Portkey's gateway to a draft.
//!
//! The format: <https://portkey.ai/docs/api-reference/inference-api/config-object>, and the types in
//! `src/types/requestBody.ts` and `src/middlewares/requestValidator/schema/config.ts` of
//! <https://github.com/Portkey-AI/gateway>. Names are in snake case or camel case.

mod account;
mod target;

use crate::PortkeyOptions;
use crate::advice;
use crate::draft::{Draft, Route, Target, Unfinished};
use crate::error::Error;
use crate::fields::{Field, Fields};
use crate::finish::plain;
use crate::tree::Node;
use crate::values;
use target::{Inherited, Leaf, Read};

/// What a report calls the source.
const SOURCE: &str = "Portkey";

/// Reads the whole config.
pub(crate) fn read(root: &Node, options: &PortkeyOptions) -> Result<Draft, Error> {
    if let Some(model) = options.model.as_deref().filter(|model| !values::is_model(model)) {
        let long = if model.len() > 256 { "too long" } else { "not visible ASCII" };
        return Err(Error::whole(format!("the name given for the model is {long}")));
    }
    if root.map().is_none() {
        return Err(Error::whole("a config of Portkey's gateway is an object"));
    }
    let mut draft = Draft::new(SOURCE);
    let mut walk = Walk { draft: &mut draft, found: Vec::new() };
    let leaves = walk.node(root, "", &Inherited::default(), (&options.route, false))?;
    let mut found = walk.found;
    found.insert(0, Found { name: options.route.clone(), leaves, from: "the config".to_owned() });
    for found in found {
        add_route(found, options, &mut draft);
    }
    Ok(draft)
}

/// A name and the targets under it.
struct Found {
    name: String,
    leaves: Vec<Leaf>,
    from: String,
}

/// What the tree of targets is walked with.
struct Walk<'w> {
    draft: &'w mut Draft,
    /// The branches of conditions, each a name of its own.
    found: Vec<Found>,
}

impl Walk<'_> {
    /// The targets at a node in the order in which they are to be tried. `name` is the route they are for.
    fn node(
        &mut self,
        node: &Node,
        path: &str,
        above: &Inherited,
        (name, is_branch): (&str, bool),
    ) -> Result<Vec<Leaf>, Error> {
        let Some(mut fields) = Fields::of(node, path) else {
            return Err(Error::at(node.line, path, "expected an object"));
        };
        let inherited = target::inherited(&mut fields, above, self.draft);
        // The name of a branch is what its conditions call it.
        if is_branch {
            fields.take("name");
        }
        let strategy = fields.take("strategy");
        let targets = fields.take("targets");
        let leaves = if let Some(targets) = targets {
            let expected = || Error::at(None, targets.path.as_str(), "expected a list of targets");
            let list = targets.node.list().ok_or_else(expected)?;
            self.targets(strategy.as_ref(), list, &targets.path, &inherited, name)?
        } else {
            if let Some(mode) = &strategy {
                self.read_strategy(mode, path)?;
            }
            match target::leaf(&mut fields, path, &inherited, self.draft) {
                Read::Target(leaf) => vec![leaf],
                // What it holds is left out with it.
                Read::LeftOut => return Ok(Vec::new()),
                Read::Nothing => Vec::new(),
            }
        };
        for field in fields.rest() {
            self.draft.drop_field(&field, advice::portkey(field.name));
        }
        Ok(leaves)
    }

    fn targets(
        &mut self,
        strategy: Option<&Field<'_>>,
        list: &[Node],
        path: &str,
        inherited: &Inherited,
        name: &str,
    ) -> Result<Vec<Leaf>, Error> {
        let strategy = match strategy {
            Some(field) => self.read_strategy(field, path)?,
            None => Strategy::default(),
        };
        if strategy.mode == "conditional" {
            return self.conditional(&strategy, list, path, inherited, name);
        }
        let mut leaves = Vec::new();
        for (index, node) in list.iter().enumerate() {
            leaves.extend(self.node(node, &format!("{path}[{index}]"), inherited, (name, false))?);
        }
        if strategy.mode == "single" && leaves.len() > 1 {
            leaves.truncate(1);
            self.draft.change_at(
                &strategy.path,
                None,
                "`single` uses the first target: the others came along as providers",
            );
        }
        if strategy.mode == "loadbalance" && leaves.len() > 1 {
            let advice = "Portkey spreads calls by weight; here the first target takes them, and the next ones when it fails";
            self.draft.change_at(&strategy.path, None, advice);
        }
        Ok(leaves)
    }

    /// Each branch as a route of its own; the default one, or else the first, is the one that was asked for.
    fn conditional(
        &mut self,
        strategy: &Strategy,
        list: &[Node],
        path: &str,
        inherited: &Inherited,
        name: &str,
    ) -> Result<Vec<Leaf>, Error> {
        let mut first = None;
        let mut default = None;
        for (index, node) in list.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let own = Fields::of(node, &path).and_then(|mut fields| fields.take("name"));
            let own = own.and_then(|field| field.node.text());
            let branch =
                plain(&format!("{name}-{}", own.map_or_else(|| (index + 1).to_string(), str::to_owned)));
            let leaves = self.node(node, &path, inherited, (&branch, true))?;
            if strategy.default.is_some() && own == strategy.default.as_deref() {
                default = Some(leaves.clone());
            }
            first.get_or_insert_with(|| leaves.clone());
            self.draft.change_at(
                &path,
                None,
                format!(
                    "conditions choose among targets; here the product does: it sends `{branch}` as its model"
                ),
            );
            self.found.push(Found { name: branch, leaves, from: path });
        }
        Ok(default.or(first).unwrap_or_default())
    }

    fn read_strategy(&mut self, field: &Field<'_>, path: &str) -> Result<Strategy, Error> {
        let Some(mut fields) = Fields::of(field.node, &field.path) else {
            return Err(Error::at(None, path, "`strategy` is an object with a `mode`"));
        };
        let mode = fields.take("mode").and_then(|mode| mode.node.text()).unwrap_or("single").to_owned();
        if !["single", "loadbalance", "fallback", "conditional"].contains(&mode.as_str()) {
            let path = fields.path_to("mode");
            return Err(Error::at(None, path, "expected single, loadbalance, fallback or conditional"));
        }
        let default = if mode == "conditional" { fields.take("default") } else { None };
        let default = default.and_then(|field| field.node.text().map(str::to_owned));
        if mode == "conditional"
            && let Some(conditions) = fields.take("conditions")
        {
            self.draft
                .drop_field(&conditions, "calls are not routed by conditions: the product names the route");
        }
        for field in fields.rest() {
            self.draft.drop_field(&field, advice::portkey(field.name));
        }
        Ok(Strategy { mode, default, path: field.path.clone() })
    }
}

/// How targets are chosen among.
#[derive(Default)]
struct Strategy {
    mode: String,
    default: Option<String>,
    path: String,
}

/// A route over targets that all have a model; else one for a person to finish.
fn add_route(found: Found, options: &PortkeyOptions, draft: &mut Draft) {
    let Found { name, leaves, from } = found;
    if leaves.is_empty() {
        return;
    }
    let model = |leaf: &Leaf| leaf.model.clone().or_else(|| options.model.clone());
    let mut targets: Vec<Target> = Vec::new();
    for leaf in &leaves {
        if let Some(model) = model(leaf) {
            let target = Target { provider: leaf.provider, model };
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
    if leaves.iter().all(|leaf| model(leaf).is_some()) {
        draft.routes.push(Route { name, targets, strict: false, max_output_tokens: None, from });
        return;
    }
    for leaf in leaves.iter().filter(|leaf| model(leaf).is_none()) {
        let advice = "it names no model, since Portkey's clients send one with each call: import again with --model NAME, finish the route in the file, or send `provider/model`";
        let item = crate::report::Item { path: leaf.path.clone(), line: None, advice: advice.to_owned() };
        if !draft.report.not_carried.contains(&item) {
            draft.report.not_carried.push(item);
        }
        let target = Target { provider: leaf.provider, model: "*".to_owned() };
        if !draft.direct.contains(&target) {
            draft.direct.push(target);
        }
    }
    let targets = leaves.iter().map(|leaf| (leaf.provider, model(leaf))).collect();
    draft.unfinished.push(Unfinished { name, targets, from });
}
