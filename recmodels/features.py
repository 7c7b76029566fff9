"""Features: attributes of users and items as arrays, so that a network can look them up by number.

Three kinds of field, as the lecture has them:

    Dense("year")        a number, standardised; missing = 0, the mean
    OneHot("gender")     one category of several; unknown or missing has a code of its own
    MultiHot("genres")   a set of categories; unknown ones are left out, missing = the empty set

A `FeatureTable` encodes one side (all users, or all items) once. Row 0 is the unknown entity: an id that was never seen
gets it, with every attribute missing, so prediction never fails on a newcomer.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Dense:
    """A number: (x - mean) / deviation over the table, 0 where it is missing."""
    column: str


@dataclasses.dataclass(frozen=True)
class OneHot:
    """One category: codes 1..n in sorted order, 0 for unknown or missing."""
    column: str


@dataclasses.dataclass(frozen=True)
class MultiHot:
    """A set of categories, given as a tuple or list: codes 1..n in sorted order, padded with 0."""
    column: str


_KINDS = {kind.__name__: kind for kind in (Dense, OneHot, MultiHot)}


class FeatureTable:
    """The attributes of N entities as arrays with N + 1 rows; row 0 is the unknown entity.

    ids: the N ids. frame: a DataFrame indexed by id (an id that is not in it has every attribute missing).

        onehot    (N + 1, F) int64   the one-hot fields' codes, each field's shifted by its offset into one vocabulary
        vocabulary                   the size V of that vocabulary (field f owns its codes offsets[f] .. offsets[f + 1])
        multihot  (N + 1, M) float32 the multi-hot fields as zeros and ones, side by side
        bags      (N + 1, L) int64   the same as lists of codes 1..M, padded with 0
        dense     (N + 1, P) float32 multi-hot columns and standardised numbers: what a dense layer takes
    """

    def __init__(self, ids, frame, fields):
        self.fields = tuple(fields)
        self.ids = np.unique(np.asarray(ids))
        self._meta = {}
        frame = frame.reindex(self.ids)
        for field in self.fields:
            if field.column not in frame.columns:
                raise KeyError(f"FeatureTable: no column {field.column!r} for {field}; the table has {list(frame.columns)}")
            self._meta[field.column] = _learn(field, frame[field.column])
        self._build({f.column: list(frame[f.column]) for f in self.fields})

    def _build(self, columns):
        size = len(self.ids) + 1
        onehot, multihot, numbers, self.offsets, self.dense_names = [], [], [], [0], []
        for field in self.fields:
            values, meta = columns[field.column], self._meta[field.column]
            if isinstance(field, OneHot):
                onehot.append([self.offsets[-1]] + [self.offsets[-1] + _code(meta, v) for v in values])
                self.offsets.append(self.offsets[-1] + len(meta) + 1)
            elif isinstance(field, MultiHot):
                block = np.zeros((size, len(meta)), np.float32)
                for row, value in enumerate(values, start=1):
                    for category in _members(value):
                        if (code := _code(meta, category)) > 0:
                            block[row, code - 1] = 1
                multihot.append(block)
                self.dense_names += [f"{field.column}={category}" for category in meta]
            else:
                mean, deviation = meta
                x = np.array([0.0] + [(float(v) - mean) / deviation if _present(v) else 0.0 for v in values], np.float32)
                numbers.append(x[:, None])
        self.dense_names += [f.column for f in self.fields if isinstance(f, Dense)]
        self.onehot = np.array(onehot, np.int64).T.reshape(size, len(onehot))
        self.multihot = np.concatenate([np.zeros((size, 0), np.float32), *multihot], axis=1)
        self.dense = np.concatenate([self.multihot, *numbers], axis=1)
        self.vocabulary = self.offsets[-1]

    def __len__(self):
        """How many rows the arrays have, the unknown entity's included."""
        return len(self.ids) + 1

    @property
    def bags(self):
        counts = (self.multihot > 0).sum(axis=1)
        bags = np.zeros((len(self), int(counts.max(initial=0))), np.int64)
        row, code = np.nonzero(self.multihot)
        place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        bags[row, place] = code + 1
        return bags

    def codes(self, ids):
        """The row of each id, 0 for ids that the table does not know."""
        ids = np.asarray(ids)
        if len(self.ids) == 0 or ids.dtype.kind != self.ids.dtype.kind and {ids.dtype.kind, self.ids.dtype.kind} - set("iu"):
            return np.zeros(ids.shape, np.int64)
        place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[place] == ids, place + 1, 0).astype(np.int64)

    def state(self):
        """The table as arrays and lists, for `tinydl.save`."""
        return {"fields": [[type(f).__name__, f.column] for f in self.fields],
                "meta": {column: list(meta) for column, meta in self._meta.items()},
                "ids": self.ids if self.ids.dtype.kind in "iu" else [str(i) for i in self.ids],
                "onehot": self.onehot, "multihot": self.multihot, "dense": self.dense,
                "offsets": self.offsets, "dense_names": self.dense_names}

    @classmethod
    def from_state(cls, state):
        self = cls.__new__(cls)
        self.fields = tuple(_KINDS[kind](column) for kind, column in state["fields"])
        self._meta = state["meta"]
        self.ids = np.asarray(state["ids"])
        for name in ("onehot", "multihot", "dense", "offsets", "dense_names"):
            setattr(self, name, state[name])
        self.vocabulary = self.offsets[-1]
        return self

    def __repr__(self):
        return (f"FeatureTable({len(self.ids):,} entities: {self.onehot.shape[1]} one-hot fields of {self.vocabulary} "
                f"codes, {self.dense.shape[1]} dense columns)")


def _present(value):
    return value is not None and value == value  # nan is not equal to itself


def _members(value):
    return value if isinstance(value, (tuple, list, set, frozenset)) else ()


def _learn(field, column):
    """What a field must remember: the sorted categories, or mean and deviation."""
    if isinstance(field, Dense):
        numbers = np.array([float(v) for v in column if _present(v)])
        if len(numbers) == 0:
            return [0.0, 1.0]
        return [float(numbers.mean()), float(numbers.std()) or 1.0]
    if isinstance(field, MultiHot):
        return sorted({category for value in column for category in _members(value)})
    return sorted({_plain(v) for v in column if _present(v)})


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def _code(categories, value):
    """1 + the place of a value among the categories; 0 where it is missing or unknown."""
    if not _present(value):
        return 0
    try:
        return 1 + categories.index(_plain(value))
    except ValueError:
        return 0
