use super::*;

#[test]
fn known_digests_of_abc() {
    let expect = [
        (DigestAlgo::Md5, "900150983cd24fb0d6963f7d28e17f72"),
        (DigestAlgo::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            DigestAlgo::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            DigestAlgo::Sha3_256,
            "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
        ),
    ];
    for (algo, hex) in expect {
        let digest = Hasher::digest(algo, b"abc");
        assert_eq!(digest.hex(), hex);
        assert_eq!(Digest::from_hex(algo, hex.to_uppercase()).unwrap(), digest);
    }
}

#[test]
fn every_algorithm_knows_its_numbers() {
    for algo in DigestAlgo::ALL {
        assert_eq!(DigestAlgo::from_rpm_id(algo.rpm_id()), Some(algo));
        assert_eq!(DigestAlgo::from_name(algo.name()), Some(algo));
        assert_eq!(Hasher::digest(algo, b"").bytes().len(), algo.len());
    }
    assert_eq!(DigestAlgo::from_name("sha"), Some(DigestAlgo::Sha1));
    assert!(Digest::from_hex(DigestAlgo::Md5, "zz".repeat(16)).is_err());
    assert!(Digest::from_hex(DigestAlgo::Md5, "00").is_err());
}
