//! The page of embeddings in the documentation: what each request becomes at each provider, made of the fixtures, the codecs
//! and the table of providers. To write it anew: `STEPWELL_WRITE_DOCS=1 cargo test -p stepwell-gateway --test embeddings_page`.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use stepwell_catalog::{EmbeddingFace, provider_kinds};
use stepwell_types::EmbeddingFormat;
use stepwell_wire::Asked;
use stepwell_wire::embeddings::codec;

const INTRODUCTION: &str = include_str!("embeddings_page.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_page_of_embeddings_is_made_of_the_fixtures() {
    let page = page();
    let path = root().join("docs/embeddings.md");
    if std::env::var_os("STEPWELL_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        page,
        "docs/embeddings.md is not of today"
    );
}

/// Kinds that are asked alike, and how.
fn columns() -> Vec<(Vec<&'static str>, &'static [EmbeddingFace])> {
    let mut columns: Vec<(Vec<&'static str>, &'static [EmbeddingFace])> = Vec::new();
    let alike = |one: &[EmbeddingFace], other: &[EmbeddingFace]| {
        one.len() == other.len()
            && one
                .iter()
                .zip(other)
                .all(|(one, other)| (one.format, one.quirks) == (other.format, other.quirks))
    };
    for kind in provider_kinds().iter().filter(|kind| !kind.embeddings.is_empty()) {
        match columns.iter_mut().find(|(_, faces)| alike(faces, kind.embeddings)) {
            Some((names, _)) => names.push(kind.name),
            None => columns.push((vec![kind.name], kind.embeddings)),
        }
    }
    columns
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let columns = columns();
    for format in EmbeddingFormat::ALL {
        writeln!(page, "\n### A client of `{format}`\n").unwrap();
        let titles = (1..=columns.len()).map(|number| format!("({number})")).collect::<Vec<_>>().join(" | ");
        writeln!(page, "| request | {titles} |\n|---|{}", "---|".repeat(columns.len())).unwrap();
        let folder = root().join("crates/wire/fixtures/embeddings").join(format.as_str());
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        for name in names {
            let Some(case) = name.strip_suffix(".request.json") else { continue };
            let file = format!("crates/wire/fixtures/embeddings/{format}/{name}");
            let body = std::fs::read(root().join(&file)).unwrap();
            let cells: Vec<String> = columns.iter().map(|(_, faces)| cell(format, &body, faces)).collect();
            writeln!(page, "| [{case}](../{file}) | {} |", cells.join(" | ")).unwrap();
        }
    }
    writeln!(page, "\nThe providers:\n").unwrap();
    for (number, (names, _)) in (1..).zip(&columns) {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        writeln!(page, "{number}. {}", names.join(", ")).unwrap();
    }
    page
}

/// What becomes of a request at a provider.
fn cell(client: EmbeddingFormat, body: &[u8], faces: &[EmbeddingFace]) -> String {
    let own = codec(client);
    let face = faces.iter().find(|face| face.format == client).or(faces.first()).unwrap();
    let model = match client {
        EmbeddingFormat::Gemini | EmbeddingFormat::GeminiBatch => "gemini-embedding-001",
        EmbeddingFormat::Openai | EmbeddingFormat::Tei | EmbeddingFormat::Cohere => "m",
    };
    let (head, _) = own.head(body, &Asked { model: Some(model), stream: false }).unwrap();
    if face.format == client && own.edit_request(body, &head, "m", face.quirks).unwrap().is_some() {
        return "=".to_owned();
    }
    match own.read_request(body).and_then(|embed| codec(face.format).write_request(&embed, "m", face.quirks))
    {
        Ok(written) if written.losses.is_empty() => "✓".to_owned(),
        Ok(written) => {
            let paths: Vec<String> = written.losses.paths().iter().map(|path| format!("−`{path}`")).collect();
            paths.join(" ")
        }
        Err(error) => format!("✗ `{}`", error.param.unwrap()),
    }
}
