"""History: what each epoch gave, one dictionary a row, and the same as a DataFrame."""


class History:
    """Rows in the order of the epochs. `history["valid_loss"]` is a column, `history.frame()` all of it.

    >>> history = History()
    >>> history.append({"epoch": 1, "train_loss": 0.5})
    >>> history["train_loss"]
    [0.5]
    """

    def __init__(self, rows=()):
        self.rows = [dict(row) for row in rows]

    def append(self, row):
        self.rows.append(dict(row))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, column):
        if not any(column in row for row in self.rows):
            known = list(self.rows[0]) if self.rows else []
            raise KeyError(f"history has no column {column!r}; it has {known}")
        return [row.get(column) for row in self.rows]

    def frame(self):
        """A pandas DataFrame with the epoch as its index."""
        import pandas

        frame = pandas.DataFrame(self.rows)
        return frame.set_index("epoch") if "epoch" in frame else frame

    def __repr__(self):
        return f"History({len(self)} epochs)" if not self.rows else f"History({len(self)} epochs, last: {self.rows[-1]})"
