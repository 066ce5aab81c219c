//! The steps of all elements on the file system, element by element, and the way back.

use super::apply::Applier;
use super::cross_device::{CrossDevice, Item, Site};
use super::error::TransactionError;
use super::event::Warning;
use super::label::Labels;
use super::plan::{FilePlan, Step};
use super::recover::{Undoable, Way, undo};
use super::root::{Owners, RootDir};
use super::stages::Stages;
use super::{Options, journal::Op};

/// Makes the steps of elements.
pub(crate) struct FileSteps {
    /// Only root may give files away, and set capabilities and labels.
    privileged: bool,
    recorded: bool,
    caps: bool,
    contexts: bool,
    /// Users and groups of the root; read again after each scriptlet and after each element that
    /// changes them.
    owners: Option<Owners>,
    /// SELinux labels of new files, once they are known.
    labels: Option<Labels>,
    cross_device: CrossDevice,
}

impl FileSteps {
    /// None is made yet.
    pub(crate) fn new(options: &Options<'_>) -> FileSteps {
        let recorded = options.record_owners;
        let privileged = rustix::process::geteuid().is_root() && !recorded;
        FileSteps {
            privileged,
            recorded,
            caps: privileged && !options.no_caps,
            contexts: privileged && !options.no_contexts,
            owners: None,
            labels: None,
            cross_device: CrossDevice::default(),
        }
    }

    /// Something other than these steps may have changed users and groups.
    pub(crate) fn forget_owners(&mut self) {
        self.owners = None;
    }

    /// Makes the steps of one element.
    pub(crate) fn apply(
        &mut self,
        site: &mut Site<'_>,
        item: Item<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), TransactionError> {
        let owners = match self.owners.take() {
            Some(owners) => owners,
            None => Owners::read(site.root)
                .map_err(|e| TransactionError::file("cannot read", b"/etc/passwd", e))?,
        };
        // The labels of the root as its policy was before the first file, as rpm reads it.
        let labels = match self.labels.take() {
            Some(labels) => labels,
            None if self.contexts => Labels::of(site.root, warnings)?,
            None => Labels::none(),
        };
        let applied = self.make_steps(site, item, (&owners, &labels), warnings);
        self.labels = Some(labels);
        if !changes_owners(&applied?) {
            self.owners = Some(owners);
        }
        Ok(())
    }

    /// Makes the steps, one after the other, and gives them.
    fn make_steps(
        &mut self,
        site: &mut Site<'_>,
        item: Item<'_>,
        (owners, labels): (&Owners, &Labels),
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Step>, TransactionError> {
        let mut steps = self.cross_device.begin(site, item)?;
        let mut at = 0;
        while at < steps.len() {
            let mut applier = Applier {
                root: site.root,
                stages: site.stages,
                package: &item.element.package,
                owners,
                privileged: self.privileged,
                recorded: self.recorded,
                caps: self.caps,
                labels,
                warnings: &mut *warnings,
            };
            let mut refused = None;
            while let (Some(step), None) = (steps.get(at), &refused) {
                match applier.apply(step) {
                    Ok(()) => at += 1,
                    Err(error) => refused = Some(error),
                }
            }
            if let Some(error) = refused {
                self.cross_device
                    .after_refusal(site, item, &mut steps, at, error)?;
            }
        }
        Ok(steps)
    }

    /// Undoes the steps of all elements.
    pub(crate) fn undo(
        &self,
        root: &RootDir,
        stages: &Stages,
        plan: &FilePlan,
    ) -> Result<(), TransactionError> {
        let elements = plan.elements.iter().enumerate();
        let ops: Vec<Vec<Op>> = elements
            .map(|(index, files)| self.cross_device.ops(index, files))
            .collect::<Result<_, _>>()?;
        let elements: Vec<Undoable<'_>> = ops
            .iter()
            .enumerate()
            .map(|(index, ops)| Undoable {
                ops: ops.iter().collect(),
                begun: self.cross_device.has_begun(index),
            })
            .collect();
        undo(root, stages, &elements, &mut Way::everywhere())
    }
}

/// Does the element bring or take away the files that names of owners are looked up in? The
/// elements after it need the new ones: the first packages of a root bring its users.
fn changes_owners(steps: &[Step]) -> bool {
    let sources: [&[u8]; 2] = [b"/etc/passwd", b"/etc/group"];
    let mut targets = steps.iter().map(|step| step.op.target());
    targets.any(|target| sources.contains(&target))
}
