//! Google Cloud: whose project, where, and by which credentials.
//!
//! What config leaves out is looked for where Google's own libraries look:
//! <https://docs.cloud.google.com/docs/authentication/application-default-credentials>.

use std::path::{Path, PathBuf};

use stepwell_catalog::{Auth, ProviderKind};

use super::api_key;
use super::reference::Resolver;
use crate::environment::Environment;
use crate::key::{Key, Shape};
use crate::report::Report;
use crate::secret::Secret;
use crate::section::Section;

/// An account at Google Cloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoogleCloud {
    /// The project that is billed.
    pub project: String,
    /// Where the models run: a region, a multi-region or `global`.
    pub location: String,
    /// The JSON of a credentials file; none where the machine's metadata server is asked.
    pub credentials: Option<Secret>,
    /// The metadata server's host, where the environment names another than the usual.
    pub metadata_host: Option<String>,
}

pub(crate) const PROJECT: Key = Key {
    name: "project",
    shape: Shape::Text,
    default: None,
    doc: "Google Cloud: the project that is billed. Without it GOOGLE_CLOUD_PROJECT, or the credentials' own.",
};
pub(crate) const LOCATION: Key = Key {
    name: "location",
    shape: Shape::Text,
    default: None,
    doc: "Google Cloud: where the models run. Without it GOOGLE_CLOUD_LOCATION, or \"global\".",
};
pub(crate) const CREDENTIALS_FILE: Key = Key {
    name: "credentials_file",
    shape: Shape::Text,
    default: None,
    doc: "Google Cloud: the JSON file of a service account. Without it GOOGLE_APPLICATION_CREDENTIALS, what gcloud left, or the machine's own identity.",
};

const KEYS: [&Key; 3] = [&PROJECT, &LOCATION, &CREDENTIALS_FILE];

/// Reads the account of a kind that is Google Cloud's; for any other, refuses the keys.
pub(crate) fn read(
    kind: &ProviderKind,
    section: &Section<'_, '_>,
    resolver: &Resolver<'_>,
    report: &mut Report<'_>,
) -> Option<GoogleCloud> {
    if kind.auth != Auth::GoogleCloud {
        for key in KEYS {
            if let Some((_, span)) = section.text(key, report) {
                let message =
                    format!("kind \"{}\" is not in Google Cloud: it has no `{}`", kind.name, key.name);
                report.error("bad_value", span, message).hint("remove it, or use kind = \"vertex\"");
            }
        }
        return None;
    }
    if let Some((span, _)) = section.entry(&api_key::KEY) {
        let message =
            format!("kind \"{}\" takes no api_key: Google Cloud gives tokens for credentials", kind.name);
        report.error("bad_value", span, message).hint("use credentials_file, or leave both out");
    }
    let credentials = credentials(section, resolver, report)?;
    let own = credentials.as_ref().and_then(|credentials| project_of(credentials.expose()));
    let project = named(&PROJECT, "GOOGLE_CLOUD_PROJECT", own, section, resolver.environment, report);
    let global = Some("global".to_owned());
    let location = named(&LOCATION, "GOOGLE_CLOUD_LOCATION", global, section, resolver.environment, report)?;
    let Some(project) = project else {
        report
            .error(
                "missing_key",
                section.span.clone(),
                "this provider has no `project`, and its credentials name none",
            )
            .absent()
            .hint("add project = \"…\", the id of the project that is billed");
        return None;
    };
    let metadata_host = resolver.environment.var("GCE_METADATA_HOST").filter(|host| !host.is_empty());
    Some(GoogleCloud { project, location, credentials, metadata_host })
}

impl GoogleCloud {
    /// Where its API is: <https://docs.cloud.google.com/vertex-ai/docs/general/locations>.
    pub fn base_url(&self) -> String {
        match self.location.as_str() {
            "global" => "https://aiplatform.googleapis.com".to_owned(),
            region @ ("us" | "eu") => format!("https://aiplatform.{region}.rep.googleapis.com"),
            region => format!("https://{region}-aiplatform.googleapis.com"),
        }
    }
}

/// A name that stands in paths: config's, else the environment's, else this one.
fn named(
    key: &Key,
    variable: &str,
    otherwise: Option<String>,
    section: &Section<'_, '_>,
    environment: &dyn Environment,
    report: &mut Report<'_>,
) -> Option<String> {
    let Some((text, span)) = section.text(key, report) else {
        return environment.var(variable).filter(|text| is_name(text)).or(otherwise);
    };
    if !is_name(text) {
        let message = format!("this is not the name of a {}", key.name);
        report.error("bad_value", span, message).hint("lower-case letters, digits and `-`");
        return None;
    }
    Some(text.to_owned())
}

/// Ids of projects may have their domain in front: `example.com:wells`.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte);
    !text.is_empty() && text.len() <= 128 && text.bytes().all(is_plain)
}

/// The credentials file, wherever it is; `Some(None)` where there is none and the metadata server is to be asked.
#[expect(clippy::option_option, reason = "none where it was reported, none in it where there is no file")]
fn credentials(
    section: &Section<'_, '_>,
    resolver: &Resolver<'_>,
    report: &mut Report<'_>,
) -> Option<Option<Secret>> {
    let environment = resolver.environment;
    if let Some((path, span)) = section.text(&CREDENTIALS_FILE, report) {
        return match environment.read(&resolver.directory.join(path)) {
            Ok(json) => Some(Some(Secret::new(json))),
            Err(error) => {
                report
                    .error("missing_secret", span, format!("the credentials file cannot be read: {error}"))
                    .hint("a path relative to this file's directory, or an absolute one");
                None
            }
        };
    }
    if section.node(&CREDENTIALS_FILE).is_some() {
        return None;
    }
    if let Some(path) = environment.var("GOOGLE_APPLICATION_CREDENTIALS").filter(|path| !path.is_empty()) {
        return match environment.read(Path::new(&path)) {
            Ok(json) => Some(Some(Secret::new(json))),
            Err(error) => {
                let message =
                    format!("the file that GOOGLE_APPLICATION_CREDENTIALS names cannot be read: {error}");
                report
                    .error("missing_secret", section.span.clone(), message)
                    .absent()
                    .hint("set it to a file that is there, or add credentials_file = \"PATH\"");
                None
            }
        };
    }
    let folder = environment.var("CLOUDSDK_CONFIG").map(PathBuf::from);
    let usual = || environment.var("HOME").map(|home| Path::new(&home).join(".config/gcloud"));
    let left = folder.or_else(usual).map(|folder| folder.join("application_default_credentials.json"));
    Some(left.and_then(|path| environment.read(&path).ok()).map(Secret::new))
}

/// The project that a credentials file names.
fn project_of(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct File {
        project_id: Option<String>,
        quota_project_id: Option<String>,
    }
    let file: File = serde_json::from_str(json).ok()?;
    file.project_id.or(file.quota_project_id).filter(|project| is_name(project))
}
