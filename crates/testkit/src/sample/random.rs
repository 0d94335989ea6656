//! Numbers that look random and are always the same.

/// One step of `SplitMix64` (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number for a text: FNV-1a, mixed.
pub(super) fn of_text(seed: u64, text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ mix(seed);
    mix(text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// A number from `low` up to, not including, `high`.
pub(super) fn between(random: u64, low: u64, high: u64) -> u64 {
    low + random % (high - low).max(1)
}

/// Forty hexadecimal digits, as a Mercurial revision has them.
pub(super) fn revision(random: u64) -> String {
    format!("{:016x}{:016x}{:08x}", mix(random), mix(random ^ 1), mix(random ^ 2) >> 32)
}
