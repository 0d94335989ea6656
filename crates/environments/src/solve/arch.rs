//! Which architectures run beside one another, and which is preferred.

/// Architectures that packages of an environment may have, the preferred ones first. Those of a class are the same to
/// programs; another class is for programs of another word length.
#[derive(Debug, Clone)]
pub(super) struct Arches(Vec<Vec<String>>);

/// How much an architecture is liked: the lower the better. Nothing distinguishes `noarch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// For all architectures.
    Noarch,
    /// The class, and the place in it.
    Class(usize, usize),
}

impl Arches {
    /// Those of an environment, by its architecture's name in rpm. What an unknown one runs beside itself is not known.
    pub(super) fn of(arch: &str) -> Self {
        const X86: &[&str] = &["i686", "i586", "i486", "i386"];
        let classes: &[&[&str]] = match arch {
            "x86_64" => &[&["x86_64"], X86],
            "i686" | "i386" => &[X86],
            "armv7hl" => &[&["armv7hl", "armv6hl"]],
            other => &[&[other]],
        };
        Self(classes.iter().map(|class| class.iter().map(ToString::to_string).collect()).collect())
    }

    /// How much an architecture is liked; `None` where it cannot be had here.
    pub(super) fn rank(&self, arch: &str) -> Option<Rank> {
        if arch == "noarch" {
            return Some(Rank::Noarch);
        }
        self.0.iter().enumerate().find_map(|(class, members)| {
            let place = members.iter().position(|member| *member == arch)?;
            Some(Rank::Class(class, place))
        })
    }

    /// The class of an architecture; none has `noarch`.
    pub(super) fn class(&self, arch: &str) -> Option<usize> {
        match self.rank(arch) {
            Some(Rank::Class(class, _)) => Some(class),
            _ => None,
        }
    }

    /// Whether packages of two architectures stand in each other's place: two of one name cannot be there at once.
    pub(super) fn share(&self, one: &str, other: &str) -> bool {
        match (self.class(one), self.class(other)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }
}
