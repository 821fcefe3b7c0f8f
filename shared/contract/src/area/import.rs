//! Reading the official lists, exported from their workbooks as text.
//!
//! What is known to go wrong with them is put right or refused with row and column: lines above the header, cp932,
//! cells that became decimal fractions (`3.0`) and lost their leading zero, notes without a row, dates made of codes.

use core::fmt;
use std::collections::BTreeMap;

use encoding_rs::SHIFT_JIS;

use super::{Area, Table, Zone, clause};

/// A column of the lists, found by its name in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// 番号区画コード.
    Zone,
    /// 番号区画: its places in words.
    Places,
    /// 番号: the six digits in front of the subscriber's.
    Head,
    /// 市外局番.
    AreaCode,
    /// 市内局番.
    LocalCode,
    /// 使用状況.
    Usage,
    /// 料金区域: the name of the message area. The official list has none.
    Name,
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Self::Zone => "番号区画コード",
            Self::Places => "番号区画",
            Self::Head => "番号",
            Self::AreaCode => "市外局番",
            Self::LocalCode => "市内局番",
            Self::Usage => "使用状況",
            Self::Name => "料金区域",
        }
    }
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Neither UTF-8 nor cp932.
    Encoding,
    /// No line has all the columns that are needed.
    NoHeader,
    /// There is a header and nothing under it.
    Empty,
    /// A quotation mark that is not closed.
    Quote,
    /// The cell is empty, and others of its row are not.
    Missing,
    /// The cell does not hold what its column is for.
    Malformed(String),
    /// The same number area or number comes again, with other contents.
    Contradiction(String),
    /// A number area that the list of areas does not have.
    UnknownZone(Zone),
}

/// A file that was not read, and where it is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// Line of the file, from 1.
    pub row: usize,
    /// Column, if it is about a cell.
    pub column: Option<Column>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        if let Some(column) = self.column {
            write!(f, ", column {}", column.name())?;
        }
        f.write_str(": ")?;
        match &self.problem {
            Problem::Encoding => f.write_str("neither UTF-8 nor cp932"),
            Problem::NoHeader => f.write_str("no header with the columns of this list"),
            Problem::Empty => f.write_str("nothing under the header"),
            Problem::Quote => f.write_str("a quotation mark is not closed"),
            Problem::Missing => f.write_str("empty"),
            Problem::Malformed(text) => write!(f, "cannot read {text:?}"),
            Problem::Contradiction(text) => write!(f, "{text} is there already, with other contents"),
            Problem::UnknownZone(zone) => write!(f, "the list of number areas has no {zone}"),
        }
    }
}

impl core::error::Error for ImportError {}

/// A file as rows of cells, found by column.
struct Sheet {
    columns: Vec<(Column, usize)>,
    rows: Vec<(usize, Vec<String>)>,
}

/// One row of it.
struct Row<'s> {
    columns: &'s [(Column, usize)],
    number: usize,
    cells: &'s [String],
}

impl Row<'_> {
    fn error(&self, column: Column, problem: Problem) -> ImportError {
        ImportError {
            row: self.number,
            column: Some(column),
            problem,
        }
    }

    /// A cell without spaces around it; empty if the row is too short or the file has no such column.
    fn get(&self, column: Column) -> &str {
        let index = self.columns.iter().find(|(one, _)| *one == column);
        index
            .and_then(|(_, index)| self.cells.get(*index))
            .map_or("", |cell| cell.trim())
    }

    fn need(&self, column: Column) -> Result<&str, ImportError> {
        match self.get(column) {
            "" => Err(self.error(column, Problem::Missing)),
            text => Ok(text),
        }
    }

    /// Digits, also from `3.0`.
    fn digits(&self, column: Column) -> Result<&str, ImportError> {
        let text = self.need(column)?;
        let digits = text.strip_suffix(".0").unwrap_or(text);
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(digits)
        } else {
            Err(self.error(column, Problem::Malformed(text.into())))
        }
    }

    fn zone(&self) -> Result<Zone, ImportError> {
        let text = self.need(Column::Zone)?;
        let code = text.strip_suffix(".0").unwrap_or(text);
        code.parse()
            .map_err(|_| self.error(Column::Zone, Problem::Malformed(text.into())))
    }

    /// The area code with its 0, which the official list leaves out and spreadsheets lose.
    fn area_code(&self) -> Result<String, ImportError> {
        let digits = self.digits(Column::AreaCode)?;
        let digits = digits.strip_prefix('0').unwrap_or(digits);
        if (1..=4).contains(&digits.len()) && !digits.starts_with('0') {
            Ok(format!("0{digits}"))
        } else {
            Err(self.error(Column::AreaCode, Problem::Malformed(digits.into())))
        }
    }
}

impl Sheet {
    fn read(bytes: &[u8], needed: &[Column], known: &[Column]) -> Result<Self, ImportError> {
        let error = |row, problem| ImportError {
            row,
            column: None,
            problem,
        };
        let text = decode(bytes).ok_or_else(|| error(1, Problem::Encoding))?;
        let lines = cells(&text).map_err(|row| error(row, Problem::Quote))?;
        let mut lines = lines.into_iter();
        let mut last = 1;
        let columns = loop {
            let (row, line) = lines.next().ok_or_else(|| error(last, Problem::NoHeader))?;
            last = row;
            let columns: Vec<(Column, usize)> = known
                .iter()
                .filter_map(|column| {
                    let named = |cell: &String| cell.trim().trim_start_matches('\u{feff}') == column.name();
                    line.iter().position(named).map(|index| (*column, index))
                })
                .collect();
            if needed
                .iter()
                .all(|column| columns.iter().any(|(one, _)| one == column))
            {
                break columns;
            }
        };
        let mut rows: Vec<_> = lines.collect();
        // A row of notes alone, or of nothing, is none.
        rows.retain(|(_, line)| {
            columns
                .iter()
                .any(|(_, index)| line.get(*index).is_some_and(|cell| !cell.trim().is_empty()))
        });
        if rows.is_empty() {
            return Err(error(last, Problem::Empty));
        }
        Ok(Self { columns, rows })
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(number, cells)| Row {
            columns: &self.columns,
            number: *number,
            cells,
        })
    }
}

/// UTF-8 with or without its mark, or what Japanese spreadsheets write otherwise.
fn decode(bytes: &[u8]) -> Option<String> {
    if let Ok(text) = core::str::from_utf8(bytes) {
        return Some(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned());
    }
    let (text, _, malformed) = SHIFT_JIS.decode(bytes);
    (!malformed).then(|| text.into_owned())
}

/// The cells of each line with its number; the error is the line of a quotation mark that is not closed (RFC 4180).
fn cells(text: &str) -> Result<Vec<(usize, Vec<String>)>, usize> {
    let separator = if text.contains('\t') { '\t' } else { ',' };
    let mut lines = Vec::new();
    let mut line = vec![String::new()];
    let (mut number, mut first, mut quoted) = (1, 1, None);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let empty = line.last().is_none_or(String::is_empty);
        match character {
            '"' if quoted.is_some() && characters.peek() == Some(&'"') => {
                characters.next();
                push(&mut line, '"');
            }
            '"' if quoted.is_some() => quoted = None,
            '"' if empty => quoted = Some(number),
            '\n' if quoted.is_none() => {
                lines.push((first, core::mem::replace(&mut line, vec![String::new()])));
                number += 1;
                first = number;
            }
            '\r' if quoted.is_none() => {}
            _ if character == separator && quoted.is_none() => line.push(String::new()),
            _ => {
                number += usize::from(character == '\n');
                push(&mut line, character);
            }
        }
    }
    match quoted {
        Some(row) => Err(row),
        None => {
            lines.push((first, line));
            Ok(lines)
        }
    }
}

fn push(line: &mut [String], character: char) {
    if let Some(cell) = line.last_mut() {
        cell.push(character);
    }
}

/// Reads the list of number areas.
pub(super) fn areas(bytes: &[u8]) -> Result<Table, ImportError> {
    let needed = [Column::Zone, Column::Places, Column::AreaCode];
    let known = [Column::Zone, Column::Places, Column::AreaCode, Column::Name];
    let sheet = Sheet::read(bytes, &needed, &known)?;
    let mut table = Table::default();
    for row in sheet.rows() {
        let zone = row.zone()?;
        let text = row.need(Column::Places)?;
        let (places, whole) =
            clause::places(text).map_err(|part| row.error(Column::Places, Problem::Malformed(part)))?;
        let area = Area {
            code: row.area_code()?,
            name: row.get(Column::Name).into(),
            places,
            whole,
        };
        if table.areas.insert(zone, area).is_some() {
            return Err(row.error(Column::Zone, Problem::Contradiction(zone.to_string())));
        }
    }
    Ok(table)
}

/// Reads the list of number blocks: the area of each head.
pub(super) fn heads(bytes: &[u8], table: &Table) -> Result<BTreeMap<u32, Zone>, ImportError> {
    let columns = [
        Column::Zone,
        Column::Head,
        Column::AreaCode,
        Column::LocalCode,
        Column::Usage,
    ];
    let sheet = Sheet::read(bytes, &columns, &columns)?;
    let mut heads = BTreeMap::new();
    for row in sheet.rows() {
        let zone = row.zone()?;
        if !table.areas.contains_key(&zone) {
            return Err(row.error(Column::Zone, Problem::UnknownZone(zone)));
        }
        let malformed = |column, text: &str| row.error(column, Problem::Malformed(text.into()));
        let text = row.digits(Column::Head)?;
        let head = match text.len() {
            6 => text.strip_prefix('0'),
            5 => Some(text),
            _ => None,
        };
        let head = head.ok_or_else(|| malformed(Column::Head, text))?;
        let code = row.area_code()?;
        let local = row.digits(Column::LocalCode)?;
        // A local code of only zeros in front would be one digit short; then the number does not fit its parts.
        let parts = format!("{code}{local}");
        if parts.strip_prefix('0') != Some(head) {
            return Err(malformed(Column::LocalCode, &parts));
        }
        let value: u32 = head.parse().map_err(|_| malformed(Column::Head, head))?;
        if heads.insert(value, zone).is_some_and(|before| before != zone) {
            return Err(row.error(Column::Head, Problem::Contradiction(format!("0{head}"))));
        }
    }
    Ok(heads)
}
