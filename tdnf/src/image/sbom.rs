//! Bills of materials of an image, from the headers of its packages: SPDX 2.3 and CycloneDX 1.6, both as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rpm_pkg::digest::{DigestAlgo, Hasher};
use serde_json::{Value, json};

use super::oci::time;
use super::row::PackageRow;
use crate::error::{Failure, Outcome};

/// Licences by their identifiers of SPDX, which packages of RPM systems name since 2022; any other text is passed on
/// as it stands.
const LICENSES: [&str; 40] = [
    "0BSD",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSL-1.0",
    "bzip2-1.0.6",
    "CC-BY-4.0",
    "CC0-1.0",
    "curl",
    "EPL-2.0",
    "GFDL-1.3-or-later",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "ISC",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MPL-1.1",
    "MPL-2.0",
    "NCSA",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PostgreSQL",
    "PSF-2.0",
    "Python-2.0",
    "Unlicense",
    "Vim",
    "Zlib",
];

/// Said of packages whose files are not here: those of a base.
const NO_FILE: &str =
    "the checksum is that of the header in the rpm database, not of the package file";

/// The form of a bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SbomKind {
    /// SPDX 2.3.
    Spdx,
    /// CycloneDX 1.6.
    CycloneDx,
}

/// What a bill is about.
pub struct Billed<'a> {
    /// The image's name.
    pub name: &'a str,
    /// Its digest: `sha256:HEX`.
    pub digest: &'a str,
    /// Seconds since 1970.
    pub epoch: u64,
    /// `ID` and `VERSION_ID` of its os-release; empty where it has none.
    pub system: (String, String),
    /// Its packages.
    pub packages: &'a [PackageRow],
    /// SHA-256 of package files, by `name-[epoch:]version-release.arch`, as far as they are known.
    pub checksums: &'a BTreeMap<String, String>,
}

impl SbomKind {
    /// Reads `spdx` or `cyclonedx`.
    ///
    /// # Errors
    /// Another word.
    pub fn parse(text: &str) -> Outcome<Self> {
        match text {
            "spdx" => Ok(Self::Spdx),
            "cyclonedx" => Ok(Self::CycloneDx),
            other => {
                let line =
                    format!("--sbom={other}: spdx or cyclonedx, and :FILE behind it, is expected");
                Err(Failure::invalid(line))
            }
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Spdx => "application/spdx+json",
            Self::CycloneDx => "application/vnd.cyclonedx+json",
        }
    }

    /// The bill.
    pub fn document(self, billed: &Billed<'_>) -> Value {
        // Keys are no packages.
        let packages = billed.packages.iter().filter(|row| !row.arch.is_empty());
        let packages: Vec<&PackageRow> = packages.collect();
        match self {
            Self::Spdx => spdx(billed, &packages),
            Self::CycloneDx => cyclonedx(billed, &packages),
        }
    }
}

fn hex_of(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

fn spdx(billed: &Billed<'_>, packages: &[&PackageRow]) -> Value {
    let hex = hex_of(billed.digest);
    let mut texts = BTreeSet::new();
    let mut all = vec![json!({
        "SPDXID": "SPDXRef-Image",
        "checksums": [{"algorithm": "SHA256", "checksumValue": hex}],
        "copyrightText": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "name": billed.name,
        "primaryPackagePurpose": "CONTAINER",
        "supplier": "NOASSERTION",
        "versionInfo": billed.digest,
    })];
    let mut relations = vec![json!({
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": "SPDXRef-Image",
    })];
    for row in packages {
        let nevra = row.nevra();
        let id = format!("SPDXRef-{}", plain(&nevra));
        let license = match is_expression(&row.license) {
            true => row.license.clone(),
            false => {
                texts.insert(row.license.clone());
                license_ref(&row.license)
            }
        };
        let mut package = json!({
            "SPDXID": id,
            "copyrightText": "NOASSERTION",
            "downloadLocation": "NOASSERTION",
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceLocator": purl(row, &billed.system),
                "referenceType": "purl",
            }],
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": license,
            "name": row.name,
            "supplier": match row.vendor.as_str() {
                "" => "NOASSERTION".to_owned(),
                vendor => format!("Organization: {vendor}"),
            },
            "versionInfo": evr(row),
        });
        if let Some(checksum) = billed.checksums.get(&nevra) {
            package["checksums"] = json!([{"algorithm": "SHA256", "checksumValue": checksum}]);
        } else if let Some(digest) = &row.digest {
            package["checksums"] =
                json!([{"algorithm": digest.algorithm, "checksumValue": digest.hex}]);
            package["comment"] = json!(NO_FILE);
        }
        if !row.source.is_empty() {
            package["sourceInfo"] = json!(format!("built from {}", row.source));
        }
        relations.push(json!({
            "spdxElementId": "SPDXRef-Image",
            "relationshipType": "CONTAINS",
            "relatedSpdxElement": id,
        }));
        all.push(package);
    }
    let licenses = texts
        .iter()
        .map(|text| json!({"licenseId": license_ref(text), "name": text, "extractedText": text}));
    let mut document = json!({
        "SPDXID": "SPDXRef-DOCUMENT",
        "creationInfo": {
            "created": time(billed.epoch),
            "creators": [format!("Tool: tdnf-{}", crate::VERSION)],
        },
        "dataLicense": "CC0-1.0",
        "documentNamespace": format!("https://spdx.org/spdxdocs/tdnf-image-{hex}"),
        "name": billed.name,
        "packages": all,
        "relationships": relations,
        "spdxVersion": "SPDX-2.3",
    });
    let licenses: Vec<Value> = licenses.collect();
    if !licenses.is_empty() {
        document["hasExtractedLicensingInfos"] = json!(licenses);
    }
    document
}

fn cyclonedx(billed: &Billed<'_>, packages: &[&PackageRow]) -> Value {
    let components: Vec<Value> = packages
        .iter()
        .map(|row| {
            let nevra = row.nevra();
            let purl = purl(row, &billed.system);
            let license = match row.license.as_str() {
                text if LICENSES.contains(&text) => json!([{"license": {"id": text}}]),
                text if is_expression(text) => json!([{"expression": text}]),
                text => json!([{"license": {"name": text}}]),
            };
            let mut component = json!({
                "type": "library",
                "bom-ref": nevra,
                "name": row.name,
                "version": evr(row),
                "licenses": license,
                "purl": purl,
            });
            if !row.vendor.is_empty() {
                component["supplier"] = json!({"name": row.vendor});
            }
            let mut properties = Vec::new();
            if let Some(checksum) = billed.checksums.get(&nevra) {
                component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
            } else if let Some(digest) = &row.digest {
                // The names are longer here: SHA-256.
                let alg = digest.algorithm.replace("SHA", "SHA-");
                component["hashes"] = json!([{"alg": alg, "content": digest.hex}]);
                properties.push(json!({"name": "rpm:hash", "value": NO_FILE}));
            }
            if !row.source.is_empty() {
                properties.push(json!({"name": "rpm:sourcerpm", "value": row.source}));
            }
            if !properties.is_empty() {
                component["properties"] = json!(properties);
            }
            component
        })
        .collect();
    let all: Vec<String> = packages.iter().map(|row| row.nevra()).collect();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", uuid(hex_of(billed.digest))),
        "version": 1,
        "metadata": {
            "timestamp": time(billed.epoch),
            "tools": {"components": [{"type": "application", "name": "tdnf", "version": crate::VERSION}]},
            "component": {
                "type": "container",
                "bom-ref": "image",
                "name": billed.name,
                "version": billed.digest,
            },
        },
        "components": components,
        "dependencies": [{"ref": "image", "dependsOn": all}],
    })
}

/// A UUID of version 8 (RFC 9562) whose bits are those of a digest.
fn uuid(hex: &str) -> String {
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-8{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

fn evr(row: &PackageRow) -> String {
    let epoch = row
        .epoch
        .map_or_else(String::new, |epoch| format!("{epoch}:"));
    format!("{epoch}{}-{}", row.version, row.release)
}

/// The package's URL (purl, type rpm).
fn purl(row: &PackageRow, (id, version): &(String, String)) -> String {
    let mut purl = "pkg:rpm/".to_owned();
    if !id.is_empty() {
        let _ = write!(purl, "{}/", encoded(&id.to_lowercase()));
    }
    let full = format!("{}-{}", row.version, row.release);
    let _ = write!(
        purl,
        "{}@{}?arch={}",
        encoded(&row.name),
        encoded(&full),
        encoded(&row.arch)
    );
    // Sorted by name, as canonical ones are.
    if !id.is_empty() && !version.is_empty() {
        let _ = write!(purl, "&distro={}", encoded(&format!("{id}-{version}")));
    }
    if let Some(epoch) = row.epoch {
        let _ = write!(purl, "&epoch={epoch}");
    }
    if !row.source.is_empty() {
        let _ = write!(purl, "&upstream={}", encoded(&row.source));
    }
    purl
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                out.push(byte.into())
            }
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}

/// Letters, digits, dots and hyphens stay; all else is what identifiers of SPDX cannot have.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => out.push(byte.into()),
            other => drop(write!(out, "-{other:02x}-")),
        }
    }
    out
}

/// The name of a text that is no expression of SPDX.
fn license_ref(text: &str) -> String {
    let hex = Hasher::digest(DigestAlgo::Sha256, text.as_bytes()).hex();
    format!("LicenseRef-{}", hex.get(..16).unwrap_or(&hex))
}

/// Whether a text is an expression of identifiers that are known here.
fn is_expression(text: &str) -> bool {
    let text = text.replace(['(', ')'], " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let alternate = words
        .iter()
        .enumerate()
        .all(|(index, word)| match index % 2 {
            0 => LICENSES.contains(word),
            _ => matches!(*word, "AND" | "OR"),
        });
    alternate && words.len() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_identifiers_and_urls() {
        assert!(is_expression("MIT") && is_expression("(MIT AND Zlib) OR Apache-2.0"));
        assert!(!is_expression("GPLv2+") && !is_expression("") && !is_expression("MIT AND"));
        let row = PackageRow {
            name: "libstdc++".into(),
            epoch: Some(0),
            version: "1.0~rc1".into(),
            release: "1^x".into(),
            arch: "x86_64".into(),
            source: "gcc-1-1.src.rpm".into(),
            ..PackageRow::default()
        };
        assert_eq!(
            purl(&row, &("photon".into(), "5.0".into())),
            "pkg:rpm/photon/libstdc%2B%2B@1.0~rc1-1%5Ex?arch=x86_64&distro=photon-5.0&epoch=0&upstream=gcc-1-1.src.rpm"
        );
        assert_eq!(
            uuid(&"0123456789abcdef".repeat(4)),
            "01234567-89ab-8def-8123-456789abcdef"
        );
    }
}
