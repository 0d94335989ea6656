//! A repository of many packages whose files are as hard to compress as those of real ones.

use super::{File, Metadata, Payload, Recipe, ToolError, Workshop, createrepo};

/// Packages that are made at once; their files are in memory meanwhile.
const BATCH: usize = 50;
/// Small files of a package.
const SMALL: usize = 20;
/// Bytes of a file are pieces of so many: a quarter of each is noise, the rest is text.
const PIECE: usize = 512;

/// The name of a package by its number.
pub fn large_name(number: usize) -> String {
    format!("part-{number:04}")
}

/// Makes `packages` packages, each of which requires the one before it, with `bytes` bytes of files altogether, and the
/// repository of them. A quarter of these bytes is left by compression, as with the packages of a distribution.
pub fn large_repository(packages: usize, bytes: u64) -> Result<Workshop, ToolError> {
    let workshop = Workshop::create()?;
    let each = usize::try_from(bytes).unwrap_or(usize::MAX) / packages.max(1);
    let mut noise = 0x9e37_79b9_7f4a_7c15;
    let numbers: Vec<usize> = (0..packages).collect();
    for batch in numbers.chunks(BATCH) {
        let recipes: Vec<Recipe> = batch.iter().map(|number| package(*number, each, &mut noise)).collect();
        workshop.build_together(&recipes)?;
    }
    createrepo(workshop.packages(), Metadata::Gzip)?;
    Ok(workshop)
}

fn package(number: usize, bytes: usize, noise: &mut u64) -> Recipe {
    let name = large_name(number);
    let recipe = Recipe::new(&name).payload(Payload::Zstd);
    let recipe = if number == 0 { recipe } else { recipe.requires(large_name(number - 1)) };
    let small = bytes / 4 / SMALL;
    let files = (0..SMALL).map(|file| (format!("/usr/share/{name}/{file:02}"), small));
    let files = files.chain([(format!("/usr/lib64/lib{name}.a"), bytes - small * SMALL)]);
    files.fold(recipe, |recipe, (path, size)| recipe.file(File::new(path, contents(size, noise))))
}

fn contents(size: usize, noise: &mut u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + PIECE);
    while bytes.len() < size {
        for _ in 0..PIECE / 4 / 8 {
            // xorshift64 (Marsaglia): the same bytes every time.
            *noise ^= *noise << 13;
            *noise ^= *noise >> 7;
            *noise ^= *noise << 17;
            bytes.extend(noise.to_le_bytes());
        }
        for line in 0..PIECE * 3 / 4 / 33 {
            bytes.extend(format!("line {line:>3} of it, this is no noise\n").into_bytes());
        }
    }
    bytes.truncate(size);
    bytes
}
