//! What passes between a client and a provider, and what does not: bytes, fields, headers.

use serde_json::{Value, json};
use stepwell_types::{Code, Dialect};

use crate::faults::check_error;
use crate::harness::{Simulator, Stepwell, call_of, provider};
use crate::harness_client::{ask, headers_of, path_of, question, send};
use crate::harness_scripted::Scripted;

/// A request no parser would write like this: odd spaces and numbers, escapes, fields nobody knows, `model` in the
/// middle and again where it means nothing.
const ODD_REQUEST: &str = "{ \"zeta\":1.0e2 ,\n\t\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9llo \\/ \\ud83d\\ude00\",\
    \"vendor\":{\"b\":2,\"a\":1}}], \"model\" : \"MODEL\" ,\"top_p\":0.10, \"alpha\":[1,2.50,{\"model\":\"x\"}],\
    \"max_tokens\":7,\"STREAM\":1 }\n";

/// A reply likewise.
const ODD_OPENAI: &str = "{ \"usage\":{\"total_tokens\":5,\"prompt_tokens\":3,\"completion_tokens\":2},\"x\":1.50,\n \
    \"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"content\":\"h\\u00e9\",\"role\":\"assistant\"}}],\
    \"object\":\"chat.completion\",\"id\":\"chatcmpl-1\",\"model\":\"m-2025\",\"created\":1}\n";

const ODD_ANTHROPIC: &str = "{ \"usage\":{\"output_tokens\":2,\"input_tokens\":3},\"x\":1.50,\n \"type\":\"message\",\
    \"content\":[{\"text\":\"h\\u00e9\",\"type\":\"text\"}],\"role\":\"assistant\",\"stop_sequence\":null,\
    \"stop_reason\":\"end_turn\",\"id\":\"msg_1\",\"model\":\"m-2025\"}\n";

const OPENAI_CHUNKS: [&str; 5] = [
    ": a comment\n\ndata: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"chatcmpl-1\",  \"x\":1.50,\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\\u00e9\"},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":null}\n\n",
    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n",
    "data: [DONE]\n\n",
];

const ANTHROPIC_EVENTS: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n\
    event: ping\ndata: {\"type\": \"ping\"}\n\n\
    event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n\
    event: brand_new\ndata: {\"type\":\"brand_new\",  \"x\":1.50}\n\n\
    event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"h\\u00e9\"}}\n\n\
    event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
    event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n\
    event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

async fn before(scripted: &Scripted, kind: &str) -> Stepwell {
    Stepwell::start("", &provider("p", kind, scripted.address, "")).await
}

#[tokio::test]
async fn a_request_reaches_a_provider_of_its_dialect_byte_for_byte_but_for_the_model() {
    for (client, kind, answer) in
        [(Dialect::OpenaiChat, "openai", ODD_OPENAI), (Dialect::Anthropic, "anthropic", ODD_ANTHROPIC)]
    {
        let scripted = Scripted::json("", answer).await;
        let stepwell = before(&scripted, kind).await;
        let body = ODD_REQUEST.replace("MODEL", "p/big/model-1");
        let reply = send(stepwell.api, "POST", path_of(client), headers_of(client), body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(scripted.only().text(), ODD_REQUEST.replace("MODEL", "big/model-1"));
        assert_eq!(reply.text(), answer, "and the reply comes back byte for byte");
        let record = stepwell.record(&call_of(&reply)).await;
        let attempt = &record["attempts"][0];
        assert_eq!((&attempt["input_tokens"], &attempt["output_tokens"]), (&json!(3), &json!(2)));
        assert_eq!(
            (&attempt["served_model"], &attempt["cost_status"]),
            (&json!("m-2025"), &json!("unpriced"))
        );
        assert_eq!(
            (&attempt["cost_usd"], &record["cost_usd"]),
            (&json!(null), &json!(null)),
            "unknown is not zero"
        );
        assert_eq!(reply.header("x-stepwell-cost-usd"), None);
    }
}

#[tokio::test]
async fn a_stream_asks_for_usage_and_withholds_it_from_a_client_that_did_not() {
    let whole: String = OPENAI_CHUNKS.concat();
    let withheld = whole.replace(OPENAI_CHUNKS[3], "");
    let before_model =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream\": true,\"model\":\"p/m\"";
    for (options, sent, expected) in [
        ("", ",\"stream_options\":{\"include_usage\":true}", &withheld),
        (
            ",\"stream_options\":{\"include_usage\":false,\"include_obfuscation\":false}",
            ",\"stream_options\":{\"include_usage\":true,\"include_obfuscation\":false}",
            &withheld,
        ),
        (
            ",\"stream_options\": {\"include_usage\":true}",
            ",\"stream_options\": {\"include_usage\":true}",
            &whole,
        ),
    ] {
        let scripted = Scripted::events(&whole).await;
        let stepwell = before(&scripted, "openai").await;
        let client = Dialect::OpenaiChat;
        let body = format!("{before_model}{options}}}");
        let reply = send(stepwell.api, "POST", path_of(client), headers_of(client), body).await;
        assert_eq!(reply.text(), *expected);
        let expected = before_model.replace("p/m", "m") + sent + "}";
        assert_eq!(scripted.only().text(), expected);
        let record = stepwell.record(&call_of(&reply)).await;
        assert_eq!(record["attempts"][0]["usage_source"], "provider");
        assert_eq!(record["attempts"][0]["output_tokens"], 2);
    }
}

#[tokio::test]
async fn an_anthropic_stream_passes_byte_for_byte_with_events_nobody_knows() {
    let scripted = Scripted::events(ANTHROPIC_EVENTS).await;
    let stepwell = before(&scripted, "anthropic").await;
    let body = question(Dialect::Anthropic, "p/m", true, "x");
    let reply = ask(stepwell.api, Dialect::Anthropic, &[], &body).await;
    assert_eq!(reply.text(), ANTHROPIC_EVENTS);
    assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let sent: Value = serde_json::from_slice(&scripted.only().body).unwrap();
    assert_eq!(sent["stream_options"], Value::Null, "nothing is added for a provider that needs nothing");
}

#[tokio::test]
async fn credentials_and_connection_headers_of_the_client_stay_here() {
    for (client, kind, answer) in
        [(Dialect::OpenaiChat, "openai", ODD_OPENAI), (Dialect::Anthropic, "anthropic", ODD_ANTHROPIC)]
    {
        let scripted = Scripted::json("", answer).await;
        let stepwell = before(&scripted, kind).await;
        let headers = [
            ("content-type", "application/json; charset=utf-8"),
            ("authorization", "Bearer secret-of-the-client"),
            ("x-api-key", "secret-of-the-client"),
            ("api-key", "secret-of-the-client"),
            ("x-goog-api-key", "secret-of-the-client"),
            ("proxy-authorization", "secret-of-the-client"),
            ("cookie", "session=secret-of-the-client"),
            ("connection", "keep-alive, x-private"),
            ("x-private", "secret-of-the-client"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("accept-encoding", "gzip, br"),
            ("openai-organization", "org-of-the-client"),
            ("x-stainless-os", "Linux"),
            ("x-stepwell-tags", "feature=search"),
            ("anthropic-version", "2023-01-01"),
            ("anthropic-beta", "tools-2024-04-04"),
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ];
        let body = question(client, "p/m", false, "x").to_string();
        let reply = send(stepwell.api, "POST", path_of(client), &headers, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let sent = scripted.only();
        for text in
            ["of-the-client", "x-private", "keep-alive", "trailers", "gzip", "stainless", "x-stepwell"]
        {
            assert!(!sent.head.contains(text), "`{text}` went to the provider:\n{}", sent.head);
        }
        let key =
            if kind == "openai" { ("authorization", "Bearer key-of-p") } else { ("x-api-key", "key-of-p") };
        assert_eq!(sent.header(key.0), [key.1]);
        assert_eq!(sent.header("host"), [scripted.address.to_string()]);
        assert_eq!(sent.header("content-type"), ["application/json"]);
        assert_eq!(sent.header("traceparent"), ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]);
        assert_eq!(sent.header("x-client-request-id"), [call_of(&reply)]);
        let (version, beta): (&[&str], &[&str]) = match client {
            Dialect::Anthropic => (&["2023-01-01"], &["tools-2024-04-04"]),
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Gemini | Dialect::Cohere => (&[], &[]),
        };
        assert_eq!(
            (sent.header("anthropic-version"), sent.header("anthropic-beta")),
            (version.to_vec(), beta.to_vec())
        );
    }
}

#[tokio::test]
async fn a_provider_s_headers_pass_by_name_and_no_others_do() {
    let theirs = "x-request-id: req-1\r\nx-ratelimit-remaining-tokens: 9\r\nretry-after: 3\r\nset-cookie: a=b\r\n\
        openai-organization: org-1\r\nserver: theirs\r\nx-stepwell-cost-usd: 0\r\nkeep-alive: timeout=5\r\n\
        x-anything: 1\r\naccess-control-allow-origin: *\r\n";
    let scripted = Scripted::json(theirs, ODD_OPENAI).await;
    let rest = provider("p", "openai", scripted.address, "prices.m = { input = 1, output = 1 }");
    let stepwell = Stepwell::start("", &rest).await;
    for client in Dialect::ALL {
        let reply = ask(stepwell.api, client, &[], &question(client, "p/m", false, "x")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("x-request-id"), Some("req-1"));
        assert_eq!(reply.header("x-ratelimit-remaining-tokens"), Some("9"));
        for name in [
            "set-cookie",
            "openai-organization",
            "server",
            "keep-alive",
            "x-anything",
            "access-control-allow-origin",
        ] {
            assert_eq!(reply.header(name), None, "{name}");
        }
        assert_eq!(reply.header("x-stepwell-cost-usd"), Some("0.000005000"));
        assert_eq!(reply.header("x-stepwell-provider"), Some("p"));
        assert_eq!(reply.header("x-stepwell-cache"), Some("bypass"));
        let timing = reply.header("server-timing").unwrap();
        for stage in ["decode", "identify", "admit", "plan", "attempt", "settle", "total"] {
            assert!(timing.contains(&format!("{stage};dur=")), "{timing}");
        }
        if client == Dialect::Anthropic {
            assert_eq!(reply.json()["type"], "message", "translated");
        }
    }
}

#[tokio::test]
async fn what_a_translation_cannot_say_is_named_and_a_strict_route_refuses_it() {
    let sim = Simulator::start().await;
    let rest = sim.providers()
        + "[routes.lossy]\ntargets = [\"ant/small\"]\n[routes.strict]\ntargets = [\"ant/small\"]\nstrict = true\n";
    let stepwell = Stepwell::start("", &rest).await;
    let client = Dialect::OpenaiChat;
    for stream in [false, true] {
        let mut body = question(client, "lossy", stream, "draw some water");
        body["logit_bias"] = json!({"5": 3});
        body["frequency_penalty"] = json!(0.5);
        let reply = ask(stepwell.api, client, &[], &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let losses = reply.header("x-stepwell-losses").unwrap().to_owned();
        for path in ["request:/logit_bias", "request:/frequency_penalty"] {
            assert!(losses.split(", ").any(|loss| loss == path), "{losses}");
        }
        let record = stepwell.record(&call_of(&reply)).await;
        assert!(record["losses"].as_array().unwrap().contains(&json!("request:/logit_bias")), "{record:#}");

        body["model"] = json!("strict");
        let reply = ask(stepwell.api, client, &[], &body).await;
        assert_eq!(reply.status, 400);
        check_error(client, &reply, Code::LossyTranslation, &reply.text());
        assert!(reply.text().contains("/logit_bias"), "{}", reply.text());
        let call = call_of(&reply);
        assert!(sim.account(&call).is_empty(), "a refusal is not sent");
        assert_eq!(stepwell.record(&call).await["attempts"], json!([]));
    }
    let fine = question(client, "strict", false, "draw some water");
    let reply = ask(stepwell.api, client, &[], &fine).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let losses = reply.header("x-stepwell-losses").unwrap_or_default();
    assert!(!losses.contains("request:"), "strict speaks of what is known before it is sent: {losses}");
}

#[tokio::test]
async fn a_route_s_output_limit_is_for_those_who_name_none() {
    let sim = Simulator::start().await;
    let route = |name: &str, target: &str| {
        format!("[routes.{name}]\ntargets = [\"{target}\"]\nmax_output_tokens = 7\n")
    };
    let rest = sim.providers() + &route("by-oai", "oai/small") + &route("by-ant", "ant/small");
    let stepwell = Stepwell::start("", &rest).await;
    let client = Dialect::OpenaiChat;
    for (model, own, tokens) in [
        ("by-oai", None, 7),
        ("by-ant", None, 7),
        ("by-oai", Some(9), 9),
        ("by-ant", Some(5), 5),
        ("ant/small", None, 12),
    ] {
        let mut body = question(client, model, false, "draw [[sim:tokens=12]]");
        body["max_completion_tokens"] = json!(own);
        if own.is_none() {
            body.as_object_mut().unwrap().remove("max_completion_tokens");
        }
        let reply = ask(stepwell.api, client, &[], &body).await;
        assert_eq!(reply.status, 200, "{model}: {}", reply.text());
        assert_eq!(reply.json()["usage"]["completion_tokens"], tokens, "{model} {own:?}");
        let finish = if tokens < 12 { "length" } else { "stop" };
        assert_eq!(reply.json()["choices"][0]["finish_reason"], finish, "{model} {own:?}");
    }
}

#[tokio::test]
async fn a_client_is_told_which_model_answers_even_where_the_provider_does_not_say() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &sim.providers()).await;
    for client in Dialect::ALL {
        for stream in [false, true] {
            let reply = ask(stepwell.api, client, &[], &question(client, "coh/small", stream, "hi")).await;
            let first: Value =
                if stream { serde_json::from_str(&reply.events()[0].1).unwrap() } else { reply.json() };
            let model = match client {
                Dialect::Anthropic if stream => &first["message"]["model"],
                Dialect::OpenaiResponses if stream => &first["response"]["model"],
                Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Anthropic => &first["model"],
                Dialect::Gemini => &first["modelVersion"],
                // The provider's own bytes pass as they are.
                Dialect::Cohere => {
                    assert_eq!(first.get("model"), None);
                    continue;
                }
            };
            assert_eq!(model, "small", "{client}, streamed {stream}: {first}");
            let record = stepwell.record(&call_of(&reply)).await;
            assert_eq!(
                record["attempts"][0]["served_model"],
                Value::Null,
                "what was not said is not recorded"
            );
        }
    }
}
