use std::io::Write as _;

use proptest::prelude::*;

use super::*;

fn check(suffix: Suffix, bytes: &[u8], expected: &Expected) -> Result<Whole, Damage> {
    let mut check = Check::new(suffix);
    for piece in bytes.chunks(1000) {
        check.push(piece)?;
    }
    check.finish(expected)
}

fn whole(suffix: Suffix, bytes: &[u8]) -> Result<Whole, Damage> {
    check(suffix, bytes, &Expected::default())
}

/// Something that does not shrink to nothing.
fn content() -> Vec<u8> {
    (0u32..20_000).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zip archive of stored files, with as many entries and the comment that are asked for.
fn zip(files: u16, comment: &[u8], large: bool) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for number in 0..files {
        let name = format!("file-{number}");
        let header = |signature: &[u8], rest: usize| {
            let length = u16::try_from(name.len()).unwrap().to_le_bytes();
            let mut header = [signature, &vec![0; rest]].concat();
            let at = if rest == 26 { 26 } else { 28 };
            header[at..at + 2].copy_from_slice(&length);
            header.extend(name.as_bytes());
            header
        };
        bytes.extend(header(b"PK\x03\x04", 26));
        bytes.extend(name.as_bytes());
        directory.extend(header(b"PK\x01\x02", 42));
    }
    let (offset, size) = (u32::try_from(bytes.len()).unwrap(), u32::try_from(directory.len()).unwrap());
    bytes.extend(directory);
    if large {
        bytes.extend(b"PK\x06\x06");
        bytes.extend([0; 28]);
        for value in [files.into(), u64::from(size), u64::from(offset)] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(b"PK\x06\x07");
        bytes.extend([0; 16]);
    }
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    let [entries, size, offset] = if large { [u32::MAX; 3] } else { [files.into(), size, offset] };
    bytes.extend(&entries.to_le_bytes()[..2]);
    bytes.extend(&entries.to_le_bytes()[..2]);
    bytes.extend(size.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend(u16::try_from(comment.len()).unwrap().to_le_bytes());
    bytes.extend(comment);
    bytes
}

#[test]
fn a_whole_archive_is_told_with_its_size_and_hash() {
    let bytes = gzip(b"");
    let found = whole(Suffix::TarGz, &bytes).unwrap();
    assert_eq!(found.size, bytes.len() as u64);
    assert_eq!(found.sha256, format!("{:x}", Bytes::copy_from_slice(&Sha256::digest(&bytes))));
    let members = [gzip(&content()), gzip(b"more")].concat();
    whole(Suffix::TarGz, &members).unwrap();
    let streams = [bzip2(&content()), bzip2(b"more")].concat();
    whole(Suffix::TarBz2, &streams).unwrap();
    for (files, comment) in [(0, ""), (3, ""), (3, "a comment with PK\x05\x06 in it, and more behind"), (40_000, "")] {
        for large in [false, true] {
            whole(Suffix::Zip, &zip(files, comment.as_bytes(), large)).unwrap();
        }
    }
}

/// Changelog, row 8: a body that breaks off was taken for a whole one, for ever.
#[test]
fn an_archive_that_breaks_off_anywhere_is_damaged() {
    let archives = [
        (Suffix::TarGz, gzip(b"some of it")),
        (Suffix::TarBz2, bzip2(b"some of it")),
        (Suffix::Zip, zip(3, b"comment", false)),
        (Suffix::Zip, zip(3, b"", true)),
    ];
    for (suffix, bytes) in archives {
        for length in 0..bytes.len() {
            assert!(whole(suffix, &bytes[..length]).is_err(), "{suffix}: {length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn what_stands_behind_an_archive_is_damage() {
    for (suffix, bytes) in
        [(Suffix::TarGz, gzip(b"whole")), (Suffix::TarBz2, bzip2(b"whole")), (Suffix::Zip, zip(3, b"", false))]
    {
        for behind in [&b"\0"[..], b"<html>the proxy gave up</html>"] {
            assert!(whole(suffix, &[&bytes, behind].concat()).is_err(), "{suffix}");
        }
    }
}

#[test]
fn an_archive_that_lost_bytes_in_its_middle_is_damaged() {
    for (suffix, bytes) in [
        (Suffix::TarGz, gzip(&content())),
        (Suffix::TarBz2, bzip2(&content())),
        (Suffix::Zip, zip(300, b"", false)),
        (Suffix::Zip, zip(300, b"", true)),
    ] {
        let lossy = [&bytes[..2000], &bytes[3000..]].concat();
        assert!(whole(suffix, &lossy).is_err(), "{suffix}");
    }
    let mut fewer = zip(300, b"", false);
    let entries = fewer.len() - 12;
    fewer[entries] -= 1;
    assert_eq!(whole(Suffix::Zip, &fewer), Err(Damage::Zip("its directory is not what its last record says")));
}

#[test]
fn an_archive_of_another_kind_is_damaged() {
    let archives = [(Suffix::TarGz, gzip(b"x")), (Suffix::TarBz2, bzip2(b"x")), (Suffix::Zip, zip(1, b"", false))];
    for (suffix, _) in &archives {
        for (other, bytes) in archives.iter().filter(|(other, _)| other != suffix) {
            assert!(whole(*suffix, bytes).is_err(), "{other} as {suffix}");
        }
        assert!(whole(*suffix, b"<html><body>Please sign in.</body></html>").is_err());
    }
}

#[test]
fn an_archive_is_compared_with_what_was_expected() {
    let bytes = gzip(b"whole");
    let found = whole(Suffix::TarGz, &bytes).unwrap();
    let expected = Expected { size: Some(found.size), sha256: Some(found.sha256.clone()) };
    assert_eq!(check(Suffix::TarGz, &bytes, &expected).unwrap(), found);
    let size = Expected { size: Some(7), sha256: None };
    assert_eq!(check(Suffix::TarGz, &bytes, &size), Err(Damage::Size { found: found.size, expected: 7 }));
    let sha256 = Expected { size: None, sha256: Some("00".into()) };
    assert!(matches!(check(Suffix::TarGz, &bytes, &sha256), Err(Damage::Sha256 { .. })));
}

#[test]
fn an_archive_that_is_meant_to_grow_without_end_is_stopped() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..700 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    assert!(matches!(whole(Suffix::TarGz, &bomb), Err(Damage::Bomb { .. })));
}

proptest! {
    #[test]
    fn no_bytes_make_the_check_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..300) {
        for suffix in Suffix::ALL {
            let _ = whole(suffix, &bytes);
        }
        let mut zip = zip(2, b"x", true);
        let at = at % zip.len();
        for (place, byte) in zip.iter_mut().skip(at).zip(&bytes) {
            *place = *byte;
        }
        let _ = whole(Suffix::Zip, &zip);
    }
}
