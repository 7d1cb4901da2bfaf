//! `include`: files that stand in a configuration, <https://docs.litellm.ai/docs/proxy/config_management>.

use crate::Include;
use crate::error::Error;
use crate::fields::step;
use crate::tree::{MOST, Node, Value};
use crate::yaml;

/// The most files that one configuration includes.
const FILES: usize = 100;

/// Puts what the included files say into the configuration, as LiteLLM does: lists behind lists, anything else in place of
/// what was there. What an included file includes itself is not read, which is what LiteLLM does too.
pub(crate) fn include(root: &mut Node, read: Include<'_>) -> Result<(), Error> {
    let Value::Map(entries) = &mut root.value else { return Ok(()) };
    let Some(place) = entries.iter().position(|(name, node)| name == "include" && !node.is_null()) else {
        return Ok(());
    };
    let (_, included) = entries.remove(place);
    let single = std::slice::from_ref(&included);
    let files = included.list().unwrap_or(single);
    if files.len() > FILES {
        return Err(Error::at(included.line, "include", format!("more than {FILES} files")));
    }
    for (index, node) in files.iter().enumerate() {
        let path = format!("include[{index}]");
        let name =
            node.text().ok_or_else(|| Error::at(node.line, path.as_str(), "expected the name of a file"))?;
        let text = read(name).map_err(|error| {
            Error::at(node.line, path.as_str(), format!("{} cannot be read: {error}", step(name)))
        })?;
        let document = yaml::read(&text).map_err(|error| error.in_file(name))?;
        let Value::Map(more) = document.value else {
            return Err(Error::at(document.line, "", "an included file is a mapping").in_file(name));
        };
        for (name, node) in more {
            put(entries, name, node);
        }
        if entries.iter().map(|(_, node)| node.count()).sum::<usize>() > MOST {
            return Err(Error::at(
                node.line,
                path,
                format!("with this file there are more than {MOST} values"),
            ));
        }
    }
    Ok(())
}

fn put(entries: &mut Vec<(String, Node)>, name: String, mut node: Node) {
    forget_lines(&mut node);
    match entries.iter_mut().find(|(known, _)| *known == name) {
        Some((_, known)) => match (&mut known.value, node.value) {
            (Value::List(list), Value::List(more)) => list.extend(more),
            (value, other) => *value = other,
        },
        None => entries.push((name, node)),
    }
}

/// Takes the lines away: they are another file's.
fn forget_lines(node: &mut Node) {
    node.line = None;
    match &mut node.value {
        Value::Scalar { .. } => {}
        Value::List(list) => list.iter_mut().for_each(forget_lines),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, node)| forget_lines(node)),
    }
}
