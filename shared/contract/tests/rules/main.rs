//! The conformance pack: runs every case of `shared/rules.md` against the code, and prints a row per rule.

mod calls;
mod document;
mod money;
mod office;
mod terminals;
mod world;

use std::io::Write;
use std::path::Path;

use document::{Case, Fault, Mood, Note, Rule, names, read};
use world::{World, Wrong};

const DOCUMENT: &str = include_str!("../../../rules.md");

/// What a case came to: the first step that is not as it says.
fn run(case: &Case) -> Result<(), Fault> {
    let mut world = World::new();
    for step in &case.steps {
        world.step(step.mood, step.text).map_err(|wrong| Fault {
            line: step.line,
            what: match wrong {
                Wrong::Unknown => format!("not understood: {}", step.text),
                Wrong::Is(what) => format!("{}: {what}", step.text),
            },
        })?;
    }
    Ok(())
}

/// What is wrong with a rule, besides the form of the document.
fn check(rule: &Rule) -> Vec<Fault> {
    let mut faults: Vec<Fault> = rule.cases.iter().filter_map(|case| run(case).err()).collect();
    let mut fault = |what| {
        faults.push(Fault {
            line: rule.line,
            what,
        })
    };
    for note in &rule.notes {
        if let Note::Test(file, function) = note {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
            match std::fs::read_to_string(path) {
                Ok(text) if text.contains(&format!("fn {function}(")) => {}
                Ok(_) => fault(format!("{file} has no test {function}")),
                Err(error) => fault(format!("{file}: {error}")),
            }
        }
    }
    if rule.cases.is_empty() && rule.notes.is_empty() {
        fault(format!("{} has neither a case nor a place", rule.name));
    }
    faults
}

/// `R13  4 cases  ok`, and where else the rule lives.
fn row(rule: &Rule, faults: &[Fault]) -> String {
    let mut cells = Vec::new();
    match rule.cases.len() {
        0 => {}
        1 => cells.push("1 case".to_owned()),
        cases => cells.push(format!("{cases} cases")),
    }
    for note in &rule.notes {
        cells.push(match note {
            Note::Test(_, function) => format!("test {function}"),
            Note::Screen(screen) => format!("screen {screen}"),
            Note::Advice(place) => format!("advice: {place}"),
            Note::NotYet(what) => format!("not there yet: {what}"),
        });
    }
    let verdict = match (faults.len(), rule.cases.len()) {
        (0, 0) => "-",
        (0, _) => "ok",
        _ => "FAILED",
    };
    format!(
        "{:<4}{verdict:<7}{}\n           {}",
        rule.name.to_string(),
        rule.sentence,
        cells.join("; ")
    )
}

/// The rows of a document and everything that is wrong with it.
fn judge(text: &str) -> (Vec<String>, Vec<Fault>) {
    let (rules, mut faults) = read(text);
    let mut rows = Vec::new();
    for rule in &rules {
        let wrong = check(rule);
        rows.push(row(rule, &wrong));
        faults.extend(wrong);
    }
    faults.sort_by_key(|fault| fault.line);
    (rows, faults)
}

#[test]
fn every_rule_is_kept() {
    let (rows, faults) = judge(DOCUMENT);
    // Past the capture of output: the table is what a person wants to see.
    let mut out = std::io::stdout().lock();
    writeln!(out).unwrap();
    for row in rows {
        writeln!(out, "{row}").unwrap();
    }
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_rule_is_there_once_and_in_order() {
    let (rules, _) = read(DOCUMENT);
    let found: Vec<String> = rules.iter().map(|rule| rule.name.to_string()).collect();
    let wanted: Vec<String> = names().map(|name| name.to_string()).collect();
    assert_eq!(found, wanted);
}

/// The faults of a rule with this case.
fn faults_of(case: &str) -> Vec<String> {
    let (_, faults) = judge(&format!("### R1 A rule.\n\n```case\n{case}\n```\n"));
    faults.iter().map(Fault::to_string).collect()
}
