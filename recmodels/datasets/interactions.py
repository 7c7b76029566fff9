"""Interactions: who rated what, beside what is known of users and items; loaders return it, models are fitted to it."""

import numpy as np


class Interactions:
    """n ratings r_ui, one a row, and two side tables.

        frame    DataFrame with the columns user, item, rating and, where known, timestamp; its index is 0 .. n - 1
        users    DataFrame of user attributes, indexed by user id
        items    DataFrame of item attributes, indexed by item id

    Ids are whole numbers or strings; timestamps are whole numbers (seconds). Without a side table it has the ids that
    occur and no columns. rating_range: (low, high) of the scale, by default what occurs; models clip to it. Further
    columns of `frame` are dropped. A user may rate an item twice; loaders say where that cannot be.

    >>> import pandas
    >>> Interactions(pandas.DataFrame({"user": [1, 1, 2], "item": [7, 8, 7], "rating": [5, 3, 1]}), name="tiny")
    Interactions 'tiny': 3 ratings from 1 to 5 by 2 users of 2 items (75 % of all pairs), without timestamps
    """

    def __init__(self, frame, users=None, items=None, *, name="interactions", synthetic=False, rating_range=None):
        columns = ["user", "item", "rating", "timestamp"]
        missing = [c for c in columns[:3] if c not in frame.columns]
        if missing:
            raise ValueError(f"Interactions: the frame has the columns {list(frame.columns)}, want user, item and rating "
                             f"(and timestamp where known): rename or add {' and '.join(missing)}")
        if len(frame) == 0:
            raise ValueError("Interactions: got an empty frame, want at least one rating; did a filter leave nothing?")
        frame = frame[[c for c in columns if c in frame.columns]].reset_index(drop=True)
        for column in ("user", "item"):
            _check_ids(frame[column], f"the column {column}")
        rating = _numbers(frame["rating"], "rating", "biuf").astype(np.float64)
        if not np.isfinite(rating).all():
            row = int(np.argmin(np.isfinite(rating)))
            raise ValueError(f"Interactions: the rating in row {row} is {rating[row]}, want finite numbers: drop the rows "
                             "without a rating")
        frame["rating"] = rating
        if "timestamp" in frame.columns:
            frame["timestamp"] = _numbers(frame["timestamp"], "timestamp", "iu").astype(np.int64)
        self.frame, self.name, self.synthetic = frame, name, bool(synthetic)
        self.rating_range = _check_range(rating, rating_range)
        self.users = _side_table(users, frame["user"], "users")
        self.items = _side_table(items, frame["item"], "items")

    def __len__(self):
        return len(self.frame)

    def take(self, rows):
        """The Interactions of these row numbers, in that order, with the same side tables. A selection may be empty."""
        rows = np.asarray(rows)
        if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
            raise TypeError(f"take: got {rows.dtype} of shape {rows.shape}, want a list of row numbers (of a mask, pass "
                            "np.flatnonzero(mask))")
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"take: got rows {rows.min()} to {rows.max()}, want 0 to {len(self) - 1}")
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part.frame = self.frame.take(rows.astype(np.int64)).reset_index(drop=True)
        return part

    @property
    def users_seen(self):
        """The ids of the users who rated something, sorted."""
        return np.sort(self.frame["user"].unique())

    @property
    def items_seen(self):
        """The ids of the items that somebody rated, sorted."""
        return np.sort(self.frame["item"].unique())

    def __repr__(self):
        low, high = self.rating_range
        users, items = self.frame["user"].nunique(), self.frame["item"].nunique()
        density = 100 * len(self) / (users * items) if len(self) else 0.0
        return (f"Interactions {self.name!r}{' (SYNTHETIC)' if self.synthetic else ''}: {len(self):,} ratings from {low:g} "
                f"to {high:g} by {users:,} users of {items:,} items ({density:.3g} % of all pairs), "
                f"{'with' if 'timestamp' in self.frame.columns else 'without'} timestamps")


def _check_ids(ids, what):
    """Whole numbers or strings, none missing. Returns which of the two: "i" or "s"."""
    if ids.isna().any():
        raise ValueError(f"Interactions: {what} has a missing id in row {int(np.argmax(ids.isna()))}: drop such rows")
    if ids.dtype.kind in "iu":
        return "i"
    if ids.dtype.kind in "OTU" and all(isinstance(i, str) for i in ids):
        return "s"
    raise TypeError(f"Interactions: {what} is {ids.dtype}, want ids that are whole numbers or strings: convert it with "
                    ".astype(int) or .astype(str)")


def _numbers(column, name, kinds):
    if column.isna().any() and column.dtype.kind not in "fO":
        raise ValueError(f"Interactions: the column {name} has missing values: drop such rows")
    if column.dtype.kind not in kinds:
        want = "whole numbers (seconds)" if name == "timestamp" else "numbers"
        raise TypeError(f"Interactions: the column {name} is {column.dtype}, want {want}: convert it first")
    return column.to_numpy()


def _check_range(rating, given):
    low, high = float(rating.min()), float(rating.max())
    if given is None:
        return low, high
    given = tuple(float(x) for x in given)
    if len(given) != 2 or not given[0] <= low <= high <= given[1]:
        raise ValueError(f"Interactions: got rating_range={given}, but the ratings go from {low:g} to {high:g}: want (low, "
                         "high) of the scale that holds them all")
    return given


def _side_table(table, ids, what):
    """The table of attributes; its index holds each id once, in the same type as the ratings' ids."""
    if table is None:
        import pandas

        return pandas.DataFrame(index=pandas.Index(np.sort(ids.unique()), name=ids.name))
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()].tolist()[0]
        raise ValueError(f"Interactions: the table of {what} has the id {twice!r} twice, want each id once in its index")
    if len(table) and _check_ids(table.index.to_series(), f"the index of {what}") != _check_ids(ids, ids.name):
        raise TypeError(f"Interactions: the index of {what} is {table.index.dtype}, but the ratings' {ids.name} is "
                        f"{ids.dtype}: index the table by {ids.name} id")
    return table
