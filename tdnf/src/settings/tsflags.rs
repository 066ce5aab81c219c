//! `tsflags`: what a transaction leaves out.

use rpm_pkg::dep::DepFlags;
use rpm_pkg::script::ScriptletKind;
use rpm_repo::config::MainConfig;

use crate::error::{Failure, Outcome};

/// Flags of rpm that C tdnf and dnf pass on to it and that mean nothing here, and why.
const INERT: [(&str, &str); 6] = [
    (
        "allfiles",
        "files are chosen as rpm chooses them without it",
    ),
    (
        "deploops",
        "loops of dependencies are said where they matter",
    ),
    ("noplugins", "there are no plugins of rpm"),
    ("nocrypto", "signatures are switched off by --nogpgcheck"),
    ("nomd5", "digests of files are always checked"),
    ("nofiledigest", "digests of files are always checked"),
];

/// The flags of a run, by rpm's and dnf's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TsFlags {
    /// `noscripts`: no scriptlet and no trigger.
    pub no_scripts: bool,
    /// `nodocs`: no `%doc` files.
    pub no_docs: bool,
    /// `noconfigs`: no `%config` files.
    pub no_configs: bool,
    /// `noartifacts`: no `%artifact` files.
    pub no_artifacts: bool,
    /// `notriggers`: no trigger.
    pub no_triggers: bool,
    /// `nocaps`: no file capabilities.
    pub no_caps: bool,
    /// `nocontexts`: no SELinux labels.
    pub no_contexts: bool,
    /// `justdb`: the database alone.
    pub just_db: bool,
    /// `nodb`: the files alone.
    pub no_db: bool,
    /// `test`: checks alone, as `--testonly`.
    pub test: bool,
    /// `nopre` and the like: kinds of scriptlets that do not run.
    pub scriptlets: Vec<ScriptletKind>,
    /// `notriggerin` and the like: triggers that do not run.
    pub triggers: DepFlags,
}

/// Flags that leave scriptlets of a kind out.
const SCRIPTLETS: [(&str, ScriptletKind); 8] = [
    ("nopretrans", ScriptletKind::PreTrans),
    ("nopre", ScriptletKind::Pre),
    ("nopost", ScriptletKind::Post),
    ("nopreun", ScriptletKind::PreUn),
    ("nopostun", ScriptletKind::PostUn),
    ("noposttrans", ScriptletKind::PostTrans),
    ("nopreuntrans", ScriptletKind::PreUnTrans),
    ("nopostuntrans", ScriptletKind::PostUnTrans),
];

/// Flags that leave triggers of a sense out.
const TRIGGERS: [(&str, DepFlags); 4] = [
    ("notriggerprein", DepFlags::TRIGGERPREIN),
    ("notriggerin", DepFlags::TRIGGERIN),
    ("notriggerun", DepFlags::TRIGGERUN),
    ("notriggerpostun", DepFlags::TRIGGERPOSTUN),
];

impl TsFlags {
    /// Reads the words of `tsflags`. One that has no effect is mentioned.
    ///
    /// Errors: an unknown one, as a transaction is not what was meant without it.
    pub(super) fn of(main: &MainConfig, warnings: &mut Vec<String>) -> Outcome<Self> {
        let mut flags = Self::default();
        let place = main.place_of("tsflags").map(|place| format!("{place}: "));
        let place = place.unwrap_or_default();
        for word in &main.tsflags {
            if let Some((_, why)) = INERT.iter().find(|(inert, _)| inert == word) {
                warnings.push(format!("{place}tsflags: {word} has no effect: {why}"));
            } else if !flags.take(word) {
                let line = format!("{place}tsflags: unknown flag '{word}'");
                return Err(Failure::invalid(line));
            }
        }
        Ok(flags)
    }

    /// Takes a flag that has an effect.
    fn take(&mut self, word: &str) -> bool {
        let flag = match word {
            "noscripts" => &mut self.no_scripts,
            "nodocs" => &mut self.no_docs,
            "noconfigs" => &mut self.no_configs,
            "noartifacts" => &mut self.no_artifacts,
            "notriggers" => &mut self.no_triggers,
            "nocaps" => &mut self.no_caps,
            "nocontexts" => &mut self.no_contexts,
            "justdb" => &mut self.just_db,
            "nodb" => &mut self.no_db,
            "test" => &mut self.test,
            _ => return self.leave_out(word),
        };
        *flag = true;
        true
    }

    /// Takes a flag that leaves one kind of scriptlets or triggers out.
    fn leave_out(&mut self, word: &str) -> bool {
        let kind = SCRIPTLETS.iter().find(|(name, _)| *name == word);
        let sense = TRIGGERS.iter().find(|(name, _)| *name == word);
        self.scriptlets.extend(kind.map(|(_, kind)| *kind));
        self.triggers.0 |= sense.map_or(0, |(_, sense)| sense.0);
        kind.is_some() || sense.is_some()
    }
}
