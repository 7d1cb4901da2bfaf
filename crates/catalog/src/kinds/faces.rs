//! What rows of the table share: faces by dialect and form, and what vendors have in OpenAI's form beside them.

use stepwell_types::{Dialect, EmbeddingFormat, EmbeddingQuirks, Endpoint, PurposeWords};

use crate::provider::{EmbeddingFace, EndpointPath, Face, Quirks};

/// A provider that follows its dialect to the letter.
pub(super) const NO_QUIRKS: Quirks =
    Quirks { max_tokens_only: false, no_developer_role: false, no_stream_options: false };

/// The dialect as it was before `max_completion_tokens` and the `developer` role.
pub(super) const OLDER_OPENAI_CHAT: Quirks =
    Quirks { max_tokens_only: true, no_developer_role: true, ..NO_QUIRKS };

pub(super) const CHAT: Face = Face {
    dialect: Dialect::OpenaiChat,
    chat_path: "/chat/completions",
    stream_path: None,
    count_tokens_path: None,
    models: &[],
    version_in_body: None,
};

pub(super) const RESPONSES: Face = Face {
    dialect: Dialect::OpenaiResponses,
    chat_path: "/responses",
    stream_path: None,
    count_tokens_path: None,
    models: &[],
    version_in_body: None,
};

pub(super) const MESSAGES: Face = Face {
    dialect: Dialect::Anthropic,
    chat_path: "/v1/messages",
    stream_path: None,
    count_tokens_path: Some("/v1/messages/count_tokens"),
    models: &[],
    version_in_body: None,
};

pub(super) const COHERE_CHAT: Face = Face {
    dialect: Dialect::Cohere,
    chat_path: "/v2/chat",
    stream_path: None,
    count_tokens_path: None,
    models: &[],
    version_in_body: None,
};

pub(super) const GENERATE_CONTENT: Face = Face {
    dialect: Dialect::Gemini,
    chat_path: "/v1beta/models/{model}:generateContent",
    stream_path: Some("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
    count_tokens_path: Some("/v1beta/models/{model}:countTokens"),
    models: &[],
    version_in_body: None,
};

pub(super) const OLLAMA_CHAT: Face = Face {
    dialect: Dialect::Ollama,
    chat_path: "/api/chat",
    stream_path: None,
    count_tokens_path: None,
    models: &[],
    version_in_body: None,
};

/// A server of one's own, of which nobody here knows what it takes.
pub(super) const ANY: EmbeddingQuirks = EmbeddingQuirks {
    purpose: PurposeWords::Unknown,
    output_fields: false,
    embedding_type: false,
    unasked_floats: false,
    floats_only: false,
    no_null: false,
    texts_only: false,
};

/// OpenAI's own reading: it cannot be told what a vector is for.
pub(super) const NO_PURPOSE: EmbeddingQuirks = EmbeddingQuirks { purpose: PurposeWords::None, ..ANY };

/// OpenAI's, without tokens.
pub(super) const TEXTS: EmbeddingQuirks = EmbeddingQuirks { texts_only: true, ..NO_PURPOSE };

pub(super) const EMBEDDINGS: EmbeddingFace =
    EmbeddingFace { format: EmbeddingFormat::Openai, path: "/embeddings", quirks: NO_PURPOSE };

pub(super) const OWN_EMBEDDINGS: EmbeddingFace = EmbeddingFace { quirks: ANY, ..EMBEDDINGS };

pub(super) const TEXT_EMBEDDINGS: EmbeddingFace = EmbeddingFace { quirks: TEXTS, ..EMBEDDINGS };

pub(super) const FLOAT_EMBEDDINGS: EmbeddingFace =
    EmbeddingFace { quirks: EmbeddingQuirks { floats_only: true, ..TEXTS }, ..EMBEDDINGS };

pub(super) const BATCH_EMBED_CONTENTS: EmbeddingFace = EmbeddingFace {
    format: EmbeddingFormat::GeminiBatch,
    path: "/v1beta/models/{model}:batchEmbedContents",
    quirks: NO_PURPOSE,
};

pub(super) const EMBED_CONTENT: EmbeddingFace = EmbeddingFace {
    format: EmbeddingFormat::Gemini,
    path: "/v1beta/models/{model}:embedContent",
    quirks: NO_PURPOSE,
};

pub(super) const CONVERSE: Face = Face {
    dialect: Dialect::BedrockConverse,
    chat_path: "/model/{model-as-segment}/converse",
    stream_path: Some("/model/{model-as-segment}/converse-stream"),
    count_tokens_path: None,
    models: &[],
    version_in_body: None,
};

pub(super) const COMPLETIONS: EndpointPath =
    EndpointPath { endpoint: Endpoint::Completions, path: "/completions" };

pub(super) const IMAGES: EndpointPath =
    EndpointPath { endpoint: Endpoint::Images, path: "/images/generations" };

pub(super) const IMAGE_EDITS: EndpointPath =
    EndpointPath { endpoint: Endpoint::ImageEdits, path: "/images/edits" };

pub(super) const TRANSCRIPTIONS: EndpointPath =
    EndpointPath { endpoint: Endpoint::Transcriptions, path: "/audio/transcriptions" };

pub(super) const TRANSLATIONS: EndpointPath =
    EndpointPath { endpoint: Endpoint::Translations, path: "/audio/translations" };

pub(super) const SPEECH: EndpointPath = EndpointPath { endpoint: Endpoint::Speech, path: "/audio/speech" };

pub(super) const MODERATIONS: EndpointPath =
    EndpointPath { endpoint: Endpoint::Moderations, path: "/moderations" };

/// All that OpenAI has.
pub(super) const ALL_ENDPOINTS: &[EndpointPath] =
    &[COMPLETIONS, IMAGES, IMAGE_EDITS, TRANSCRIPTIONS, TRANSLATIONS, SPEECH, MODERATIONS];
