#!/usr/bin/env python3
"""Asks the oracles, and writes what follows from their answers into the source tree.

oracle.py          writes the area table, the areas' names and the oracles' answers
oracle.py --check  fails if what is in the tree is not what the oracles say
"""

import itertools
import sys
from importlib.metadata import version
from pathlib import Path

import phonenumbers as lib
from phonenumbers_jp import _data as jp

SHARED = Path(__file__).resolve().parent.parent
# The subscriber's digits behind a head of five digits.
TAILS = {10: "2345", 11: "23456"}
SOURCE = f"phonenumbers-jp {version('phonenumbers-jp')} (MIT, Copyright (c) 2020 Taku Fukada), data of 2023-01"


def ask_jp(digits):
    """The entry of phonenumbers-jp for a number: its longest prefix that fits."""
    for length in range(6, 0, -1):
        entry = jp.PREFIXES.get(digits[:length])
        if entry and entry["l"] in (None, len(digits)):
            return entry
    return None


def say_jp(digits):
    entry = ask_jp(digits)
    if not entry:
        return "-"
    groups = [entry["f"], entry["m"], len(digits) - entry["f"] - entry["m"]]
    groups = "-".join(str(group) for group in groups if group)
    return ":".join(filter(None, [entry["t"], groups, entry.get("a")]))


def say_lib(digits):
    try:
        number = lib.parse(digits, "JP")
    except lib.NumberParseException:
        return "-"
    if not lib.is_valid_number(number):
        return "-"
    if number.country_code != 81:
        return "ABROAD"
    text = lib.format_number(number, lib.PhoneNumberFormat.NATIONAL)
    groups = "-".join(str(len(group)) for group in text.split("-"))
    return f"{lib.PhoneNumberType.to_string(lib.number_type(number))}:{groups}"


def short_lib(digits):
    if lib.is_emergency_number(digits, "JP"):
        return "EMERGENCY"
    try:
        number = lib.parse(digits, "JP")
    except lib.NumberParseException:
        return "-"
    return "SHORT" if lib.is_valid_short_number_for_region(number, "JP") else "-"


def heads():
    """What both say of every head of five digits, as runs of the same answer."""
    yield "digits,first head,phonenumbers-jp,phonenumbers"
    for length, tail in TAILS.items():
        answers = ((head, say_jp(f"0{head:05}{tail}"), say_lib(f"0{head:05}{tail}")) for head in range(100_000))
        for (one, other), run in itertools.groupby(answers, lambda answer: answer[1:]):
            yield f"{length},{next(run)[0]:05},{one},{other}"


def short():
    """What both say of all strings of up to three digits; those that neither knows are left out."""
    yield "digits,phonenumbers-jp,phonenumbers"
    for length in range(4):
        for digits in map("".join, itertools.product("0123456789", repeat=length)):
            entry = ask_jp(digits)
            one, other = entry["st"] if entry and "st" in entry else "-", short_lib(digits)
            if one != "-" or other != "-":
                yield f"{digits},{one},{other}"


def areas():
    """Runs of heads (first head, digits of the area code without its 0, area) and the areas (code, name)."""
    runs, names = [], {}
    for head in range(100_000):
        digits = f"0{head:05}2345"
        entry = ask_jp(digits)
        if entry and entry["t"] == "固定":
            name = digits[: entry["f"]], entry["a"]
            run = entry["f"] - 1, names.setdefault(name, len(names))
        else:
            run = 0, 0
        if not runs or runs[-1][1:] != run:
            runs.append((head, *run))
    return runs, list(names)


def table(runs):
    yield "//! Which area a head of five digits belongs to. Written by `shared/oracle/oracle.py`."
    yield "//!"
    yield f"//! Source: {SOURCE}."
    yield ""
    yield "/// Runs of heads in ascending order: first head (17 bits), digits of the area code without its 0 (3 bits; 0: no"
    yield "/// area), area (12 bits)."
    yield "#[rustfmt::skip]"
    yield f"pub(super) static RUNS: [u32; {len(runs)}] = ["
    words = [f"0x{head << 15 | code << 12 | area:08x}," for head, code, area in runs]
    for row in range(0, len(words), 9):
        yield "    " + " ".join(words[row : row + 9])
    yield "];"


def area_names(names):
    yield "//! What the number areas are called. Written by `shared/oracle/oracle.py`."
    yield "//!"
    yield f"//! Source: {SOURCE}."
    yield ""
    yield "use shared::number::Area;"
    yield ""
    yield "/// The name of the area's message area (MA), such as 東京; some areas share one."
    yield "pub fn name(area: Area) -> &'static str {"
    yield "    entry(area).1"
    yield "}"
    yield ""
    yield "/// The area code (市外局番) with its 0, such as 03."
    yield "pub fn code(area: Area) -> &'static str {"
    yield "    entry(area).0"
    yield "}"
    yield ""
    yield "fn entry(area: Area) -> (&'static str, &'static str) {"
    yield '    AREAS.get(area.index()).copied().unwrap_or(("", ""))'
    yield "}"
    yield ""
    yield "/// Area code and name, by the area's index."
    yield "#[rustfmt::skip]"
    yield f"static AREAS: [(&str, &str); {len(names)}] = ["
    entries = [f'("{code}", "{name}"),' for code, name in names]
    for row in range(0, len(entries), 5):
        yield "    " + " ".join(entries[row : row + 5])
    yield "];"


def main():
    runs, names = areas()
    files = {
        "src/number/area/table.rs": table(runs),
        "contract/src/area_names.rs": area_names(names),
        "oracle/heads.csv": heads(),
        "oracle/short.csv": short(),
    }
    stale = []
    for path, lines in files.items():
        path, text = SHARED / path, "\n".join(lines) + "\n"
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(SHARED)))
    if stale:
        sys.exit(f"not what the oracles say: {', '.join(stale)} (write them with shared/oracle/oracle.py)")


main()
