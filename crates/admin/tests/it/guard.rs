//! Who may ask: hosts, origins, methods, bodies.

use axum::http::Method;
use stepwell_types::Code;

use crate::support::{Answer, Api, TOKEN};

const RELOAD: &str = "/admin/v1/config:reload";

async fn get(api: &Api, headers: &[(&str, &str)]) -> Answer {
    api.send(Method::GET, "/admin/v1/status", headers, "").await
}

#[tokio::test]
async fn only_hosts_that_are_ours_are_answered() {
    let api = Api::new();
    for host in [
        "localhost",
        "LOCALHOST:7071",
        "127.0.0.1:7071",
        "127.9.9.9",
        "[::1]:7071",
        "gateway.internal",
        "Gateway.Internal:7071",
    ] {
        assert_eq!(get(&api, &[("host", host)]).await.status, 200, "{host}");
    }
    for host in
        ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1:7071", "[::2]", ""]
    {
        let answer = get(&api, &[("host", host)]).await;
        assert_eq!(answer.status, 403, "{host:?}");
        answer.error(Code::ForbiddenOrigin);
    }
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let api = Api::new();
    for headers in [&[][..], &[("host", "localhost"), ("host", "evil.example")]] {
        let answer = get(&api, headers).await;
        assert_eq!(answer.status, 400);
        answer.error(Code::InvalidRequest);
    }
}

#[tokio::test]
async fn pages_of_another_origin_are_refused_everywhere_even_on_this_machine() {
    let api = Api::new();
    for path in ["/", "/metrics", "/healthz", "/admin/v1/calls", "/nowhere"] {
        for origin in
            ["https://evil.example", "http://localhost:3000", "null", "http://localhost:7071.evil.example"]
        {
            let headers = [("host", "localhost:7071"), ("origin", origin)];
            let answer = api.send(Method::GET, path, &headers, "").await;
            assert_eq!(answer.status, 403, "{path} from {origin}");
            answer.error(Code::ForbiddenOrigin);
        }
    }
    let own = [("host", "localhost:7071"), ("origin", "http://localhost:7071")];
    assert_eq!(get(&api, &own).await.status, 200);
}

#[tokio::test]
async fn no_answer_opens_itself_to_other_origins_or_to_caches() {
    let api = Api::new();
    let preflight = api.send(Method::OPTIONS, RELOAD, &[("host", "localhost")], "").await;
    assert_eq!(preflight.status, 405);
    for answer in [preflight, api.get("/admin/v1/calls").await, api.get("/nowhere").await] {
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn writes_need_the_token() {
    let api = Api::new();
    let longer = format!("Bearer {TOKEN}0");
    let shorter = format!("Bearer {}", &TOKEN[1..]);
    let bare = TOKEN.to_owned();
    let basic = format!("Basic {TOKEN}");
    for value in [None, Some("Bearer "), Some(&*longer), Some(&*shorter), Some(&*bare), Some(&*basic)] {
        let mut headers = vec![("host", "localhost"), ("content-type", "application/json")];
        headers.extend(value.map(|value| ("authorization", value)));
        let answer = api.send(Method::POST, RELOAD, &headers, "").await;
        assert_eq!(answer.status, 401, "{value:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        let error = answer.error(Code::Unauthorized);
        assert!(error["message"].as_str().unwrap().contains("admin-token"));
        assert!(!answer.text.contains(TOKEN));
    }
}

#[tokio::test]
async fn writes_need_a_json_content_type_and_a_small_json_body() {
    let api = Api::new();
    let bearer = format!("Bearer {TOKEN}");
    let large = format!("{{\"x\": \"{}\"}}", "y".repeat(70_000));
    for (content_type, body, status, code) in [
        ("", "", 415, Code::UnsupportedMediaType),
        ("text/plain", "{}", 415, Code::UnsupportedMediaType),
        ("application/jsonp", "{}", 415, Code::UnsupportedMediaType),
        ("application/json", "{", 400, Code::InvalidJson),
        ("application/json", "{\"force\": true}", 400, Code::InvalidRequest),
        ("application/json", &large, 413, Code::BodyTooLarge),
    ] {
        let headers = [("host", "localhost"), ("authorization", &*bearer), ("content-type", content_type)];
        let answer = api.send(Method::POST, RELOAD, &headers, body).await;
        assert_eq!(answer.status, status, "{content_type} {body:.20}");
        answer.error(code);
    }
    for (content_type, body) in [("application/json", ""), ("Application/JSON; charset=utf-8", " {} ")] {
        let headers = [("host", "localhost"), ("authorization", &*bearer), ("content-type", content_type)];
        assert_eq!(api.send(Method::POST, RELOAD, &headers, body).await.status, 200, "{body}");
    }
}

#[tokio::test]
async fn a_path_that_is_not_there_and_a_method_that_is_not_taken_are_told_apart() {
    let api = Api::new();
    let nowhere = api.get("/admin/v1/nowhere").await;
    assert_eq!(nowhere.status, 404);
    nowhere.error(Code::NotFound);
    let host = [("host", "localhost")];
    for (method, path) in [(Method::POST, "/admin/v1/calls"), (Method::DELETE, "/"), (Method::GET, RELOAD)] {
        let answer = api.send(method, path, &host, "").await;
        assert_eq!(answer.status, 405, "{path}");
        assert!(answer.headers.contains_key("allow"), "{path}");
        answer.error(Code::MethodNotAllowed);
    }
}
