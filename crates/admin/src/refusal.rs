//! An error as the management API answers it: one JSON shape, whatever went wrong.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stepwell_config::Problem;
use stepwell_types::{Code, Failure};

use crate::view::{ErrorBody, ErrorView, ParamView, ProblemView};

/// Where each code is explained; the code follows.
const DOCS: &str = "docs/errors.md#";

/// A request that is not answered, and why.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Reasons>);

#[derive(Debug)]
struct Reasons {
    failure: Failure,
    params: Vec<ParamView>,
    problems: Vec<ProblemView>,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Failure::new(code, message).into()
    }

    /// One or more parameters that are wrong; every one is named.
    pub(crate) fn params(params: Vec<ParamView>) -> Self {
        let messages: Vec<_> =
            params.iter().map(|each| format!("{}: {}", each.param, each.message)).collect();
        let mut failure = Failure::new(Code::InvalidRequest, messages.join("; "));
        failure.param = params.first().map(|each| each.param.clone());
        Self(Box::new(Reasons { failure, params, problems: Vec::new() }))
    }

    /// One parameter that is wrong.
    pub(crate) fn param(param: &str, message: impl Into<String>) -> Self {
        Self::params(vec![ParamView { param: param.to_owned(), message: message.into() }])
    }

    /// A config file with mistakes.
    pub(crate) fn config(problems: &[Problem]) -> Self {
        let message = match problems.len() {
            1 => "the config file has a mistake: the last good config stays in force".to_owned(),
            count => format!("the config file has {count} mistakes: the last good config stays in force"),
        };
        let failure =
            Failure::new(Code::InvalidRequest, message).status(StatusCode::UNPROCESSABLE_ENTITY.as_u16());
        let problems = problems.iter().map(ProblemView::from).collect();
        Self(Box::new(Reasons { failure, params: Vec::new(), problems }))
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(Box::new(Reasons { failure, params: Vec::new(), problems: Vec::new() }))
    }
}

impl From<stepwell_store::Error> for Refusal {
    fn from(error: stepwell_store::Error) -> Self {
        use stepwell_store::Error;
        match &error {
            Error::BadCursor => Self::param("cursor", error.to_string()),
            Error::TooWide { .. } => Self::param("since", error.to_string()),
            _ => Failure::new(error.code(), "the ledger could not answer: the log says why")
                .detail(error.to_string())
                .into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Reasons { failure, params, problems } = *self.0;
        if failure.status >= 500 {
            tracing::warn!(
                code = failure.code.as_str(),
                status = failure.status,
                detail = failure.detail.as_deref(),
                "management request failed"
            );
        }
        let body = ErrorBody {
            error: ErrorView {
                message: failure.message,
                kind: failure.code.openai_type(),
                param: failure.param,
                code: failure.code.as_str(),
                call_id: None,
                docs: format!("{DOCS}{}", failure.code),
                params,
                problems,
            },
        };
        let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = failure.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}
