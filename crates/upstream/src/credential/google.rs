//! OAuth tokens of Google Cloud: by a service account's key, by a user's refresh token, or from the metadata server of the
//! machine it runs on.
//!
//! <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>,
//! <https://docs.cloud.google.com/docs/authentication/application-default-credentials>,
//! <https://docs.cloud.google.com/compute/docs/access/authenticate-workloads#applications>

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use parking_lot::RwLock;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use stepwell_http1::client::Request;
use stepwell_types::{Clock as _, SystemClock};
use tokio::time::{Instant, timeout_at};

use super::CredentialError;
use crate::{Error, Limits, Origin, Upstream};

/// What the tokens may be used for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How long an assertion is valid: the most that Google takes.
const ASSERTION: Duration = Duration::from_hours(1);

/// A token is replaced when it has less than this left, by the call that notices first; the others use the old one.
const EARLY: Duration = Duration::from_mins(5);

/// For how long a try that failed is not repeated: others who wait for a token hear why at once.
const PAUSE: Duration = Duration::from_secs(3);

/// The longest that a token is taken to be valid, whatever its giver says.
const LONGEST: Duration = Duration::from_hours(12);

/// The longest reason of a refusal that is kept, in bytes.
const REASON: usize = 300;

/// A token with less than this left is not used any more.
const LATEST: Duration = Duration::from_secs(10);

/// The longest answer of who gives tokens, in bytes.
const ANSWER: usize = 64 * 1024;

/// The metadata server's address, unless the environment names another.
const METADATA: &str = "metadata.google.internal";

/// The bounds of a request for a token.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    tls: Duration::from_secs(3),
    first_byte: Duration::from_secs(10),
    idle: Duration::from_secs(5),
    connections: 4,
};

/// A token that is renewed before it expires. One for all workers.
pub struct GoogleToken {
    source: Source,
    origin: Origin,
    place: String,
    current: RwLock<Option<Token>>,
    /// When the last try failed, and why.
    failure: RwLock<Option<(Instant, String)>>,
    /// Held by the one who asks for the next.
    renewing: tokio::sync::Mutex<()>,
}

/// What tokens are given for.
enum Source {
    /// A service account's key: each token for an assertion signed with it.
    ServiceAccount { email: String, key_id: Option<String>, key: Box<RsaKeyPair>, audience: String },
    /// A user's refresh token, as `gcloud auth application-default login` leaves it.
    User { form: String },
    /// This machine's own identity.
    Metadata,
}

/// A token and until when it may be used.
#[derive(Clone)]
struct Token {
    authorization: HeaderValue,
    until: Instant,
}

/// A credentials file.
#[derive(Deserialize)]
struct File {
    #[serde(rename = "type")]
    kind: Option<String>,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    refresh_token: Option<String>,
}

/// What a token comes in.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    /// Seconds; some givers write a text.
    expires_in: Option<serde_json::Value>,
    error: Option<serde_json::Value>,
    error_description: Option<String>,
}

impl GoogleToken {
    /// Tokens for the credentials in a JSON file: of a service account, or of a user.
    ///
    /// # Errors
    /// If it is not such a file. The message names the field and holds nothing of its value.
    pub fn from_file(json: &str) -> Result<Self, CredentialError> {
        let unusable = |problem: &str| CredentialError::Unusable(problem.to_owned());
        let file: File =
            serde_json::from_str(json).map_err(|_| unusable("the file is not the JSON of Google's"))?;
        let field = |value: Option<String>, name: &str| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| unusable(&format!("{name} is missing")))
        };
        let uri = file.token_uri.unwrap_or_else(|| "https://oauth2.googleapis.com/token".to_owned());
        let source = match file.kind.as_deref() {
            Some("service_account") => {
                let pem = field(file.private_key, "private_key")?;
                let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
                    .map_err(|_| unusable("private_key is not a PKCS#8 key in PEM"))?;
                let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
                    .map_err(|_| unusable("private_key is not an RSA key"))?;
                Source::ServiceAccount {
                    email: field(file.client_email, "client_email")?,
                    key_id: file.private_key_id,
                    key: Box::new(key),
                    audience: uri.clone(),
                }
            }
            Some("authorized_user") => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("client_id", &field(file.client_id, "client_id")?);
                form.append_pair("client_secret", &field(file.client_secret, "client_secret")?);
                form.append_pair("refresh_token", &field(file.refresh_token, "refresh_token")?);
                Source::User { form: form.finish() }
            }
            Some(kind) => {
                return Err(CredentialError::Unusable(format!(
                    "type `{kind}`: service_account and authorized_user are known"
                )));
            }
            None => return Err(unusable("type is missing")),
        };
        Self::new(source, &uri)
    }

    /// Tokens of the identity that the machine in Google's cloud has. `host` is what `GCE_METADATA_HOST` says, if it is set.
    ///
    /// # Errors
    /// If `host` is not a host.
    pub fn from_metadata(host: Option<&str>) -> Result<Self, CredentialError> {
        let host = host.unwrap_or(METADATA);
        let path = "/computeMetadata/v1/instance/service-accounts/default/token";
        Self::new(Source::Metadata, &format!("http://{host}{path}"))
    }

    fn new(source: Source, uri: &str) -> Result<Self, CredentialError> {
        let origin =
            Origin::parse(uri).map_err(|error| CredentialError::Unusable(format!("token_uri: {error}")))?;
        let place = origin.to_string();
        Ok(Self {
            source,
            origin,
            place,
            current: RwLock::new(None),
            failure: RwLock::new(None),
            renewing: tokio::sync::Mutex::new(()),
        })
    }

    /// The value of `authorization`, with a token that is valid.
    pub(super) async fn authorization(
        &self,
        upstream: &Arc<Upstream>,
        deadline: Instant,
    ) -> Result<HeaderValue, CredentialError> {
        let usable = |left: Duration| {
            let current = self.current.read();
            current.as_ref().filter(|token| token.until > Instant::now() + left).cloned()
        };
        if let Some(token) = usable(EARLY) {
            return Ok(token.authorization);
        }
        let _renewing = match (self.renewing.try_lock(), usable(LATEST)) {
            (Ok(guard), _) => guard,
            (Err(_), Some(token)) => return Ok(token.authorization),
            (Err(_), None) => timeout_at(deadline, self.renewing.lock()).await.map_err(|_| {
                let place = self.place.clone();
                CredentialError::Unreachable { place, cause: Error::Deadline }
            })?,
        };
        // Whoever held it before may have brought one.
        if let Some(token) = usable(EARLY) {
            return Ok(token.authorization);
        }
        let lately = self.failure.read().clone().filter(|(at, _)| at.elapsed() < PAUSE);
        let renewed = match lately {
            Some((_, reason)) => Err(CredentialError::Lately(reason)),
            None => self.renew(upstream, deadline).await,
        };
        match renewed {
            Ok(token) => {
                let authorization = token.authorization.clone();
                *self.current.write() = Some(token);
                *self.failure.write() = None;
                Ok(authorization)
            }
            Err(error) => {
                let is_new = !matches!(error, CredentialError::Lately(_));
                if is_new {
                    *self.failure.write() = Some((Instant::now(), error.to_string()));
                }
                // One that is still valid is better than none.
                let Some(token) = usable(LATEST) else { return Err(error) };
                if is_new {
                    tracing::warn!(%error, "a token could not be renewed, the old one is used on");
                }
                Ok(token.authorization)
            }
        }
    }

    /// Forgets a token that the provider refused: the next call asks for another.
    pub(super) fn refused(&self, authorization: &HeaderValue) {
        let mut current = self.current.write();
        if current.as_ref().is_some_and(|token| token.authorization == authorization) {
            *current = None;
        }
    }

    async fn renew(&self, upstream: &Arc<Upstream>, deadline: Instant) -> Result<Token, CredentialError> {
        let asked = Instant::now();
        let unreachable = |cause| CredentialError::Unreachable { place: self.place.clone(), cause };
        let request = self.request()?;
        let mut exchange =
            upstream.send(&self.origin, request, &LIMITS, deadline).await.map_err(unreachable)?;
        let body = exchange.read_all(ANSWER).await.map_err(unreachable)?;
        let status = exchange.head().status;
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        let refused = |reason: String| CredentialError::Refused {
            place: self.place.clone(),
            status: status.as_u16(),
            reason,
        };
        match answer {
            Some(Answer { access_token: Some(token), expires_in, .. }) if status.is_success() => {
                let mut authorization = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| refused("the token cannot stand in a header".to_owned()))?;
                authorization.set_sensitive(true);
                let valid = expires_in.as_ref().map_or(ASSERTION, seconds).min(LONGEST);
                Ok(Token { authorization, until: asked + valid })
            }
            Some(Answer { error, error_description, .. }) => {
                let error =
                    error.map(|error| error.as_str().map_or_else(|| error.to_string(), str::to_owned));
                let words: Vec<_> = [error, error_description].into_iter().flatten().collect();
                let mut reason = words.join(": ");
                reason.truncate(reason.floor_char_boundary(REASON));
                Err(refused(reason))
            }
            None => Err(refused("its answer is not JSON".to_owned())),
        }
    }

    fn request(&self) -> Result<Request, CredentialError> {
        let form = match &self.source {
            Source::Metadata => {
                let mut headers = HeaderMap::new();
                headers
                    .insert(HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
                return self.prepared(&Method::GET, &headers, Bytes::new());
            }
            Source::User { form } => form.clone(),
            Source::ServiceAccount { email, key_id, key, audience } => {
                let assertion = assertion(email, key_id.as_deref(), key, audience)?;
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                form.append_pair("assertion", &assertion);
                form.finish()
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self.prepared(&Method::POST, &headers, Bytes::from(form))
    }

    fn prepared(
        &self,
        method: &Method,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Request, CredentialError> {
        let template = self
            .origin
            .template(method, "", headers)
            .map_err(|error| CredentialError::Unusable(format!("token_uri: {error}")))?;
        Ok(Request::new(&template, body))
    }
}

/// A number of seconds, also where it is written as a text; none where it is no number.
fn seconds(value: &serde_json::Value) -> Duration {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0.0);
    Duration::try_from_secs_f64(number).unwrap_or(if number > 0.0 { LONGEST } else { Duration::ZERO })
}

/// Its source is a secret.
impl fmt::Debug for GoogleToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GoogleToken").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What says who asks, signed: a JSON web token (RFC 7519, RFC 7523).
fn assertion(
    email: &str,
    key_id: Option<&str>,
    key: &RsaKeyPair,
    audience: &str,
) -> Result<String, CredentialError> {
    let unusable = |problem: &str| CredentialError::Unusable(problem.to_owned());
    let issued = SystemClock::new().now().as_seconds();
    let valid = i64::try_from(ASSERTION.as_secs()).unwrap_or(i64::MAX);
    let mut header = serde_json::json!({"alg": "RS256", "typ": "JWT"});
    if let Some(key_id) = key_id {
        header["kid"] = key_id.into();
    }
    let claims = serde_json::json!({
        "iss": email, "scope": SCOPE, "aud": audience, "iat": issued, "exp": issued.saturating_add(valid),
    });
    let mut token = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| unusable("private_key cannot sign"))?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::*;

    /// Made for these tests alone.
    const KEY: &str = include_str!("test_key.pem");

    fn account() -> Value {
        json!({
            "type": "service_account", "private_key_id": "k1", "private_key": KEY,
            "client_email": "a@b.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
        })
    }

    #[test]
    fn an_assertion_says_who_asks_for_what_and_is_signed() {
        let token = GoogleToken::from_file(&account().to_string()).unwrap();
        let Source::ServiceAccount { email, key_id, key, audience } = &token.source else { panic!() };
        let assertion = assertion(email, key_id.as_deref(), key, audience).unwrap();
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
        public.verify(signed.as_bytes(), &signature).unwrap();
        let part =
            |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(part(header), json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
        let claims = part(claims);
        assert_eq!(claims["iss"], "a@b.iam.gserviceaccount.com");
        assert_eq!(
            (&claims["aud"], &claims["scope"]),
            (&json!("https://oauth2.googleapis.com/token"), &json!(SCOPE))
        );
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3_600);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_refused_by_the_field_and_without_its_secret() {
        for (field, value, problem) in [
            ("type", json!(null), "type is missing"),
            ("type", json!("external_account"), "type `external_account`"),
            ("private_key", json!(null), "private_key is missing"),
            ("private_key", json!("sk-secret"), "private_key is not a PKCS#8 key in PEM"),
            ("client_email", json!(""), "client_email is missing"),
            ("token_uri", json!("ftp://x"), "token_uri"),
        ] {
            let mut file = account();
            file[field] = value;
            let error = GoogleToken::from_file(&file.to_string()).unwrap_err().to_string();
            assert!(error.contains(problem) && !error.contains("secret"), "{field}: {error}");
        }
        assert!(GoogleToken::from_file("not json").is_err());
        let user =
            json!({"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r&"});
        let token = GoogleToken::from_file(&user.to_string()).unwrap();
        let Source::User { form } = &token.source else { panic!() };
        for (value, expected) in [
            (json!(3599), 3599),
            (json!("3599"), 3599),
            (json!(3599.0), 3599),
            (json!(null), 0),
            (json!(-1), 0),
        ] {
            assert_eq!(seconds(&value), Duration::from_secs(expected), "{value}");
        }
        assert_eq!(seconds(&json!(u64::MAX)).min(LONGEST), LONGEST);
        assert_eq!(form, "grant_type=refresh_token&client_id=i&client_secret=s&refresh_token=r%26");
        assert!(!format!("{token:?}").contains("client_secret"));
    }
}
