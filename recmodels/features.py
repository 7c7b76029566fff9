"""Features: attributes of users and items as arrays, so that a network can look them up by number.

Three kinds of field, as the lecture has them:

    Dense("year")        a number, standardised; missing = 0, the mean
    OneHot("gender")     one category of several; unknown or missing has a code of its own
    MultiHot("genres")   a set of categories; unknown ones are left out, missing = the empty set

A `FeatureTable` encodes one side (all users, or all items) once. Row 0 is the unknown entity: an id that was never seen
gets it, with every attribute missing, so prediction never fails on a newcomer.
"""

import dataclasses
import functools

import numpy as np

from .ragged import steps


@dataclasses.dataclass(frozen=True)
class Dense:
    """A number: (x - mean) / deviation over the table, 0 where it is missing."""
    column: str

    def learn(self, values):
        """[mean, deviation] of the values that are there; the deviation of equal numbers counts as 1."""
        x = np.array([self._number(v) for v in values if _present(v)])
        if len(x) == 0 or x.min() == x.max():
            return [float(x[0]) if len(x) else 0.0, 1.0]
        return [float(x.mean()), float(x.std()) or 1.0]  # numbers may differ by so little that their squares vanish

    def _number(self, value):
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = np.inf
        if not np.isfinite(number):
            raise ValueError(f"{self}: got {value!r}, want finite numbers, or None or nan where one is missing")
        return number

    def encode(self, meta, values):
        """(n,) -> (n, 1) float32"""
        mean, deviation = meta
        x = [(self._number(v) - mean) / deviation if _present(v) else 0.0 for v in values]
        return np.array(x, np.float32).reshape(-1, 1)


@dataclasses.dataclass(frozen=True)
class OneHot:
    """One category: codes 1..n in sorted order, 0 for unknown or missing."""
    column: str

    def learn(self, values):
        """The categories, sorted."""
        return _sorted(self, [v for v in values if _present(v)])

    def encode(self, meta, values):
        """(n,) -> (n,) int64"""
        code = {category: c for c, category in enumerate(meta, start=1)}
        return np.array([_code(code, v) if _present(v) else 0 for v in values], np.int64)


@dataclasses.dataclass(frozen=True)
class MultiHot:
    """A set of categories, given as a tuple, list, set or array: codes 1..n in sorted order."""
    column: str

    def learn(self, values):
        """The categories, sorted."""
        return _sorted(self, [category for value in values for category in self._members(value)])

    def _members(self, value):
        if isinstance(value, (tuple, list, set, frozenset, np.ndarray)):
            return [v for v in value if _present(v)]
        if _present(value):
            raise TypeError(f"{self}: got {value!r}, want a tuple or list of categories, or None where it is missing")
        return []

    def encode(self, meta, values):
        """(n,) -> (n, M) float32, zeros and ones"""
        place = {category: c for c, category in enumerate(meta)}
        y = np.zeros((len(values), len(meta)), np.float32)
        for row, value in enumerate(values):
            for category in self._members(value):
                if category in place:
                    y[row, place[category]] = 1
        return y


_KINDS = {kind.__name__: kind for kind in (Dense, OneHot, MultiHot)}


class FeatureTable:
    """The attributes of N entities as arrays with N + 1 rows; row 0 is the unknown entity.

    ids: whole numbers or strings, in any order. frame: a DataFrame indexed by id (an id that is not in it has every
    attribute missing).

        ids          (N,)             sorted, each once; entity ids[n] stands in row n + 1
        onehot       (N + 1, F) int64 the one-hot fields' codes, each field's shifted by its offset into one vocabulary
        vocabulary                    the size V of that vocabulary: field f owns the codes offsets[f] .. offsets[f + 1] - 1,
                                      the first of them for unknown or missing
        multihot     (N + 1, M)       the multi-hot fields as zeros and ones, side by side
        bags         (N + 1, L) int64 the same as lists of codes 1..M, padded with 0
        dense        (N + 1, P)       multi-hot columns, then the numbers: what a dense layer takes
        dense_names                   what the P columns are
    """

    def __init__(self, ids, frame, fields):
        fields = tuple(fields)
        for field in fields:
            if field.column not in frame.columns:
                raise KeyError(f"FeatureTable: no column {field.column!r} for {field}; the table has {list(frame.columns)}: "
                               "add the column, or take a model that needs no attributes")
        ids = _sorted_ids(ids)
        known = frame.reindex(ids)
        columns = [list(known[field.column]) for field in fields]
        meta = [field.learn(values) for field, values in zip(fields, columns, strict=True)]
        self._take(ids, fields, meta)
        blocks = {kind: [] for kind in (OneHot, MultiHot, Dense)}
        for field, m, values in zip(fields, meta, columns, strict=True):
            blocks[type(field)].append(field.encode(m, [None, *values]))
        self.onehot = np.zeros((len(self), len(blocks[OneHot])), np.int64)
        for f, codes in enumerate(blocks[OneHot]):
            self.onehot[:, f] = self.offsets[f] + codes
        self.dense = np.concatenate([np.zeros((len(self), 0), np.float32), *blocks[MultiHot], *blocks[Dense]], axis=1)

    def _take(self, ids, fields, meta):
        """Everything but the arrays. meta[f] is what field f has learned."""
        self.ids, self.fields, self._meta = ids, fields, meta
        pairs = list(zip(fields, meta, strict=True))
        sizes = [len(m) + 1 for field, m in pairs if isinstance(field, OneHot)]
        self.offsets = [0, *np.cumsum(sizes).tolist()]
        self.vocabulary = self.offsets[-1]
        self.dense_names = [f"{field.column}={c}" for field, m in pairs if isinstance(field, MultiHot) for c in m]
        self._n_multihot = len(self.dense_names)
        self.dense_names += [field.column for field in fields if isinstance(field, Dense)]

    def __len__(self):
        """How many rows the arrays have, the unknown entity's included."""
        return len(self.ids) + 1

    @property
    def multihot(self):
        return self.dense[:, :self._n_multihot]

    @property
    def bags(self):
        counts = (self.multihot > 0).sum(axis=1)
        bags = np.zeros((len(self), int(counts.max(initial=0))), np.int64)
        row, code = np.nonzero(self.multihot)
        bags[row, steps(counts)] = code + 1
        return bags

    def codes(self, ids):
        """The row of each id, 0 for whatever equals no id of the table (None, nan and ids of another type too)."""
        ids = id_array(ids)
        if ids.dtype.kind in "iu" and self.ids.dtype.kind == "i" and np.can_cast(ids.dtype, np.int64):
            place = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
            return np.where(self.ids[place] == ids, place + 1, 0).astype(np.int64)
        rows = [_code(self._row_of, i) for i in ids.reshape(-1).tolist()]
        return np.array(rows, np.int64).reshape(ids.shape)

    @functools.cached_property
    def _row_of(self):
        return {i: row for row, i in enumerate(self.ids.tolist(), start=1)}

    def state(self):
        """The table as arrays and lists, for `tinydl.training.save`."""
        return {"fields": [[type(f).__name__, f.column] for f in self.fields], "meta": self._meta,
                "ids": self.ids if self.ids.dtype.kind == "i" else self.ids.tolist(),
                "onehot": self.onehot, "dense": self.dense}

    @classmethod
    def from_state(cls, state):
        self = cls.__new__(cls)
        fields = tuple(_KINDS[kind](column) for kind, column in state["fields"])
        self._take(_sorted_ids(state["ids"]), fields, state["meta"])
        self.onehot, self.dense = state["onehot"], state["dense"]
        return self

    def __repr__(self):
        return (f"FeatureTable({len(self.ids):,} entities: {self.onehot.shape[1]} one-hot fields of {self.vocabulary} "
                f"codes, {self.dense.shape[1]} dense columns)")


def id_array(ids):
    """Ids as an array in which each keeps its type: [1, "a", None] becomes an array of objects, not of strings."""
    if hasattr(ids, "to_numpy"):
        return ids.to_numpy()
    return ids if isinstance(ids, np.ndarray) else np.array(ids, dtype=object)


def _sorted_ids(ids):
    """(N,) int64, or an array of str objects, sorted, each id once."""
    kept = dict.fromkeys(id_array(ids).tolist())
    if not kept:
        raise ValueError("FeatureTable: got no ids, want at least one")
    if all(type(i) is int for i in kept):
        return np.array(sorted(kept), np.int64)
    if all(isinstance(i, str) for i in kept):
        return np.array(sorted(kept), object)
    raise TypeError(f"FeatureTable: got ids of the types {sorted({type(i).__name__ for i in kept})}, want whole numbers for "
                    "all or strings for all")


def _code(codes, value):
    """codes[value]; 0 for a value that is not among them, and for one that cannot be, such as a list."""
    try:
        return codes.get(value, 0)
    except TypeError:
        return 0


def _present(value):
    """Whether there is a value: None, nan, NaT and pandas.NA say that there is none."""
    same = value == value  # not so for nan and NaT; NA for NA
    return value is not None and (isinstance(same, np.ndarray) or isinstance(same, (bool, np.bool_)) and bool(same))


def _sorted(field, values):
    """The different values as Python objects, sorted."""
    try:
        return sorted({v.item() if isinstance(v, np.generic) else v for v in values})
    except TypeError as error:
        raise TypeError(f"{field}: got categories that cannot be sorted ({error}), want all of one type, numbers or "
                        "strings") from None
