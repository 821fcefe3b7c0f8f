#!/usr/bin/env python3
"""Asks two calendars for the national holidays of Japan and writes their answers to
national_holidays.txt.

national_holidays.py          writes national_holidays.txt
national_holidays.py --check  fails if national_holidays.txt is not what the calendars say

One line is one year, one word one holiday: month, day and name. A word with `?` in front is a day that only jpholiday
takes for a holiday: it applies the laws on substitutes (in force from 1973-04-12) and on days between holidays
(1985-12-27) to the years before them too. No day is a holiday for the other package, holidays, alone; it ends with 2099.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import holidays
import jpholiday

FILE = Path(__file__).resolve().parent / "national_holidays.txt"
# The days of laws for one year have a name each.
IMPERIAL = ("大喪の礼", "即位礼正殿の儀が行われる日", "即位礼正殿の儀", "結婚の儀", "天皇の即位の日")


def name(said):
    if "振替休日" in said:
        return "振替休日"
    if said in IMPERIAL:
        return "皇室の慶弔の日"
    return said.replace("体育の日", "スポーツの日")


def year(number):
    other = dict(jpholiday.year_holidays(number))
    exact = dict(holidays.Japan(years=number, language="ja").items()) if number < 2100 else other
    if not exact.keys() <= other.keys():
        sys.exit(f"{number}: a holiday for one package alone")
    words = [
        f"{date:%m%d}{name(exact[date])}" if date in exact else f"?{date:%m%d}{name(said)}"
        for date, said in sorted(other.items())
    ]
    return " ".join([str(number), *words])


def main():
    packages = ", ".join(f"{package} {version(package)}" for package in ("holidays", "jpholiday"))
    lines = [f"# {packages} (both MIT), written by national_holidays.py", *map(year, range(1970, 2150))]
    text = "\n".join(lines) + "\n"
    if sys.argv[1:] != ["--check"]:
        FILE.write_text(text)
    elif FILE.read_text() != text:
        sys.exit("national_holidays.txt is not what the calendars say")


main()
