//! What the path and the query of a call say: the model, what is asked of it, the key and the form of a stream.
//!
//! <https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent>,
//! <https://docs.cloud.google.com/apis/docs/system-parameters>

use stepwell_types::Endpoint;

/// Where the models are, in either version of the API: <https://ai.google.dev/gemini-api/docs/api-versions>
const MODELS: [&str; 2] = ["/v1beta/models", "/v1/models"];

/// Query parameters that every method takes.
const PARAMETERS: &[&str] = &[
    "$.xgafv",
    "$alt",
    "$fields",
    "$prettyPrint",
    "access_token",
    "alt",
    "callback",
    "fields",
    "key",
    "oauth_token",
    "prettyPrint",
    "quotaUser",
    "uploadType",
    "upload_protocol",
];

/// What is asked of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// `generateContent`
    Generate,
    /// `streamGenerateContent`
    Stream,
    /// `countTokens`
    Count,
    /// `embedContent`
    Embed,
    /// `batchEmbedContents`
    BatchEmbed,
}

impl Action {
    /// The endpoint that it is.
    pub(crate) fn endpoint(self) -> Endpoint {
        match self {
            Self::Generate | Self::Stream => Endpoint::Chat,
            Self::Count => Endpoint::CountTokens,
            Self::Embed | Self::BatchEmbed => Endpoint::Embeddings,
        }
    }

    /// Its name in the path.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Generate => "generateContent",
            Self::Stream => "streamGenerateContent",
            Self::Count => "countTokens",
            Self::Embed => "embedContent",
            Self::BatchEmbed => "batchEmbedContents",
        }
    }
}

/// The form of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// One JSON array, as it comes.
    Array,
    /// Events.
    Sse,
}

/// The model that a path names, and what is asked of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Address<'p> {
    /// The model's name.
    pub(crate) model: &'p str,
    /// What is asked of it.
    pub(crate) action: Action,
}

impl<'p> Address<'p> {
    /// Reads a path.
    pub(crate) fn read(path: &'p str) -> Option<Self> {
        let (model, action) = behind_models(path)?.strip_prefix('/')?.rsplit_once(':')?;
        let all = [Action::Generate, Action::Stream, Action::Count, Action::Embed, Action::BatchEmbed];
        let action = all.into_iter().find(|known| known.name() == action)?;
        Some(Self { model, action })
    }
}

/// What a path has behind that of the models, if it begins with it.
pub(crate) fn behind_models(path: &str) -> Option<&str> {
    let rest = MODELS.into_iter().find_map(|models| path.strip_prefix(models))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Whether a path is of this dialect whatever its headers say: that of the list of models is of every dialect.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with("/v1beta/") || Address::read(path).is_some()
}

/// The value of a query parameter.
pub(crate) fn parameter<'q>(query: Option<&'q str>, name: &str) -> Option<&'q str> {
    pairs(query).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The form in which a stream is asked for.
pub(crate) fn form(query: Option<&str>) -> Form {
    let alt = parameter(query, "alt").or_else(|| parameter(query, "$alt"));
    if alt == Some("sse") { Form::Sse } else { Form::Array }
}

/// The first query parameter that there is not, in the vendor's words.
pub(crate) fn wrong_parameter(query: Option<&str>) -> Option<String> {
    pairs(query).find_map(|(name, value)| match name {
        "alt" | "$alt" if !["json", "sse"].contains(&value) => {
            Some(format!("Invalid value at '$alt' (type.googleapis.com/google.api.Alt), \"{value}\""))
        }
        _ if PARAMETERS.contains(&name) => None,
        _ => Some(format!(
            "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' \
             could not be found in request message."
        )),
    })
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let words = query.unwrap_or_default().split('&').filter(|word| !word.is_empty());
    words.map(|word| word.split_once('=').unwrap_or((word, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_model_and_a_method() {
        let read = Address::read("/v1beta/models/sim/small:streamGenerateContent").unwrap();
        assert_eq!((read.model, read.action), ("sim/small", Action::Stream));
        assert_eq!(Address::read("/v1/models/small:countTokens").unwrap().action, Action::Count);
        for wrong in ["/v1beta/models/small", "/v1beta/models/small:predict", "/v2/models/small:countTokens"]
        {
            assert_eq!(Address::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_query_tells_the_form_of_a_stream() {
        assert_eq!(form(Some("key=k&alt=sse")), Form::Sse);
        assert_eq!(form(None), Form::Array);
        assert_eq!(wrong_parameter(Some("alt=sse&key=k")), None);
        assert!(wrong_parameter(Some("stream=true")).unwrap().contains("\"stream\""));
        assert!(wrong_parameter(Some("alt=xml")).is_some());
    }
}
