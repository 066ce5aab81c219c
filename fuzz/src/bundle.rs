//! Bundles that were carried: the tar file, the description in it, what is unpacked.
//!
//! Input: a first byte of 0: a part as it is; of anything else: members, each a kind, the length of its name (1 byte) and
//! of its content (2 bytes), name, content; the headers are made right here.

use std::io::Write;

/// One input.
pub fn run(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    let part = match form {
        0 => rest.to_vec(),
        _ => packed(rest),
    };
    let mut file = tempfile::NamedTempFile::new().expect("there is room");
    file.write_all(&part).expect("there is room");
    let into = tempfile::tempdir().expect("there is room");
    let taken = mirror_sync::unpack_unsigned(file.path(), into.path());
    // Whatever they are called inside: plain numbers, nothing else.
    for entry in std::fs::read_dir(into.path())
        .expect("it is there")
        .flatten()
    {
        let name = entry.file_name();
        assert!(
            name.to_str()
                .is_some_and(|name| name.parse::<usize>().is_ok())
        );
        assert!(entry.file_type().is_ok_and(|kind| kind.is_file()));
    }
    if let Ok(paths) = taken {
        assert!(
            paths
                .iter()
                .all(|path| !path.split('/').any(|part| part == ".."))
        );
    }
}

fn packed(mut data: &[u8]) -> Vec<u8> {
    const KINDS: [u8; 6] = [b'0', b'L', b'5', b'2', b'x', b'g'];
    let mut tar = tar::Builder::new(Vec::new());
    while let [kind, name, high, low, rest @ ..] = data {
        let (name, rest) = rest.split_at(rest.len().min(usize::from(*name)));
        let size = usize::from(*high) << 8 | usize::from(*low);
        let (content, rest) = rest.split_at(rest.len().min(size));
        let mut header = tar::Header::new_gnu();
        let kind = KINDS[usize::from(*kind) % KINDS.len()];
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(content.len() as u64);
        let room = &mut header.as_old_mut().name;
        let length = name.len().min(room.len());
        room[..length].copy_from_slice(&name[..length]);
        header.set_cksum();
        tar.append(&header, content).expect("memory");
        data = rest;
    }
    tar.into_inner().expect("memory")
}
