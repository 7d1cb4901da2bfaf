//! Price data that was installed over the embedded: the file that holds it, and the day it is of.
//!
//! The file is JSON: the data as it was given, and beside it what cannot be read from the data.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use stepwell_types::Timestamp;

use crate::book::{Origin, PriceBook, PriceData};
use crate::error::Error;
use crate::period::{date_of, days_of};

/// A day of the calendar, in UTC, as days since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Day(i64);

impl Day {
    /// The day of a time.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.as_seconds().div_euclid(86_400))
    }

    /// How many days later another is; negative where it is earlier.
    pub const fn until(self, other: Self) -> i64 {
        other.0 - self.0
    }

    /// The last day up to `latest` that a text mentions, written `YYYY-MM-DD`. Price data notes when prices were checked;
    /// days on which prices will change are mentioned too, so this needs a limit.
    pub fn last_mentioned(text: &str, latest: Self) -> Option<Self> {
        let windows = text.as_bytes().windows(10).zip(0_usize..);
        let written =
            windows.filter(|(window, _)| window.get(4) == Some(&b'-') && window.get(7) == Some(&b'-'));
        written
            .filter_map(|(_, start)| text.get(start..start + 10)?.parse().ok())
            .filter(|day| *day <= latest)
            .max()
    }
}

impl FromStr for Day {
    type Err = Error;

    /// Reads `YYYY-MM-DD`.
    fn from_str(text: &str) -> Result<Self, Error> {
        days_of(text).map(Self).ok_or_else(|| Error::Day(text.to_owned()))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.0);
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}

/// The installed file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installed<'a> {
    /// What it was made from: a file's name.
    #[serde(borrow)]
    source: Cow<'a, str>,
    /// The day its prices are of.
    #[serde(borrow)]
    date: Cow<'a, str>,
    /// The SHA-256 of `data`, in hex: see [`digest`].
    #[serde(borrow)]
    sha256: Cow<'a, str>,
    /// The data as it was given.
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Installed<'_> {
    /// The file that installs a data file of the form the embedded has, and the book that it makes.
    ///
    /// # Errors
    /// What is wrong with `text`, and with which entry.
    pub fn make(text: &str, source: &str, date: Day) -> Result<(String, PriceBook), Error> {
        let text = text.trim_ascii();
        let data = PriceData {
            origin: Origin::Installed,
            source: Cow::Owned(source.to_owned()),
            date: Cow::Owned(date.to_string()),
            sha256: Cow::Owned(digest(text)),
        };
        let book = PriceBook::read(text, data.clone())?;
        let (source, date, sha256) = (data.source, data.date, data.sha256);
        let file = Installed { source, date, sha256, data: serde_json::from_str(text)? };
        Ok((serde_json::to_string(&file)?, book))
    }

    /// The most bytes that an installed file may have.
    pub const MAX_BYTES: usize = PriceBook::MAX_BYTES + 4_096;

    /// The book in an installed file, all of it read.
    ///
    /// # Errors
    /// What is wrong with it: it is torn, was changed, or this version cannot read it.
    pub fn open(file: &str) -> Result<PriceBook, Error> {
        let Installed { source, date, sha256, data } = serde_json::from_str(file)?;
        let _: Day = date.parse()?;
        if digest(data.get()) != sha256 {
            return Err(Error::Changed);
        }
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let (source, date, sha256) = (owned(source), owned(date), owned(sha256));
        PriceBook::read(data.get(), PriceData { origin: Origin::Installed, source, date, sha256 })
    }
}

impl PriceData {
    /// The day its prices are of. None only where the date was written wrong, which tests and [`Installed::open`] rule out.
    pub fn day(&self) -> Option<Day> {
        self.date.parse().ok()
    }
}

/// The SHA-256 of a JSON text as the file it is, one line end behind it, in hex: what `sha256sum` says of the files that
/// `genai-prices` releases.
fn digest(text: &str) -> String {
    use fmt::Write as _;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::new().chain_update(text).chain_update("\n").finalize() {
        // Writing to a string cannot fail.
        let written = write!(hex, "{byte:02x}");
        debug_assert!(written.is_ok());
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"[{"id":"openai","models":[
        {"id":"one","match":{"equals":"one"},"prices":{"input_mtok":1,"output_mtok":2}},
        {"id":"two","match":{"equals":"two"},"prices":[{"prices":{"input_mtok":3}}]}]}]"#;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn refused(text: &str) -> String {
        Installed::make(text, "new.json", day("2026-11-20")).unwrap_err().to_string()
    }

    #[test]
    fn what_is_installed_opens_as_it_was_given() {
        let padded = format!("\n {SMALL}\n");
        let (file, made) = Installed::make(&padded, "new.json", day("2026-11-20")).unwrap();
        let opened = Installed::open(&file).unwrap();
        assert_eq!(opened.data(), made.data());
        let data = opened.data();
        assert_eq!((data.origin, &*data.source, &*data.date), (Origin::Installed, "new.json", "2026-11-20"));
        assert_eq!(data.sha256, digest(SMALL));
        assert!(opened.model_ids("openai").eq(["one", "two"]) && opened.provider_ids().eq(["openai"]));
        assert!(opened.find("sim", "small").is_some(), "the simulator keeps its prices");
    }

    #[test]
    fn the_embedded_data_can_be_installed() {
        let text = include_str!("../data/prices.json");
        let (file, made) = Installed::make(text, "prices.json", day("2026-10-26")).unwrap();
        assert_eq!(made.data().sha256, PriceBook::DATA.sha256);
        assert!(file.len() <= Installed::MAX_BYTES);
        let embedded = PriceBook::embedded().unwrap();
        assert!(made.provider_ids().eq(embedded.provider_ids()));
        for provider in embedded.provider_ids() {
            assert!(made.prices(provider).eq(embedded.prices(provider)), "{provider}");
        }
    }

    #[test]
    fn a_torn_or_changed_file_does_not_open() {
        let (file, _) = Installed::make(SMALL, "new.json", day("2026-11-20")).unwrap();
        for end in (0..file.len()).step_by(7) {
            assert!(Installed::open(&file[..end]).is_err(), "{end}");
        }
        let changed = file.replace("\"input_mtok\":1", "\"input_mtok\":9");
        assert!(matches!(Installed::open(&changed), Err(Error::Changed)));
        let undated = file.replace("2026-11-20", "2026-11-31");
        assert!(matches!(Installed::open(&undated), Err(Error::Day(_))));
        assert!(Installed::open(SMALL).is_err(), "the data without what stands beside it");
    }

    #[test]
    fn a_refusal_names_the_entry() {
        for (old, new, named) in [
            ("\"input_mtok\":3", "\"input_mtok\":3e2", ["\"openai\"", "\"two\"", "3e2"]),
            ("\"input_mtok\":3", "\"input_mtok\":-3", ["\"openai\"", "\"two\"", "-3"]),
            ("\"input_mtok\":3", "\"input_ktok\":3", ["\"openai\"", "\"two\"", "input_ktok"]),
            ("\"equals\":\"two\"", "\"regex\":\"(\"", ["\"openai\"", "\"two\"", "\"(\""]),
            ("\"equals\":\"two\"", "\"sounds_like\":\"two\"", ["\"openai\"", "\"two\"", "sounds_like"]),
            ("\"id\":\"two\",", "", ["\"openai\"", "\"number 2\"", "`id`"]),
        ] {
            let message = refused(&SMALL.replace(old, new));
            assert!(named.iter().all(|part| message.contains(part)), "{message}");
        }
        let twice = format!("[{},{}]", &SMALL[1..SMALL.len() - 1], &SMALL[1..SMALL.len() - 1]);
        assert!(refused(&twice).contains("\"openai\""));
        assert!(refused(&SMALL.replace("\"openai\"", "\"sim\"")).contains("simulator"));
        assert!(refused("[]").contains("no models"));
        for shape in
            ["", "{}", "[1]", r#"{"gpt-4o":{"input_cost_per_token":0.1}}"#, r#"[{"id":"x","models":{}}]"#]
        {
            assert!(!refused(shape).is_empty(), "{shape}");
        }
    }

    #[test]
    fn depth_and_size_have_bounds() {
        let deep = format!("{}{{\"equals\":\"two\"}}{}", "{\"and\":[".repeat(500), "]}".repeat(500));
        let message = refused(&SMALL.replace("{\"equals\":\"two\"}", &deep));
        assert!(message.contains("recursion limit"), "{message}");
        // What is not read is not descended into.
        let skipped = format!("\"id\":\"two\",\"more\":{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Installed::make(&SMALL.replace("\"id\":\"two\"", &skipped), "x", day("2026-11-20")).is_ok());
        let large = " ".repeat(PriceBook::MAX_BYTES) + SMALL;
        assert!(matches!(PriceBook::read(&large, PriceBook::DATA), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn days_are_read_written_and_counted() {
        for text in ["1970-01-01", "2024-02-29", "2026-11-21", "2000-12-31"] {
            assert_eq!(day(text).to_string(), text);
        }
        assert_eq!(day("2024-02-28").until(day("2024-03-01")), 2);
        assert_eq!(Day::of(Timestamp::from_micros(1_767_225_600_000_000)), day("2026-01-01"));
        assert_eq!(Day::of(Timestamp::from_micros(1_767_225_599_999_999)), day("2025-12-31"));
        for wrong in ["", "2026-11-31", "26-11-01", "2026-11-1", "2026/11/01", "2026-11-01T00"] {
            assert!(wrong.parse::<Day>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_last_day_mentioned_is_not_one_to_come() {
        let text = "checked 2026-10-26, é2026-99-99, gpt-2024-08-06; $2 from 2027-01-01";
        assert_eq!(Day::last_mentioned(text, day("2026-11-21")), Some(day("2026-10-26")));
        assert_eq!(Day::last_mentioned(text, day("2027-11-21")), Some(day("2027-01-01")));
        assert_eq!(Day::last_mentioned("none", day("2026-11-21")), None);
    }
}
