//! Embeddings: what each fixture becomes in every form, what is lost, what is refused, and that what passes, passes
//! unchanged.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use stepwell_types::{Code, EmbeddingFormat, EmbeddingQuirks, PurposeWords};
use stepwell_wire::Asked;
use stepwell_wire::embeddings::{Encoding, codec};

const NONE: EmbeddingQuirks = EmbeddingQuirks {
    purpose: PurposeWords::None,
    output_fields: false,
    embedding_type: false,
    unasked_floats: false,
    floats_only: false,
    no_null: false,
    texts_only: false,
};

/// A target for each way to read a form, each flag and each set of words among them.
const TARGETS: [(&str, EmbeddingFormat, EmbeddingQuirks); 9] = [
    ("openai", EmbeddingFormat::Openai, NONE),
    (
        "output_fields, unasked_floats, texts_only, input_type query or document",
        EmbeddingFormat::Openai,
        EmbeddingQuirks {
            purpose: PurposeWords::QueryDocument,
            output_fields: true,
            unasked_floats: true,
            texts_only: true,
            ..NONE
        },
    ),
    (
        "embedding_type, task",
        EmbeddingFormat::Openai,
        EmbeddingQuirks { purpose: PurposeWords::Tasks, embedding_type: true, ..NONE },
    ),
    (
        "floats_only, input_type query or passage",
        EmbeddingFormat::Openai,
        EmbeddingQuirks { purpose: PurposeWords::QueryPassage, floats_only: true, ..NONE },
    ),
    (
        "a server of one's own, no_null",
        EmbeddingFormat::Openai,
        EmbeddingQuirks { purpose: PurposeWords::Unknown, no_null: true, ..NONE },
    ),
    ("gemini", EmbeddingFormat::Gemini, NONE),
    ("gemini_batch", EmbeddingFormat::GeminiBatch, NONE),
    ("tei", EmbeddingFormat::Tei, NONE),
    ("cohere", EmbeddingFormat::Cohere, NONE),
];

struct Fixture {
    format: EmbeddingFormat,
    case: String,
    bytes: Vec<u8>,
}

/// The fixtures of every format, in order.
fn fixtures(suffix: &str) -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for format in EmbeddingFormat::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/embeddings").join(format.as_str());
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        for name in names {
            if let Some(case) = name.strip_suffix(suffix) {
                let bytes = std::fs::read(folder.join(&name)).unwrap();
                fixtures.push(Fixture { format, case: case.to_owned(), bytes });
            }
        }
    }
    assert!(!fixtures.is_empty());
    fixtures
}

/// What the path of a fixture says. Only Google's forms have the model there; a server of TEI's has none, and needs one here.
fn asked(format: EmbeddingFormat) -> Asked<'static> {
    let model = match format {
        EmbeddingFormat::Openai | EmbeddingFormat::Cohere => None,
        EmbeddingFormat::Gemini | EmbeddingFormat::GeminiBatch => Some("gemini-embedding-001"),
        EmbeddingFormat::Tei => Some("bge-m3"),
    };
    Asked { model, stream: false }
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn requests() {
    for Fixture { format, case, bytes } in fixtures(".request.json") {
        let own = codec(format);
        let (head, encoding) = own.head(&bytes, &asked(format)).unwrap();
        let mut text = format!("model {}, {encoding:?}\n", head.model);
        for (name, target, quirks) in TARGETS {
            let edited = if format == target {
                own.edit_request(&bytes, &head, "target-model", quirks).unwrap()
            } else {
                None
            };
            let section = if let Some(edited) = edited {
                format!("passes as {}", utf8(edited).trim_end())
            } else {
                let written = own
                    .read_request(&bytes)
                    .and_then(|embed| codec(target).write_request(&embed, "target-model", quirks));
                match written {
                    Ok(written) => {
                        let asked = Asked { model: Some("target-model"), stream: false };
                        codec(target).head(&written.body, &asked).expect("what is written is a request");
                        format!("{}\nlost {:?}", utf8(written.body), written.losses.paths())
                    }
                    Err(error) => {
                        assert!(error.param.is_some(), "{error}");
                        format!("{} {}: {error}", error.code, error.param.as_deref().unwrap_or_default())
                    }
                }
            };
            writeln!(text, "=== to {name}\n{section}").unwrap();
        }
        snapshot(&format!("embeddings_{format}_request_{case}"), &text);
    }
}

#[test]
fn replies() {
    for Fixture { format, case, bytes } in fixtures(".reply.json") {
        let facts = codec(format).reply_facts(&bytes).unwrap();
        let reply = codec(format).read_reply(&bytes).unwrap();
        assert_eq!(facts.reply.usage, reply.usage, "{format} {case}");
        assert_eq!(facts.reply.model.as_deref(), reply.model.as_deref(), "{format} {case}");
        let mut text = format!("{facts:?}\n");
        for client in EmbeddingFormat::ALL {
            for encoding in [Encoding::Float, Encoding::Base64] {
                if encoding == Encoding::Base64
                    && !matches!(client, EmbeddingFormat::Openai | EmbeddingFormat::Cohere)
                {
                    continue;
                }
                let written = codec(client).write_reply(&reply, encoding);
                let back = codec(client).read_reply(&written.body).expect("what is written is a reply");
                let one = client == EmbeddingFormat::Gemini;
                assert_eq!(back.vectors.len(), if one { 1 } else { reply.vectors.len() });
                writeln!(
                    text,
                    "=== to {client}, {encoding:?}\n{}\nlost {:?}",
                    utf8(written.body),
                    written.losses.paths()
                )
                .unwrap();
            }
        }
        snapshot(&format!("embeddings_{format}_reply_{case}"), &text);
    }
}

#[test]
fn a_request_passes_byte_for_byte_but_for_its_models() {
    for (format, body, expected) in [
        (
            EmbeddingFormat::Openai,
            "{ \"input\" : [\"é\\u00e9\"],\t\"model\":\"a\", \"x\":1e2}",
            "{ \"input\" : [\"é\\u00e9\"],\t\"model\":\"b/c\", \"x\":1e2}",
        ),
        (
            EmbeddingFormat::Gemini,
            r#"{ "content":{"parts":[]},"model" : "models/a" }"#,
            r#"{ "content":{"parts":[]},"model" : "models/b/c" }"#,
        ),
        (EmbeddingFormat::Gemini, r#"{"content":{"parts":[]}}"#, r#"{"content":{"parts":[]}}"#),
        (
            EmbeddingFormat::GeminiBatch,
            r#"{"requests":[{"model":"models/a","content":{}},{"content":{}},{"content":{},"model":"a"}]}"#,
            r#"{"requests":[{"model":"models/b/c","content":{}},{"content":{}},{"content":{},"model":"models/b/c"}]}"#,
        ),
        (EmbeddingFormat::Tei, r#"{"inputs":"x","model":"a"}"#, r#"{"inputs":"x","model":"b/c"}"#),
        (EmbeddingFormat::Tei, r#"{"inputs": "x"}"#, r#"{"inputs": "x"}"#),
        (EmbeddingFormat::Cohere, r#"{"texts": ["x"], "model" :"a"}"#, r#"{"texts": ["x"], "model" :"b/c"}"#),
    ] {
        let asked = Asked { model: Some("a"), stream: false };
        let (head, _) = codec(format).head(body.as_bytes(), &asked).unwrap();
        let edit = |model| codec(format).edit_request(body.as_bytes(), &head, model, NONE).unwrap().map(utf8);
        assert_eq!(edit("b/c").as_deref(), Some(expected), "{format}");
        assert_eq!(edit("a").as_deref(), Some(body), "{format}");
    }
}

#[test]
fn each_flag_decides_whether_a_request_passes() {
    let quirks = |change: fn(&mut EmbeddingQuirks)| {
        let mut quirks = NONE;
        change(&mut quirks);
        quirks
    };
    let unknown = |change: fn(&mut EmbeddingQuirks)| EmbeddingQuirks {
        purpose: PurposeWords::Unknown,
        ..quirks(change)
    };
    for (fields, quirks, passes) in [
        (r#""encoding_format":"float""#, NONE, true),
        (r#""encoding_format":"float""#, quirks(|it| it.unasked_floats = true), false),
        (r#""encoding_format":"base64""#, quirks(|it| it.unasked_floats = true), true),
        (r#""encoding_format":"base64""#, quirks(|it| it.floats_only = true), false),
        (r#""encoding_format":"base64""#, quirks(|it| it.embedding_type = true), false),
        (r#""encoding_format":null"#, NONE, true),
        (r#""encoding_format":null"#, quirks(|it| it.no_null = true), false),
        (r#""encoding_format":null"#, unknown(|it| it.no_null = true), false),
        (r#""embedding_type":"float""#, NONE, false),
        (r#""embedding_type":["float","binary"]"#, quirks(|it| it.embedding_type = true), true),
        (r#""dimensions":2"#, NONE, true),
        (r#""dimensions":2"#, quirks(|it| it.output_fields = true), false),
        (r#""output_dimension":2"#, quirks(|it| it.output_fields = true), true),
        (r#""output_dimension":2"#, NONE, false),
        (r#""output_dtype":"int8""#, NONE, false),
        (r#""input_type":"query""#, NONE, false),
        (r#""input_type":"query""#, quirks(|it| it.purpose = PurposeWords::QueryPassage), true),
        (r#""input_type":"document""#, quirks(|it| it.purpose = PurposeWords::QueryPassage), false),
        (r#""input_type":"a-new-one""#, quirks(|it| it.purpose = PurposeWords::QueryDocument), true),
        (r#""input_type":"query""#, quirks(|it| it.purpose = PurposeWords::Tasks), false),
        (r#""task":"retrieval.query""#, quirks(|it| it.purpose = PurposeWords::Tasks), true),
        (r#""task":"x","output_dtype":"int8","embedding_type":"float""#, unknown(|_| {}), true),
    ] {
        let body = format!(r#"{{"model":"a","input":"x",{fields}}}"#);
        let own = codec(EmbeddingFormat::Openai);
        let (head, _) = own.head(body.as_bytes(), &Asked::default()).unwrap();
        let edited = own.edit_request(body.as_bytes(), &head, "a", quirks).unwrap();
        assert_eq!(edited.is_some(), passes, "{fields} {quirks:?}");
    }
    let tokens = br#"{"model":"a","input":[[1,2]]}"#;
    let own = codec(EmbeddingFormat::Openai);
    let (head, _) = own.head(tokens, &Asked::default()).unwrap();
    assert!(own.edit_request(tokens, &head, "a", NONE).unwrap().is_some());
    let edited = own.edit_request(tokens, &head, "a", quirks(|it| it.texts_only = true)).unwrap();
    assert!(edited.is_none(), "tokens do not pass to who takes texts only");
}

#[test]
fn what_is_no_request_is_refused_by_the_field() {
    for (format, body, param) in [
        (EmbeddingFormat::Openai, r#"{"input":"a"}"#, "model"),
        (EmbeddingFormat::Openai, r#"{"model":7,"input":"a"}"#, "model"),
        (EmbeddingFormat::Openai, r#"{"model":"m"}"#, "input"),
        (EmbeddingFormat::Openai, r#"{"model":"m","input":null}"#, "input"),
        (EmbeddingFormat::Openai, r#"{"model":"m","input":7}"#, "input"),
        (EmbeddingFormat::Openai, r#"{"model":"m","input":[ ]}"#, "input"),
        (EmbeddingFormat::Openai, r#"{"model":"m","input":"a","encoding_format":1}"#, "encoding_format"),
        (EmbeddingFormat::Openai, r#"{"model":"m","input":"a","user":1}"#, "user"),
        (EmbeddingFormat::Gemini, r"{}", "content"),
        (EmbeddingFormat::Gemini, r#"{"content":{},"model":"models/b"}"#, "model"),
        (EmbeddingFormat::GeminiBatch, r"{}", "requests"),
        (EmbeddingFormat::GeminiBatch, r#"{"requests":[]}"#, "requests"),
        (EmbeddingFormat::GeminiBatch, r#"{"requests":7}"#, "requests"),
        (EmbeddingFormat::GeminiBatch, r#"{"requests":[{"content":{}},{}]}"#, "requests[1].content"),
        (
            EmbeddingFormat::GeminiBatch,
            r#"{"requests":[{"content":{},"model":"models/b"}]}"#,
            "requests[0].model",
        ),
        (EmbeddingFormat::Tei, r"{}", "inputs"),
        (EmbeddingFormat::Tei, r#"{"inputs":[]}"#, "inputs"),
        (EmbeddingFormat::Tei, r#"{"inputs":"a","model":[]}"#, "model"),
        (EmbeddingFormat::Cohere, r#"{"texts":["a"]}"#, "model"),
        (EmbeddingFormat::Cohere, r#"{"model":"m","input_type":"clustering"}"#, "texts"),
        (EmbeddingFormat::Cohere, r#"{"model":"m","texts":[]}"#, "texts"),
        (EmbeddingFormat::Cohere, r#"{"model":"m","texts":"a"}"#, "texts"),
        (EmbeddingFormat::Cohere, r#"{"model":"m","texts":["a"],"images":{}}"#, "images"),
    ] {
        let asked = Asked { model: Some("a"), stream: false };
        let error = codec(format).head(body.as_bytes(), &asked).unwrap_err();
        assert_eq!(
            (error.code, error.param.as_deref()),
            (Code::InvalidRequest, Some(param)),
            "{body}: {error}"
        );
    }
    for body in [r#"{"model":"m","input":"a","model":"n"}"#, "[]", "7"] {
        let error = codec(EmbeddingFormat::Openai).head(body.as_bytes(), &Asked::default()).unwrap_err();
        assert_eq!(error.code, Code::InvalidRequest, "{body}");
    }
    for (format, body, param) in [
        (EmbeddingFormat::Openai, r#"{"model":"m","input":["a",7]}"#, "input[1]"),
        (EmbeddingFormat::Openai, r#"{"model":"m","input":[1,"a"]}"#, "input"),
        (EmbeddingFormat::Openai, r#"{"model":"m","input":[[1],[]]}"#, "input[1]"),
        (EmbeddingFormat::Gemini, r#"{"content":{"parts":[]},"taskType":"NONE_SUCH"}"#, "taskType"),
        (EmbeddingFormat::Tei, r#"{"inputs":[null]}"#, "inputs[0]"),
    ] {
        let error = codec(format).read_request(body.as_bytes()).unwrap_err();
        assert_eq!(
            (error.code, error.param.as_deref()),
            (Code::InvalidRequest, Some(param)),
            "{body}: {error}"
        );
    }
}

#[test]
fn what_is_no_reply_is_never_taken_for_one() {
    for (format, body) in [
        (EmbeddingFormat::Openai, "{}"),
        (EmbeddingFormat::Openai, r#"{"data":null}"#),
        (EmbeddingFormat::Openai, r#"{"data":[{}]}"#),
        (EmbeddingFormat::Openai, r#"{"data":[{"embedding":null}]}"#),
        (EmbeddingFormat::Openai, r#"{"error":{"message":"m"}}"#),
        (EmbeddingFormat::Openai, "[]"),
        (EmbeddingFormat::Gemini, "{}"),
        (EmbeddingFormat::Gemini, r#"{"embedding":{}}"#),
        (EmbeddingFormat::GeminiBatch, "{}"),
        (EmbeddingFormat::GeminiBatch, r#"{"embeddings":[{}]}"#),
        (EmbeddingFormat::Tei, r#"{"error":"m"}"#),
        (EmbeddingFormat::Cohere, r#"{"message":"m"}"#),
        (EmbeddingFormat::Cohere, r#"{"embeddings":[[1]]}"#),
    ] {
        let codec = codec(format);
        assert_eq!(
            codec.reply_facts(body.as_bytes()).unwrap_err().code,
            Code::UpstreamInvalid,
            "{format} {body}"
        );
        assert_eq!(
            codec.read_reply(body.as_bytes()).unwrap_err().code,
            Code::UpstreamInvalid,
            "{format} {body}"
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_codec_panic(
        at in any::<proptest::sample::Index>(),
        cut in 0_usize..24,
        put in proptest::sample::select(vec!["", "null", "[]", "{}", "\"\"", "[[1]]", "1e400", "\"é\"", ",", "}", "\\ud800"]),
    ) {
        for suffix in [".request.json", ".reply.json"] {
            for Fixture { format, bytes, .. } in fixtures(suffix) {
                let mut bytes = bytes;
                let from = at.index(bytes.len());
                let to = (from + cut).min(bytes.len());
                bytes.splice(from..to, put.bytes());
                for format in [format, EmbeddingFormat::Openai] {
                    let own = codec(format);
                    if let Ok((head, _)) = own.head(&bytes, &asked(format)) {
                        own.edit_request(&bytes, &head, "m", NONE).unwrap();
                    }
                    if let Ok(embed) = own.read_request(&bytes) {
                        for (_, target, quirks) in TARGETS {
                            if let Ok(written) = codec(target).write_request(&embed, "m", quirks) {
                                let asked = Asked { model: Some("m"), stream: false };
                                prop_assert!(codec(target).head(&written.body, &asked).is_ok());
                            }
                        }
                    }
                    prop_assert!(own.reply_facts(&bytes).is_err() || own.read_reply(&bytes).is_ok());
                    if let Ok(reply) = own.read_reply(&bytes) {
                        let written = codec(EmbeddingFormat::Openai).write_reply(&reply, Encoding::Base64);
                        prop_assert!(codec(EmbeddingFormat::Openai).reply_facts(&written.body).is_ok());
                    }
                }
            }
        }
    }
}
