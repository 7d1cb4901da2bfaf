//! The page of providers in the documentation, made of the table. To write it anew:
//! `STEPWELL_WRITE_DOCS=1 cargo nextest run -p stepwell-catalog the_page_of_providers`.

use std::fmt::Write as _;
use std::path::Path;

use stepwell_catalog::{Auth, PriceBook, ProviderKind, provider_kinds};

#[test]
fn the_page_of_providers_is_made_of_the_table() {
    let page = page();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
    if std::env::var_os("STEPWELL_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), page, "docs/providers.md is not of today");
}

fn page() -> String {
    let mut page = String::from(
        "# Providers\n\nMade of `crates/catalog/src/kinds.rs` by its tests; do not edit. `kind` in a `[providers.NAME]` section is \
         one of these; every row can be changed there (`base_url`, `headers`, `prices`). A start without a config file takes \
         every provider whose variable is set. [adding-a-provider.md](adding-a-provider.md) says how to add one.\n\n\
         | kind | dialect | embeddings | address | key's variable | key sent as | prices | differs | documentation |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let book = PriceBook::embedded().unwrap();
    for kind in provider_kinds() {
        let address = kind.base_url.map_or_else(|| "yours to name".to_owned(), |url| format!("`{url}`"));
        let variable = kind.key_env.map_or_else(String::new, |name| format!("`{name}`"));
        let auth = match kind.auth {
            Auth::Bearer => "`authorization: Bearer`".to_owned(),
            Auth::Header(name) => format!("`{name}`"),
            Auth::GoogleCloud => "a token of Google Cloud's".to_owned(),
            Auth::None => "not at all".to_owned(),
        };
        let auth = if kind.key_required { auth } else { format!("{auth}, if there is one") };
        let prices = kind
            .prices
            .map_or_else(|| "your own".to_owned(), |_| format!("{} models", kind.models(&book).count()));
        let docs = match kind.docs.strip_prefix("https://") {
            Some(short) => format!("[{}]({})", short.split('/').next().unwrap_or(short), kind.docs),
            None => format!("`{}`", kind.docs),
        };
        writeln!(
            page,
            "| `{}` | {} | {} | {address} | {variable} | {auth} | {prices} | {} | {docs} |",
            kind.name,
            dialects(kind),
            embeddings(kind),
            differences(kind)
        )
        .unwrap();
    }
    page
}

/// The dialects it speaks, and in brackets those it may.
fn dialects(kind: &ProviderKind) -> String {
    let own = kind.faces.iter().map(|face| format!("`{}`", face.dialect));
    let further = kind.further_faces.iter().map(|face| format!("(`{}`)", face.dialect));
    own.chain(further).collect::<Vec<_>>().join(" ")
}

/// The forms in which it can be asked for vectors.
fn embeddings(kind: &ProviderKind) -> String {
    kind.embeddings.iter().map(|face| format!("`{}`", face.format)).collect::<Vec<_>>().join(" ")
}

fn differences(kind: &ProviderKind) -> String {
    let named = [
        ("`max_tokens_only`", kind.quirks.max_tokens_only),
        ("`no_developer_role`", kind.quirks.no_developer_role),
        ("`no_stream_options`", kind.quirks.no_stream_options),
    ];
    let of_vectors = kind.embeddings.first().map(|face| face.quirks).unwrap_or_default();
    let own_of_vectors = [
        ("`output_fields`", of_vectors.output_fields),
        ("`embedding_type`", of_vectors.embedding_type),
        ("`unasked_floats`", of_vectors.unasked_floats),
        ("`floats_only`", of_vectors.floats_only),
        ("`no_null`", of_vectors.no_null),
        ("`texts_only`", of_vectors.texts_only),
    ];
    named
        .into_iter()
        .chain(own_of_vectors)
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| name)
        .collect::<Vec<_>>()
        .join(", ")
}
