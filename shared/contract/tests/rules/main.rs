//! The conformance pack: runs every case of `shared/rules.md` against the code, and prints a row per rule.

mod calls;
mod document;
mod money;
mod office;
mod terminals;
mod world;

use std::io::Write;
use std::path::Path;

use document::{Case, Fault, Note, Rule, names, read};
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

/// `R13 ok      A contract never has more … (3 cases)`, and where else the rule lives.
fn row(rule: &Rule, faults: &[Fault]) -> String {
    let tests = rule.notes.iter().filter(|note| matches!(note, Note::Test(..)));
    let mut cells = Vec::new();
    for (count, one) in [(rule.cases.len(), "case"), (tests.count(), "test")] {
        match count {
            0 => {}
            1 => cells.push(format!("1 {one}")),
            _ => cells.push(format!("{count} {one}s")),
        }
    }
    for note in &rule.notes {
        match note {
            Note::Test(..) => {}
            Note::Screen(screen) => cells.push(format!("screen {screen}")),
            Note::Advice(_) => cells.push("advice".into()),
            Note::NotYet(_) => cells.push("not there yet".into()),
        }
    }
    let verdict = match (faults.len(), rule.cases.len()) {
        (0, 0) => "-",
        (0, _) => "ok",
        _ => "FAILED",
    };
    let name = rule.name.to_string();
    format!("{name:<4}{verdict:<7} {} ({})", rule.sentence, cells.join(", "))
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
    for row in &rows {
        writeln!(out, "{row}").unwrap();
    }
    let cases: usize = read(DOCUMENT).0.iter().map(|rule| rule.cases.len()).sum();
    writeln!(out, "{} rules and readings, {cases} cases", rows.len()).unwrap();
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

#[test]
fn what_is_not_so_is_reported() {
    let table = [
        // Expected otherwise than it is.
        (
            "given IDs F1 A2; reps R1\nwhen R1 is called\nthen rings A2",
            "shared/rules.md:6: rings A2: it is F1",
        ),
        (
            "given IDs F1 A2; reps R1\nwhen R1 is called\nthen A2 silent R20",
            "shared/rules.md:6: A2 silent R20: it is R19",
        ),
        (
            "given IDs F1 F2\nwhen add A3 with D2\nthen refused R13",
            "shared/rules.md:6: refused R13: it is R11",
        ),
        ("given IDs F1\nthen IDs 2", "shared/rules.md:5: IDs 2: it is 1"),
        (
            "given IDs F1\nthen refused R1",
            "shared/rules.md:5: refused R1: it was not refused",
        ),
        // Not understood.
        (
            "given IDs F1\nthen all is well",
            "shared/rules.md:5: not understood: all is well",
        ),
        (
            "given IDs F1; A2 in foreground\nthen IDs 1",
            "shared/rules.md:4: A2 in foreground: there was never an ID A2",
        ),
        // No case.
        (
            "given IDs F1",
            "shared/rules.md:5: the case does not end with then: ```",
        ),
        (
            "if IDs F1\nthen IDs 0",
            "shared/rules.md:4: not a line of given, when or then: if IDs F1",
        ),
    ];
    for (case, fault) in table {
        assert_eq!(faults_of(case), [fault], "{case}");
    }
    assert_eq!(faults_of("given IDs F1\nthen IDs 1"), [""; 0]);
}

#[test]
fn a_refusal_is_not_passed_over() {
    let faults = faults_of("given IDs F1 F2; add A3 with D2\nthen IDs 2");
    let [fault] = faults.as_slice() else {
        panic!("{faults:?}")
    };
    assert!(
        fault.starts_with("shared/rules.md:5: IDs 2: the step before was refused by R11: "),
        "{fault}"
    );
}

#[test]
fn a_rule_must_be_shown_somewhere_and_its_tests_must_be_there() {
    let faults = |text: &str| -> Vec<String> { judge(text).1.iter().map(Fault::to_string).collect() };
    assert_eq!(
        faults("### R1 A rule.\n"),
        ["shared/rules.md:1: R1 has neither a case nor a place"]
    );
    assert_eq!(faults("### R1 A rule.\n- Screen: Numbers\n"), [""; 0]);
    assert_eq!(
        faults("### R1 A rule.\n- Somewhere: else\n"),
        [
            "shared/rules.md:1: R1 has neither a case nor a place",
            "shared/rules.md:2: neither Test, Screen, Advice nor Not there yet: - Somewhere: else",
        ]
    );
    assert_eq!(
        faults("### R1 A rule.\n- Test: `shared/contract/tests/rules/main.rs` `nothing`\n"),
        ["shared/rules.md:1: shared/contract/tests/rules/main.rs has no test nothing"]
    );
    assert_eq!(
        faults("### Q1 A rule.\n"),
        ["shared/rules.md:1: no name of a rule: ### Q1 A rule."]
    );
}
