"""Sessions: what anonymous visitors looked at, click after click, without a name that would join two of their visits.

YooChoose (RecSys Challenge 2015): clicks in an online shop. The subset here has three files, train.txt, valid.txt and
test.txt, and any file of their form can be read: fields by tabs, below a header a line a session,

    sessionId   categorys   items
    9           1,1,1       11,12,13

a number for the session, and as many categories as items, whole numbers by commas, in the order of the clicks.
"""

import pathlib
import re

import numpy as np

from ..ragged import places, row_of
from ..splits import Split

_HEADER = ("sessionId", ("categorys", "categories"), "items")
_FILES = ("train.txt", "valid.txt", "test.txt")
_LINE = re.compile(r"(\d{1,18})\t(\d{1,18}(?:,\d{1,18})*)\t(\d{1,18}(?:,\d{1,18})*)", re.ASCII)
_WANT = ("session id, categories, items with tabs between them: a whole number, and two lists of whole numbers of one "
         "length with commas between them, such as '9\\t1,1,1\\t11,12,13'")


class Sessions:
    """n sessions, each a row of items in the order of time.

        ids       (n,) the sessions' numbers or names, each once
        start     (n + 1,): session s is items[start[s]:start[s + 1]], at least one item
        items     (N,) item ids, whole numbers
        category  (N,) what each item is, whole numbers; None where unknown
        notes     what was left out and why, a sentence each; they are printed with the data

    >>> Sessions.of([[5, 7, 5], [7, 9]], name="tiny")
    Sessions 'tiny': 2 sessions, 5 clicks on 3 items, 2.5 a session (2 to 3), 20 % of them on an item seen before in it
    """

    def __init__(self, ids, start, items, category=None, *, name="sessions", synthetic=False, notes=()):
        ids, start, items = np.asarray(ids), np.asarray(start), np.asarray(items)
        if start.shape != (len(ids) + 1,) or len(start) == 0 or start[0] != 0 or start[-1] != len(items):
            raise ValueError(f"Sessions: got start of shape {start.shape} for {len(ids)} ids and {len(items)} items, want "
                             "(ids + 1,), from 0 to the number of items")
        if (np.diff(start) < 1).any():
            empty = ids.tolist()[np.argmax(np.diff(start) < 1)]
            raise ValueError(f"Sessions: session {empty!r} is empty, want at least one item: leave it out")
        for what, values in (("items", items), ("category", category)):
            got = np.asarray(values)
            if values is not None and (got.shape != items.shape or got.dtype.kind not in "iu"):
                raise ValueError(f"Sessions: got {what} of shape {got.shape} and dtype {got.dtype}, want whole numbers of "
                                 f"shape ({len(items)},)")
        names, count = np.unique(ids, return_counts=True)
        if (count > 1).any():
            twice = np.argmax(count > 1)
            raise ValueError(f"Sessions: the id {names.tolist()[twice]!r} is there {count[twice]} times, want each once")
        self.ids, self.start, self.items = ids, start.astype(np.int64), items.astype(np.int64)
        self.category = None if category is None else np.asarray(category, np.int64)
        self.name, self.synthetic, self.notes = name, bool(synthetic), tuple(notes)

    @classmethod
    def of(cls, lists, category=None, **about):
        """Sessions of lists of item ids, numbered from 0. category: lists of the same lengths, or None."""
        lists = [np.asarray(one) for one in lists]
        for n, one in enumerate(lists):
            if one.ndim != 1 or (one.size and one.dtype.kind not in "iu"):
                raise ValueError(f"Sessions: list {n} has shape {one.shape} and dtype {one.dtype}, want a list of whole "
                                 "numbers, the items' ids")
        start = np.append(0, np.cumsum([len(one) for one in lists])).astype(np.int64)
        joined = [np.concatenate([np.zeros(0, np.int64), *map(np.asarray, those)]) for those in (lists, category or [])]
        return cls(np.arange(len(lists)), start, joined[0], joined[1] if category is not None else None, **about)

    def __len__(self):
        return len(self.ids)

    @property
    def lengths(self):
        """(n,) how many items each session has."""
        return np.diff(self.start)

    @property
    def items_seen(self):
        """The ids of all items, sorted."""
        return np.unique(self.items)

    def take(self, rows):
        """The sessions of these row numbers, in that order."""
        rows = np.asarray(rows, np.int64)
        start, at = places(self.start, rows)
        return Sessions(self.ids[rows], start, self.items[at], None if self.category is None else self.category[at],
                        name=self.name, synthetic=self.synthetic, notes=self.notes)

    def lists(self):
        """[item ids of a session, ..]"""
        return np.split(self.items, self.start[1:-1]) if len(self) else []

    def prefixes(self, which="last"):
        """(row (Q,), length (Q,)): the questions "these first items of the session, what is next?"

        which: "last", the last item of every session of two items or more; "all", its second, third, .. last.
        """
        if which not in ("last", "all"):
            raise ValueError(f"prefixes: got {which!r}, want 'last' or 'all'")
        row = np.arange(len(self))
        if which == "last":
            return row[self.lengths > 1], self.lengths[self.lengths > 1] - 1
        row = np.repeat(row, self.lengths - 1)
        return row, np.arange(len(row)) - np.searchsorted(row, row) + 1

    def __repr__(self):
        head = f"Sessions {self.name!r}{' (SYNTHETIC)' if self.synthetic else ''}: {len(self):,} sessions"
        if len(self):
            again = 100 * (1 - len(np.unique(np.stack([row_of(self.start), self.items]), axis=1).T) / len(self.items))
            head += (f", {len(self.items):,} clicks on {len(self.items_seen):,} items, {self.lengths.mean():.3g} a session "
                     f"({self.lengths.min()} to {self.lengths.max()}), {again:.3g} % of them on an item seen before in it")
        return "\n  - ".join([head, *self.notes])


def joined(parts, protocol, **about):
    """A `Split` of [train, valid, test] Sessions, which must have no session in common."""
    lengths = np.concatenate([part.lengths for part in parts])
    category = None if any(part.category is None for part in parts) else np.concatenate([part.category for part in parts])
    try:
        data = Sessions(np.concatenate([part.ids for part in parts]), np.append(0, np.cumsum(lengths)),
                        np.concatenate([part.items for part in parts]), category, **about)
    except ValueError as error:
        raise ValueError(f"{error}: a session that trains must not test") from None
    return Split(data, *np.split(np.arange(len(data)), np.cumsum([len(part) for part in parts])[:2]), protocol)


def load_sessions(path):
    """The sessions of one file, as Sessions. A line that is not of the form is an error that names it."""
    path = pathlib.Path(path)
    lines = path.read_bytes().decode("utf-8-sig", errors="replace").replace("\r\n", "\n").removesuffix("\n").split("\n")
    fields = lines[0].split("\t")
    if len(fields) != 3 or any(field not in (want if isinstance(want, tuple) else (want,))
                               for field, want in zip(fields, _HEADER, strict=True)):
        raise ValueError(f"{path}, line 1: got {lines[0][:80]!r}, want the header 'sessionId\\tcategorys\\titems'")
    ids, lists, categories, first = [], [], [], {}
    for number, line in enumerate(lines[1:], start=2):
        found = _LINE.fullmatch(line)
        if not found:
            raise ValueError(f"{path}, line {number}: got {line[:80]!r}, want {_WANT}")
        category, items = (part.split(",") for part in found.groups()[1:])
        if len(category) != len(items):
            raise ValueError(f"{path}, line {number}: got {len(category)} categories and {len(items)} items, want {_WANT}")
        if first.setdefault(found[1], number) != number:
            raise ValueError(f"{path}, line {number}: session {found[1]} stands in line {first[found[1]]} already, want "
                             "each session once")
        ids.append(found[1])
        lists.append(items)
        categories += category
    if not ids:
        raise ValueError(f"{path}: no sessions below the header, want lines of {_WANT}")
    start = np.append(0, np.cumsum([len(one) for one in lists]))
    return Sessions(np.array(ids, np.int64), start, np.array([i for one in lists for i in one], np.int64),
                    np.array(categories, np.int64), name=path.name)


def load_yoochoose(path=None):
    """The three files of the YooChoose subset as a Split of Sessions: train.txt, valid.txt and test.txt.

    path: their folder; None looks for yoochoose/ in the data folder.
    """
    from .download import _cache, data_folder

    folders = [data_folder() / "yoochoose", _cache() / "yoochoose"] if path is None else [pathlib.Path(path)]
    for folder in folders:
        if all((folder / name).is_file() for name in _FILES):
            parts = [load_sessions(folder / name) for name in _FILES]
            return joined(parts, "the publisher's files train.txt, valid.txt and test.txt", name="yoochoose",
                          notes=["a subset of the YooChoose clicks; its three files are no split by time: the session "
                                 "numbers of all three run from the first to the last"])
    raise FileNotFoundError(f"load_yoochoose: no {', '.join(_FILES)} in {' or '.join(map(str, folders))}: put files of "
                            "this form there (a line: session id, categories, items), or pass path=")
