//! Where tdnf decides otherwise than dnf, by kind. `docs/differences.md` has the reasons in full.

use std::collections::{BTreeMap, BTreeSet};

use super::package::{List, Need, Package, consistent};
use super::stage::Verdict;
use super::world::{KERNEL, Repo, World};

/// A world, and what the two make of it.
pub(super) struct Case {
    pub(super) world: World,
    pub(super) own: Verdict,
    pub(super) peer: Verdict,
}

/// A kind of difference.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) reason: &'static str,
    fits: fn(&Case) -> bool,
}

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "word-names-nothing",
        reason: "erase and distro-sync refuse a word that names nothing they could be about; dnf passes it over",
        fits: |case| {
            let known = case.world.before().iter().any(|own| case.is_named(own));
            case.is(&["erase", "distro-sync"]) && case.refused("\"Number\":1011") && !known
        },
    },
    Kind {
        name: "excluded-name",
        reason: "to install what is excluded by name is nothing to do, as in C tdnf; dnf refuses",
        fits: |case| {
            let excludes = |name: &&str| {
                let word = format!("--exclude={name}");
                let of_repos = case.world.repos.iter().flat_map(|repo| &repo.excludes);
                case.world.options.contains(&word)
                    || of_repos.into_iter().any(|glob| glob.starts_with(*name))
                    || case
                        .world
                        .conf
                        .iter()
                        .any(|line| line.starts_with("exclude") && line.contains(*name))
            };
            case.is(&["install"])
                && case.peer_refused("Unable to find a match")
                && case.own.after().is_some()
                && (case.own == case.unchanged() || case.names().iter().any(excludes))
        },
    },
    Kind {
        name: "excluded-is-erased",
        reason: "excludes are about what comes: what is installed can be removed; dnf does not see it",
        fits: |case| {
            let sets = case.sets();
            let erased = sets.is_some_and(|(own, peer)| {
                *peer == case.world.before() && own.is_subset(peer) && own != peer
            });
            let mut lines = case.world.conf.iter().chain(&case.world.options);
            case.is(&["erase", "autoremove"])
                && erased
                && lines.any(|line| line.contains("exclude"))
        },
    },
    Kind {
        name: "protected-stays",
        reason: "what is protected stays and the rest goes; dnf refuses the whole",
        fits: |case| {
            case.is(&["autoremove", "erase"])
                && case.peer_refused("protected packages")
                && case.sets().is_none()
        },
    },
    Kind {
        name: "kernel-stays",
        reason: "autoremove leaves the newest of each install-only name; dnf takes them all",
        fits: |case| {
            let left = case.sets().map(|(own, peer)| {
                peer.is_subset(own) && own.difference(peer).any(|own| name_of(own) == KERNEL)
            });
            case.is(&["autoremove"]) && left == Some(true)
        },
    },
    Kind {
        name: "architectures-in-step",
        reason: "32 and 64 bits of a name go to the same version, as libsolv does it in Fedora; Debian's leaves one behind",
        fits: |case| {
            let split = |set: &BTreeSet<String>, name: &str| {
                name != KERNEL
                    && set
                        .iter()
                        .filter(|own| name_of(own) == name)
                        .map(|own| version_of(own))
                        .collect::<BTreeSet<_>>()
                        .len()
                        > 1
            };
            let before = case.world.before();
            let own = match &case.own {
                Verdict::After(own) => own,
                Verdict::Refused(_) => &before,
            };
            let peer = case.peer.after();
            peer.is_some_and(|peer| {
                let mut names = peer.iter().map(|nevra| name_of(nevra));
                names.any(|name| split(peer, name) && !split(own, name))
            })
        },
    },
    Kind {
        name: "installed-is-updated",
        reason: "install updates what is installed, with --nobest, too; dnf is then content with it",
        fits: |case| {
            let nobest = case.world.options.iter().any(|option| option == "--nobest");
            let before = case.world.before();
            let newer = case.sets().is_some_and(|(own, peer)| {
                let mut names = case.names().into_iter();
                names.any(|name| {
                    let (was, own, peer) =
                        (newest(&before, name), newest(own, name), newest(peer, name));
                    was.is_some() && peer == was && own > was
                })
            });
            nobest && case.is(&["install"]) && newer
        },
    },
    Kind {
        name: "package-split",
        reason: "a newer version goes before an obsoleter that was installed before, as libsolv has it (YUM_OBSOLETES); dnf names both",
        fits: |case| {
            let before = case.world.before();
            case.sets().is_some_and(|(own, peer)| {
                let mut gone = before.iter().map(|old| name_of(old));
                gone.any(|name| {
                    let mut obsoleters = case.world.offered().filter(|new| obsoletes(new, name));
                    newest(peer, name).is_none()
                        && newest(own, name).is_some()
                        && obsoleters.any(|new| {
                            peer.contains(&new.nevra()) && newest(&before, &new.name).is_some()
                        })
                })
            })
        },
    },
    Kind {
        name: "installed-stream-stays",
        reason: "the stream of what is installed stays in use when it or what it requires is gone from the repositories; dnf leaves it",
        fits: |case| {
            let installed = case.world.installed.iter();
            let mut installed = installed.filter_map(|own| own.stream.as_deref());
            let offered = |stream: &str| {
                let mut all = case.world.offered();
                all.any(|own| own.stream.as_deref() == Some(stream))
            };
            let modules = case.world.modules.as_ref();
            let required = modules.and_then(|modules| modules.n_requires);
            let required = required.map(|stream| format!("m:{stream}"));
            installed.any(|stream| {
                let needs = required.as_deref().filter(|_| stream.starts_with("n:"));
                !offered(stream) || needs.is_some_and(|needs| !offered(needs))
            })
        },
    },
    Kind {
        name: "obsoleter-of-older",
        reason: "install asks for the best package of the name; dnf also takes what obsoletes older ones",
        fits: |case| {
            let mut names = case.names().into_iter();
            let came = match &case.peer {
                Verdict::After(peer) => peer.difference(&case.world.before()).cloned().collect(),
                Verdict::Refused(_) => BTreeSet::new(),
            };
            let is_content = |name: &str| {
                let mut installed = case.world.installed.iter();
                case.own.after().is_none() && installed.any(|own| obsoletes(own, name))
            };
            let comes = |name: &str| {
                let mut offered = case.world.offered();
                offered.any(|new| obsoletes(new, name) && came.contains(&new.nevra()))
            };
            case.is(&["install"]) && names.any(|name| is_content(name) || comes(name))
        },
    },
    Kind {
        name: "capability-is-had",
        reason: "a capability is had from an older version where the best one that has it cannot come; dnf refuses",
        fits: |case| {
            case.is(&["install"])
                && case.world.words.iter().all(|word| word.starts_with("cap-"))
                && case.peer_refused("cannot install the best candidate for the job")
                && case.own.after().is_some()
        },
    },
    Kind {
        name: "capability-with-architecture",
        reason: "NAME.ARCH also finds what provides NAME for ARCH, as in C tdnf, which is said; dnf takes it for a name alone",
        fits: |case| {
            case.is(&["install"])
                && case.world.words.iter().any(|word| word.contains('.'))
                && case.peer_refused("Unable to find a match")
                && case.own.after().is_some()
        },
    },
    Kind {
        name: "successor-cannot-come",
        reason: "where what obsoletes a name cannot come, the best version of the name does; dnf may refuse",
        fits: |case| {
            let before = case.world.before();
            let newer = |name: &str| {
                let own = case.own.after().and_then(|own| newest(own, name));
                own > newest(&before, name)
            };
            let mut names = case.names().into_iter();
            case.is(&["install"])
                && case.peer_refused("cannot install the best candidate for the job")
                && names
                    .any(|name| newer(name) && case.world.offered().any(|new| obsoletes(new, name)))
        },
    },
    Kind {
        name: "preferred-repository",
        reason: "what is named comes from the preferred repository where what that offers can be had; dnf went to another",
        fits: |case| {
            let rank = |nevra: &String| {
                let has = |repo: &&Repo| repo.packages.iter().any(|own| own.nevra() == *nevra);
                case.world
                    .repos
                    .iter()
                    .filter(has)
                    .map(|repo| repo.priority)
                    .min()
            };
            case.is(&["distro-sync"])
                && case.sets().is_some_and(|(own, peer)| {
                    let mut names = case.names().into_iter();
                    let of = |set: &BTreeSet<String>, name: &str| {
                        let mut set = set.iter();
                        set.find(|nevra| name_of(nevra) == name).and_then(rank)
                    };
                    names.any(|name| of(own, name) < of(peer, name))
                })
        },
    },
    Kind {
        name: "version-is-gone",
        reason: "reinstall needs every version that is installed; dnf reinstalls those that are there",
        fits: |case| {
            case.is(&["reinstall"]) && case.refused("no enabled repository has this version")
        },
    },
    Kind {
        name: "named-is-newer",
        reason: "what is named comes in the newest version that can be had; dnf took an older one",
        fits: |case| case.compare_named(|own, peer| own > peer),
    },
    Kind {
        name: "another-provider",
        reason: "what is named is the same; of several ways to meet its dependencies, libsolv 0.7.39 takes another than 0.7.23",
        fits: |case| case.compare_named(|own, peer| own == peer),
    },
];

impl Case {
    /// Whether both end the same way.
    pub(super) fn is_same(&self) -> bool {
        match (&self.own, &self.peer) {
            (Verdict::Refused(_), Verdict::Refused(_)) => true,
            (own, peer) => own == peer || self.is_nothing_to_do(),
        }
    }

    /// dnf calls it an error where there is nothing to do for `upgrade`, `downgrade` or `reinstall`.
    fn is_nothing_to_do(&self) -> bool {
        self.peer_refused("No packages marked for") && self.own == self.unchanged()
    }

    /// The kind of the difference.
    pub(super) fn kind(&self) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| (kind.fits)(self))
    }

    /// What either changes.
    pub(super) fn touched(&self) -> BTreeSet<String> {
        let before = self.world.before();
        let after = [&self.own, &self.peer]
            .into_iter()
            .filter_map(Verdict::after);
        after
            .flat_map(|after| {
                before
                    .symmetric_difference(after)
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn unchanged(&self) -> Verdict {
        Verdict::After(self.world.before())
    }

    fn is(&self, commands: &[&str]) -> bool {
        commands.contains(&self.world.command)
    }

    fn refused(&self, text: &str) -> bool {
        matches!(&self.own, Verdict::Refused(why) if why.contains(text))
    }

    fn peer_refused(&self, text: &str) -> bool {
        matches!(&self.peer, Verdict::Refused(why) if why.contains(text))
    }

    fn sets(&self) -> Option<(&BTreeSet<String>, &BTreeSet<String>)> {
        self.own.after().zip(self.peer.after())
    }

    /// Names that the words name.
    fn names(&self) -> BTreeSet<&str> {
        let words = self
            .world
            .words
            .iter()
            .filter(|word| !word.starts_with("cap-"));
        words
            .map(|word| word.split(['-', '.']).next().unwrap_or_default())
            .collect()
    }

    /// Whether an installed package is what a word names.
    fn is_named(&self, nevra: &str) -> bool {
        let mut words = self.world.words.iter();
        words.any(|word| {
            let (name, arch) = word.split_once('.').unwrap_or((word, ""));
            name == name_of(nevra) && nevra.ends_with(arch)
        })
    }

    /// Whether both leave packages that hold together, and their newest versions of what is named stand so.
    fn compare_named(&self, relation: fn(u32, u32) -> bool) -> bool {
        let Some((own, peer)) = self.sets() else {
            return false;
        };
        let all = self.world.all();
        let holds = |set: &BTreeSet<String>| {
            let set: Vec<Package> = set.iter().map(|nevra| all[nevra].clone()).collect();
            let count = set.len();
            consistent(set, KERNEL).len() == count
        };
        let mut pairs = self
            .names()
            .into_iter()
            .filter_map(|name| newest(own, name).zip(newest(peer, name)));
        let related = match self.names().is_empty() {
            true => relation(0, 0),
            false => pairs.all(|(own, peer)| relation(own, peer)),
        };
        related && holds(own) && holds(peer)
    }
}

fn name_of(nevra: &str) -> &str {
    nevra.split('-').next().unwrap_or_default()
}

fn version_of(nevra: &str) -> u32 {
    let version = nevra.split('-').nth(1).and_then(|text| text.parse().ok());
    version.expect("name-version-1.arch")
}

/// The newest version of a name in a set.
fn newest(set: &BTreeSet<String>, name: &str) -> Option<u32> {
    let named = set.iter().filter(|nevra| name_of(nevra) == name);
    named.map(|nevra| version_of(nevra)).max()
}

fn obsoletes(package: &Package, name: &str) -> bool {
    let mut all = package.of(List::Obsoletes).iter();
    all.any(|need| matches!(need, Need::Plain(dep) if dep.0 == name))
}

impl World {
    /// What repositories have.
    fn offered(&self) -> impl Iterator<Item = &Package> {
        self.repos.iter().flat_map(|repo| &repo.packages)
    }

    /// All packages by name-version-release.arch.
    pub(super) fn all(&self) -> BTreeMap<String, &Package> {
        let all = self.installed.iter().chain(self.offered());
        all.map(|package| (package.nevra(), package)).collect()
    }
}
