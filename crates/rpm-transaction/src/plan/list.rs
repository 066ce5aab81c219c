//! The steps of an element in few bytes: a transaction keeps those of all its elements until it ends.

use super::super::error::TransactionError;
use super::super::journal::Op;
use super::steps::Step;

/// Stands for no file; a header has fewer files ([`rpm_pkg::header::MAX_COUNT`]).
const NO_FILE: u32 = u32::MAX;

/// Steps in order. Of each target only what it does not share with the one before is kept: a third of what steps
/// with targets of their own would take.
#[derive(Debug, Default)]
pub(crate) struct StepList {
    bytes: Vec<u8>,
    /// The target of the last step, while there may be more.
    last: Vec<u8>,
}

impl StepList {
    /// Adds a step.
    pub(super) fn push(&mut self, step: Step) {
        let Step { mut op, file } = step;
        let same = self.last.iter().zip(op.target());
        let same = same.take_while(|(one, other)| one == other).count();
        let target = std::mem::take(op.target_mut());
        self.bytes.extend((same as u32).to_le_bytes());
        self.bytes.extend(file.unwrap_or(NO_FILE).to_le_bytes());
        *op.target_mut() = target.get(same..).unwrap_or_default().to_vec();
        op.append_to(&mut self.bytes);
        self.last = target;
    }

    /// There are no more to come.
    pub(super) fn close(&mut self) {
        self.bytes.shrink_to_fit();
        self.last = Vec::new();
    }

    /// The steps.
    ///
    /// # Errors
    /// Bytes that [`StepList::push`] does not write.
    pub(crate) fn read(&self) -> Result<Vec<Step>, TransactionError> {
        let mut steps: Vec<Step> = Vec::new();
        let mut rest = &self.bytes[..];
        while !rest.is_empty() {
            let before = steps.last().map_or(&[][..], |step| step.op.target());
            let step = next(&mut rest, before).ok_or_else(|| TransactionError::Journal {
                path: "steps in memory".to_owned(),
                reason: "not understood".to_owned(),
            })?;
            steps.push(step);
        }
        Ok(steps)
    }
}

fn next(from: &mut &[u8], before: &[u8]) -> Option<Step> {
    let mut number = || {
        let bytes = from.split_off(..4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let (same, file) = (number()?, number()?);
    let mut op = Op::take_from(from)?;
    let target = [before.get(..same as usize)?, op.target()].concat();
    *op.target_mut() = target;
    let file = Some(file).filter(|&file| file != NO_FILE);
    Some(Step { op, file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_back_as_they_were() {
        let place = |target: &str, id: u32| Op::Place {
            target: target.into(),
            mount: 1,
            id,
        };
        let dir = Op::MakeDir {
            target: b"/usr/share".to_vec(),
        };
        let steps = [
            (dir, Some(0)),
            (place("/usr/share/one", 7), Some(1)),
            (place("/usr/share/one", 8), None),
            (place("/usr/shar", 9), Some(2)),
            (place("", 10), Some(3)),
            (place("/etc/one", 11), Some(4)),
        ]
        .map(|(op, file)| Step { op, file });
        let mut list = StepList::default();
        steps.iter().cloned().for_each(|step| list.push(step));
        list.close();
        assert_eq!(list.read().unwrap(), steps);
        list.bytes.pop();
        assert!(list.read().is_err());
    }
}
