//! A lock file of a stranger, in each of the three formats. What is written of it in ours is read alike.

use rpm_repo::lock::{Lock, LockFormat, differences};

/// One input.
pub fn run(data: &[u8]) {
    let Ok((lock, _)) = Lock::read("a.lock", data) else {
        return;
    };
    for set in lock.architectures.values() {
        assert!(
            differences(set, set).is_empty(),
            "a set differs from itself"
        );
    }
    for format in [LockFormat::Konflux, LockFormat::Manifest] {
        let _ = Lock::read("b.lock", lock.write(format).as_bytes());
    }
    let written = lock.write(LockFormat::Tdnf);
    if let Ok((again, unknown)) = Lock::read("b.lock", written.as_bytes()) {
        assert!(unknown.is_empty(), "we write what we do not know");
        assert_eq!(
            again.write(LockFormat::Tdnf),
            written,
            "what is written is not read alike"
        );
    }
}
