//! Closed sets of names: wire formats, endpoints, and the two halves of a target.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A wire format.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI chat completions.
    OpenaiChat,
    /// Anthropic messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
    /// OpenAI responses.
    OpenaiResponses,
    /// Cohere's chat, version 2.
    Cohere,
    /// Ollama's own chat.
    Ollama,
    /// Amazon Bedrock's Converse.
    BedrockConverse,
}

impl Dialect {
    /// Every dialect, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::OpenaiChat,
        Self::Anthropic,
        Self::Gemini,
        Self::OpenaiResponses,
        Self::Cohere,
        Self::Ollama,
        Self::BedrockConverse,
    ];

    /// Its name in config, metrics and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::OpenaiResponses => "openai_responses",
            Self::Cohere => "cohere",
            Self::Ollama => "ollama",
            Self::BedrockConverse => "bedrock_converse",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a call asks for. The dialect says in which form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Generate a reply to a conversation.
    Chat,
    /// Count the input tokens of a conversation without generating.
    CountTokens,
    /// Turn inputs into vectors.
    Embeddings,
    /// Continue a text: the form before conversations.
    Completions,
    /// Make images from a text.
    Images,
    /// Make images from images and a text.
    ImageEdits,
    /// Write down speech in its own language.
    Transcriptions,
    /// Write down speech in English.
    Translations,
    /// Speak a text.
    Speech,
    /// Order documents by how well they answer a query.
    Rerank,
    /// Judge whether inputs may be shown.
    Moderations,
}

impl Endpoint {
    /// Every endpoint, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::Chat,
        Self::CountTokens,
        Self::Embeddings,
        Self::Completions,
        Self::Images,
        Self::ImageEdits,
        Self::Transcriptions,
        Self::Translations,
        Self::Speech,
        Self::Rerank,
        Self::Moderations,
    ];

    /// Its name in metrics and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::CountTokens => "count_tokens",
            Self::Embeddings => "embeddings",
            Self::Completions => "completions",
            Self::Images => "images",
            Self::ImageEdits => "image_edits",
            Self::Transcriptions => "transcriptions",
            Self::Translations => "translations",
            Self::Speech => "speech",
            Self::Rerank => "rerank",
            Self::Moderations => "moderations",
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A target by name: `provider/model`, split at the first `/`, so a model's name may hold slashes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TargetName {
    /// The provider's name in config.
    pub provider: Arc<str>,
    /// The model's name at that provider.
    pub model: Arc<str>,
}

impl FromStr for TargetName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                Ok(Self { provider: Arc::from(provider), model: Arc::from(model) })
            }
            _ => Err("a target is written provider/model"),
        }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.provider, self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_splits_at_the_first_slash() {
        let target: TargetName = "openrouter/meta/llama-3.1".parse().unwrap();
        assert_eq!(&*target.provider, "openrouter");
        assert_eq!(&*target.model, "meta/llama-3.1");
        assert_eq!(target.to_string(), "openrouter/meta/llama-3.1");
    }

    #[test]
    fn half_a_target_is_refused() {
        for text in ["", "openai", "/gpt", "openai/"] {
            assert!(text.parse::<TargetName>().is_err(), "{text:?}");
        }
    }
}
