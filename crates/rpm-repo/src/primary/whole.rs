//! A package in the layout of createrepo_c, read at once. White space between the tags may differ.

use super::package::{DEP_LISTS, DepSpans, FileKind, PrimaryPackage};
use super::parse::{epoch, flags, size};
use crate::record::TextSpan;
use crate::rule::MAX_DEPS;
use crate::xml::{Piece, Written, XmlLimits, number};

/// Fills an empty package from `record`, which ends behind the first end tag of a package in it. None where the layout
/// is another, or where something may be wrong with the package: it has to be read as any XML is then.
pub(super) fn read(record: &str, package: &mut PrimaryPackage, limits: &XmlLimits) -> Option<()> {
    if record.len() > limits.max_record_text {
        return None;
    }
    package.text.push_str(record);
    let mut reader = Reader {
        written: Written::new(record),
        package,
    };
    reader.written.gap();
    reader.written.need("<package type=\"rpm\">")?;
    reader.head()?;
    reader.format()?;
    let written = &mut reader.written;
    for end in ["</format>", "</package>"] {
        written.gap();
        written.need(end)?;
    }
    let most = limits.max_items.min(MAX_DEPS);
    let has_room = package.files.len() <= limits.max_items
        && package.deps.iter().all(|list| list.len() <= most);
    (has_room && written.place() == record.len()).then_some(())
}

struct Reader<'r, 'p> {
    written: Written<'r>,
    /// Its text begins with the record, so that most values lie in it already.
    package: &'p mut PrimaryPackage,
}

/// The content of an element that may be missing, as a span.
macro_rules! element {
    ($reader:ident, $name:literal, $read:ident) => {{
        $reader.written.gap();
        if $reader.written.eat(concat!("<", $name, ">")) {
            let piece = $reader.written.$read()?;
            $reader
                .written
                .need(concat!("</", $name, ">"))
                .and_then(|()| $reader.keep(piece))?
        } else {
            $reader.written.eat(concat!("<", $name, "/>"));
            TextSpan::default()
        }
    }};
}

/// The value of an attribute that must be there.
macro_rules! attribute {
    ($reader:ident, $name:literal) => {{
        $reader.written.need(concat!(" ", $name, "=\""))?;
        $reader.written.value()?
    }};
}

impl Reader<'_, '_> {
    #[inline]
    fn keep(&mut self, piece: Piece<'_>) -> Option<TextSpan> {
        let text = &mut self.package.text;
        if piece.is_same() {
            return Some(TextSpan::at(piece.start, piece.raw.len()));
        }
        let start = text.len();
        piece.push_to(text)?;
        Some(TextSpan::since(start, text))
    }

    /// What stands before `<format>`.
    fn head(&mut self) -> Option<()> {
        self.package.texts.name = element!(self, "name", word);
        self.package.texts.arch = element!(self, "arch", word);
        self.written.gap();
        self.written.need("<version")?;
        self.package.numbers.epoch = epoch(plain(attribute!(self, "epoch"))?).ok()?.unwrap_or(0);
        let version = attribute!(self, "ver");
        self.package.texts.version = self.keep(version)?;
        let release = attribute!(self, "rel");
        self.package.texts.release = self.keep(release)?;
        self.written.need("/>")?;
        self.written.gap();
        self.written.need("<checksum")?;
        let kind = attribute!(self, "type");
        self.package.texts.checksum_type = self.keep(kind)?;
        self.written.need(" pkgid=\"YES\">")?;
        let checksum = self.written.word()?;
        self.package.texts.checksum = self.keep(checksum)?;
        self.written.need("</checksum>")?;
        self.package.texts.summary = element!(self, "summary", words);
        self.package.texts.description = element!(self, "description", words);
        self.package.texts.packager = element!(self, "packager", words);
        self.package.texts.url = element!(self, "url", word);
        self.written.gap();
        self.written.need("<time")?;
        self.package.numbers.file_time = number(plain(attribute!(self, "file"))?).ok()?;
        self.package.numbers.build_time = number(plain(attribute!(self, "build"))?).ok()?;
        self.written.need("/>")?;
        self.written.gap();
        self.written.need("<size")?;
        self.package.numbers.package_size = size(plain(attribute!(self, "package"))?).ok()?;
        self.package.numbers.installed_size = size(plain(attribute!(self, "installed"))?).ok()?;
        self.package.numbers.archive_size = size(plain(attribute!(self, "archive"))?).ok()?;
        self.written.need("/>")?;
        self.written.gap();
        self.written.need("<location")?;
        if self.written.eat(" xml:base=\"") {
            let base = self.written.value()?;
            self.package.texts.location_base = self.keep(base)?;
        }
        let location = attribute!(self, "href");
        self.package.texts.location = self.keep(location)?;
        self.written.need("/>")
    }

    /// What stands in `<format>`.
    fn format(&mut self) -> Option<()> {
        self.written.gap();
        self.written.need("<format>")?;
        self.package.texts.license = element!(self, "rpm:license", words);
        self.package.texts.vendor = element!(self, "rpm:vendor", words);
        self.package.texts.group = element!(self, "rpm:group", words);
        self.package.texts.buildhost = element!(self, "rpm:buildhost", word);
        self.package.texts.sourcerpm = element!(self, "rpm:sourcerpm", word);
        self.written.gap();
        if self.written.eat("<rpm:header-range") {
            self.package.numbers.header_start = size(plain(attribute!(self, "start"))?).ok()?;
            self.package.numbers.header_end = size(plain(attribute!(self, "end"))?).ok()?;
            self.written.need("/>")?;
            self.written.gap();
        }
        while self.written.eat("<rpm:") {
            let (group, _) = DEP_LISTS.iter().find(|(_, name)| self.written.eat(name))?;
            // An empty list, or a name that goes on.
            if !self.written.eat(">") {
                self.written.need("/>")?;
                self.written.gap();
                continue;
            }
            self.deps(*group as usize)?;
        }
        self.files()
    }

    /// The dependencies of a list, and its end.
    fn deps(&mut self, list: usize) -> Option<()> {
        loop {
            self.written.gap();
            if !self.written.eat("<rpm:entry name=\"") {
                break;
            }
            let dep = self.dep()?;
            self.package.deps.get_mut(list)?.push(dep);
        }
        self.written.need("</rpm:")?;
        let known = DEP_LISTS.iter().find(|(group, _)| *group as usize == list);
        self.written.need(known?.1)?;
        self.written.need(">")?;
        self.written.gap();
        Some(())
    }

    #[inline]
    fn dep(&mut self) -> Option<DepSpans> {
        let mut dep = DepSpans::default();
        let name = self.written.value()?;
        dep.name = self.keep(name)?;
        if self.written.eat(" flags=\"") {
            dep.flags = flags(self.written.value()?.raw).ok()?;
            if self.written.eat(" epoch=\"") {
                dep.epoch = epoch(plain(self.written.value()?)?).ok()?;
            }
            if self.written.eat(" ver=\"") {
                let version = self.written.value()?;
                dep.version = self.keep(version)?;
            }
            if self.written.eat(" rel=\"") {
                let release = self.written.value()?;
                dep.release = self.keep(release)?;
            }
        }
        dep.pre = self.written.eat(" pre=\"1\"");
        self.written.need("/>")?;
        (!dep.name.is_empty()).then_some(dep)
    }

    /// The files; what follows them is the caller's.
    fn files(&mut self) -> Option<()> {
        while let Some((kind, path)) = file(&mut self.written) {
            let path = self.keep(path)?;
            self.package.files.push((path, kind));
        }
        Some(())
    }
}

/// The next `<file>`, in primary and in filelists. Where there is none it has read some of what there is.
#[inline(always)]
pub(crate) fn file<'t>(written: &mut Written<'t>) -> Option<(FileKind, Piece<'t>)> {
    written.gap();
    written.need("<file")?;
    let kind = if written.eat(">") {
        FileKind::File
    } else if written.eat(" type=\"dir\">") {
        FileKind::Dir
    } else {
        written.need(" type=\"ghost\">")?;
        FileKind::Ghost
    };
    let path = written.word()?;
    written.need("</file>")?;
    Some((kind, path))
}

/// What is the same as it is written.
#[inline]
fn plain(piece: Piece<'_>) -> Option<&str> {
    piece.is_same().then_some(piece.raw)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::{PrimaryPackage, XmlLimits, read};
    use crate::compress::Decoder;

    /// How many packages of a document there are, and how many of them are declined.
    fn declined(document: &str) -> (usize, usize) {
        let (mut all, mut declined) = (0, 0);
        let mut package = PrimaryPackage::default();
        let Some(first) = document.find("<package") else {
            return (0, 0);
        };
        let records = document.get(first..).unwrap_or_default();
        for record in records.split_inclusive("</package>") {
            if !record.ends_with("</package>") {
                continue;
            }
            package.clear();
            all += 1;
            declined += usize::from(read(record, &mut package, &XmlLimits::default()).is_none());
        }
        (all, declined)
    }

    /// Where Spacewalk's and SUSE's old documents lie, and those that somebody made odd by hand.
    const OTHERS: [&str; 3] = ["checksum_fixtures", "11.0-update", "modified_repo_files"];

    #[test]
    fn what_createrepo_c_wrote_is_declined_nowhere() {
        let Some(root) = testkit::fixtures::real() else {
            return;
        };
        let mut seen = 0;
        for path in testkit::tree::files(&root) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_other = OTHERS
                .iter()
                .any(|part| path.to_str().unwrap().contains(part));
            if !name.contains("primary.xml") || name.ends_with(".zck") || is_other {
                continue;
            }
            let mut text = String::new();
            let stream = Decoder::new(std::fs::File::open(&path).unwrap(), name);
            // Some are damaged on purpose.
            if stream
                .and_then(|mut stream| stream.read_to_string(&mut text))
                .is_err()
            {
                continue;
            }
            let (all, declined) = declined(&text);
            assert_eq!(declined, 0, "of {all} in {}", path.display());
            seen += all;
        }
        assert!(seen > 19_000, "{seen}");
    }
}
