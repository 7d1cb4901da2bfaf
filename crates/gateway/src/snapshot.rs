//! One configuration made ready to serve: every name resolved, every header built. Immutable; a reload makes a new one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use parking_lot::RwLock;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use stepwell_catalog::{Auth, ModelPrice, PriceBook, ProviderKind, model_quirks};
use stepwell_config::{GoogleCloud, ProviderSettings, RouteSettings, Secret, Settings};
use stepwell_http1::client::Template;
use stepwell_policy::{Choice, Pricing, Routing};
use stepwell_types::{Code, Dialect, EmbeddingFormat, EmbeddingQuirks, Endpoint, Failure, TargetName};
use stepwell_upstream::{Credential, GoogleToken, Limits, Origin};
use stepwell_wire::Quirks;

use crate::passing::Passing;

/// The most names kept resolved. Names come from clients: over this they are resolved anew each time.
const RESOLVED: usize = 4_096;

/// The most bytes of a model's name: as many as Amazon's, the longest in the field, which are ARNs.
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>
const LONGEST_NAME: usize = 2_048;

/// A configuration that cannot serve.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("provider `{provider}`: {message}")]
pub struct SnapshotError {
    /// The provider at fault.
    pub provider: String,
    /// What is wrong.
    pub message: String,
}

/// A configuration made ready.
pub struct Snapshot {
    /// The settings it was made of.
    pub settings: Arc<Settings>,
    pub(crate) pricing: Arc<Pricing>,
    routing: Routing,
    providers: HashMap<Arc<str>, Arc<Provider>>,
    resolved: RwLock<HashMap<Arc<str>, Arc<Resolution>>>,
}

/// What a name stands for.
pub(crate) struct Resolution {
    pub(crate) route: Option<RouteSettings>,
    pub(crate) targets: Vec<Arc<Target>>,
}

/// A provider and a model at it.
pub(crate) struct Target {
    pub(crate) name: TargetName,
    pub(crate) provider: Arc<Provider>,
    pub(crate) price: Option<Arc<ModelPrice>>,
    pub(crate) quirks: Quirks,
    /// The dialect to speak with its model, whatever the client's, where the provider has it.
    only: Option<Dialect>,
    faces: Arc<Faces>,
}

impl Target {
    /// The face that a client of this dialect is served through: the model's only one, else the client's own where the
    /// provider has it, else the first.
    pub(crate) fn face(&self, client: Dialect) -> Result<&Face, Failure> {
        let faces = &self.faces.dialects;
        let of = |dialect: Dialect| faces.iter().find(|face| face.dialect == dialect);
        self.only
            .and_then(of)
            .or_else(|| of(client))
            .or(faces.first())
            .ok_or_else(|| self.refused("converse", "embeddings"))
    }

    /// The face that a client of this form of embeddings is served through: its own where the provider has it, else the
    /// first.
    pub(crate) fn embedding_face(&self, client: EmbeddingFormat) -> Result<&EmbeddingFace, Failure> {
        let faces = &self.faces.embeddings;
        let own = faces.iter().find(|face| face.format == client);
        own.or(faces.first()).ok_or_else(|| self.refused("embed", "conversations"))
    }

    /// The request to an endpoint that is asked in OpenAI's form whoever has it.
    pub(crate) fn endpoint(&self, endpoint: Endpoint) -> Option<&Template> {
        self.faces.endpoints.iter().find(|(known, _)| *known == endpoint).map(|(_, template)| template)
    }

    /// Whether its provider has this endpoint at all.
    pub(crate) fn serves(&self, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::Chat | Endpoint::CountTokens => !self.faces.dialects.is_empty(),
            Endpoint::Embeddings => !self.faces.embeddings.is_empty(),
            _ => self.endpoint(endpoint).is_some(),
        }
    }

    fn refused(&self, what: &str, instead: &str) -> Failure {
        let message = format!(
            "`{}` is of the provider `{}`, which does not {what}: it serves {instead} only",
            self.name.model, self.name.provider
        );
        Failure::new(Code::UnsupportedParameter, message).param("model")
    }
}

/// All that a provider speaks.
struct Faces {
    dialects: Vec<Face>,
    embeddings: Vec<EmbeddingFace>,
    endpoints: Vec<(Endpoint, Template)>,
}

/// A form in which a provider is asked for vectors, and a request in it as far as it is the same for every call.
pub(crate) struct EmbeddingFace {
    pub(crate) format: EmbeddingFormat,
    pub(crate) quirks: EmbeddingQuirks,
    pub(crate) template: Template,
}

/// A dialect that a provider speaks, and requests in it as far as they are the same for every call, credentials included.
pub(crate) struct Face {
    pub(crate) dialect: Dialect,
    pub(crate) version_in_body: Option<&'static str>,
    pub(crate) chat: Template,
    /// For a reply that is streamed.
    pub(crate) stream: Template,
    pub(crate) count_tokens: Option<Template>,
}

/// A configured account, with what every request to it needs.
pub(crate) struct Provider {
    pub(crate) origin: Origin,
    pub(crate) credential: Credential,
    headers: HeaderMap,
    known: Vec<stepwell_catalog::Face>,
    embeddings: &'static [stepwell_catalog::EmbeddingFace],
    endpoints: &'static [stepwell_catalog::EndpointPath],
    google: Option<GoogleCloud>,
    /// The faces to every model, where no path names one.
    faces: Option<Arc<Faces>>,
    /// Headers that a call can bring itself.
    pub(crate) forwarded: Vec<Forwarded>,
    pub(crate) passing: Passing,
    pub(crate) limits: Limits,
    pub(crate) total: Duration,
}

/// A header of the client's that passes to the provider.
pub(crate) struct Forwarded {
    pub(crate) name: HeaderName,
    /// Passes whatever dialect the client speaks; others are part of their dialect.
    pub(crate) by_itself: bool,
    /// What the provider gets if the client sends none.
    pub(crate) otherwise: Option<HeaderValue>,
}

impl Snapshot {
    /// Makes a configuration ready. `base_urls` gives the address of providers that have none of their own: the
    /// simulator in this process.
    pub fn new(
        settings: Arc<Settings>,
        book: Arc<PriceBook>,
        base_urls: impl Fn(&ProviderSettings) -> Option<String>,
    ) -> Result<Self, SnapshotError> {
        let pricing = Arc::new(Pricing::new(&settings, book));
        let mut providers = HashMap::new();
        for provider in settings.providers.values() {
            let base_url = provider.base_url.clone().or_else(|| base_urls(provider));
            let ready = Provider::new(provider, base_url.as_deref(), settings.server.workers.get())
                .map_err(|message| SnapshotError { provider: provider.name.to_string(), message })?;
            providers.insert(Arc::clone(&provider.name), Arc::new(ready));
        }
        let routing = Routing::new(Arc::clone(&settings), Arc::clone(&pricing));
        Ok(Self { settings, pricing, routing, providers, resolved: RwLock::default() })
    }

    /// What a name stands for.
    pub(crate) fn resolve(&self, requested: &Arc<str>) -> Result<Arc<Resolution>, Failure> {
        if let Some(known) = self.resolved.read().get(requested) {
            return Ok(Arc::clone(known));
        }
        if requested.len() > LONGEST_NAME {
            let message = format!("a model's name has at most {LONGEST_NAME} bytes");
            return Err(Failure::new(Code::ModelNotFound, message).param("model"));
        }
        let choice = self.routing.resolve(requested)?;
        let resolution = Arc::new(self.make_ready(choice)?);
        let mut resolved = self.resolved.write();
        if resolved.len() < RESOLVED {
            resolved.insert(Arc::clone(requested), Arc::clone(&resolution));
        }
        Ok(resolution)
    }

    fn make_ready(&self, choice: Choice) -> Result<Resolution, Failure> {
        let mut targets = Vec::with_capacity(choice.targets.len());
        for name in choice.targets {
            let settings = self.settings.providers.get(&name.provider);
            let (Some(settings), Some(provider)) = (settings, self.providers.get(&name.provider)) else {
                let message = format!("the route names `{name}`, but no provider `{}`", name.provider);
                return Err(Failure::new(Code::InternalError, message));
            };
            if !is_printable(&name.model) {
                let message = "the model's name has characters no provider uses";
                return Err(Failure::new(Code::ModelNotFound, message).param("model"));
            }
            let faces = provider.faces(&name.model).map_err(|message| {
                Failure::new(Code::ModelNotFound, format!("`{name}`: {message}")).param("model")
            })?;
            targets.push(Arc::new(Target {
                faces,
                price: self.pricing.of(settings, &name.model),
                quirks: quirks(settings.kind, &name.model),
                only: model_quirks(&name.model).only,
                provider: Arc::clone(provider),
                name,
            }));
        }
        Ok(Resolution { route: choice.route, targets })
    }
}

impl Provider {
    fn new(settings: &ProviderSettings, base_url: Option<&str>, workers: usize) -> Result<Self, String> {
        if !is_printable(&settings.name) {
            return Err("its name cannot stand in a header".to_owned());
        }
        let kind = settings.kind;
        let base_url = base_url.or(kind.base_url).ok_or("it has no base_url")?;
        let origin = Origin::parse(base_url).map_err(|error| error.to_string())?;
        let mut headers = fixed_headers(settings)?;
        let of_dialect = kind.forward_request_headers.iter().map(|name| HeaderName::from_static(name));
        let forwarded = of_dialect
            .map(|name| (name, false))
            .chain([(TRACEPARENT, true)])
            .map(|(name, by_itself)| Forwarded { otherwise: headers.remove(&name), by_itself, name })
            .collect();
        headers.remove(CORRELATION);
        let timeouts = settings.timeouts;
        let mut provider = Self {
            known: settings.faces.clone(),
            embeddings: kind.embeddings,
            endpoints: kind.endpoints,
            credential: credential(settings)?,
            google: settings.google.clone(),
            headers,
            faces: None,
            forwarded,
            passing: Passing::new(kind),
            limits: Limits {
                connect: timeouts.connect,
                tls: timeouts.tls,
                first_byte: timeouts.first_byte,
                idle: timeouts.idle,
                connections: settings.max_connections.div_ceil(workers),
            },
            total: timeouts.total,
            origin,
        };
        let is_the_same =
            |face: &stepwell_catalog::Face| !face.chat_path.contains("{model") && face.models.is_empty();
        let mut embedding_paths = provider.embeddings.iter().map(|face| face.path);
        if provider.known.iter().all(is_the_same) && !embedding_paths.any(|path| path.contains(MODEL)) {
            provider.faces = Some(provider.faces_at("", "", "")?);
        }
        Ok(provider)
    }

    /// The faces to a model.
    fn faces(&self, model: &str) -> Result<Arc<Faces>, String> {
        if let Some(faces) = &self.faces {
            return Ok(Arc::clone(faces));
        }
        self.faces_at(model, &in_path(model, ESCAPED)?, &in_path(model, IN_SEGMENT)?)
    }

    /// The faces to a model, whose name stands in their paths as `in_path`, or as `segment` where it is one segment.
    fn faces_at(&self, model: &str, in_path: &str, segment: &str) -> Result<Arc<Faces>, String> {
        let template = |path: &str| {
            let mut path = path.replace(MODEL, in_path).replace(SEGMENT, segment);
            if let Some(google) = &self.google {
                path = path.replace("{project}", &google.project).replace("{location}", &google.location);
            }
            self.origin.template(&Method::POST, &path, &self.headers).map_err(|error| error.to_string())
        };
        let ready = |face: &stepwell_catalog::Face| {
            Ok(Face {
                dialect: face.dialect,
                version_in_body: face.version_in_body,
                chat: template(face.chat_path)?,
                stream: template(face.stream_path.unwrap_or(face.chat_path))?,
                count_tokens: face.count_tokens_path.map(template).transpose()?,
            })
        };
        let serves = |face: &&stepwell_catalog::Face| {
            face.models.is_empty() || face.models.iter().any(|start| model.starts_with(start))
        };
        let ready_to_embed = |face: &stepwell_catalog::EmbeddingFace| {
            let template = template(face.path)?;
            Ok(EmbeddingFace { format: face.format, quirks: face.quirks, template })
        };
        let dialects: Vec<Face> =
            self.known.iter().filter(serves).map(ready).collect::<Result<_, String>>()?;
        let embeddings: Vec<EmbeddingFace> =
            self.embeddings.iter().map(ready_to_embed).collect::<Result<_, String>>()?;
        if dialects.is_empty() && embeddings.is_empty() {
            return Err("it serves no model of such a name".to_owned());
        }
        let endpoints = self.endpoints.iter().map(|known| Ok((known.endpoint, template(known.path)?)));
        let endpoints = endpoints.collect::<Result<_, String>>()?;
        Ok(Arc::new(Faces { dialects, embeddings, endpoints }))
    }
}

/// What stands for the model's name in a path.
const MODEL: &str = "{model}";

/// What stands for the model's name as one segment of a path.
const SEGMENT: &str = "{model-as-segment}";

/// What is escaped in a path: all but what never needs it, slashes, and the `@` before a version of Vertex AI's.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'@');

/// The same where the name is one segment.
const IN_SEGMENT: &AsciiSet = &ESCAPED.add(b'/');

/// A model's name as a path has it: what is not plain is escaped.
///
/// A name with an empty segment, or one that steps through folders, is refused: a provider that tidies paths up would
/// read it as another endpoint, which a caller could then reach with the provider's key.
fn in_path(model: &str, escaped: &'static AsciiSet) -> Result<String, String> {
    if model.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err("its model cannot stand in a path".to_owned());
    }
    Ok(utf8_percent_encode(model, escaped).to_string())
}

/// Carries the call's id to the provider, so that an attempt can be found on its side too. OpenAI documents it; others
/// ignore it.
/// <https://platform.openai.com/docs/api-reference/debugging-requests>
pub(crate) const CORRELATION: HeaderName = HeaderName::from_static("x-client-request-id");

/// The caller's trace, which goes on at the provider: <https://www.w3.org/TR/trace-context/>.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// How a model at a provider differs from others of its dialect.
fn quirks(kind: &ProviderKind, model: &str) -> Quirks {
    let of_model = model_quirks(model);
    Quirks {
        max_tokens_only: kind.quirks.max_tokens_only,
        no_developer_role: kind.quirks.no_developer_role,
        no_stream_options: kind.quirks.no_stream_options,
        thinking_by_budget: of_model.thinking_by_budget,
        signed_calls: of_model.signed_calls,
        no_sampling: of_model.no_sampling,
        claude: of_model.claude,
        version_in_body: None,
    }
}

/// What requests are signed with beside their headers.
fn credential(settings: &ProviderSettings) -> Result<Credential, String> {
    let Some(google) = &settings.google else { return Ok(Credential::Fixed) };
    let token = match &google.credentials {
        Some(json) => GoogleToken::from_file(json.expose()),
        None => GoogleToken::from_metadata(google.metadata_host.as_deref()),
    };
    token.map(|token| Credential::Google(Arc::new(token))).map_err(|error| error.to_string())
}

fn fixed_headers(settings: &ProviderSettings) -> Result<HeaderMap, String> {
    let kind = settings.kind;
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("stepwell/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in kind.fixed_headers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let key = settings.api_key.as_ref().map(Secret::expose).or(kind.default_key);
    match (kind.auth, key) {
        (Auth::None | Auth::GoogleCloud, _) | (_, None) => {}
        (Auth::Bearer, Some(key)) => {
            headers.insert(AUTHORIZATION, secret(&format!("Bearer {key}"))?);
        }
        (Auth::Header(name), Some(key)) => {
            headers.insert(HeaderName::from_static(name), secret(key)?);
        }
    }
    for (name, value) in &settings.headers {
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is not a header name"))?;
        headers.insert(name, secret(value.expose())?);
    }
    Ok(headers)
}

/// Whether a header can carry it.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn secret(text: &str) -> Result<HeaderValue, String> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| "a key or header has characters no header can carry")?;
    value.set_sensitive(true);
    Ok(value)
}
