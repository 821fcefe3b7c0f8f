//! Reads `rules.md`: the rules, and under each what shows that it is kept.

use std::fmt;

/// A rule (R1) or the reading of an unclear place (A1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    pub series: char,
    pub number: u8,
}

/// All there must be, in this order.
pub fn names() -> impl Iterator<Item = Name> {
    let series = |series, last| (1..=last).map(move |number| Name { series, number });
    series('R', 56).chain(series('A', 20))
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.series, self.number)
    }
}

#[derive(Debug)]
pub struct Rule<'a> {
    pub name: Name,
    pub line: usize,
    pub sentence: &'a str,
    pub notes: Vec<Note<'a>>,
    pub cases: Vec<Case<'a>>,
}

/// What is said of a rule besides cases.
#[derive(Debug, PartialEq, Eq)]
pub enum Note<'a> {
    /// `file` `function`.
    Test(&'a str, &'a str),
    Screen(&'a str),
    Advice(&'a str),
    NotYet(&'a str),
}

#[derive(Debug)]
pub struct Case<'a> {
    pub steps: Vec<Step<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Given,
    When,
    Then,
}

#[derive(Clone, Debug)]
pub struct Step<'a> {
    pub line: usize,
    pub mood: Mood,
    pub text: &'a str,
}

/// What is wrong, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared/rules.md:{}: {}", self.line, self.what)
    }
}

/// The rules of the document, and everything that is wrong with its form.
pub fn read(text: &str) -> (Vec<Rule<'_>>, Vec<Fault>) {
    let mut rules: Vec<Rule> = Vec::new();
    let mut faults = Vec::new();
    let mut in_case = false;
    for (index, text) in text.lines().enumerate() {
        let line = index + 1;
        let mut fault = |what: &str| {
            faults.push(Fault {
                line,
                what: format!("{what}: {text}"),
            })
        };
        if in_case {
            let Some(case) = rules.last_mut().and_then(|rule| rule.cases.last_mut()) else {
                continue;
            };
            if text == "```" {
                in_case = false;
                if case.steps.last().is_none_or(|step| step.mood != Mood::Then) {
                    fault("the case does not end with then");
                }
            } else if !steps(line, text, &mut case.steps) {
                fault("not a line of given, when or then");
            }
        } else if let Some(heading) = text.strip_prefix("### ") {
            match heading.split_once(' ').map(|(first, rest)| (name(first), rest)) {
                Some((Some(name), sentence)) => rules.push(Rule {
                    name,
                    line,
                    sentence,
                    notes: Vec::new(),
                    cases: Vec::new(),
                }),
                _ => fault("no name of a rule"),
            }
        } else if text == "```case" {
            match rules.last_mut() {
                Some(rule) => rule.cases.push(Case { steps: Vec::new() }),
                None => fault("a case of no rule"),
            }
            in_case = true;
        } else if let (Some(item), Some(rule)) = (text.strip_prefix("- "), rules.last_mut()) {
            match note(item) {
                Some(note) => rule.notes.push(note),
                None => fault("neither Test, Screen, Advice nor Not there yet"),
            }
        }
    }
    (rules, faults)
}

fn name(text: &str) -> Option<Name> {
    let mut chars = text.chars();
    Some(Name {
        series: chars.next().filter(|series| matches!(series, 'R' | 'A'))?,
        number: chars.as_str().parse().ok()?,
    })
}

fn note(item: &str) -> Option<Note<'_>> {
    let (kind, rest) = item.split_once(": ")?;
    match kind {
        "Test" => {
            let mut quoted = rest.split('`').skip(1).step_by(2);
            Some(Note::Test(quoted.next()?, quoted.next()?))
        }
        "Screen" => Some(Note::Screen(rest)),
        "Advice" => Some(Note::Advice(rest)),
        "Not there yet" => Some(Note::NotYet(rest)),
        _ => None,
    }
}

/// Appends the steps of a line; false if it is none.
fn steps<'a>(line: usize, text: &'a str, steps: &mut Vec<Step<'a>>) -> bool {
    let Some((word, rest)) = text.split_once(' ') else {
        return false;
    };
    let mood = match word {
        "given" => Mood::Given,
        "when" => Mood::When,
        "then" => Mood::Then,
        _ => return false,
    };
    for text in rest.split(';').map(str::trim) {
        steps.push(Step { line, mood, text });
    }
    true
}
