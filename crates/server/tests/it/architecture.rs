//! The house's order, kept by machine: who may know whom, who may call out, how crates and files introduce themselves.
//!
//! Each rule is a function from facts to violations. It is tried twice: on this workspace, which must have none, and
//! on a made-up one that breaks it. Which third-party crate may be used where is in `deny.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// What a room of the house may know of the rooms before it.
enum Knows {
    /// Every room before it, but these.
    AllBut(&'static [&'static str]),
    /// These.
    Only(&'static [&'static str]),
}

/// The rooms in their order, as in `ARCHITECTURE.md`: a room knows only rooms before it.
const ROOMS: &[(&str, Knows)] = &[
    ("types", Knows::Only(&[])),
    ("wire", Knows::Only(&["types"])),
    ("catalog", Knows::Only(&["types"])),
    ("config", Knows::Only(&["types", "catalog"])),
    ("store", Knows::Only(&["types"])),
    ("http1", Knows::Only(&[])),
    ("upstream", Knows::AllBut(&["store"])),
    ("policy", Knows::AllBut(&["upstream", "wire"])),
    ("cache", Knows::AllBut(&["upstream", "policy"])),
    ("telemetry", Knows::AllBut(&["upstream", "policy"])),
    ("gateway", Knows::AllBut(&[])),
    ("admin", Knows::Only(&["types", "config", "store", "policy", "cache", "telemetry"])),
    ("sim", Knows::Only(&["types"])),
    ("load", Knows::Only(&["types"])),
    ("import", Knows::Only(&["catalog", "config"])),
    ("server", Knows::AllBut(&[])),
    ("testkit", Knows::AllBut(&["server"])),
];

/// Who may open a connection to somebody else: providers, and the server that is measured.
const CALL_OUT: &[&str] = &["upstream", "load"];

/// Names that say nothing and so collect everything.
const MAGNETS: &[&str] = &["common", "util", "utils", "core", "helper", "helpers", "misc", "shared"];

/// One crate of the workspace.
#[derive(Clone, Default)]
struct Room {
    /// Its folder under `crates/`.
    name: String,
    /// What its manifest asks for.
    links: Vec<Link>,
    /// Every Rust file in it.
    files: Vec<SourceFile>,
}

/// A dependency as a manifest asks for it.
#[derive(Clone, Default)]
struct Link {
    /// The package's name; a room's own name without `stepwell-`.
    to: String,
    /// Whether it is a dev-dependency.
    dev: bool,
    features: Vec<String>,
}

#[derive(Clone, Default)]
struct SourceFile {
    /// Below `crates/`.
    path: String,
    text: String,
}

/// Rooms that know what they must not.
fn wrong_direction(rooms: &[Room]) -> Vec<String> {
    let place = |name: &str| ROOMS.iter().position(|(room, _)| *room == name);
    let mut found = Vec::new();
    for room in rooms {
        let Some(own_place) = place(&room.name) else {
            found.push(format!("{} has no place in ROOMS", room.name));
            continue;
        };
        for link in room.links.iter().filter(|link| !link.dev) {
            let Some(their_place) = place(&link.to) else { continue };
            let may = match &ROOMS[own_place].1 {
                Knows::Only(names) => names.contains(&link.to.as_str()),
                Knows::AllBut(names) => their_place < own_place && !names.contains(&link.to.as_str()),
            };
            if !may {
                found.push(format!("{} must not know {}", room.name, link.to));
            }
        }
    }
    found
}

/// Rooms that need the testkit to do their work.
fn testkit_in_the_binary(rooms: &[Room]) -> Vec<String> {
    let uses = |room: &&Room| room.links.iter().any(|link| link.to == "testkit" && !link.dev);
    rooms.iter().filter(uses).map(|room| format!("{} needs testkit outside its tests", room.name)).collect()
}

/// Rooms that ask for an HTTP client, or use one that another room asked for.
fn calls_out(rooms: &[Room]) -> Vec<String> {
    let mut found = Vec::new();
    for room in rooms.iter().filter(|room| !CALL_OUT.contains(&room.name.as_str())) {
        for link in room.links.iter().filter(|link| !link.dev && ["hyper", "hyper-util"].contains(&&*link.to))
        {
            if let Some(feature) =
                link.features.iter().find(|feature| feature.starts_with("client") || *feature == "full")
            {
                found.push(format!("{} asks for {}'s feature {feature}", room.name, link.to));
            }
        }
        for file in room.files.iter().filter(|file| file.path.contains("/src/")) {
            let code = file.text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let calls = ["hyper::client", "hyper_util::client", "TcpStream::connect"];
            if code.clone().any(|line| calls.iter().any(|call| line.contains(call))) {
                found.push(format!("{} uses an HTTP client", file.path));
            }
        }
    }
    found
}

/// Crates and modules whose name says nothing.
fn magnets(rooms: &[Room]) -> Vec<String> {
    let crates =
        rooms.iter().filter(|room| MAGNETS.contains(&room.name.as_str())).map(|room| room.name.clone());
    let modules = rooms.iter().flat_map(|room| &room.files).filter(|file| {
        let steps = Path::new(&file.path).components().filter_map(|step| step.as_os_str().to_str());
        steps.skip(1).any(|step| MAGNETS.contains(&step.strip_suffix(".rs").unwrap_or(step)))
    });
    crates.chain(modules.map(|file| file.path.clone())).collect()
}

/// Files that do not say what they are.
fn silent_files(rooms: &[Room]) -> Vec<String> {
    let files = rooms.iter().flat_map(|room| &room.files);
    let silent = files.filter(|file| {
        let first = file.text.lines().next().unwrap_or_default();
        first.strip_prefix("//!").is_none_or(|words| words.trim().is_empty())
    });
    silent.map(|file| format!("{} does not begin with `//! what it is`", file.path)).collect()
}

/// Third-party crates of `[workspace.dependencies]` that `docs/dependencies.md` does not explain, the reverse, and
/// those that nobody uses.
fn unexplained(manifest: &str, page: &str, used: &BTreeSet<String>) -> Vec<String> {
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let listed: BTreeSet<&str> = lines
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim()))
        .filter(|name| !name.starts_with(['#', ' ']) && !name.starts_with("stepwell-"))
        .collect();
    let explained: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter(|(_, why)| why.len() > 10)
        .map(|(name, _)| name)
        .collect();
    let missing =
        listed.difference(&explained).map(|name| format!("docs/dependencies.md does not say why {name}"));
    let stale = explained
        .difference(&listed)
        .map(|name| format!("docs/dependencies.md has {name}, Cargo.toml has not"));
    let unused =
        listed.iter().filter(|name| !used.contains(**name)).map(|name| format!("nobody uses {name}"));
    missing.chain(stale).chain(unused).collect()
}

/// The workspace's root folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// This workspace as the rules see it.
fn house() -> Vec<Room> {
    let metadata: Metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap_or_else(|error| panic!("cargo metadata: {error}"));
    metadata
        .packages
        .iter()
        .map(|package| {
            let folder = package
                .manifest_path
                .parent()
                .map(|folder| folder.as_std_path().to_owned())
                .unwrap_or_default();
            let links = package.dependencies.iter().map(|dependency| Link {
                to: dependency.name.strip_prefix("stepwell-").unwrap_or(&dependency.name).to_owned(),
                dev: dependency.kind == DependencyKind::Development,
                features: dependency.features.clone(),
            });
            let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            Room { links: links.collect(), files: rust_files(&folder), name }
        })
        .collect()
}

/// Every Rust file of a crate, sorted by path.
fn rust_files(folder: &Path) -> Vec<SourceFile> {
    let above = folder.parent().unwrap_or(folder);
    let mut open = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten()
        {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text =
                    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let path = path.strip_prefix(above).unwrap_or(&path).display().to_string();
                files.push(SourceFile { path, text });
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

#[track_caller]
fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn the_house_is_read_whole() {
    let house = house();
    let server = house.iter().find(|room| room.name == "server").unwrap();
    let sim = house.iter().find(|room| room.name == "sim").unwrap();
    assert!(server.links.iter().any(|link| link.to == "gateway" && !link.dev));
    assert!(server.links.iter().any(|link| link.to == "cargo_metadata" && link.dev));
    assert!(sim.links.iter().any(|link| link.to == "hyper" && link.features.contains(&"server".to_owned())));
    assert!(server.files.iter().any(|file| file.path == "server/src/main.rs"));
    assert!(server.files.iter().any(|file| file.path == "server/tests/it/architecture.rs"));
}

#[test]
fn a_crate_knows_only_the_crates_it_may() {
    none(&wrong_direction(&house()));
}

#[test]
fn the_testkit_is_for_tests() {
    none(&testkit_in_the_binary(&house()));
}

#[test]
fn only_upstream_and_the_load_generator_call_out() {
    none(&calls_out(&house()));
}

#[test]
fn names_say_what_a_thing_is() {
    none(&magnets(&house()));
}

#[test]
fn every_file_says_what_it_is() {
    none(&silent_files(&house()));
}

#[test]
fn every_dependency_has_its_reason_and_its_user() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let used = house().into_iter().flat_map(|room| room.links).map(|link| link.to).collect();
    none(&unexplained(&read("Cargo.toml"), &read("docs/dependencies.md"), &used));
}

/// Each rule, on a house that breaks it.
mod broken {
    use super::*;

    fn link(to: &str, dev: bool, features: &[&str]) -> Link {
        Link {
            to: to.to_owned(),
            dev,
            features: features.iter().map(|feature| (*feature).to_owned()).collect(),
        }
    }

    fn room(name: &str, links: &[Link]) -> Room {
        Room { name: name.to_owned(), links: links.to_vec(), files: Vec::new() }
    }

    fn file(path: &str, text: &str) -> Room {
        let name = path.split('/').next().unwrap_or_default().to_owned();
        let files = vec![SourceFile { path: path.to_owned(), text: text.to_owned() }];
        Room { name, files, ..Room::default() }
    }

    fn knows(name: &str, to: &str) -> Vec<String> {
        wrong_direction(&[room(name, &[link(to, false, &[])])])
    }

    #[test]
    fn a_crate_that_knows_one_after_it_is_found() {
        assert_eq!(knows("types", "wire"), ["types must not know wire"]);
        assert_eq!(knows("upstream", "gateway"), ["upstream must not know gateway"]);
        assert_eq!(knows("gateway", "server"), ["gateway must not know server"]);
        assert_eq!(knows("gateway", "gateway"), ["gateway must not know gateway"]);
    }

    #[test]
    fn a_crate_that_knows_what_is_kept_from_it_is_found() {
        for (name, to) in [
            ("wire", "catalog"),
            ("store", "config"),
            ("policy", "upstream"),
            ("admin", "gateway"),
            ("admin", "upstream"),
            ("sim", "wire"),
            ("sim", "catalog"),
            ("load", "sim"),
            ("telemetry", "upstream"),
        ] {
            assert_eq!(knows(name, to), [format!("{name} must not know {to}")]);
        }
    }

    #[test]
    fn what_is_allowed_is_not_found() {
        for (name, to) in
            [("gateway", "wire"), ("admin", "store"), ("server", "sim"), ("sim", "types"), ("sim", "hyper")]
        {
            none(&knows(name, to));
        }
        none(&wrong_direction(&[room("wire", &[link("gateway", true, &[])])]));
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        assert_eq!(wrong_direction(&[room("jobs", &[])]), ["jobs has no place in ROOMS"]);
    }

    #[test]
    fn a_testkit_in_the_binary_is_found() {
        let rooms =
            [room("store", &[link("testkit", true, &[])]), room("server", &[link("testkit", false, &[])])];
        assert_eq!(testkit_in_the_binary(&rooms), ["server needs testkit outside its tests"]);
    }

    #[test]
    fn a_client_asked_for_or_borrowed_is_found() {
        for (package, feature) in [("hyper", "client"), ("hyper", "full"), ("hyper-util", "client-legacy")] {
            let rooms = [
                room("gateway", &[link(package, false, &["http1", feature])]),
                room("upstream", &[link(package, false, &[feature])]),
                room("load", &[link(package, false, &[feature])]),
                room("sim", &[link(package, true, &[feature])]),
            ];
            assert_eq!(calls_out(&rooms), [format!("gateway asks for {package}'s feature {feature}")]);
        }
        for borrowed in ["use hyper::client::conn::http1;", "let tcp = TcpStream::connect(address).await?;"] {
            let found = calls_out(&[file("policy/src/route.rs", &format!("//! Routes.\n{borrowed}\n"))]);
            assert_eq!(found, ["policy/src/route.rs uses an HTTP client"]);
        }
        none(&calls_out(&[file("upstream/src/pool.rs", "use hyper::client::conn::http1;")]));
        none(&calls_out(&[file("sim/src/lib.rs", "//! Never uses hyper::client.")]));
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        assert_eq!(magnets(&[room("common", &[])]), ["common"]);
        assert_eq!(magnets(&[file("wire/src/utils.rs", "//! x")]), ["wire/src/utils.rs"]);
        assert_eq!(magnets(&[file("wire/src/helpers/mod.rs", "//! x")]), ["wire/src/helpers/mod.rs"]);
        none(&magnets(&[file("wire/src/shape.rs", "//! x")]));
    }

    #[test]
    fn a_file_that_does_not_introduce_itself_is_found() {
        let silent = "wire/src/sse.rs does not begin with `//! what it is`";
        assert_eq!(silent_files(&[file("wire/src/sse.rs", "use std::fmt;\n//! Late.")]), [silent]);
        assert_eq!(silent_files(&[file("wire/src/sse.rs", "//!\n")]), [silent]);
        assert_eq!(silent_files(&[file("wire/src/sse.rs", "")]), [silent]);
        none(&silent_files(&[file("wire/src/sse.rs", "//! Splits event streams.\n")]));
    }

    #[test]
    fn a_dependency_without_reason_or_user_and_a_stale_reason_are_found() {
        let manifest = "[workspace.dependencies]\nstepwell-types = {}\n# why\nbytes = \"1\"\nhttp = \"1\"\n\n[lints]\nx = 1\n";
        let used = BTreeSet::from(["bytes".to_owned()]);
        let page = "| crate | why |\n|---|---|\n| `bytes` | Shares buffers without copies. |\n| `moka` | Caches what was asked before. |\n";
        assert_eq!(
            unexplained(manifest, page, &used),
            [
                "docs/dependencies.md does not say why http",
                "docs/dependencies.md has moka, Cargo.toml has not",
                "nobody uses http"
            ]
        );
        let reasons = "| `bytes` | Shares buffers. |\n| `http` | - |\n";
        assert_eq!(unexplained(manifest, reasons, &used)[0], "docs/dependencies.md does not say why http");
    }
}
