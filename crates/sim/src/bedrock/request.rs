//! Reads `converse` and `converse-stream` as strictly as the vendor does.

use crate::ask::{Ask, Choice, Format, Prompt, Thinking};
use crate::check::{Fields, Invalid, Path, Problem, Shape};
use crate::json::Json;
use crate::shapes::{self, Models};

use super::address::Address;
use super::blocks::Points;
use super::{messages, tools};

const REQUEST: Shape = Shape {
    required: &[],
    optional: &[
        "messages",
        "system",
        "inferenceConfig",
        "toolConfig",
        "guardrailConfig",
        "additionalModelRequestFields",
        "promptVariables",
        "additionalModelResponseFieldPaths",
        "requestMetadata",
        "performanceConfig",
        "serviceTier",
        "outputConfig",
    ],
    nullable: &[],
};

/// The JSON schema of a request, which is JSON in a string.
pub(crate) fn schema<'j>(json: &'j Json<'_>) -> Option<Json<'j>> {
    let format = json.get("outputConfig")?.get("textFormat")?;
    let schema = format.get("structure")?.get("jsonSchema")?.get("schema")?;
    Json::parse(schema.as_str()?.as_bytes()).ok()
}

/// Reads a request. `schema` is that of [`schema`].
pub(crate) fn read<'j>(
    json: &'j Json<'j>,
    schema: Option<&'j Json<'j>>,
    models: &Models,
    address: &Address<'_>,
) -> Result<Ask<'j, 'j>, Invalid> {
    let root = &Path::ROOT;
    let fields = REQUEST.read(json, root)?;
    let found = models.find(&address.model).and_then(|place| Some((place, models.get(place)?)));
    let Some((place, model)) = found else {
        return Err(root.key("modelId").invalid(Problem::NoModel { name: address.model.to_string() }));
    };
    let mut prompt = Prompt::new(&model.name);
    let mut points = Points::default();
    let tools = tools::read(&fields, &mut prompt, &mut points)?;
    messages::system(&fields, &mut prompt, &mut points)?;
    messages::read(&fields, tools.configured, &mut prompt, &mut points)?;
    labels(&fields)?;
    let (limit, stops) = inference(&fields, model.max_output_tokens)?;
    let (format, effort) = output(&fields, schema)?;
    let thinking = additional(&fields, limit, effort)?;
    if thinking != Thinking::Off && matches!(tools.choice, Choice::Any | Choice::Named(_)) {
        return Err(root.rule("Thinking may not be enabled when tool_choice forces tool use."));
    }
    Ok(Ask {
        model: place,
        stream: address.stream,
        limit,
        stops,
        tools: tools.allowed,
        choice: tools.choice,
        parallel: true,
        format,
        thinking,
        prompt,
    })
}

/// What does not change the reply.
fn labels(fields: &Fields<'_, '_, '_>) -> Result<(), Invalid> {
    const LATENCY: Shape = Shape { required: &[], optional: &["latency"], nullable: &[] };
    const TIER: Shape = Shape { required: &["type"], optional: &[], nullable: &[] };
    const MOST: usize = 256;
    fields.unsupported(&["guardrailConfig"])?;
    fields.object("promptVariables")?;
    if let Some(config) = fields.object("performanceConfig")? {
        let path = fields.at("performanceConfig");
        LATENCY.read(config, &path)?.choice("latency", &["standard", "optimized"])?;
    }
    if let Some(tier) = fields.object("serviceTier")? {
        let path = fields.at("serviceTier");
        TIER.read(tier, &path)?.choice("type", &["priority", "default", "flex", "reserved"])?;
    }
    let path = fields.at("additionalModelResponseFieldPaths");
    let paths = fields.array("additionalModelResponseFieldPaths")?.unwrap_or_default();
    shapes::at_most(&path, paths.len(), 10)?;
    for (index, pointer) in paths.iter().enumerate() {
        let path = path.index(index);
        let pointer = pointer.as_str().ok_or_else(|| path.wrong_type("a string", pointer))?;
        if !pointer.starts_with('/') {
            return Err(path.rule(format!("The value at {} is no JSON Pointer.", path.dotted())));
        }
    }
    let path = fields.at("requestMetadata");
    let Some(Json::Object(pairs)) = fields.object("requestMetadata")? else { return Ok(()) };
    let plain = |text: &str| {
        let letter = |letter: char| {
            letter.is_ascii_alphanumeric() || letter.is_ascii_whitespace() || ":_@$#=/+,-.".contains(letter)
        };
        text.len() <= MOST && text.chars().all(letter)
    };
    let right = |(name, value): &(_, Json<'_>)| {
        let name: &std::borrow::Cow<'_, str> = name;
        !name.is_empty() && plain(name) && value.as_str().is_some_and(plain)
    };
    if (1..=16).contains(&pairs.len()) && pairs.iter().all(right) {
        return Ok(());
    }
    Err(path.rule("requestMetadata must have 1 to 16 names and values of at most 256 plain characters."))
}

type Inference<'j> = (Option<u32>, Vec<&'j str>);

fn inference<'j>(fields: &Fields<'j, '_, '_>, most: u32) -> Result<Inference<'j>, Invalid> {
    const CONFIG: Shape = Shape {
        required: &[],
        optional: &["maxTokens", "temperature", "topP", "stopSequences"],
        nullable: &[],
    };
    let Some(config) = fields.object("inferenceConfig")? else { return Ok((None, Vec::new())) };
    let path = fields.at("inferenceConfig");
    let config = CONFIG.read(config, &path)?;
    config.number("temperature", 0.0, 1.0)?;
    config.number("topP", 0.0, 1.0)?;
    let limit = config.integer("maxTokens")?;
    let read = limit.map(|limit| u32::try_from(limit).ok().filter(|limit| (1..=most).contains(limit)));
    if read == Some(None) {
        let limit = limit.unwrap_or(0);
        return Err(path.key("maxTokens").rule(format!(
            "The maximum tokens you requested exceeds the model limit of {most}. Try again with a maximum tokens value \
             that is lower than {most}, not {limit}."
        )));
    }
    let list = path.key("stopSequences");
    let texts = config.array("stopSequences")?.unwrap_or_default().iter().enumerate();
    let stops = texts.map(|(index, text)| {
        let path = list.index(index);
        match text.as_str() {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(path.rule("A stop sequence must not be empty.")),
            None => Err(path.wrong_type("a string", text)),
        }
    });
    Ok((read.flatten(), stops.collect::<Result<_, _>>()?))
}

/// The form of the text, and how many tokens the effort thinks.
fn output<'j>(
    fields: &Fields<'j, 'j, '_>,
    schema: Option<&'j Json<'j>>,
) -> Result<(Format<'j, 'j>, Option<u32>), Invalid> {
    const CONFIG: Shape = Shape { required: &[], optional: &["textFormat", "effort"], nullable: &[] };
    const FORMAT: Shape = Shape { required: &["type", "structure"], optional: &[], nullable: &[] };
    const STRUCTURE: Shape = Shape { required: &["jsonSchema"], optional: &[], nullable: &[] };
    const DEFINITION: Shape =
        Shape { required: &["schema"], optional: &["name", "description"], nullable: &[] };
    let Some(config) = fields.object("outputConfig")? else { return Ok((Format::Text, None)) };
    let path = fields.at("outputConfig");
    let config = CONFIG.read(config, &path)?;
    let effort =
        config.choice("effort", &["low", "medium", "high", "xhigh", "max"])?.map(|effort| match effort {
            "low" => 16,
            "medium" => 32,
            "high" => 64,
            _ => 128,
        });
    let Some(format) = config.object("textFormat")? else { return Ok((Format::Text, effort)) };
    let path = path.key("textFormat");
    let format = FORMAT.read(format, &path)?;
    format.choice("type", &["json_schema"])?;
    let path = path.key("structure");
    let Some(structure) = format.object("structure")? else { return Ok((Format::Text, effort)) };
    let structure = STRUCTURE.read(structure, &path)?;
    let path = path.key("jsonSchema");
    if let Some(definition) = structure.object("jsonSchema")? {
        let definition = DEFINITION.read(definition, &path)?;
        definition.required_text("schema")?;
        definition.text("name")?;
        definition.text("description")?;
    }
    let path = path.key("schema");
    let schema = schema.ok_or_else(|| path.rule(format!("The value at {} is no JSON.", path.dotted())))?;
    tools::strict_schema(schema, &path)?;
    Ok((Format::Schema(schema), effort))
}

/// Fields of the model's own: it takes those of Claude.
fn additional(
    fields: &Fields<'_, '_, '_>,
    limit: Option<u32>,
    effort: Option<u32>,
) -> Result<Thinking, Invalid> {
    const ADDITIONAL: Shape =
        Shape { required: &[], optional: &["thinking", "top_k", "anthropic_beta"], nullable: &[] };
    const THINKING: Shape = Shape { required: &["type"], optional: &["budget_tokens"], nullable: &[] };
    const USUAL: u32 = 32;
    let shown = |tokens| Thinking::Shown { tokens, omitted: false };
    let by_effort = effort.map_or(Thinking::Off, shown);
    let Some(additional) = fields.object("additionalModelRequestFields")? else { return Ok(by_effort) };
    let path = fields.at("additionalModelRequestFields");
    let additional = ADDITIONAL.read(additional, &path)?;
    additional.integer("top_k")?;
    additional.array("anthropic_beta")?;
    let Some(thinking) = additional.object("thinking")? else { return Ok(by_effort) };
    let path = path.key("thinking");
    let thinking = THINKING.read(thinking, &path)?;
    let budget = thinking.integer("budget_tokens")?;
    match (thinking.choice("type", &["enabled", "adaptive", "disabled"])?, budget) {
        (Some("enabled"), Some(budget)) if budget < 1_024 => Err(path
            .key("budget_tokens")
            .rule("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")),
        (Some("enabled"), Some(budget)) if limit.is_some_and(|limit| budget >= i64::from(limit)) => {
            Err(path.rule("`max_tokens` must be greater than `thinking.budget_tokens`."))
        }
        (Some("enabled"), Some(_)) => Ok(shown(USUAL)),
        (Some("enabled"), None) => Err(path.key("budget_tokens").invalid(Problem::Missing)),
        (Some("adaptive"), _) => Ok(shown(effort.unwrap_or(USUAL))),
        _ => Ok(Thinking::Off),
    }
}
