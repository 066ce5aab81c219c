//! `image`: packages become an image for containers.

mod write;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use cli_kit::OutputMode;
use rpm_pkg::digest::DigestAlgo;
use rpm_transaction::open_verified;

use super::change::{self, Words};
use super::files::PackageScope;
use super::operands::{Operand, Operands};
use super::{Command, Needs, lock};
use crate::args::options::{self, of};
use crate::change::{Prepared, carry_out, prepare};
use crate::error::{At, Code, Failure, Outcome};
use crate::goal::{Goal, Verb};
use crate::image::{
    Base, BaseEntry, Compression, ImageFile, ImageUser, PackageRow, Rules, SbomKind, Sources,
    Target, Tree, Workplace, check_archs, lay_over, namespace, replace_database,
};
use crate::interrupt::Phase;
use crate::screen::{JsonShape, Screen};
use crate::session::{Session, digest_of, is_writable};
use crate::settings::Settings;

pub(super) const COMMAND: Command = Command {
    name: "image",
    usage: "-o TARGET PACKAGE|FILE.rpm|URL...",
    operands: Operands::all(Operand::Available),
    options: &[
        of::<options::TargetOption>(),
        of::<options::ImageOptions>(),
        of::<options::LockedOptions>(),
        of::<options::Arch>(),
        of::<options::ChangeOptions>(),
        of::<options::Incoming>(),
        of::<options::Excludes>(),
        of::<options::SkipOptions>(),
    ],
    example: "image -o oci:nginx.oci nginx",
    about: "Make an image for containers of packages, the same bytes each time",
    before: gain_rights,
    run,
    ..Command::PLAIN
};

/// An ordinary user becomes root of a namespace of his own where scriptlets are to run.
///
/// Errors: there is none.
fn gain_rights(settings: &Settings) -> Outcome<()> {
    let environment = &settings.environment;
    if environment.euid == 0 || settings.tsflags.no_scripts {
        return Ok(());
    }
    let why = namespace::ask(&environment.program);
    let line = format!(
        "image: scriptlets of packages need root's rights or a user namespace, and there is none: {why}"
    );
    Err(Failure::because(Code::PERM, line).hint(
        "leave them out with --setopt=tsflags=noscripts, run it as root, or let users make namespaces (sysctl user.max_user_namespaces)",
    ))
}

/// What is asked for.
struct Wanted {
    target: Target,
    /// As it was typed.
    output: String,
    /// What bills of materials call the image.
    name: String,
    file: ImageFile,
    /// The layout of the image that this one is made upon, and the tag in it.
    base: Option<(PathBuf, String)>,
    /// Packages of it that go.
    erased: Vec<String>,
    /// Bills of materials, and the files that they go to.
    bills: Vec<(SbomKind, Option<PathBuf>)>,
    /// The file that says where the image comes from.
    provenance: Option<PathBuf>,
    compression: Option<Compression>,
    layers: usize,
    /// Owners stay in the rpm database.
    recorded: bool,
}

/// Most layers: what runtimes take at most is 127, and a base may have some.
const MAX_LAYERS: usize = 100;

fn run(session: &Session<'_>, words: &[String]) -> Outcome<u8> {
    let wanted = Wanted::of(session)?;
    let is_locked = session.args.options.locked.locked.is_some();
    if wanted.base.is_none() && !is_locked {
        change::require(words, Words::Needed)?;
    }
    let mut archs = wanted.file.arch.clone();
    if archs.is_empty() {
        archs.push(session.settings.arch.clone());
    }
    let single = wanted.target.is_flat() || matches!(wanted.target, Target::DockerArchive(..));
    if single && archs.len() > 1 {
        let line = format!("{}: this target holds one architecture", wanted.output);
        return Err(Failure::invalid(line));
    }
    if let (true, Some(path)) = (archs.len() > 1, wanted.files().next()) {
        let line = format!(
            "{}: a bill is about the image of one architecture, and there are {}",
            path.display(),
            archs.len()
        );
        return Err(Failure::invalid(line).hint(
            "without a file behind it, --sbom KIND keeps the bill of each beside it in the image",
        ));
    }
    let machine = &session.settings.environment.machine;
    for arch in archs
        .iter()
        .filter(|_| !session.settings.tsflags.no_scripts)
    {
        if !runs(machine, arch) {
            let line = format!(
                "image: scriptlets of {arch} do not run on this machine ({machine}), which has no emulator for them"
            );
            return Err(Failure::invalid(line).hint(
                "install qemu-user with its entry in binfmt_misc, or leave scriptlets out with --setopt=tsflags=noscripts",
            ));
        }
    }
    let mut built = Vec::new();
    let parent = match &wanted.target {
        Target::Dir(path) => parent_of(path),
        _ => session.settings.environment.temporary.clone(),
    };
    // What lies below it is told by its whole path.
    let parent = std::fs::canonicalize(&parent).at(&parent)?;
    // One for the pieces of an archive, whatever the number of architectures.
    let place = Workplace::new(&parent, &session.interrupt)?;
    if matches!(wanted.target, Target::Dir(_)) && wanted.recorded {
        let line = format!("{}: only root can give files to other users", wanted.output);
        return Err(Failure::because(Code::PERM, line).hint("make an archive, such as tar:FILE"));
    }
    for arch in &archs {
        let Some(filled) = fill(session, &wanted, words, arch, &parent)? else {
            return Ok(0);
        };
        built.push(filled);
    }
    let image = session.interrupt.during(Phase::Undoable, || {
        write::write(session, &wanted, words, &built, &place)
    })?;
    match wanted.target {
        // The data are out already.
        Target::Stdout => session.printer.err(&image.blob.digest),
        _ => session.printer.show(&image),
    }
    Ok(0)
}

/// Whether programs of an architecture run on a machine, by themselves or by an emulator.
fn runs(machine: &str, arch: &str) -> bool {
    let family = |arch: &str| match arch {
        "i386" | "i486" | "i586" | "i686" | "amd64" => "x86_64".to_owned(),
        other => other.split("_v").next().unwrap_or(other).to_owned(),
    };
    let emulator = format!("/proc/sys/fs/binfmt_misc/qemu-{arch}");
    let is_on = |text: String| text.lines().next() == Some("enabled");
    family(machine) == family(arch) || std::fs::read_to_string(emulator).is_ok_and(is_on)
}

fn parent_of(path: &Path) -> PathBuf {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

/// What a run writes is in places of its own, which it does not read either.
fn apart(target: &Target, files: &[&Path], overlay: Option<&Path>) -> Outcome<()> {
    // Where it is, or will be.
    let real = |path: &Path| {
        let parent = parent_of(path).canonicalize();
        let name = path.file_name().unwrap_or_default();
        parent.map_or_else(|_| path.to_owned(), |parent| parent.join(name))
    };
    let written = (*target != Target::Stdout).then(|| real(target.path()));
    for (number, file) in files.iter().enumerate() {
        let shown = file.display();
        if *file == Path::new("-") {
            let line = format!("{shown}: standard output is no place for it: a file is expected");
            return Err(Failure::invalid(line));
        }
        let place = real(file);
        let others = files.iter().take(number).map(|other| real(other));
        let mut taken = written.iter().cloned().chain(others);
        if taken.any(|other| place.starts_with(other)) {
            let line = format!("{shown}: something else of this run goes there");
            return Err(Failure::invalid(line));
        }
    }
    let overlay = overlay.and_then(|dir| dir.canonicalize().ok());
    let meets = |written: &PathBuf| {
        let overlay = overlay.as_ref();
        overlay.is_some_and(|dir| written.starts_with(dir) || dir.starts_with(written))
    };
    if written.as_ref().is_some_and(meets) {
        let line = format!(
            "{}: it lies in the overlay, or the overlay in it",
            target.path().display()
        );
        return Err(Failure::invalid(line));
    }
    Ok(())
}

impl Wanted {
    fn of(session: &Session<'_>) -> Outcome<Self> {
        let options = &session.args.options;
        let given = &options.image;
        let output = options.target.output.clone().ok_or_else(|| {
            Failure::invalid("image: -o TARGET says where the image goes, such as oci:DIR")
        })?;
        let target = Target::parse(&output)?;
        let file = match &given.image_config {
            Some(path) => ImageFile::read(Path::new(path))?,
            None => ImageFile::default(),
        };
        let pairs = |name: &str, texts: &[String]| {
            let pairs = texts.iter().map(|text| match text.split_once('=') {
                Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
                _ => Err(Failure::invalid(format!(
                    "--{name}={text}: NAME=VALUE is expected"
                ))),
            });
            pairs.collect::<Outcome<_>>()
        };
        let layers = given.layers.as_ref().map(|text| {
            let wrong = |_| Failure::invalid(format!("--layers={text}: a number is expected"));
            text.parse::<usize>().map_err(wrong)
        });
        let users = given.add_user.iter().map(|text| ImageUser::parse(text));
        let file = file.with(ImageFile {
            annotations: pairs("annotation", &given.annotation)?,
            arch: options.arch.arch.clone(),
            base: given.base.clone(),
            cmd: given.cmd.clone(),
            compress: given.compress.clone(),
            entrypoint: given.entrypoint.clone(),
            env: given.env.clone(),
            labels: pairs("label", &given.label)?,
            layers: layers.transpose()?,
            overlay: given.overlay.as_ref().map(PathBuf::from),
            ports: given.port.clone(),
            rpmdb: given.no_rpmdb.then_some(false),
            user: given.run_as.clone(),
            users: users.collect::<Outcome<_>>()?,
            workdir: given.workdir.clone(),
        });
        let layers = file.layers.unwrap_or(1);
        if !(1..=MAX_LAYERS).contains(&layers) {
            let line = format!("layers={layers}: 1 to {MAX_LAYERS} are possible");
            return Err(Failure::invalid(line));
        }
        file.config()?;
        file.check_texts()?;
        check_archs(&file.arch)?;
        let base = file.base.as_deref().map(|text| match Target::parse(text) {
            Ok(Target::Oci(path, tag)) => Ok((path, tag)),
            _ => Err(Failure::invalid(format!(
                "base={text}: oci:DIR[:TAG] is expected"
            ))),
        });
        let base = base.transpose()?;
        let lists = given.erase.iter().flat_map(|list| list.split([',', ' ']));
        let erased = lists.filter(|name| !name.is_empty()).map(str::to_owned);
        let erased: Vec<String> = erased.collect();
        if base.is_none() && !erased.is_empty() {
            return Err(Failure::invalid("--erase has a meaning with --base only"));
        }
        if base.is_some() && (layers > 1 || matches!(target, Target::DockerArchive(..))) {
            let line =
                format!("{output}: upon a base there is one layer more, in oci: or oci-archive:");
            return Err(Failure::invalid(line));
        }
        let bills = given.sbom.iter().map(|text| {
            let (kind, path) = match text.split_once(':') {
                Some((kind, path)) => (kind, Some(PathBuf::from(path))),
                None => (text.as_str(), None),
            };
            Ok((SbomKind::parse(kind)?, path))
        });
        let bills = bills.collect::<Outcome<Vec<_>>>()?;
        if target == Target::Stdout && (session.printer.mode().json || stdout().is_terminal()) {
            let line = format!("{output}: no place for a tar file: a terminal, or JSON goes there");
            return Err(Failure::invalid(line).hint("send it on, as in `| docker import -`"));
        }
        let keeps = matches!(target, Target::Oci(..) | Target::OciArchive(..));
        if !keeps && bills.iter().any(|(_, path)| path.is_none()) {
            let line = format!(
                "{output}: a bill of materials is kept beside images of oci: and oci-archive: only; --sbom KIND:FILE writes a file"
            );
            return Err(Failure::invalid(line));
        }
        let provenance = given.provenance.as_ref().map(PathBuf::from);
        let files = bills.iter().filter_map(|(_, path)| path.as_deref());
        let files = files.chain(provenance.as_deref());
        let archive = match &target {
            Target::Oci(..) | Target::Dir(_) | Target::Stdout => None,
            one => Some(one.path()),
        };
        for path in files.clone().chain(archive) {
            if path.as_os_str().is_empty() {
                return Err(Failure::invalid(
                    "--sbom KIND:FILE, --provenance FILE: the name of a file is expected",
                ));
            }
            whole_file::only_regular(path).at(path)?;
        }
        apart(&target, &files.collect::<Vec<_>>(), file.overlay.as_deref())?;
        let compression = file.compression()?;
        let packed = compression.is_some_and(|how| how != Compression::None);
        if packed && matches!(target, Target::DockerArchive(..) | Target::Dir(_)) {
            return Err(Failure::invalid(format!(
                "{output}: this target is not packed"
            )));
        }
        if layers > 1 && target.is_flat() {
            return Err(Failure::invalid(format!(
                "{output}: this target has no layers"
            )));
        }
        Ok(Self {
            recorded: session.settings.environment.euid != 0 || !namespace::has_all_users(),
            name: target.path().file_name().map_or_else(
                || "image".to_owned(),
                |name| name.to_string_lossy().into_owned(),
            ),
            target,
            output,
            base,
            erased,
            bills,
            provenance,
            file,
            compression,
            layers,
        })
    }

    /// The files that bills go to.
    fn files(&self) -> impl Iterator<Item = &Path> {
        self.bills.iter().filter_map(|(_, path)| path.as_deref())
    }

    fn compression(&self) -> Compression {
        match self.target {
            Target::Oci(..) | Target::OciArchive(..) => self.compression.unwrap_or_default(),
            _ => self.compression.unwrap_or(Compression::None),
        }
    }
}

/// A root with its packages in it.
struct Filled {
    tree: Tree,
    /// `ID` and `VERSION_ID` of its os-release.
    system: (String, String),
    /// SHA-256 of the package files that came, by name, version and architecture.
    checksums: BTreeMap<String, String>,
    base: Option<Base>,
    /// Where packages came from, if somebody wants to know.
    sources: Sources,
    epoch: u64,
    arch: String,
    /// Holds the root.
    _place: Workplace,
}

/// Installs packages into a new root. `None`: the settings go no further.
fn fill(
    outer: &Session<'_>,
    wanted: &Wanted,
    words: &[String],
    arch: &str,
    parent: &Path,
) -> Outcome<Option<Filled>> {
    let place = Workplace::new(parent, &outer.interrupt)?;
    let mode = OutputMode {
        aside: true,
        json: false,
        ..outer.printer.mode()
    };
    let screen = Screen::standard(mode, JsonShape::None).about(outer.args.system_options());
    let settings = settings(outer, wanted, arch, &place);
    let mut base = match &wanted.base {
        Some((dir, tag)) => Some(outer.interrupt.during(Phase::Undoable, || {
            let image = (dir.as_path(), tag.as_str());
            Base::unpack(image, arch, &place.root(), wanted.recorded, &|| {
                outer.go_on()
            })
        })?),
        None => None,
    };
    let interrupt = outer.interrupt.clone();
    let mut session = Session::open(settings, outer.args, &screen, interrupt, Needs::Lock)?;
    // They are about systems.
    session.plugins.hooks = false;
    if !wanted.recorded {
        Workplace::hide_mounts();
    }
    if let (Some((dir, _)), None) = (&wanted.base, session.db()?) {
        session.printer.err(&format!(
            "warning: base image {}: it has no rpm database: none of its packages is known",
            dir.display()
        ));
    }
    let given = session.settings.environment.source_date;
    let created = base.as_ref().map_or(0, Base::created);
    let mut epoch = given.unwrap_or(created);
    let mut checksums = BTreeMap::new();
    if !wanted.erased.is_empty() {
        set_time(&mut session.settings, epoch);
        let (packages, request) = change::open(&session, Vec::new())?;
        let request = request.with(&wanted.erased);
        change::perform(&session, packages, Verb::Erase, &request)?;
    }
    let planned = match words.is_empty() && session.args.options.locked.locked.is_none() {
        true => None,
        false => match plan(&session, wanted, words) {
            // The image below has them all.
            Err(failure) if base.is_some() && failure.code == Code::CLI_NOTHING_TO_DO => None,
            planned => Some(planned?),
        },
    };
    let mut sources = Sources::default();
    if let Some(planned) = planned {
        let Some((goal, prepared, found)) = planned else {
            return Ok(None);
        };
        sources = found;
        if given.is_none() {
            epoch = created.max(prepared.newest_build()?);
        }
        set_time(&mut session.settings, epoch);
        session.settings.environment.now = epoch;
        if !wanted.bills.is_empty() {
            checksums = sums(&prepared)?;
        }
        carry_out(&session, &goal, prepared)?;
    }
    let settings = &session.settings;
    let only_looks = settings.dry_run || settings.download_only || settings.urls_only;
    if settings.test_only || only_looks {
        return Ok(None);
    }
    place.detach()?;
    let entries = base.as_mut().map(|base| std::mem::take(&mut base.entries));
    let tree = read(&session, wanted, epoch, entries.unwrap_or_default())?;
    Ok(Some(Filled {
        tree,
        system: session.settings.system(),
        checksums,
        base,
        sources,
        epoch,
        arch: arch.to_owned(),
        _place: place,
    }))
}

/// The packages that come, and, where it is asked for, where they come from.
fn plan(
    session: &Session<'_>,
    wanted: &Wanted,
    words: &[String],
) -> Outcome<Option<(Goal, Prepared, Sources)>> {
    let mut sources = Sources::default();
    let is_asked = wanted.provenance.is_some();
    if let Some(file) = &session.args.options.locked.locked {
        let found = lock::prepare(session, words)?;
        if is_asked {
            sources = lock::sources(session, file)?;
        }
        return Ok(found.map(|(goal, prepared)| (goal, prepared, sources)));
    }
    let (mut packages, request) = change::open_for(session, words, PackageScope::Binary)?;
    let goal = change::goal_of(session, &mut packages, Verb::Install, &request)?;
    let repos = packages.sources.iter().filter(|_| is_asked);
    let repos = repos.map(|source| lock::repository(session, source));
    sources.repos = repos.collect::<Outcome<_>>()?;
    let Some(prepared) = prepare(session, packages, &goal, &request)? else {
        return Ok(None);
    };
    let is_used = |id: &str| prepared.plan.incoming().any(|change| change.repo() == id);
    sources.repos.retain(|repo| is_used(&repo.id));
    Ok(Some((goal, prepared, sources)))
}

/// The settings of the run on the root of the image: repositories, keys and cache are those of the system.
fn settings(outer: &Session<'_>, wanted: &Wanted, arch: &str, place: &Workplace) -> Settings {
    let mut settings = outer.settings.clone();
    settings.root = place.root();
    settings.persist_dir = place.state();
    settings.arch = arch.to_owned();
    settings.record_owners = wanted.recorded;
    // An image below says itself what it is.
    if wanted.base.is_none() {
        settings.releasever = outer.releasever();
    }
    // Signatures are judged today, whatever is written into the image.
    settings.environment.now = settings.environment.clock;
    // They have been said.
    settings.warnings.clear();
    settings.main.unreadable_values.clear();
    if wanted.recorded && !is_writable(&settings.cache_dir) {
        let own = settings.environment.user_cache.as_ref();
        let own = own
            .map(|dir| dir.join("tdnf"))
            .filter(|dir| is_writable(dir));
        settings.cache_dir = own.unwrap_or_else(|| place.state().join("cache"));
    }
    settings
}

/// The time that is written into the root, and that scriptlets see.
fn set_time(settings: &mut Settings, epoch: u64) {
    let environment = &mut settings.environment;
    environment.source_date = Some(epoch);
    environment.script_variables = vec![
        (OsString::from("HOME"), OsString::from("/root")),
        (
            OsString::from("SOURCE_DATE_EPOCH"),
            epoch.to_string().into(),
        ),
    ];
}

/// What the image will show of the root.
fn read(
    session: &Session<'_>,
    wanted: &Wanted,
    epoch: u64,
    base: BTreeMap<Vec<u8>, BaseEntry>,
) -> Outcome<Tree> {
    let settings = &session.settings;
    let location = session.db_location()?;
    let db = session.db()?;
    let database = location
        .dir
        .strip_prefix(&settings.root)
        .unwrap_or(&location.dir);
    let rules = Rules {
        epoch,
        begun: settings.environment.clock,
        recorded: wanted.recorded,
        caps: !settings.tsflags.no_caps,
        database: database.to_owned(),
    };
    let mut tree = Tree::read(&settings.root, db.as_ref(), rules, base)?;
    let is_there = db.is_some();
    drop(db);
    match wanted.file.rpmdb {
        _ if !is_there => {}
        Some(false) => replace_database(&settings.root, database, tree.packages())?,
        // Whoever reads leaves traces in the file that readers share.
        _ => rpm_db::make_reproducible(&location)?,
    }
    if let Some(overlay) = &wanted.file.overlay {
        lay_over(&mut tree, &settings.root, overlay)?;
    }
    for user in &wanted.file.users {
        user.add(&mut tree, &settings.root, epoch)?;
    }
    Ok(tree)
}

/// SHA-256 of the package files that come: as the metadata have it, else of the file.
fn sums(prepared: &Prepared) -> Outcome<BTreeMap<String, String>> {
    let packages = prepared.verified.packages().iter().map(|package| {
        let path = package.path();
        let opened = open_verified(path, package.identity())?;
        let known = prepared.plan.changes.get(package.change());
        let known = known.and_then(|change| change.origin.as_ref()?.checksum.as_ref());
        let hex = match known {
            Some((algo, hex)) if algo == "sha256" => hex.clone(),
            _ => digest_of(DigestAlgo::Sha256, path)?.hex(),
        };
        Ok((PackageRow::of(&opened.header).nevra(), hex))
    });
    packages.collect()
}
