"""Check-ins: who was where and when, beside what is known of the venues; and what part of the week a local time is.

    timestamp   seconds since 1970-01-01 00:00 UTC: which event came first
    local       the same instant as the clock on the venue's wall showed it, as if that were UTC: what part of the day
"""

import numpy as np

from .interactions import Interactions

SLOTS = 12
SLOT_NAMES = tuple(f"{days} {hour:02d}-{hour + 4:02d}" for days in ("weekday", "weekend") for hour in range(0, 24, 4))
_COLUMNS = ("user", "item", "timestamp", "local")
_VENUE = ("category", "category_name", "latitude", "longitude")


class CheckIns:
    """n check-ins, one a row and in the order of time, and two side tables.

        frame    DataFrame with the columns user, item (the venue), timestamp, local; its index is 0 .. n - 1
        users    DataFrame indexed by user id, with whatever is known of them (here nothing)
        items    DataFrame indexed by venue id: category (missing where unknown), category_name, latitude, longitude
        notes    what was left out and why, a sentence each; they are printed with the data

    A user may visit a venue any number of times. Ids are whole numbers or strings.

    >>> import pandas
    >>> venues = pandas.DataFrame({"category": "c1", "category_name": "Bar", "latitude": 40.7, "longitude": -74.0}, ["a"])
    >>> monday = pandas.DataFrame({"user": 1, "item": "a", "timestamp": [345_600, 345_660], "local": [331_200, 331_260]})
    >>> CheckIns(monday, venues, name="tiny", notes=["made by hand"])
    CheckIns 'tiny': 2 check-ins of 1 user in 1 venue, 1970-01-05 to 1970-01-05, 50 % of them revisits
      - made by hand
    """

    def __init__(self, frame, items, users=None, *, name="check-ins", synthetic=False, notes=()):
        missing = [c for c in _COLUMNS if c not in frame.columns]
        if missing:
            raise ValueError(f"CheckIns: the frame has the columns {list(frame.columns)}, want {', '.join(_COLUMNS)}: "
                             f"rename or add {' and '.join(missing)}")
        if len(frame) == 0:
            raise ValueError("CheckIns: got an empty frame, want at least one check-in")
        frame = frame[list(_COLUMNS)].reset_index(drop=True)
        for column in ("timestamp", "local"):
            frame[column] = _seconds(frame[column], f"the column {column}")
        _check_times(frame["timestamp"].to_numpy(), frame["local"].to_numpy())
        if users is None:
            import pandas

            users = pandas.DataFrame(index=pandas.Index(np.sort(frame["user"].unique()), name="user"))
        missing = [c for c in _VENUE if c not in items.columns]
        if missing:
            raise ValueError(f"CheckIns: the table of venues has the columns {list(items.columns)}, want "
                             f"{', '.join(_VENUE)}: add {' and '.join(missing)}")
        for column, table, what in (("user", users, "users"), ("item", items, "venues")):
            _check_ids(frame[column], table, what)
        self.frame, self.items, self.users = frame, items, users
        self.name, self.synthetic, self.notes = name, bool(synthetic), tuple(notes)

    def __len__(self):
        return len(self.frame)

    take = Interactions.take
    users_seen = Interactions.users_seen
    items_seen = Interactions.items_seen

    def core(self, k):
        """The largest part in which every user and every venue has at least k check-ins, with side tables of these only.

        Counted over the whole period, so whether a venue is in the catalogue depends on the future: a choice of
        catalogue, not something that was known at the time of an early check-in. The notes say so.
        """
        keep = np.arange(len(self))
        user, item = (np.unique(self.frame[c].to_numpy(), return_inverse=True)[1] for c in ("user", "item"))
        while True:
            enough = (np.bincount(user[keep])[user[keep]] >= k) & (np.bincount(item[keep])[item[keep]] >= k)
            if enough.all():
                break
            keep = keep[enough]
            if len(keep) == 0:
                raise ValueError(f"core: no part of {self.name!r} has {k} check-ins of every user and in every venue; take "
                                 "a smaller k")
        part = self.take(keep)
        part.items = self.items[self.items.index.isin(part.frame["item"].unique())]
        part.users = self.users[self.users.index.isin(part.frame["user"].unique())]
        part.notes = (*self.notes, f"{k}-core: {len(self) - len(keep):,} check-ins of users or in venues with fewer than "
                      f"{k} left out; counted over the whole period, so the choice of catalogue knows the future")
        return part

    def __repr__(self):
        users, venues = self.frame["user"].nunique(), self.frame["item"].nunique()
        head = (f"CheckIns {self.name!r}{' (SYNTHETIC)' if self.synthetic else ''}: {len(self):,} check-ins of {users:,} "
                f"user{'s' * (users != 1)} in {venues:,} venue{'s' * (venues != 1)}")
        if len(self):
            first, last = np.array([self.frame["timestamp"].min(), self.frame["timestamp"].max()], "datetime64[s]")
            again = 100 * self.frame.duplicated(["user", "item"]).mean()
            head += f", {first.astype('datetime64[D]')} to {last.astype('datetime64[D]')}, {again:.3g} % of them revisits"
        return "\n  - ".join([head, *self.notes])


def slot(local):
    """s = 6 [Saturday or Sunday] + hour // 4   in 0 .. 11 (`SLOT_NAMES`), of local seconds of any shape

    >>> SLOT_NAMES[slot(np.datetime64("2012-12-01 20:00", "s").astype(int))]
    'weekend 20-24'
    """
    hour = hour_of_week(local)
    return 6 * (hour >= 120) + hour % 24 // 4


def hour_of_week(local):
    """h = 24 weekday + hour   in 0 .. 167, Monday from 0 to 1 o'clock first, of local seconds of any shape

    1970-01-01 was a Thursday: 72 hours into its week.

    >>> hour_of_week(0)
    np.int64(72)
    """
    local = np.asarray(local)
    if local.dtype.kind not in "iu":
        raise TypeError(f"hour_of_week: got local times of {local.dtype}, want whole numbers (seconds); of datetimes pass "
                        ".astype('datetime64[s]').astype('int64')")
    return (local.astype(np.int64) // 3600 + 72) % 168


def distance_km(latitude, longitude, other_latitude, other_longitude):
    """d = 2 R arcsin sqrt(sin^2(dphi / 2) + cos phi cos phi' sin^2(dlambda / 2)),   R = 6371 km (haversine)

    Degrees in, of shapes that broadcast; kilometres along the great circle out.

    >>> round(float(distance_km(40.7580, -73.9855, 40.6892, -74.0445)), 1)  # Times Square to the Statue of Liberty
    9.1
    """
    phi, lam, phi2, lam2 = (np.radians(x) for x in (latitude, longitude, other_latitude, other_longitude))
    a = np.sin((phi2 - phi) / 2) ** 2 + np.cos(phi) * np.cos(phi2) * np.sin((lam2 - lam) / 2) ** 2
    return 2 * 6371.0 * np.arcsin(np.sqrt(np.minimum(a, 1.0)))


def _seconds(column, what):
    if column.isna().any():
        raise ValueError(f"CheckIns: {what} has a missing value in row {int(np.argmax(column.isna()))}: drop such rows")
    if column.dtype.kind not in "iu":
        raise TypeError(f"CheckIns: {what} is {column.dtype}, want whole numbers (seconds): convert it first")
    return column.to_numpy().astype(np.int64)


def _check_times(timestamp, local):
    if (np.diff(timestamp) < 0).any():
        row = int(np.argmax(np.diff(timestamp) < 0)) + 1
        raise ValueError(f"CheckIns: row {row} is earlier than row {row - 1}, want the order of time: sort the frame with "
                         ".sort_values('timestamp', kind='stable')")
    far = np.abs(local - timestamp) > 14 * 3600
    if far.any():
        row = int(np.argmax(far))
        raise ValueError(f"CheckIns: in row {row} local is {(local[row] - timestamp[row]) / 3600:g} hours from timestamp, "
                         "want -14 to 14: both are seconds, local = timestamp + 60 * (offset in minutes)")


def _check_ids(ids, table, what):
    """Every id has its row in the table, which holds each id once."""
    if ids.isna().any():
        raise ValueError(f"CheckIns: the column {ids.name} has a missing id in row {int(np.argmax(ids.isna()))}: drop such "
                         "rows")
    if ids.dtype.kind not in "iu" and not (ids.dtype.kind in "OTU" and all(isinstance(i, str) for i in ids.unique())):
        raise TypeError(f"CheckIns: the column {ids.name} is {ids.dtype}, want ids that are whole numbers or strings: "
                        "convert it with .astype(int) or .astype(str)")
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()].tolist()[0]
        raise ValueError(f"CheckIns: the table of {what} has the id {twice!r} twice, want each id once in its index")
    known = ids.isin(table.index).to_numpy()
    if not known.all():
        row = int(np.argmin(known))
        raise ValueError(f"CheckIns: {ids.name} {ids[row]!r} of row {row} is none of the {len(table):,} {what} of the "
                         f"table: index the table of {what} by id, and add the row that is missing")
