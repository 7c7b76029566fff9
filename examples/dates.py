"""Dates as people write them, inside of a sentence, and where in it each digit of the ISO form comes from."""

import calendar
import datetime

import numpy as np

FIRST, LAST = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()
WORDS = "born died met on the old house was sold by them in spring again they left for work his letter of came".split()
PAD, START, END = 0, 1, 2
LETTERS = "\0\1\2 ,./-0123456789abcdefghijklmnopqrstuvwxyzADFJMNOSTW"
CODES = {c: n for n, c in enumerate(LETTERS)}


def forms(date):
    """Ways to write a date, each a list of (text, what it says: "y", "m", "d" or nothing)."""
    d, m, y = (str(date.day), "d"), (str(date.month), "m"), (str(date.year), "y")
    dd, mm, long = (f"{date.day:02}", "d"), (f"{date.month:02}", "m"), (calendar.month_name[date.month], "m")
    short, weekday = (calendar.month_abbr[date.month], "m"), calendar.day_name[date.weekday()]
    ending = "th" if 10 < date.day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10, "th")
    gap = (" ", "")
    return [[d, gap, long, gap, y], [long, gap, d, (", ", ""), y], [d, gap, short, gap, y],
            [d, (".", ""), m, (".", ""), y], [m, ("/", ""), d, ("/", ""), y], [dd, (".", ""), mm, (".", ""), y],
            [(weekday + ", ", ""), long, gap, d, (ending + ", ", ""), y],
            [("the ", ""), d, (ending + " of ", ""), long, gap, y], [y, (", ", ""), d, gap, long],
            [(weekday[:3] + " ", ""), dd, gap, short, gap, y]]


def sentence(dates, rng):
    """(text, what each letter says: (number of the date, "y" | "m" | "d", which letter of it), or None)"""
    text, says = "", []
    for number, date in enumerate([*dates, None]):
        filler = " ".join(rng.choice(WORDS, rng.integers(1, 3)))
        parts = [((" " if number else "") + filler + (" " if date else ""), "")]
        if date is not None:
            written = forms(date)
            parts += written[rng.integers(len(written))]
        for part, role in parts:
            text += part
            says += [(number, role, k) if role else None for k in range(len(part))]
    return text, says


def iso(dates):
    """(text, what each letter needs, as `sentence` has it; of a month or a day every letter will do: no third number)"""
    text, needs = "", []
    for number, date in enumerate(dates):
        text += ("," if number else "") + date.isoformat()
        needs += [None] * bool(number) + [(number, "y", k) for k in range(4)] + [None]
        needs += [(number, "m", None)] * 2 + [None] + [(number, "d", None)] * 2
    return text, needs


def answers(says, needs):
    """Which letters of the sentence say what each letter of the answer needs.  (T, S) booleans"""
    return np.array([[a is not None and s is not None and s[:2] == a[:2] and a[2] in (None, s[2]) for s in says]
                     for a in needs])


def part_of(ordinal):
    """Which part a date belongs to, by its day alone: 0 .. 7 train, 8 validates, 9 tests. No date is in two parts."""
    return (ordinal * 2654435761 % 2**32) * 10 >> 32


def draw(n, part, rng, most=2):
    """n sentences of 1 .. `most` dates of a part: [(text, answer, (T, S) booleans)]"""
    wanted, made = {"train": range(8), "valid": (8,), "test": (9,)}[part], []
    while len(made) < n:
        ordinals = rng.integers(FIRST, LAST + 1, 1 + len(made) % most)
        if all(part_of(int(o)) in wanted for o in ordinals):
            dates = [datetime.date.fromordinal(int(o)) for o in ordinals]
            (text, says), (answer, needs) = sentence(dates, rng), iso(dates)
            made.append((text, answer, answers(says, needs)))
    return made


def coded(texts, end=False):
    """(n, longest) codes, filled up with PAD; with `end`, END comes after each text."""
    rows = [[CODES[c] for c in text] + [END] * end for text in texts]
    codes = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for row, code in zip(codes, rows, strict=True):
        row[:len(code)] = code
    return codes


def decoded(codes):
    """The texts before their first END."""
    return ["".join(LETTERS[c] for c in row).split(LETTERS[END])[0] for row in codes]
