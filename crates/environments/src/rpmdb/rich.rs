//! Names in dependencies with conditions, `(a if b)`: rpm's indexes have each of them, those of conditions with a `!`.

/// What is open where a parenthesis is.
#[derive(Default)]
struct Group {
    /// The names that its condition begins with, should there be an `else`.
    condition: usize,
    /// Whether its last operator was `if` or `unless`: what follows is turned around.
    is_turned: bool,
}

/// All names of such a dependency, as keys: sorted, each once. Nothing where it cannot be read.
pub(super) fn keys(text: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(text) else { return Vec::new() };
    let mut names: Vec<(bool, &str)> = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut negative = false;
    let mut rest = text.trim_start();
    // What is expected: something that is depended on, or else an operator.
    let mut operand = true;
    while let Some(first) = rest.chars().next() {
        match first {
            '(' if operand => {
                groups.push(Group { condition: names.len(), ..Group::default() });
                rest = rest.get(1..).unwrap_or_default();
            }
            ')' => {
                let Some(group) = groups.pop() else { return Vec::new() };
                negative ^= group.is_turned;
                operand = false;
                rest = rest.get(1..).unwrap_or_default();
            }
            _ if operand => {
                let (name, after) = word(rest);
                if !name.starts_with("rpmlib(") {
                    names.push((negative, name));
                }
                rest = past_version(after);
                operand = false;
            }
            _ => {
                let (operator, after) = word(rest);
                let Some(group) = groups.last_mut() else { return Vec::new() };
                match operator {
                    "if" | "unless" => {
                        group.condition = names.len();
                        negative ^= true;
                        group.is_turned = true;
                    }
                    "else" => {
                        let turned: Vec<_> =
                            names.iter().skip(group.condition).map(|(not, name)| (!not, *name)).collect();
                        names.extend(turned);
                        negative ^= true;
                        group.is_turned = false;
                    }
                    _ => group.is_turned = false,
                }
                rest = after;
                operand = true;
            }
        }
        rest = rest.trim_start();
    }
    // A blank sorts before everything, a `!` right behind it.
    names.sort_by_key(|(not, name)| (*not, *name));
    names.dedup();
    names.into_iter().map(|(not, name)| if not { format!("!{name}") } else { name.to_owned() }.into_bytes()).collect()
}

/// The next word; parentheses inside it belong to it.
fn word(text: &str) -> (&str, &str) {
    let mut open = 0_usize;
    let end = text.find(|letter: char| match letter {
        '(' => {
            open += 1;
            false
        }
        ')' if open > 0 => {
            open -= 1;
            false
        }
        ')' | ',' => true,
        letter => letter.is_whitespace(),
    });
    text.split_at(end.unwrap_or(text.len()))
}

/// Passes over a comparison and a version, if there is one.
fn past_version(text: &str) -> &str {
    let after = text.trim_start();
    let version = after.trim_start_matches(['<', '>', '=']);
    if version.len() == after.len() { text } else { word(version.trim_start()).1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        keys(text.as_bytes()).into_iter().map(|key| String::from_utf8(key).unwrap()).collect()
    }

    #[test]
    fn names_of_conditions_are_marked() {
        assert_eq!(of("(a if b)"), ["a", "!b"]);
        assert_eq!(of("(a >= 1 and lib(x)(64bit) or a)"), ["a", "lib(x)(64bit)"]);
        assert_eq!(of("(a if (b or c) else d)"), ["a", "b", "c", "d", "!b", "!c"]);
        assert_eq!(of("((a if b) and c)"), ["a", "c", "!b"]);
        assert_eq!(of("plain"), ["plain"]);
        assert_eq!(of("(a"), ["a"]);
        assert_eq!(of("a)"), [""; 0]);
    }
}
