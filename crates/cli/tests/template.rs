//! What the template deploys is what the code knows: its functions, their settings and their metrics; and the README
//! explains what the template asks for and raises alarms about. That the template is one at all, `make template-check`
//! says.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use buildhub_cli::variables;
use buildhub_core::metrics;

const TEMPLATE: &str = include_str!("../../../template.yaml");
const README: &str = include_str!("../../../README.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The entries of a section at the template's left edge: a name and the lines below it.
fn entries(section: &str) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let after = TEMPLATE.lines().skip_while(|line| *line != format!("{section}:")).skip(1);
    for line in after.take_while(|line| line.is_empty() || line.starts_with([' ', '#'])) {
        match line.strip_prefix("  ") {
            Some(rest) if !rest.starts_with([' ', '#']) => {
                found.push((rest.split(':').next().unwrap(), line.to_owned()));
            }
            _ => {
                if let Some((_, text)) = found.last_mut() {
                    *text += "\n";
                    *text += line;
                }
            }
        }
    }
    assert!(!found.is_empty(), "there is no {section}");
    found
}

/// What follows each `begin` up to the next character that is not of a name.
fn after_each<'a>(text: &'a str, begin: &str) -> BTreeSet<&'a str> {
    let ends = |c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c);
    text.split(begin).skip(1).map(|rest| rest.split(ends).next().unwrap()).collect()
}

fn folders(of: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(of)).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn every_metric_that_an_alarm_or_a_graph_shows_is_one_that_the_functions_write() {
    let known: BTreeSet<_> = metrics::ALL.iter().map(|metric| metric.name).collect();
    let mut shown = after_each(TEMPLATE, &format!("Namespace: {}, MetricName: ", metrics::NAMESPACE));
    shown.extend(after_each(TEMPLATE, &format!("[\"{}\", \"", metrics::NAMESPACE)));
    assert!(shown.len() > 10, "{shown:?}");
    let unknown: Vec<_> = shown.difference(&known).collect();
    assert!(unknown.is_empty(), "nothing writes {unknown:?}");
    let dimensions = after_each(TEMPLATE, &format!("Name: {}, Value: ", metrics::DIMENSION));
    assert!(dimensions.iter().all(|function| folders("functions").contains(*function)), "{dimensions:?}");
}

#[test]
fn every_function_is_in_the_template_with_its_folder_its_binary_and_a_sample_of_its_events() {
    let functions: Vec<_> =
        entries("Resources").into_iter().filter(|(_, text)| text.contains("AWS::Serverless::Function")).collect();
    for (name, text) in &functions {
        let folder = after_each(text, "CodeUri: functions/");
        assert_eq!(folder, after_each(text, "Binary: "), "{name}");
        assert_eq!(folder, after_each(text, "FunctionName: !Sub \"${AWS::StackName}-"), "{name}");
        let samples = root().join("events").join(folder.first().unwrap());
        assert!(samples.read_dir().unwrap().count() > 0, "{name}");
    }
    let text: String = functions.into_iter().map(|(_, text)| text).collect();
    let deployed: BTreeSet<_> = after_each(&text, "CodeUri: functions/").into_iter().map(str::to_owned).collect();
    assert_eq!(deployed, folders("functions"));
}

#[test]
fn every_variable_that_the_template_sets_is_a_setting() {
    let upper =
        |name: &str| name.len() > 2 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let names: BTreeSet<_> = TEMPLATE.lines().filter_map(|line| Some(line.trim().split_once(": ")?.0)).collect();
    let set: Vec<_> = names.into_iter().filter(|name| upper(name)).collect();
    assert!(set.contains(&"SERVER_URL") && set.contains(&"CACHE_FOLDER"), "{set:?}");
    for name in set {
        assert!(variables::named(name).is_some(), "{name} is no setting");
    }
}

/// The SAM CLI passes over a variable that the function does not have.
#[test]
fn every_setting_of_the_functions_on_this_machine_is_one_that_the_template_sets() {
    let file = std::fs::read_to_string(root().join("events/local.json")).unwrap();
    let settings: serde_json::Value = serde_json::from_str(&file).unwrap();
    for name in settings["Parameters"].as_object().unwrap().keys() {
        assert!(TEMPLATE.lines().any(|line| line.trim().starts_with(&format!("{name}: "))), "{name} is set nowhere");
    }
}

#[test]
fn both_writers_have_the_settings_that_decide_what_a_record_is() {
    let (_, globals) = entries("Globals").remove(0);
    for name in [
        "SERVER_URL",
        "BUCKET",
        "COLLECTION",
        "ARCHIVE_URL",
        "DOWNLOAD_URL",
        "PRODUCTS",
        "RELEASE_AS_BETA",
        "REMOVE_DELETED",
    ] {
        assert!(variables::named(name).is_some(), "{name} is no setting");
        let set = format!("\n        {name}: ");
        assert!(globals.contains(&set), "{name} is not in Globals, so the functions may disagree about it");
        assert_eq!(TEMPLATE.matches(&format!(" {name}: ")).count(), 1, "{name} is set for one function as well");
    }
}

#[test]
fn the_readme_explains_every_parameter_and_every_alarm() {
    let alarms = entries("Resources").into_iter().filter(|(_, text)| text.contains("AWS::CloudWatch::Alarm"));
    for (name, _) in entries("Parameters").into_iter().chain(alarms) {
        assert!(README.contains(&format!("`{name}`")), "README.md says nothing of {name}");
    }
}
