//! Complete replies, and the small answers beside them.

use serde_json::{Value, json};
use stepwell_types::{Code, Finish};

use super::{fixture, value, without};
use crate::Codec;
use crate::anthropic::Anthropic;

#[test]
fn replies_come_back_as_they_were_read() {
    let cases: [(&str, &[&str], &[&str]); 6] = [
        (fixture!("tiers.reply.json"), &["/usage/service_tier"], &["/usage/service_tier"]),
        (fixture!("tools.reply.json"), &[], &[]),
        (fixture!("stop_sequence.reply.json"), &[], &[]),
        (fixture!("max_tokens.reply.json"), &[], &[]),
        (fixture!("refused.reply.json"), &["/stop_details"], &["/stop_details"]),
        (fixture!("context_window.reply.json"), &[], &[]),
    ];
    for (body, dropped, losses) in cases {
        let reply = Anthropic.read_reply(body.as_bytes()).unwrap();
        let back = Anthropic.write_reply(&reply);
        let mut expected = without(body, dropped);
        let mut got = value(&back.body);
        assert_eq!(back.losses.paths(), losses);
        assert_eq!(
            Anthropic.reply_facts(&back.body).unwrap(),
            Anthropic.reply_facts(body.as_bytes()).unwrap()
        );
        for side in [&mut expected, &mut got] {
            side.as_object_mut().unwrap().remove("usage");
            for block in side["content"].as_array_mut().unwrap() {
                let block = block.as_object_mut().unwrap();
                block.remove("citations");
                block.remove("caller");
            }
        }
        assert_eq!(got, expected);
    }
}

#[test]
fn the_facts_of_a_reply_are_normalised() {
    let facts = Anthropic.reply_facts(fixture!("tools.reply.json").as_bytes()).unwrap();
    let usage = facts.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.reasoning_tokens), (2310, 150, 60));
    assert_eq!(facts.finish, Some(Finish::ToolCalls));
    assert_eq!(facts.id.as_deref(), Some("msg_01Aq9w938a90dw8q"));
    let pause = Anthropic.read_reply(fixture!("pause.reply.json").as_bytes()).unwrap();
    assert_eq!(pause.finish, Some(Finish::Pause));
    let losses = Anthropic.write_reply(&pause).losses;
    assert_eq!(losses.paths(), ["/usage/server_tool_use", "/content/0", "/content/1"]);
}

#[test]
fn a_call_by_code_of_a_hosted_tool_is_a_call_whose_caller_is_lost() {
    let body = r#"{"type":"message","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{},
        "caller":{"type":"code_execution_20260120","tool_id":"srvtoolu_1"}}],"stop_reason":"tool_use"}"#;
    let written = Anthropic.write_reply(&Anthropic.read_reply(body.as_bytes()).unwrap());
    assert_eq!(value(&written.body)["content"][0]["id"], "toolu_1");
    assert_eq!(written.losses.paths(), ["/content/0/caller"]);
}

#[test]
fn an_answer_that_is_no_message_is_the_providers_fault() {
    for body in [
        fixture!("overloaded.error.json"),
        "{}",
        "[]",
        "",
        r#"{"content":[{"text":"x"}]}"#,
        r#"{"type":"completion","content":[]}"#,
    ] {
        let error = Anthropic.read_reply(body.as_bytes()).unwrap_err();
        assert_eq!(error.code, Code::UpstreamInvalid, "{body}");
    }
    assert!(Anthropic.reply_facts(fixture!("overloaded.error.json").as_bytes()).is_err());
}

#[test]
fn lists_and_counts_are_in_anthropics_form() {
    let models = [
        crate::Listing { id: "chat", owner: "stepwell", created: 0 },
        crate::Listing { id: "openai/gpt-5", owner: "openai", created: 1_700_000_000 },
    ];
    let list = value(&Anthropic.write_models(&models));
    assert_eq!(list["data"][1], value(&Anthropic.write_model(&models[1])));
    assert_eq!(list["data"][1]["created_at"], "2023-11-14T22:13:20.000000Z");
    assert_eq!((&list["first_id"], &list["last_id"]), (&json!("chat"), &json!("openai/gpt-5")));
    assert_eq!(value(&Anthropic.write_models(&[]))["last_id"], Value::Null);
    assert_eq!(value(&Anthropic.write_token_count(7)), json!({"input_tokens": 7}));
}
