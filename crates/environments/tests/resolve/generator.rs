//! Repositories that nobody would make by hand, each from a number.

use fastrand::Rng;

use super::metadata::{Made, package};

/// What is asked of a repository.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) packages: Vec<Made>,
    pub(crate) wanted: Vec<String>,
    pub(crate) weak: bool,
    pub(crate) exclude: Vec<String>,
}

/// The case of a number; the same each time.
pub(crate) fn case(seed: u64) -> Case {
    let mut rng = Rng::with_seed(seed);
    let names: Vec<String> = (0..rng.usize(6..30)).map(|index| format!("p{index:02}")).collect();
    let capabilities: Vec<String> = (0..rng.usize(2..10)).map(|index| format!("cap({index})")).collect();
    let mut packages = Vec::new();
    for name in &names {
        for version in 1..=*rng.choice([1, 1, 1, 2, 3].iter()).unwrap_or(&1) {
            let release = rng.u32(1..3);
            let arch = if rng.u32(0..6) == 0 { "noarch" } else { "x86_64" };
            let both = arch != "noarch" && rng.u32(0..8) == 0;
            let made = fill(&mut rng, package(&format!("{name} {version}-{release}.{arch}")), &names, &capabilities);
            if both {
                let mut twin = made.clone();
                twin.arch = "i686".into();
                packages.push(twin);
            }
            packages.push(made);
        }
    }
    let wanted = (0..rng.usize(1..4)).map(|_| wish(&mut rng, &names, &capabilities)).collect();
    let exclude = if rng.u32(0..5) == 0 { vec![pick(&mut rng, &names)] } else { Vec::new() };
    Case { packages, wanted, weak: rng.bool(), exclude }
}

fn pick(rng: &mut Rng, list: &[String]) -> String {
    rng.choice(list).cloned().unwrap_or_default()
}

fn wish(rng: &mut Rng, names: &[String], capabilities: &[String]) -> String {
    match rng.u32(0..8) {
        0 => pick(rng, capabilities),
        1 => format!("{}.x86_64", pick(rng, names)),
        _ => pick(rng, names),
    }
}

fn fill(rng: &mut Rng, mut made: Made, names: &[String], capabilities: &[String]) -> Made {
    let mut list = |rng: &mut Rng, kind, chance: u32, most: usize, make: &dyn Fn(&mut Rng) -> String| {
        if rng.u32(0..100) < chance {
            let entries = (0..rng.usize(1..=most)).map(|_| make(rng)).collect();
            made.lists.push((kind, entries));
        }
    };
    let any = |rng: &mut Rng| if rng.u32(0..5) < 2 { pick(rng, capabilities) } else { pick(rng, names) };
    let versioned = |rng: &mut Rng| {
        let name = any(rng);
        match rng.u32(0..4) {
            0 => {
                let comparison = ["<", "<=", "=", ">=", ">"][rng.usize(0..5)];
                let release = if rng.u32(0..3) == 0 { format!("-{}", rng.u32(1..3)) } else { String::new() };
                format!("{name} {comparison} {}{release}", rng.u32(1..4))
            }
            _ => name,
        }
    };
    let rich = |rng: &mut Rng| {
        let (a, b, c) = (versioned(rng), versioned(rng), any(rng));
        match rng.u32(0..9) {
            0 => format!("({a} or {b})"),
            1 => format!("({a} and {b})"),
            2 | 3 => format!("({a} if {b})"),
            4 => format!("({a} if {b} else {c})"),
            5 => format!("({a} with {b})"),
            6 => format!("({a} without {b})"),
            7 => format!("(({a} or {c}) if ({b} and {c}))"),
            _ => format!("({a} or {b} or {c})"),
        }
    };
    let provided = |rng: &mut Rng| {
        let capability = pick(rng, capabilities);
        if rng.bool() { format!("{capability} = {}", rng.u32(1..4)) } else { capability }
    };
    list(rng, "provides", 45, 2, &provided);
    list(rng, "requires", 65, 3, &versioned);
    list(rng, "requires", 20, 1, &rich);
    list(rng, "conflicts", 8, 1, &versioned);
    list(rng, "conflicts", 3, 1, &|rng| format!("({} and {})", any(rng), any(rng)));
    list(rng, "obsoletes", 6, 1, &|rng| format!("{} < {}", pick(rng, names), rng.u32(1..4)));
    list(rng, "recommends", 15, 2, &versioned);
    list(rng, "recommends", 5, 1, &rich);
    list(rng, "supplements", 6, 1, &versioned);
    list(rng, "supplements", 3, 1, &|rng| format!("({} and {})", any(rng), any(rng)));
    list(rng, "suggests", 6, 1, &versioned);
    list(rng, "enhances", 4, 1, &versioned);
    made
}
