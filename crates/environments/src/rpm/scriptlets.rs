//! What a package would run: scriptlets, triggers, file triggers.
//!
//! Each may have a program, a body, or both; `%post -p /sbin/ldconfig` has no body. So both tags are looked for.

use super::header::{Header, HeaderError};
use super::tags;

/// `RPMSENSE_TRIGGERIN`, `RPMSENSE_TRIGGERPREIN`: the trigger's kinds that something installed sets off.
const ON_INSTALL: u64 = 1 << 16 | 1 << 25;

/// Something that a package would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scriptlet {
    /// When, by the word that a definition has for it.
    pub phase: &'static str,
    /// By which program.
    pub program: String,
    /// What the program is given; empty where the program is all there is.
    pub body: String,
    /// Whether installing packages into an empty root would run it. What comes with a removal never is.
    pub on_install: bool,
}

impl Scriptlet {
    /// All that a package's header has, in the order in which rpm would run them; triggers last.
    pub fn all(header: &Header) -> Result<Vec<Self>, HeaderError> {
        read(header)
    }
}

/// Phase, body, program, and whether it runs on installing.
const SCRIPTLETS: [(&str, u32, u32, bool); 9] = [
    ("pretrans", tags::PRE_TRANS, tags::PRE_TRANS_PROG, true),
    ("pre", tags::PRE_IN, tags::PRE_IN_PROG, true),
    ("post", tags::POST_IN, tags::POST_IN_PROG, true),
    ("posttrans", tags::POST_TRANS, tags::POST_TRANS_PROG, true),
    ("preuntrans", tags::PRE_UN_TRANS, tags::PRE_UN_TRANS_PROG, false),
    ("preun", tags::PRE_UN, tags::PRE_UN_PROG, false),
    ("postun", tags::POST_UN, tags::POST_UN_PROG, false),
    ("postuntrans", tags::POST_UN_TRANS, tags::POST_UN_TRANS_PROG, false),
    ("verify", tags::VERIFY, tags::VERIFY_PROG, false),
];

/// Phase, bodies, programs, and for each condition which of them it is for and of what kind.
const TRIGGERS: [(&str, u32, u32, u32, u32); 3] = [
    ("trigger", tags::TRIGGER_SCRIPTS, tags::TRIGGER_PROG, tags::TRIGGER_INDEX, tags::TRIGGER_FLAGS),
    (
        "filetrigger",
        tags::FILE_TRIGGER_SCRIPTS,
        tags::FILE_TRIGGER_PROG,
        tags::FILE_TRIGGER_INDEX,
        tags::FILE_TRIGGER_FLAGS,
    ),
    (
        "transfiletrigger",
        tags::TRANS_FILE_TRIGGER_SCRIPTS,
        tags::TRANS_FILE_TRIGGER_PROG,
        tags::TRANS_FILE_TRIGGER_INDEX,
        tags::TRANS_FILE_TRIGGER_FLAGS,
    ),
];

/// The program of a body that names none.
const SHELL: &str = "/bin/sh";

fn read(header: &Header) -> Result<Vec<Scriptlet>, HeaderError> {
    let mut found = Vec::new();
    for (phase, body, program, on_install) in SCRIPTLETS {
        if !header.has(body) && !header.has(program) {
            continue;
        }
        let body = header.string(body)?.unwrap_or_default();
        let words: Vec<_> = header.texts(program)?.map(String::from_utf8_lossy).collect();
        let program = if words.is_empty() { SHELL.into() } else { words.join(" ") };
        found.push(Scriptlet { phase, program, body, on_install });
    }
    for (phase, bodies, programs, indexes, flags) in TRIGGERS {
        triggers(header, phase, (bodies, programs), (indexes, flags), &mut found)?;
    }
    Ok(found)
}

fn triggers(
    header: &Header,
    phase: &'static str,
    (bodies, programs): (u32, u32),
    (indexes, flags): (u32, u32),
    found: &mut Vec<Scriptlet>,
) -> Result<(), HeaderError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let bodies: Vec<_> = header.texts(bodies)?.map(text).collect();
    let programs: Vec<_> = header.texts(programs)?.map(text).collect();
    let conditions: Vec<_> = header.numbers(indexes)?.zip(header.numbers(flags)?).collect();
    for index in 0..bodies.len().max(programs.len()) {
        let kinds: Vec<_> =
            conditions.iter().filter(|(of, _)| *of == index as u64).map(|(_, flags)| *flags & ON_INSTALL).collect();
        found.push(Scriptlet {
            phase,
            program: programs.get(index).filter(|program| !program.is_empty()).cloned().unwrap_or(SHELL.into()),
            body: bodies.get(index).cloned().unwrap_or_default(),
            // One without a condition is not understood, and what is not understood is not passed over.
            on_install: kinds.is_empty() || kinds.iter().any(|kind| *kind != 0),
        });
    }
    Ok(())
}
