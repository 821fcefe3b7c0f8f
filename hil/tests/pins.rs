//! The table of pins in the board's README names the pins that the board's module uses, each once.

use std::collections::BTreeSet;

const README: &str = include_str!("../../firmware/src/board/h753/README.md");
const BOARD: &str = include_str!("../../firmware/src/board/h753/mod.rs");

fn is_pin(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next() == Some('P')
        && letters.next().is_some_and(|port| ('A'..='K').contains(&port))
        && letters.as_str().parse::<u8>().is_ok_and(|number| number < 16)
}

fn tabled() -> Vec<&'static str> {
    let cells = README
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.filter(|cell| is_pin(cell)).collect()
}

fn used() -> Vec<&'static str> {
    let names = BOARD.split("p.").skip(1);
    names
        .filter_map(|rest| rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next())
        .filter(|name| is_pin(name))
        .collect()
}

#[test]
fn the_table_of_pins_is_the_boards() {
    let (table, board) = (tabled(), used());
    for list in [&table, &board] {
        let once: BTreeSet<_> = list.iter().collect();
        assert_eq!(once.len(), list.len(), "each pin once: {list:?}");
    }
    assert_eq!(
        table.iter().collect::<BTreeSet<_>>(),
        board.iter().collect::<BTreeSet<_>>()
    );
    assert!(board.len() > 40, "{board:?}");
}
