//! The table of provider kinds. A vendor that speaks a dialect we have costs one row here and nothing else.
//!
//! Each row follows the vendor's own documentation, which it names.

mod faces;

use stepwell_types::{Dialect, EmbeddingFormat, EmbeddingQuirks, PurposeWords};

use self::faces::{
    ALL_ENDPOINTS, ANY, BATCH_EMBED_CONTENTS, CHAT, COHERE_CHAT, COMPLETIONS, CONVERSE, EMBED_CONTENT,
    EMBEDDINGS, FLOAT_EMBEDDINGS, GENERATE_CONTENT, IMAGE_EDITS, IMAGES, MESSAGES, MODERATIONS, NO_PURPOSE,
    NO_QUIRKS, OLDER_OPENAI_CHAT, OLLAMA_CHAT, OWN_EMBEDDINGS, RESPONSES, SPEECH, TEXT_EMBEDDINGS, TEXTS,
    TRANSCRIPTIONS, TRANSLATIONS,
};
use crate::provider::{Auth, EmbeddingFace, EndpointPath, Face, ProviderKind, Quirks};

/// Every provider kind.
pub(crate) const KINDS: &[ProviderKind] = &[
    ProviderKind {
        endpoints: ALL_ENDPOINTS,
        faces: &[CHAT, Face { count_tokens_path: Some("/responses/input_tokens"), ..RESPONSES }],
        embeddings: &[EMBEDDINGS],
        base_url: Some("https://api.openai.com/v1"),
        key_env: Some("OPENAI_API_KEY"),
        prices: Some("openai"),
        // Not `openai-organization` and `openai-project`: they choose whose account is billed. Config may set them.
        further_faces: &[],
        ..openai_chat("openai", "https://developers.openai.com/api/reference/resources/chat")
    },
    // Limits: <https://platform.claude.com/docs/en/api/rate-limits>
    ProviderKind {
        name: "anthropic",
        docs: "https://platform.claude.com/docs/en/api/messages",
        faces: &[MESSAGES],
        further_faces: &[],
        embeddings: &[],
        endpoints: &[],
        base_url: Some("https://api.anthropic.com"),
        auth: Auth::Header("x-api-key"),
        key_env: Some("ANTHROPIC_API_KEY"),
        key_required: true,
        default_key: None,
        fixed_headers: &[("anthropic-version", "2023-06-01")],
        models_path: Some("/v1/models"),
        prices: Some("anthropic"),
        model_starts: &[],
        forward_request_headers: &["anthropic-version", "anthropic-beta"],
        reply_headers: &[
            "request-id",
            "anthropic-ratelimit-*",
            "retry-after",
            "retry-after-ms",
            "x-should-retry",
        ],
        quirks: NO_QUIRKS,
    },
    // The header says which of the caller's products is meant in Google's statistics.
    ProviderKind {
        name: "gemini",
        docs: "https://ai.google.dev/api",
        faces: &[GENERATE_CONTENT],
        further_faces: &[],
        embeddings: &[BATCH_EMBED_CONTENTS, EMBED_CONTENT],
        endpoints: &[],
        base_url: Some("https://generativelanguage.googleapis.com"),
        auth: Auth::Header("x-goog-api-key"),
        key_env: Some("GEMINI_API_KEY"),
        key_required: true,
        default_key: None,
        fixed_headers: &[],
        models_path: Some("/v1beta/models"),
        prices: Some("google"),
        // The data has Vertex AI's models under the same name.
        model_starts: &["gemini-", "gemma-"],
        forward_request_headers: &["x-goog-api-client"],
        reply_headers: &["retry-after"],
        quirks: NO_QUIRKS,
    },
    // Limits come as `retry-after`. Claude's models have the model in the path and the version in the body:
    // <https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>
    ProviderKind {
        name: "vertex",
        docs: "https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
        faces: &[
            Face {
                dialect: Dialect::Gemini,
                chat_path: "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:generateContent",
                stream_path: Some(
                    "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:streamGenerateContent?alt=sse",
                ),
                count_tokens_path: Some(
                    "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:countTokens",
                ),
                models: &["gemini-", "gemma-"],
                version_in_body: None,
            },
            Face {
                dialect: Dialect::Anthropic,
                chat_path: "/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:rawPredict",
                stream_path: Some(
                    "/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:streamRawPredict",
                ),
                count_tokens_path: None,
                models: &["claude-"],
                version_in_body: Some("vertex-2023-10-16"),
            },
        ],
        further_faces: &[],
        embeddings: &[],
        endpoints: &[],
        base_url: None,
        auth: Auth::GoogleCloud,
        key_env: None,
        key_required: false,
        default_key: None,
        fixed_headers: &[],
        models_path: None,
        prices: Some("google"),
        model_starts: &["gemini-", "gemma-", "claude-"],
        forward_request_headers: &["anthropic-beta", "x-goog-api-client"],
        reply_headers: &["retry-after"],
        quirks: NO_QUIRKS,
    },
    // The header names the caller's product. Limits: what Cohere's SDK looks at before it tries again.
    ProviderKind {
        name: "cohere",
        docs: "https://docs.cohere.com/v2/reference/chat",
        faces: &[COHERE_CHAT],
        further_faces: &[],
        embeddings: &[EmbeddingFace {
            format: EmbeddingFormat::Cohere,
            path: "/v2/embed",
            quirks: NO_PURPOSE,
        }],
        endpoints: &[],
        base_url: Some("https://api.cohere.com"),
        auth: Auth::Bearer,
        key_env: Some("CO_API_KEY"),
        key_required: true,
        default_key: None,
        fixed_headers: &[],
        models_path: Some("/v1/models"),
        prices: Some("cohere"),
        model_starts: &[],
        forward_request_headers: &["x-client-name"],
        reply_headers: &["retry-after", "retry-after-ms", "x-ratelimit-*"],
        quirks: NO_QUIRKS,
    },
    // Its address names the region. The header of a reply names the error, which AWS's SDKs go by.
    // Keys: <https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys-use.html>
    ProviderKind {
        name: "bedrock",
        docs: "https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
        faces: &[CONVERSE],
        further_faces: &[],
        embeddings: &[],
        endpoints: &[],
        base_url: Some("https://bedrock-runtime.{region}.amazonaws.com"),
        auth: Auth::Bearer,
        key_env: Some("AWS_BEARER_TOKEN_BEDROCK"),
        key_required: true,
        default_key: None,
        fixed_headers: &[("accept", "application/json, application/vnd.amazon.eventstream")],
        models_path: None,
        prices: Some("aws"),
        model_starts: &[],
        forward_request_headers: &[],
        reply_headers: &["x-amzn-requestid", "x-amzn-errortype", "retry-after"],
        quirks: NO_QUIRKS,
    },
    // Unknown fields are refused with 422; streams always end with usage.
    ProviderKind {
        endpoints: &[TRANSCRIPTIONS, SPEECH, MODERATIONS],
        embeddings: &[EmbeddingFace {
            quirks: EmbeddingQuirks { output_fields: true, ..TEXTS },
            ..EMBEDDINGS
        }],
        base_url: Some("https://api.mistral.ai/v1"),
        key_env: Some("MISTRAL_API_KEY"),
        prices: Some("mistral"),
        quirks: Quirks { max_tokens_only: true, no_developer_role: true, no_stream_options: true },
        ..openai_chat("mistral", "https://docs.mistral.ai/api")
    },
    ProviderKind {
        endpoints: &[TRANSCRIPTIONS, TRANSLATIONS, SPEECH],
        base_url: Some("https://api.groq.com/openai/v1"),
        key_env: Some("GROQ_API_KEY"),
        prices: Some("groq"),
        quirks: Quirks { no_developer_role: true, ..NO_QUIRKS },
        ..openai_chat("groq", "https://console.groq.com/docs/openai")
    },
    ProviderKind {
        base_url: Some("https://api.deepseek.com"),
        key_env: Some("DEEPSEEK_API_KEY"),
        prices: Some("deepseek"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("deepseek", "https://api-docs.deepseek.com/api/create-chat-completion")
    },
    // The header keeps a conversation on the server that has it cached.
    ProviderKind {
        endpoints: &[IMAGES],
        faces: &[CHAT, RESPONSES],
        base_url: Some("https://api.x.ai/v1"),
        key_env: Some("XAI_API_KEY"),
        prices: Some("x-ai"),
        forward_request_headers: &["x-grok-conv-id"],
        quirks: Quirks { no_developer_role: true, ..NO_QUIRKS },
        further_faces: &[],
        ..openai_chat("xai", "https://docs.x.ai/docs/api-reference")
    },
    // The headers name the product in its statistics.
    ProviderKind {
        endpoints: &[COMPLETIONS],
        embeddings: &[OWN_EMBEDDINGS],
        base_url: Some("https://openrouter.ai/api/v1"),
        key_env: Some("OPENROUTER_API_KEY"),
        prices: Some("openrouter"),
        forward_request_headers: &["http-referer", "x-title"],
        ..openai_chat("openrouter", "https://openrouter.ai/docs/api/reference/overview")
    },
    ProviderKind {
        endpoints: &[COMPLETIONS, IMAGES, TRANSCRIPTIONS, TRANSLATIONS, SPEECH],
        embeddings: &[TEXT_EMBEDDINGS],
        base_url: Some("https://api.together.xyz/v1"),
        key_env: Some("TOGETHER_API_KEY"),
        prices: Some("together"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("together", "https://docs.together.ai/docs/openai-api-compatibility")
    },
    ProviderKind {
        endpoints: &[COMPLETIONS],
        embeddings: &[EMBEDDINGS],
        base_url: Some("https://api.fireworks.ai/inference/v1"),
        key_env: Some("FIREWORKS_API_KEY"),
        prices: Some("fireworks"),
        forward_request_headers: &["x-session-affinity"],
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("fireworks", "https://docs.fireworks.ai/tools-sdks/openai-compatibility")
    },
    ProviderKind {
        base_url: Some("https://api.perplexity.ai"),
        key_env: Some("PERPLEXITY_API_KEY"),
        prices: Some("perplexity"),
        quirks: OLDER_OPENAI_CHAT,
        models_path: None,
        ..openai_chat("perplexity", "https://docs.perplexity.ai/api-reference/chat-completions-post")
    },
    ProviderKind {
        endpoints: &[COMPLETIONS],
        base_url: Some("https://api.cerebras.ai/v1"),
        key_env: Some("CEREBRAS_API_KEY"),
        prices: Some("cerebras"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("cerebras", "https://inference-docs.cerebras.ai/api-reference/chat-completions")
    },
    ProviderKind {
        endpoints: &[TRANSCRIPTIONS, TRANSLATIONS],
        embeddings: &[TEXT_EMBEDDINGS],
        base_url: Some("https://api.sambanova.ai/v1"),
        key_env: Some("SAMBANOVA_API_KEY"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("sambanova", "https://docs.sambanova.ai/docs/en/features/openai-compatibility")
    },
    ProviderKind {
        embeddings: &[EmbeddingFace {
            quirks: EmbeddingQuirks { purpose: PurposeWords::QueryPassage, ..TEXTS },
            ..EMBEDDINGS
        }],
        base_url: Some("https://integrate.api.nvidia.com/v1"),
        key_env: Some("NVIDIA_API_KEY"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("nvidia", "https://docs.api.nvidia.com/nim/reference/llm-apis")
    },
    ProviderKind {
        base_url: Some("https://api.moonshot.ai/v1"),
        key_env: Some("MOONSHOT_API_KEY"),
        prices: Some("moonshotai"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("moonshot", "https://platform.moonshot.ai/docs/api/chat")
    },
    ProviderKind {
        endpoints: &[IMAGES],
        base_url: Some("https://api.z.ai/api/paas/v4"),
        key_env: Some("ZAI_API_KEY"),
        prices: Some("zai"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("zai", "https://docs.z.ai/api-reference/llm/chat-completion")
    },
    ProviderKind {
        endpoints: &[IMAGES],
        embeddings: &[FLOAT_EMBEDDINGS],
        base_url: Some("https://open.bigmodel.cn/api/paas/v4"),
        key_env: Some("ZHIPUAI_API_KEY"),
        prices: Some("zhipuai"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("zhipu", "https://docs.bigmodel.cn/cn/guide/develop/openai/introduction")
    },
    ProviderKind {
        embeddings: &[FLOAT_EMBEDDINGS],
        base_url: Some("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        key_env: Some("DASHSCOPE_API_KEY"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat(
            "qwen",
            "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
        )
    },
    ProviderKind {
        base_url: Some("https://api.minimax.io/v1"),
        key_env: Some("MINIMAX_API_KEY"),
        prices: Some("minimax"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("minimax", "https://platform.minimax.io/docs/api-reference/text-openai-api")
    },
    ProviderKind {
        base_url: Some("https://api.ai21.com/studio/v1"),
        key_env: Some("AI21_API_KEY"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("ai21", "https://docs.ai21.com/reference/jamba-1-6-api-ref")
    },
    ProviderKind {
        base_url: Some("https://router.huggingface.co/v1"),
        key_env: Some("HF_TOKEN"),
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("huggingface", "https://huggingface.co/docs/inference-providers/index")
    },
    // No variable: a `GITHUB_TOKEN` in the environment is there for other things.
    ProviderKind {
        embeddings: &[EMBEDDINGS],
        base_url: Some("https://models.github.ai/inference"),
        quirks: OLDER_OPENAI_CHAT,
        models_path: None,
        ..openai_chat("github-models", "https://docs.github.com/en/rest/models/inference")
    },
    // The address names the account: https://api.cloudflare.com/client/v4/accounts/ACCOUNT/ai/v1
    ProviderKind {
        embeddings: &[TEXT_EMBEDDINGS],
        prices: Some("cloudflare"),
        quirks: OLDER_OPENAI_CHAT,
        models_path: None,
        ..openai_chat(
            "cloudflare",
            "https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/",
        )
    },
    // The address names the workspace: https://WORKSPACE/serving-endpoints
    ProviderKind {
        embeddings: &[TEXT_EMBEDDINGS],
        prices: Some("databricks"),
        quirks: OLDER_OPENAI_CHAT,
        models_path: None,
        ..openai_chat(
            "databricks",
            "https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference",
        )
    },
    // The address names the resource: https://NAME.openai.azure.com/openai/v1. Its models are the names of deployments.
    ProviderKind {
        endpoints: &[COMPLETIONS, IMAGES, IMAGE_EDITS, TRANSCRIPTIONS, TRANSLATIONS, SPEECH],
        faces: &[CHAT, RESPONSES],
        further_faces: &[],
        embeddings: &[EMBEDDINGS],
        auth: Auth::Header("api-key"),
        key_env: Some("AZURE_OPENAI_API_KEY"),
        prices: Some("azure"),
        reply_headers: &[
            "x-request-id",
            "apim-request-id",
            "x-ms-region",
            "x-ratelimit-*",
            "retry-after",
            "retry-after-ms",
        ],
        ..openai_chat(
            "azure-openai",
            "https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
        )
    },
    // Those that embed and do not converse.
    ProviderKind {
        faces: &[],
        further_faces: &[],
        embeddings: &[EmbeddingFace {
            quirks: EmbeddingQuirks {
                purpose: PurposeWords::QueryDocument,
                output_fields: true,
                unasked_floats: true,
                ..TEXTS
            },
            ..EMBEDDINGS
        }],
        base_url: Some("https://api.voyageai.com/v1"),
        key_env: Some("VOYAGE_API_KEY"),
        prices: Some("voyageai"),
        models_path: None,
        ..openai_chat("voyage", "https://docs.voyageai.com/reference/embeddings-api")
    },
    ProviderKind {
        faces: &[],
        further_faces: &[],
        embeddings: &[EmbeddingFace {
            quirks: EmbeddingQuirks { purpose: PurposeWords::Tasks, embedding_type: true, ..TEXTS },
            ..EMBEDDINGS
        }],
        base_url: Some("https://api.jina.ai/v1"),
        key_env: Some("JINA_API_KEY"),
        models_path: None,
        ..openai_chat("jina", "https://api.jina.ai/openapi.json")
    },
    ProviderKind {
        faces: &[],
        further_faces: &[],
        embeddings: &[
            EmbeddingFace { path: "/v1/embeddings", ..EMBEDDINGS },
            EmbeddingFace { format: EmbeddingFormat::Tei, path: "/embed", quirks: NO_PURPOSE },
        ],
        base_url: Some("http://127.0.0.1:8080"),
        key_required: false,
        models_path: None,
        ..openai_chat("tei", "https://huggingface.github.io/text-embeddings-inference/")
    },
    // Servers of one's own, where they listen unless told otherwise. What Ollama has of OpenAI's API skips what it does not
    // know (`tool_choice`, `n`, `user`), so it is served only where config asks for it; the key is that of ollama.com.
    ProviderKind {
        endpoints: &[EndpointPath { path: "/v1/completions", ..COMPLETIONS }],
        faces: &[OLLAMA_CHAT],
        further_faces: &[Face { chat_path: "/v1/chat/completions", ..CHAT }],
        embeddings: &[EmbeddingFace { path: "/v1/embeddings", ..OWN_EMBEDDINGS }],
        base_url: Some("http://127.0.0.1:11434"),
        key_required: false,
        models_path: Some("/api/tags"),
        reply_headers: &["retry-after"],
        ..openai_chat("ollama", "https://docs.ollama.com/api/introduction")
    },
    ProviderKind {
        endpoints: &[COMPLETIONS, TRANSCRIPTIONS, TRANSLATIONS],
        embeddings: &[EmbeddingFace { quirks: EmbeddingQuirks { no_null: true, ..ANY }, ..EMBEDDINGS }],
        base_url: Some("http://127.0.0.1:8000/v1"),
        key_required: false,
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("vllm", "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html")
    },
    ProviderKind {
        endpoints: &[COMPLETIONS],
        embeddings: &[OWN_EMBEDDINGS],
        base_url: Some("http://127.0.0.1:30000/v1"),
        key_required: false,
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("sglang", "https://docs.sglang.ai/basic_usage/openai_api_completions.html")
    },
    ProviderKind {
        endpoints: &[COMPLETIONS],
        embeddings: &[OWN_EMBEDDINGS],
        base_url: Some("http://127.0.0.1:8080/v1"),
        key_required: false,
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("llama-cpp", "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md")
    },
    ProviderKind {
        endpoints: &[COMPLETIONS],
        embeddings: &[OWN_EMBEDDINGS],
        base_url: Some("http://127.0.0.1:1234/v1"),
        key_required: false,
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("lm-studio", "https://lmstudio.ai/docs/developer/openai-compat")
    },
    ProviderKind {
        endpoints: &[COMPLETIONS],
        base_url: Some("http://127.0.0.1:3000/v1"),
        key_required: false,
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("tgi", "https://huggingface.co/docs/text-generation-inference/reference/api_reference")
    },
    ProviderKind {
        endpoints: &[COMPLETIONS, IMAGES, IMAGE_EDITS, TRANSCRIPTIONS, TRANSLATIONS, SPEECH],
        embeddings: &[OWN_EMBEDDINGS],
        base_url: Some("http://127.0.0.1:8080/v1"),
        key_required: false,
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("localai", "https://localai.io/features/text-generation/")
    },
    // Anything else that speaks the dialect. What every such server understands is sent.
    ProviderKind {
        endpoints: ALL_ENDPOINTS,
        embeddings: &[OWN_EMBEDDINGS],
        key_required: false,
        quirks: OLDER_OPENAI_CHAT,
        ..openai_chat("openai-compatible", "https://developers.openai.com/api/reference/resources/chat")
    },
    // The simulator of `crates/sim`. In the process itself, the server fills in the base URL.
    ProviderKind {
        endpoints: ALL_ENDPOINTS,
        embeddings: &[EMBEDDINGS],
        key_required: false,
        default_key: Some("sim"),
        prices: Some("sim"),
        ..openai_chat("sim", "crates/sim/src/lib.rs")
    },
];

/// What rows of OpenAI's dialect share.
const fn openai_chat(name: &'static str, docs: &'static str) -> ProviderKind {
    ProviderKind {
        name,
        docs,
        faces: &[CHAT],
        further_faces: &[RESPONSES],
        embeddings: &[],
        endpoints: &[],
        base_url: None,
        auth: Auth::Bearer,
        key_env: None,
        key_required: true,
        default_key: None,
        fixed_headers: &[],
        models_path: Some("/models"),
        prices: None,
        model_starts: &[],
        forward_request_headers: &[],
        reply_headers: &[
            "x-request-id",
            "x-ratelimit-*",
            "retry-after",
            "retry-after-ms",
            "x-should-retry",
            "openai-processing-ms",
            "openai-version",
        ],
        quirks: NO_QUIRKS,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::{PriceBook, provider_kind, provider_kinds};

    #[test]
    fn every_kind_is_found_by_its_name_and_no_two_share_one() {
        let mut names = HashSet::new();
        for kind in provider_kinds() {
            assert_eq!(provider_kind(kind.name), Some(kind));
            assert!(names.insert(kind.name), "{}", kind.name);
        }
        assert_eq!(provider_kind("no such vendor"), None);
    }

    #[test]
    fn urls_and_paths_join_without_doubled_or_missing_slashes() {
        for kind in provider_kinds() {
            let is_safe = |url: &str| url.starts_with("https://") || url.starts_with("http://127.0.0.1:");
            assert!(kind.base_url.is_none_or(|url| is_safe(url) && !url.ends_with('/')), "{}", kind.name);
            let of = |face: crate::Face| [Some(face.chat_path), face.stream_path, face.count_tokens_path];
            let embeddings = kind.embeddings.iter().map(|face| Some(face.path));
            let endpoints = kind.endpoints.iter().map(|endpoint| Some(endpoint.path));
            assert!(!kind.faces.is_empty() || !kind.embeddings.is_empty(), "{} speaks nothing", kind.name);
            let paths =
                kind.all_faces().flat_map(of).chain(embeddings).chain(endpoints).chain([kind.models_path]);
            let mut paths = paths.flatten();
            assert!(paths.all(|path| path.starts_with('/')), "{}", kind.name);
        }
    }

    #[test]
    fn every_price_provider_is_in_the_data() {
        let book = PriceBook::embedded().unwrap();
        for kind in provider_kinds() {
            assert!(kind.prices.is_none() || kind.models(&book).count() > 0, "{}", kind.name);
        }
    }

    #[test]
    fn no_credential_passes_from_the_client_to_a_provider() {
        for kind in provider_kinds() {
            for header in kind.forward_request_headers {
                let secret = ["authorization", "x-api-key", "api-key", "cookie", "x-goog-api-key"];
                assert!(!secret.contains(header), "{}: {header}", kind.name);
                assert_eq!(header.to_lowercase(), **header);
            }
        }
    }

    #[test]
    fn no_header_is_listed_to_pass_that_the_gateway_writes_itself() {
        for kind in provider_kinds() {
            for header in kind.forward_request_headers {
                let own = ["x-client-request-id", "content-type", "content-length", "host", "user-agent"];
                assert!(!own.contains(header), "{}: {header}", kind.name);
            }
        }
    }

    #[test]
    fn reply_headers_pass_by_name_and_by_prefix_and_others_do_not() {
        let openai = provider_kind("openai").unwrap();
        for name in ["x-request-id", "x-ratelimit-remaining-tokens", "retry-after-ms"] {
            assert!(openai.passes_reply_header(name), "{name}");
        }
        for name in ["set-cookie", "openai-organization", "x-ratelimit", "server", "content-length"] {
            assert!(!openai.passes_reply_header(name), "{name}");
        }
        let anthropic = provider_kind("anthropic").unwrap();
        assert!(anthropic.passes_reply_header("anthropic-ratelimit-input-tokens-reset"));
        assert!(!anthropic.passes_reply_header("anthropic-organization-id"));
    }
}
