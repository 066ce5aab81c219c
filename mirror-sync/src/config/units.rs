//! Sizes, spans of time and days as people write them.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer};

/// A number of bytes: `1048576`, `"10M"`, `"4.4G"` (1024).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bytes(pub(crate) u64);

/// A span of time: seconds, or `"90s"`, `"15m"`, `"24h"`, `"7d"`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimeSpan(pub(crate) Duration);

#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Number(u64),
    Text(String),
}

/// A value of a repository as tdnf's key of the same name takes it: text, or a number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Raw")]
pub(crate) struct Word(pub(crate) String);

impl From<Raw> for Word {
    fn from(raw: Raw) -> Self {
        match raw {
            Raw::Number(number) => Self(number.to_string()),
            Raw::Text(text) => Self(text),
        }
    }
}

impl Bytes {
    /// Reads `10M` and the like; `MB` and `MiB` are the same.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = text.strip_suffix(['b', 'B']).unwrap_or(text);
        rpm_repo::config::parse_bytes(bare.strip_suffix('i').unwrap_or(bare)).map(Self)
    }
}

impl TimeSpan {
    /// Reads `24h` and the like.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (digits, unit) = split(text.trim());
        let factor = match unit {
            "" | "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return None,
        };
        let number: u64 = digits.parse().ok()?;
        number
            .checked_mul(factor)
            .map(Duration::from_secs)
            .map(Self)
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (digits, unit.trim())
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        match Raw::deserialize(input)? {
            Raw::Number(number) => Ok(Self(number)),
            Raw::Text(text) => Self::parse(&text).ok_or_else(|| {
                serde::de::Error::custom(format!("{text:?}: expected a size such as \"10M\""))
            }),
        }
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        match Raw::deserialize(input)? {
            Raw::Number(number) => Ok(Self(Duration::from_secs(number))),
            Raw::Text(text) => Self::parse(&text).ok_or_else(|| {
                serde::de::Error::custom(format!("{text:?}: expected a time such as \"24h\""))
            }),
        }
    }
}

/// Seconds since 1970 at the start of a day (UTC) written `2026-01-31`.
pub(crate) fn day_start(text: &str) -> Option<u64> {
    let day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()?;
    u64::try_from(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp()).ok()
}

/// The value of an option, or what is expected instead.
pub(crate) type OptionValue<T> = std::result::Result<T, String>;

/// Reads a span of time.
pub(crate) fn time(example: &'static str) -> impl Fn(&str) -> OptionValue<Duration> + Clone {
    move |text| {
        let span =
            TimeSpan::parse(text).ok_or_else(|| format!("expected a time such as {example}"));
        span.map(|span| span.0)
    }
}

/// Reads an address and a port to listen on.
pub(crate) fn address(text: &str) -> OptionValue<String> {
    let parts = text.rsplit_once(':');
    let fits = parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    fits.then(|| text.to_owned())
        .ok_or_else(|| "expected an address and a port such as 0.0.0.0:8080".to_owned())
}

/// Reads a number of bytes.
pub(crate) fn size(example: &'static str) -> impl Fn(&str) -> OptionValue<Bytes> + Clone {
    move |text| Bytes::parse(text).ok_or_else(|| format!("expected a size such as {example}"))
}
