//! The one table from what LiteLLM and Portkey call a vendor to what the catalog calls it.
//!
//! LiteLLM's names are the first step of its model strings, <https://docs.litellm.ai/docs/providers>; Portkey's are the
//! values of `provider`, `src/globals.ts` of <https://github.com/Portkey-AI/gateway>. Addresses of vendors without a kind
//! are those two projects' own.

use stepwell_catalog::{ProviderKind, provider_kind};

use crate::url;

/// What a vendor is here.
pub(crate) struct Vendor {
    /// What providers at it are called.
    pub(crate) name: &'static str,
    /// LiteLLM's names of it.
    pub(crate) litellm: &'static [&'static str],
    /// Portkey's names of it.
    pub(crate) portkey: &'static [&'static str],
    /// How it is reached.
    pub(crate) reached: Reached,
    /// The variable that the sources look for its key in, where the kind has none or another.
    pub(crate) key_env: Option<&'static str>,
}

/// How a vendor is reached.
pub(crate) enum Reached {
    /// As a kind of the catalog.
    Kind(&'static str, Address),
    /// As a kind of the catalog if there is one, else as any server of OpenAI's dialect at this address.
    KindOr(&'static str, Address, &'static str),
    /// As any server of OpenAI's dialect, at this address unless another is given.
    Compatible(Option<&'static str>, Address),
    /// Not in this version.
    Not(&'static str),
}

/// How the sources write an address, as far as it differs from a base URL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address {
    /// A base URL.
    Base,
    /// With the version that the kind's own paths begin with.
    Unversioned,
    /// Without the `/v1` of its OpenAI-compatible paths.
    AddV1,
    /// An Azure resource, whose v1 API takes OpenAI's requests without an API version:
    /// <https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>.
    Azure,
}

const fn kind(
    name: &'static str,
    litellm: &'static [&'static str],
    portkey: &'static [&'static str],
) -> Vendor {
    Vendor { name, litellm, portkey, reached: Reached::Kind(name, Address::Base), key_env: None }
}

const fn compatible(
    name: &'static str,
    litellm: &'static [&'static str],
    portkey: &'static [&'static str],
    base_url: &'static str,
    key_env: &'static str,
) -> Vendor {
    Vendor {
        name,
        litellm,
        portkey,
        reached: Reached::Compatible(Some(base_url), Address::Base),
        key_env: Some(key_env),
    }
}

const BEDROCK: &str = "requests are not signed with AWS's keys here: give a provider of kind = \"bedrock\" a Bedrock API key and a region";
const SAGEMAKER: &str = "Amazon SageMaker is not in this version: keep the model where it is for now";
const VERTEX: &str = "add a provider of kind = \"vertex\" with the project, the location and the credentials_file, and name its models in the route";

/// Every vendor that is known.
const VENDORS: &[Vendor] = &[
    kind("openai", &["openai"], &["openai"]),
    Vendor {
        reached: Reached::Kind("anthropic", Address::Unversioned),
        ..kind("anthropic", &["anthropic"], &["anthropic"])
    },
    Vendor {
        name: "azure",
        litellm: &["azure"],
        portkey: &["azure-openai"],
        reached: Reached::Kind("azure-openai", Address::Azure),
        key_env: Some("AZURE_API_KEY"),
    },
    Vendor {
        name: "azure-ai",
        litellm: &["azure_ai"],
        portkey: &["azure-ai"],
        reached: Reached::Compatible(None, Address::Azure),
        key_env: Some("AZURE_AI_API_KEY"),
    },
    Vendor {
        reached: Reached::Kind("gemini", Address::Unversioned),
        ..kind("gemini", &["gemini"], &["google"])
    },
    kind("mistral", &["mistral"], &["mistral-ai"]),
    Vendor {
        name: "codestral",
        litellm: &["codestral"],
        portkey: &[],
        reached: Reached::Compatible(Some("https://codestral.mistral.ai/v1"), Address::Base),
        key_env: Some("CODESTRAL_API_KEY"),
    },
    kind("groq", &["groq"], &["groq"]),
    kind("deepseek", &["deepseek"], &["deepseek"]),
    kind("xai", &["xai"], &["x-ai"]),
    kind("openrouter", &["openrouter"], &["openrouter"]),
    kind("together", &["together_ai"], &["together-ai"]),
    kind("fireworks", &["fireworks_ai"], &["fireworks-ai"]),
    kind("perplexity", &["perplexity"], &["perplexity-ai"]),
    kind("cerebras", &["cerebras"], &["cerebras"]),
    kind("sambanova", &["sambanova"], &["sambanova"]),
    Vendor { key_env: Some("NVIDIA_NIM_API_KEY"), ..kind("nvidia", &["nvidia_nim"], &[]) },
    kind("moonshot", &["moonshot"], &["moonshot"]),
    kind("zai", &["zai"], &["z-ai"]),
    kind("zhipu", &["zhipu"], &["zhipu"]),
    kind("qwen", &["dashscope"], &["dashscope"]),
    kind("minimax", &["minimax"], &[]),
    kind("ai21", &["ai21", "ai21_chat"], &["ai21"]),
    Vendor {
        key_env: Some("HUGGINGFACE_API_KEY"),
        ..kind("huggingface", &["huggingface"], &["huggingface"])
    },
    Vendor { key_env: Some("GITHUB_API_KEY"), ..kind("github-models", &["github"], &["github"]) },
    Vendor { key_env: Some("CLOUDFLARE_API_KEY"), ..kind("cloudflare", &["cloudflare"], &["workers-ai"]) },
    Vendor { key_env: Some("DATABRICKS_API_KEY"), ..kind("databricks", &["databricks"], &[]) },
    kind("vllm", &["hosted_vllm", "vllm"], &[]),
    kind("lm-studio", &["lm_studio"], &[]),
    Vendor {
        name: "llamafile",
        litellm: &["llamafile"],
        portkey: &[],
        reached: Reached::Kind("llama-cpp", Address::Base),
        key_env: None,
    },
    Vendor {
        name: "ollama",
        litellm: &["ollama", "ollama_chat"],
        portkey: &["ollama"],
        // Its OpenAI-compatible paths: <https://docs.ollama.com/api/openai-compatibility>.
        reached: Reached::KindOr("ollama", Address::AddV1, "http://127.0.0.1:11434/v1"),
        key_env: None,
    },
    Vendor {
        name: "cohere",
        litellm: &["cohere", "cohere_chat"],
        portkey: &["cohere"],
        // <https://docs.cohere.com/docs/compatibility-api>
        reached: Reached::KindOr("cohere", Address::Base, "https://api.cohere.ai/compatibility/v1"),
        key_env: Some("COHERE_API_KEY"),
    },
    compatible(
        "deepinfra",
        &["deepinfra"],
        &["deepinfra"],
        "https://api.deepinfra.com/v1/openai",
        "DEEPINFRA_API_KEY",
    ),
    compatible("novita", &["novita"], &["novita-ai"], "https://api.novita.ai/v3/openai", "NOVITA_API_KEY"),
    compatible("nebius", &["nebius"], &["nebius"], "https://api.studio.nebius.ai/v1", "NEBIUS_API_KEY"),
    compatible(
        "hyperbolic",
        &["hyperbolic"],
        &["hyperbolic"],
        "https://api.hyperbolic.xyz/v1",
        "HYPERBOLIC_API_KEY",
    ),
    compatible("nscale", &["nscale"], &["nscale"], "https://inference.api.nscale.com/v1", "NSCALE_API_KEY"),
    compatible(
        "featherless",
        &["featherless_ai"],
        &["featherless-ai"],
        "https://api.featherless.ai/v1",
        "FEATHERLESS_AI_API_KEY",
    ),
    compatible("friendliai", &["friendliai"], &[], "https://api.friendli.ai/serverless/v1", "FRIENDLI_TOKEN"),
    compatible("meta-llama", &["meta_llama"], &[], "https://api.llama.com/compat/v1", "LLAMA_API_KEY"),
    compatible(
        "volcengine",
        &["volcengine"],
        &[],
        "https://ark.cn-beijing.volces.com/api/v3",
        "VOLCENGINE_API_KEY",
    ),
    compatible("siliconflow", &[], &["siliconflow"], "https://api.siliconflow.cn/v1", "SILICONFLOW_API_KEY"),
    compatible(
        "inference-net",
        &[],
        &["inference-net"],
        "https://api.inference.net/v1",
        "INFERENCE_NET_API_KEY",
    ),
    compatible("upstage", &[], &["upstage"], "https://api.upstage.ai/v1/solar", "UPSTAGE_API_KEY"),
    compatible("lemonfox", &[], &["lemonfox-ai"], "https://api.lemonfox.ai/v1", "LEMONFOX_API_KEY"),
    compatible("kluster", &[], &["kluster-ai"], "https://api.kluster.ai/v1", "KLUSTER_API_KEY"),
    Vendor {
        name: "compatible",
        litellm: &[
            "custom_openai",
            "openai_like",
            "aiohttp_openai",
            "litellm_proxy",
            "xinference",
            "oobabooga",
            "custom",
        ],
        portkey: &[],
        reached: Reached::Compatible(None, Address::Base),
        key_env: None,
    },
    Vendor {
        name: "completions",
        litellm: &["text-completion-openai", "text-completion-codestral", "azure_text", "anthropic_text"],
        portkey: &[],
        reached: Reached::Not("it completes texts, and this version serves conversations only"),
        key_env: None,
    },
    Vendor {
        name: "bedrock",
        litellm: &["bedrock", "bedrock_converse"],
        portkey: &["bedrock"],
        reached: Reached::Not(BEDROCK),
        key_env: None,
    },
    Vendor {
        name: "sagemaker",
        litellm: &["sagemaker", "sagemaker_chat"],
        portkey: &["sagemaker"],
        reached: Reached::Not(SAGEMAKER),
        key_env: None,
    },
    Vendor {
        name: "vertex",
        litellm: &["vertex_ai", "vertex_ai_beta"],
        portkey: &["vertex-ai"],
        reached: Reached::Not(VERTEX),
        key_env: None,
    },
];

impl Vendor {
    /// The catalog's kind, how its address is written, and its address where the kind has another or none. An error says
    /// why it is not reached.
    pub(crate) fn found(
        &self,
    ) -> Result<(&'static ProviderKind, Address, Option<&'static str>), &'static str> {
        const GONE: &str = "the catalog of this version has no kind for it";
        let any = || provider_kind("openai-compatible").ok_or(GONE);
        match self.reached {
            Reached::Kind(name, address) => Ok((provider_kind(name).ok_or(GONE)?, address, None)),
            Reached::KindOr(name, address, stand_in) => match provider_kind(name) {
                Some(kind) => Ok((kind, Address::Base, None)),
                None => Ok((any()?, address, Some(stand_in))),
            },
            Reached::Compatible(base_url, address) => Ok((any()?, address, base_url)),
            Reached::Not(advice) => Err(advice),
        }
    }
}

/// The vendor that LiteLLM calls `name`.
pub(crate) fn of_litellm(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.litellm.contains(&name))
}

/// The vendor that Portkey calls `name`.
pub(crate) fn of_portkey(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.portkey.contains(&name))
}

/// The vendor that a name given to an account most likely is about: `open-ai-key-66a67d` is OpenAI's.
pub(crate) fn guessed(slug: &str) -> Option<&'static Vendor> {
    let squeezed = |text: &str| {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let slug = squeezed(slug);
    let named = VENDORS.iter().flat_map(|vendor| {
        let names = vendor.portkey.iter().chain(std::iter::once(&vendor.name));
        names.map(move |name| (squeezed(name), vendor))
    });
    let fitting = named.filter(|(name, _)| slug.starts_with(name.as_str()));
    fitting.max_by_key(|(name, _)| name.len()).map(|(_, vendor)| vendor)
}

/// The vendor of a model that LiteLLM is given without one.
/// <https://github.com/BerriAI/litellm/blob/main/litellm/litellm_core_utils/get_llm_provider_logic.py>
pub(crate) fn of_model(model: &str) -> Option<&'static Vendor> {
    const STARTS: &[(&str, &str)] = &[
        ("gpt-", "openai"),
        ("chatgpt-", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4", "openai"),
        ("ft:", "openai"),
        ("text-embedding-", "openai"),
        ("claude-", "anthropic"),
        ("gemini-", "vertex_ai"),
        ("command-", "cohere"),
    ];
    let (_, name) = STARTS.iter().find(|(start, _)| model.starts_with(start))?;
    of_litellm(name)
}

/// An address of the source as what the kind's own SDK would take.
pub(crate) fn base(given: &str, how: Address, kind: &ProviderKind) -> String {
    let given = url::without(given, &["/chat/completions", "/v1/messages"]);
    match how {
        Address::Base => given.to_owned(),
        Address::Unversioned => url::without(given, &["/v1", "/v1beta"]).to_owned(),
        Address::AddV1 => {
            format!("{}/v1", url::without(given, &["/v1", "/api/chat", "/api/generate", "/api"]))
        }
        Address::Azure => {
            let host = url::host(given);
            let azure = [".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"];
            if azure.iter().any(|ending| host.ends_with(ending)) {
                format!("{}/openai/v1", url::origin(given))
            } else if kind.name == "openai" {
                // Something in front of Azure, which keeps its paths.
                let front = given.find("/openai").and_then(|place| given.get(..place)).unwrap_or(given);
                format!("{front}/openai/v1")
            } else {
                given.to_owned()
            }
        }
    }
}

/// An address in place of one that is not known: it never resolves, RFC 6761 §6.4.
pub(crate) fn placeholder(name: &str, how: Address) -> String {
    let lower = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let label: String = name.chars().map(lower).collect();
    let label: String = label.trim_matches('-').chars().take(50).collect();
    let label = if label.is_empty() { "to-be-set" } else { label.trim_end_matches('-') };
    let path = if how == Address::Azure { "/openai/v1" } else { "" };
    format!("https://{label}.invalid{path}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_stands_for_two_vendors() {
        let mut litellm = BTreeSet::new();
        let mut portkey = BTreeSet::new();
        for vendor in VENDORS {
            assert!(vendor.litellm.iter().all(|name| litellm.insert(*name)), "{}", vendor.name);
            assert!(vendor.portkey.iter().all(|name| portkey.insert(*name)), "{}", vendor.name);
        }
    }

    #[test]
    fn every_kind_is_the_catalogs_and_every_address_is_one() {
        for vendor in VENDORS {
            if let Reached::Not(advice) = vendor.reached {
                assert_eq!(vendor.found().err(), Some(advice));
                continue;
            }
            let (kind, _, base_url) = vendor.found().unwrap();
            assert!(provider_kind(kind.name).is_some());
            assert!(base_url.is_none_or(crate::url::is_base), "{}", vendor.name);
        }
    }

    #[test]
    fn a_vendor_with_a_kind_to_come_has_one_whenever_the_catalog_does() {
        for name in ["ollama", "cohere"] {
            let (kind, _, base_url) = of_litellm(name).unwrap().found().unwrap();
            assert!(
                kind.name == name && base_url.is_none()
                    || kind.name == "openai-compatible" && base_url.is_some()
            );
        }
    }

    #[test]
    fn accounts_are_guessed_from_their_names_and_models_from_their_beginnings() {
        let name = |vendor: Option<&Vendor>| vendor.map(|vendor| vendor.name);
        assert_eq!(name(guessed("open-ai-key-66a67d")), Some("openai"));
        assert_eq!(name(guessed("openrouter-x")), Some("openrouter"));
        assert_eq!(name(guessed("azure-openai-eu")), Some("azure"));
        assert_eq!(name(guessed("anthropic-prod")), Some("anthropic"));
        assert_eq!(name(guessed("main-258f4d")), None);
        assert_eq!(name(of_model("gpt-4o")), Some("openai"));
        assert_eq!(name(of_model("gemini-2.5-pro")), Some("vertex"));
        assert_eq!(name(of_model("llama-3")), None);
    }

    #[test]
    fn addresses_become_what_the_kinds_sdk_takes() {
        let openai = provider_kind("openai").unwrap();
        let any = provider_kind("openai-compatible").unwrap();
        for (given, how, kind, expected) in [
            ("https://h/v1/", Address::Base, any, "https://h/v1"),
            ("https://h/v1/chat/completions", Address::Base, any, "https://h/v1"),
            ("https://api.anthropic.com/v1/messages", Address::Unversioned, any, "https://api.anthropic.com"),
            ("https://h/v1", Address::Unversioned, any, "https://h"),
            ("http://localhost:11434", Address::AddV1, any, "http://localhost:11434/v1"),
            ("http://localhost:11434/v1", Address::AddV1, any, "http://localhost:11434/v1"),
            (
                "https://r.openai.azure.com/openai/deployments/x",
                Address::Azure,
                openai,
                "https://r.openai.azure.com/openai/v1",
            ),
            (
                "https://r.services.ai.azure.com/models",
                Address::Azure,
                any,
                "https://r.services.ai.azure.com/openai/v1",
            ),
            (
                "https://x.eastus2.inference.ai.azure.com/v1",
                Address::Azure,
                any,
                "https://x.eastus2.inference.ai.azure.com/v1",
            ),
        ] {
            assert_eq!(base(given, how, kind), expected);
        }
    }

    #[test]
    fn a_placeholder_is_an_address_that_never_resolves() {
        assert_eq!(placeholder("AZURE_API_BASE", Address::Azure), "https://azure-api-base.invalid/openai/v1");
        assert_eq!(placeholder("__", Address::Base), "https://to-be-set.invalid");
        assert!(url::is_base(&placeholder(&"A_".repeat(60), Address::Base)));
    }
}
