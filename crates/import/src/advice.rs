//! What to do about a field that Stepwell has nothing for, by its name. One line each.

/// Names of fields that one sentence is true of.
type Advice = (&'static [&'static str], &'static str);

const LIMITS: &str = "rate limits are not in this version: the vendor's own hold, and a 429 sends a call to its route's next target";
const ORDER: &str = "targets are tried in their order: put first the one that is to take the calls";
const ATTEMPTS: &str =
    "a call makes at most 3 attempts, each at another target of its route: give the route more targets";
const PAUSES: &str =
    "targets are not paused after failures in this version: each call tries its route's targets in order";
const DEFAULTS: &str = "a route sets no parameters of requests: send it from the product";
const BUDGETS: &str = "budgets are not in this version; `stepwell usage` shows what was spent";
const CACHE: &str = "caching is not in this version";
const CALLBACKS: &str = "there are no callbacks: every call is in the ledger (`stepwell usage`), in /metrics and, with log.calls = \"all\", in the log";
const KEYS: &str = "keys are not in this version, so Stepwell listens on loopback only: keep what checks your callers in front of it";
const DATABASE: &str = "the ledger is a SQLite file in data_dir: there is no database to connect to";
const REDIS: &str =
    "Stepwell is one process in this version and shares nothing: there is no Redis to connect to";
const FALLBACKS: &str = "a route's next target is tried when one fails; a request too long or against a policy goes back to the caller";
const TAGS: &str = "calls are not routed by tags: make a route for each and name it in the product";
const GUARDS: &str = "guardrails are not in this version";
const PRICING: &str = "prices are per token of input, output, cache reads and cache writes: set [providers.NAME.prices.\"MODEL\"]";
const INFORMATION: &str = "Stepwell keeps nothing of the kind";
const ALERTS: &str = "alerts are not in this version: alert on /metrics";
const MOCK: &str = "for simulated replies, route to a provider of kind = \"sim\"";
const CLOUD: &str = "this cloud's sign-in is not in this version";
const LOGGING: &str = "set [log] level and format";
const PROMPTS: &str = "Stepwell sends what the product sends: prompts are not changed on the way";
const TIMES: &str = "set the provider's timeouts: first_byte, idle, total";
const PASSING: &str = "each provider kind has its own list of client headers that pass";
const TOOLS: &str = "Stepwell serves models only";
const HEALTH: &str =
    "there are no health checks: /readyz tells of Stepwell itself, /metrics of each provider";

/// LiteLLM's fields, of models and of every section: <https://docs.litellm.ai/docs/proxy/config_settings>.
const LITELLM: &[Advice] = &[
    (
        &[
            "rpm",
            "tpm",
            "itpm",
            "otpm",
            "max_parallel_requests",
            "global_max_parallel_requests",
            "default_max_parallel_requests",
            "default_api_key_tpm_limit",
            "default_api_key_rpm_limit",
        ],
        LIMITS,
    ),
    (
        &[
            "weight",
            "weights",
            "routing_strategy_args",
            "routing_groups",
            "caching_groups",
            "provider_affinity_header",
            "model_group_affinity_config",
            "optional_pre_call_checks",
        ],
        ORDER,
    ),
    (
        &[
            "num_retries",
            "max_retries",
            "retry_after",
            "retry_policy",
            "model_group_retry_policy",
            "max_fallbacks",
            "num_retries_per_request",
        ],
        ATTEMPTS,
    ),
    (&["allowed_fails", "allowed_fails_policy", "cooldown_time", "disable_cooldowns"], PAUSES),
    (
        &[
            "temperature",
            "top_p",
            "top_k",
            "seed",
            "stop",
            "n",
            "presence_penalty",
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "top_logprobs",
            "response_format",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "user",
            "stream",
            "reasoning_effort",
            "thinking",
            "modalities",
            "extra_body",
            "metadata",
            "service_tier",
            "default_litellm_params",
            "additional_drop_params",
            "allowed_openai_params",
            "completion_model",
            "verbosity",
        ],
        DEFAULTS,
    ),
    (
        &[
            "max_budget",
            "budget_duration",
            "provider_budget_config",
            "max_internal_user_budget",
            "internal_user_budget_duration",
            "default_internal_user_params",
            "max_end_user_budget",
            "default_team_settings",
            "key_generation_settings",
            "default_team_params",
            "upperbound_key_generate_params",
            "default_key_generate_params",
            "disable_reset_budget",
            "proxy_budget_rescheduler_min_time",
            "proxy_budget_rescheduler_max_time",
        ],
        BUDGETS,
    ),
    (
        &[
            "cache",
            "cache_params",
            "cache_responses",
            "cache_kwargs",
            "enable_caching_on_provider_specific_optional_params",
            "client_ttl",
            "cache_control_injection_points",
        ],
        CACHE,
    ),
    (
        &[
            "callbacks",
            "success_callback",
            "failure_callback",
            "service_callbacks",
            "callback_settings",
            "langfuse_default_tags",
            "turn_off_message_logging",
            "redact_user_api_key_info",
            "s3_callback_params",
            "gcs_pub_sub",
            "store_prompts_in_spend_logs",
            "disable_spend_logs",
            "disable_spend_updates",
            "prometheus_initialize_budget_metrics",
            "require_auth_for_metrics_endpoint",
            "maximum_spend_logs_retention_period",
            "maximum_spend_logs_retention_interval",
        ],
        CALLBACKS,
    ),
    (
        &[
            "master_key",
            "custom_auth",
            "enable_jwt_auth",
            "litellm_jwtauth",
            "enable_oauth2_auth",
            "enable_oauth2_proxy_auth",
            "oauth2_config_mappings",
            "allowed_routes",
            "admin_only_routes",
            "public_routes",
            "allowed_ips",
            "allow_user_auth",
            "enforce_user_param",
            "enforced_params",
            "custom_key_generate",
            "litellm_key_header_name",
            "disable_master_key_return",
            "custom_sso",
            "ui_access_mode",
            "user_api_key_cache_ttl",
            "default_team_disabled",
            "allow_client_side_credentials",
            "configurable_clientside_auth_params",
            "service_account_settings",
            "disable_adding_master_key_hash_to_db",
            "access_groups",
            "team_id",
            "team_public_model_name",
            "access_windows",
            "key_management_system",
            "key_management_settings",
            "use_azure_key_vault",
            "use_google_kms",
            "litellm_license",
        ],
        KEYS,
    ),
    (
        &[
            "database_url",
            "database_connection_pool_limit",
            "database_connection_timeout",
            "allow_requests_on_db_unavailable",
            "store_model_in_db",
            "supported_db_objects",
            "disable_prisma_schema_update",
            "proxy_batch_write_at",
            "use_redis_transaction_buffer",
        ],
        DATABASE,
    ),
    (&["redis_host", "redis_port", "redis_password", "redis_url", "redis_db"], REDIS),
    (
        &[
            "context_window_fallbacks",
            "content_policy_fallbacks",
            "enable_pre_call_checks",
            "enable_pre_call_check",
            "context_window_fallback_dict",
        ],
        FALLBACKS,
    ),
    (
        &[
            "tags",
            "tag_regex",
            "enable_tag_filtering",
            "tag_filtering_match_any",
            "tag_routing_prefix",
            "auto_router_config",
            "auto_router_config_path",
            "auto_router_default_model",
            "auto_router_embedding_model",
            "complexity_router_config",
            "complexity_router_default_model",
        ],
        TAGS,
    ),
    (&["guardrails", "default_guardrails", "guardrail"], GUARDS),
    (
        &[
            "input_cost_per_second",
            "output_cost_per_second",
            "input_cost_per_character",
            "output_cost_per_character",
            "input_cost_per_image",
            "output_cost_per_image",
            "input_cost_per_pixel",
            "output_cost_per_pixel",
            "input_cost_per_audio_token",
            "output_cost_per_audio_token",
            "output_cost_per_reasoning_token",
            "input_cost_per_token_batches",
            "output_cost_per_token_batches",
            "input_cost_per_token_above_128k_tokens",
            "output_cost_per_token_above_128k_tokens",
            "input_cost_per_token_above_200k_tokens",
            "output_cost_per_token_above_200k_tokens",
            "ptu_count",
            "cost_per_ptu_per_hour",
            "base_model",
            "cost_discount_config",
            "cost_margin_config",
        ],
        PRICING,
    ),
    (
        &[
            "db_model",
            "created_at",
            "updated_at",
            "created_by",
            "updated_by",
            "description",
            "version",
            "tier",
            "supports_vision",
            "supports_function_calling",
            "supports_reasoning",
            "supports_response_schema",
            "max_input_tokens",
            "custom_tokenizer",
            "credential_info",
            "litellm_provider",
            "discoverable",
            "health_check_model",
        ],
        INFORMATION,
    ),
    (
        &[
            "alerting",
            "alerting_threshold",
            "alerting_args",
            "alert_types",
            "alert_to_webhook_url",
            "spend_report_frequency",
            "alerting_config",
        ],
        ALERTS,
    ),
    (&["mock_response", "mock_tool_calls", "mock_timeout"], MOCK),
    (
        &[
            "azure_ad_token",
            "tenant_id",
            "client_id",
            "client_secret",
            "azure_scope",
            "azure_username",
            "azure_password",
            "vertex_project",
            "vertex_location",
            "vertex_credentials",
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
            "aws_region_name",
            "aws_session_name",
            "aws_profile_name",
            "aws_role_name",
            "aws_web_identity_token",
            "aws_sts_endpoint",
            "aws_external_id",
            "aws_bedrock_runtime_endpoint",
            "aws_bedrock_project_id",
            "watsonx_region_name",
            "enable_azure_ad_token_refresh",
        ],
        CLOUD,
    ),
    (&["set_verbose", "debug_level", "log_raw_request_response"], LOGGING),
    (
        &[
            "initial_prompt_value",
            "roles",
            "final_prompt_value",
            "bos_token",
            "eos_token",
            "prompts",
            "prompt_id",
            "prompt_label",
            "modify_params",
            "merge_reasoning_content_in_choices",
        ],
        PROMPTS,
    ),
    (&["stream_timeout", "keepalive_seconds"], TIMES),
    (
        &[
            "forward_client_headers_to_llm_api",
            "forward_openai_org_id",
            "use_x_forwarded_for",
            "allow_client_keepalive_override",
        ],
        PASSING,
    ),
    (
        &[
            "mcp_servers",
            "mcp_aliases",
            "search_tools",
            "vector_store_registry",
            "files_settings",
            "finetune_settings",
            "assistant_settings",
            "pass_through_endpoints",
            "use_in_pass_through",
            "agent_list",
        ],
        TOOLS,
    ),
    (
        &[
            "background_health_checks",
            "health_check_interval",
            "health_check_details",
            "health_check_timeout",
        ],
        HEALTH,
    ),
    (
        &["region_name", "allowed_model_region"],
        "calls are not routed by region: a target's region is that of its address",
    ),
    (&["supported_environments"], "every model came along: write a file for each environment"),
    (&["include"], "what an included file includes itself is not read, by LiteLLM neither"),
    (
        &["ssl_verify", "ssl_certificate", "ssl_security_level"],
        "certificates are checked against the machine's own authorities: add yours to those",
    ),
    (
        &["force_ipv4", "disable_end_user_cost_tracking", "telemetry", "drop_params", "max_response_size_mb"],
        "Stepwell has no such switch",
    ),
];

/// Portkey's fields.
const PORTKEY: &[Advice] = &[
    (
        &[
            "provider",
            "api_key",
            "virtual_key",
            "resource_name",
            "deployment_id",
            "api_version",
            "azure_api_version",
            "azure_deployment_name",
            "openai_organization",
            "openai_project",
            "anthropic_beta",
            "anthropic_version",
        ],
        "it says nothing at this place: it is for a target of the vendor that has it",
    ),
    (&["name"], "no condition refers to it: a target is named `provider/model` here"),
    (&["weight"], ORDER),
    (&["retry"], ATTEMPTS),
    (&["cache", "cache_force_refresh", "cache_namespace"], CACHE),
    (
        &[
            "input_guardrails",
            "output_guardrails",
            "before_request_hooks",
            "after_request_hooks",
            "default_input_guardrails",
            "default_output_guardrails",
            "input_mutators",
            "output_mutators",
        ],
        GUARDS,
    ),
    (&["forward_headers"], PASSING),
    (
        &["on_status_codes"],
        "a route decides by what failed: 429, 5xx, timeouts and refused credentials go to the next target, faults of the request do not",
    ),
    (
        &[
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
            "aws_region",
            "aws_auth_type",
            "aws_role_arn",
            "aws_external_id",
            "vertex_project_id",
            "vertex_region",
            "vertex_service_account_json",
            "azure_auth_mode",
            "azure_ad_token",
            "azure_entra_client_id",
            "azure_entra_client_secret",
            "azure_entra_tenant_id",
            "azure_managed_client_id",
            "azure_workload_client_id",
            "ad_auth",
        ],
        CLOUD,
    ),
    (&["metadata", "id", "index", "original_index", "description", "version", "slug"], INFORMATION),
    (
        &["strict_open_ai_compliance"],
        "a translated reply holds what its dialect has; what else there was is named in x-stepwell-losses",
    ),
    (&["sticky_session", "sticky"], ORDER),
    (&["cb_config", "circuit_breaker"], PAUSES),
    (&["model_pricing_config"], PRICING),
    (&["override_params"], DEFAULTS),
];

fn find(table: &'static [Advice], name: &str) -> Option<&'static str> {
    table.iter().find(|(names, _)| names.contains(&name)).map(|(_, advice)| *advice)
}

/// What to do about a field of LiteLLM's.
pub(crate) fn litellm(name: &str) -> &'static str {
    let priced = || name.contains("_cost_per_").then_some(PRICING);
    find(LITELLM, name)
        .or_else(priced)
        .unwrap_or("nothing here knows this field: look up what it does for LiteLLM")
}

/// What to do about a field of Portkey's.
pub(crate) fn portkey(name: &str) -> &'static str {
    let name = crate::fields::snake(name);
    find(PORTKEY, &name).unwrap_or("nothing here knows this field: look up what it does for Portkey")
}

/// What to do about a parameter of requests that Portkey sets.
pub(crate) const OVERRIDE: &str = DEFAULTS;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_has_two_pieces_of_advice() {
        for table in [LITELLM, PORTKEY] {
            let mut seen = BTreeSet::new();
            for name in table.iter().flat_map(|(names, _)| *names) {
                assert!(seen.insert(*name), "{name}");
            }
        }
    }

    #[test]
    fn every_piece_of_advice_is_one_line() {
        let all = LITELLM.iter().chain(PORTKEY).map(|(_, advice)| *advice);
        assert!(all.into_iter().all(|advice| !advice.contains('\n') && advice.len() < 160));
    }
}
