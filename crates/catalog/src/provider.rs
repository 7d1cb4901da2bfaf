//! What a provider kind is: everything that tells one vendor's API from another's of the same dialect.

use stepwell_types::{Dialect, EmbeddingFormat, EmbeddingQuirks, Endpoint};

use crate::book::PriceBook;
use crate::kinds::KINDS;

/// A vendor's API as data: where it is, how it is signed, which headers pass, what it does differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProviderKind {
    /// Its name in config (`kind = "openai"`), and the name of the provider in a start without config.
    pub name: &'static str,
    /// Where the vendor documents what this row says.
    pub docs: &'static str,
    /// The dialects that every provider of this kind converses in, and where; none where it only embeds. The first is the one that calls in other dialects
    /// are translated into; the others serve clients of their own.
    pub faces: &'static [Face],
    /// Dialects that a provider of this kind may speak too: where one does, config says so (`dialects`).
    pub further_faces: &'static [Face],
    /// The forms in which it can be asked for vectors, and where. The first is the one that calls in other forms are
    /// translated into. Apart from the dialects, because who embeds need not converse, and the other way round.
    pub embeddings: &'static [EmbeddingFace],
    /// What it serves beside those in the form that OpenAI has given it, and where.
    pub endpoints: &'static [EndpointPath],
    /// Where it is, as the vendor's own SDK takes it, without a final slash; `{region}` stands for the region that config
    /// names. None where config has to say all of it, or where the server fills it in.
    pub base_url: Option<&'static str>,
    /// How the key is sent.
    pub auth: Auth,
    /// The environment variable its key usually is in.
    pub key_env: Option<&'static str>,
    /// Whether it cannot be called without a key.
    pub key_required: bool,
    /// The key that is sent where config names none.
    pub default_key: Option<&'static str>,
    /// Headers sent with every request, unless the client's own, allowed to pass, take their place.
    pub fixed_headers: &'static [(&'static str, &'static str)],
    /// The path that lists models, after the base URL, if there is one.
    pub models_path: Option<&'static str>,
    /// The price data's name of this provider; none where prices come from config alone.
    pub prices: Option<&'static str>,
    /// How the names of its models begin, where the price data has models under its name that it does not serve; empty
    /// where it serves all of them.
    pub model_starts: &'static [&'static str],
    /// Client headers that pass to the provider, in lower case. Never one that carries a credential, or that chooses
    /// whose account is billed.
    pub forward_request_headers: &'static [&'static str],
    /// Headers of the provider's reply that pass to the client, in lower case; a final `*` stands for any ending.
    pub reply_headers: &'static [&'static str],
    /// What it does differently from others of its dialect.
    pub quirks: Quirks,
}

/// A dialect that a provider speaks, and the paths it does so at, after the base URL. In them, `{model}` stands for the
/// model's name where the dialect has it there, `{model-as-segment}` for the name as one segment (its slashes are escaped
/// too), `{project}` and `{location}` for what config says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Face {
    /// The dialect.
    pub dialect: Dialect,
    /// The path of a conversation.
    pub chat_path: &'static str,
    /// The path of a conversation whose reply is streamed, where it is another.
    pub stream_path: Option<&'static str>,
    /// The path that counts tokens, if there is one.
    pub count_tokens_path: Option<&'static str>,
    /// How the names of the models begin that it serves; empty where it serves all.
    pub models: &'static [&'static str],
    /// The version of Anthropic's API that the body has in the model's place, where the model stands in the path.
    pub version_in_body: Option<&'static str>,
}

/// A form in which a provider can be asked for vectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EmbeddingFace {
    /// The form.
    pub format: EmbeddingFormat,
    /// The path, after the base URL; `{model}` stands for the model's name where the form has it there.
    pub path: &'static str,
    /// How its reading of the form differs.
    pub quirks: EmbeddingQuirks,
}

/// Where a provider has an endpoint that is asked in OpenAI's form whoever has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndpointPath {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The path, after the base URL.
    pub path: &'static str,
}

/// How a provider's key is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Auth {
    /// `authorization: Bearer KEY`.
    Bearer,
    /// The key alone, in this header.
    Header(&'static str),
    /// `authorization: Bearer TOKEN`, with a token that Google Cloud gives for a service account, a user or the machine.
    GoogleCloud,
    /// Not at all: the server asks for none.
    None,
}

/// What a provider does differently from the dialect it speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quirks {
    /// It knows only `max_tokens`, not `max_completion_tokens`.
    pub max_tokens_only: bool,
    /// It knows no `developer` role: `system` is sent in its place.
    pub no_developer_role: bool,
    /// It refuses `stream_options`. Its streams end with usage without being asked.
    pub no_stream_options: bool,
}

impl ProviderKind {
    /// Every dialect that a provider of this kind may speak, and where.
    pub fn all_faces(&self) -> impl Iterator<Item = Face> {
        self.faces.iter().chain(self.further_faces).copied()
    }

    /// The models that the price data has for it.
    pub fn models<'b>(&self, book: &'b PriceBook) -> impl Iterator<Item = &'b str> {
        let starts = self.model_starts;
        let ids = self.prices.into_iter().flat_map(|prices| book.model_ids(prices));
        ids.filter(move |id| starts.is_empty() || starts.iter().any(|start| id.starts_with(start)))
    }

    /// Whether a header of the provider's reply, named in lower case, passes to the client.
    pub fn passes_reply_header(&self, name: &str) -> bool {
        // Asked for every header of every reply: most are told apart by their first letter.
        let begins_alike = |allowed: &&&str| allowed.as_bytes().first() == name.as_bytes().first();
        self.reply_headers.iter().filter(begins_alike).any(|allowed| match allowed.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *allowed,
        })
    }
}

/// The provider kind of a name in config.
pub fn provider_kind(name: &str) -> Option<&'static ProviderKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Every provider kind. A start without config looks for their keys in this order.
pub fn provider_kinds() -> &'static [ProviderKind] {
    KINDS
}
