"""Reviews: ratings with the text that explains them; Amazon's files of them, and a made world with a known truth.

Amazon's 5-core files (McAuley et al. 2015) hold a JSON object a line, of which five fields are read:

    {"reviewerID": "A2IBPI20UZIR0U", "asin": "1384719342", "reviewText": "Not much to ..", "overall": 5.0,
     "unixReviewTime": 1393545600}
"""

import json
import math
import pathlib

import numpy as np

from tinydl.random import generator

from .interactions import Interactions

_FIELDS = {"reviewerID": str, "asin": str, "reviewText": str, "overall": (int, float), "unixReviewTime": int}
_COLUMNS = ("user", "item", "text", "rating", "timestamp")
_FILE = "reviews_Musical_Instruments_5.json"


class Reviews(Interactions):
    """Interactions whose frame has a column more, text: strings, "" where somebody wrote nothing.

    notes: what the loader saw, a sentence each; they are printed with the data.

    >>> import pandas
    >>> Reviews(pandas.DataFrame({"user": [1, 2], "item": [7, 7], "rating": [5, 1], "text": ["Good.", ""]}), name="tiny")
    Reviews 'tiny': 2 ratings from 1 to 5 by 2 users of 1 items (100 % of all pairs), without timestamps
      - 1 of the reviews is without text
    """

    def __init__(self, frame, users=None, items=None, *, notes=(), **about):
        if "text" not in frame.columns:
            raise ValueError(f"Reviews: the frame has the columns {list(frame.columns)}, want text beside user, item and "
                             "rating; ratings without text are Interactions")
        super().__init__(frame, users, items, **about)
        texts = frame["text"].tolist()
        wrong = next((n for n, text in enumerate(texts) if not isinstance(text, str)), None)
        if wrong is not None:
            raise TypeError(f"Reviews: the text in row {wrong} is {texts[wrong]!r}, want strings, '' where there is none")
        self.frame["text"] = texts
        self.notes = tuple(notes)

    def __repr__(self):
        empty = sum(not text.strip() for text in self.frame["text"])
        without = [f"{empty:,} of the reviews {'is' if empty == 1 else 'are'} without text"] if empty else []
        return "\n  - ".join([super().__repr__().replace("Interactions", "Reviews", 1), *self.notes, *without])


def load_amazon_reviews(path=None):
    """The reviews of a file of Amazon's form. A line that is not of the form is an error that names it.

    path: the file; None looks for amazon-musical-instruments/ in the data folder. Bytes that are not UTF-8 become the
    replacement character, and a note counts their lines.
    """
    import pandas

    path = _found() if path is None else pathlib.Path(path)
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    rows, broken, first = [], 0, {}
    for number, line in enumerate(lines, start=1):
        text = line.decode("utf-8", errors="replace")
        broken += "\ufffd" in text
        row = _row(text, f"{path}, line {number}")
        if first.setdefault(row[:2], number) != number:
            raise ValueError(f"{path}, line {number}: {row[0]!r} has reviewed {row[1]!r} in line {first[row[:2]]} already, "
                             "want a pair once")
        rows.append(row)
    notes = [f"{broken:,} lines hold bytes that are not UTF-8; each is now the sign \ufffd"] if broken else []
    frame = pandas.DataFrame(rows, columns=_COLUMNS)
    return Reviews(frame, name="amazon-musical-instruments" if path.name == _FILE else path.name, rating_range=(1, 5),
                   notes=notes)


def _found():
    from .download import _cache, data_folder

    folders = [root / "amazon-musical-instruments" for root in (data_folder(), _cache())]
    for folder in folders:
        if (folder / _FILE).is_file():
            return folder / _FILE
    raise FileNotFoundError(f"load_amazon_reviews: no {_FILE} in {' or '.join(map(str, folders))}: put the file there (the "
                            "5-core reviews of Amazon's musical instruments), or pass path=")


def _row(line, where):
    """(user, item, text, rating, timestamp) of a line."""
    try:
        found = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: got {line[:80]!r}, want a JSON object ({error})") from None
    for field, kind in _FIELDS.items():
        value = found.get(field) if isinstance(found, dict) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"{where}: got {field} = {value!r}, want a JSON object with reviewerID, asin and reviewText "
                             "(texts), overall (1 to 5) and unixReviewTime (whole seconds)")
    rating = float(found["overall"])
    if not 1 <= rating <= 5:  # nan neither
        raise ValueError(f"{where}: got overall = {rating}, want a rating from 1 to 5")
    return found["reviewerID"], found["asin"], found["reviewText"], rating, found["unixReviewTime"]


# ---------------------------------------------------------------- a made world
ASPECTS = {  # aspect: (its names, words of praise, words of complaint)
    "sound": ("sound tone", "warm clear rich", "thin muddy harsh"),
    "price": ("price cost", "bargain affordable fair", "overpriced expensive steep"),
    "build": ("build case", "sturdy solid tough", "flimsy wobbly cracked"),
    "noise": ("noise signal", "quiet silent clean", "hissing humming crackling"),
    "ease": ("setup controls", "simple handy intuitive", "confusing fiddly awkward"),
}
_FILLERS = "bought arrived week brother stage practice studio song guitar room box Monday friend band gift order".split()


class SyntheticReviews(Reviews):
    """Reviews that know their truth: expected (n,), each rating's mean before it was rounded; cares (U, A), quality (I, A).

    best_rmse: of who predicts `expected`. about (n,): the number of the aspect that each review is about.
    """

    def __init__(self, frame, expected, about, cares, quality, **rest):
        super().__init__(frame, synthetic=True, rating_range=(1, 5), **rest)
        self.frame["expected"], self.frame["about"] = expected, about
        self.cares, self.quality = cares, quality

    @property
    def best_rmse(self):
        return math.sqrt(np.mean((self.frame["rating"] - np.clip(self.frame["expected"], 1, 5)) ** 2))


def synthetic_reviews(users=200, items=80, reviews=3_000, noise=0.4, rng=0):
    """r_ui = 3.3 + b_u + <c_u, q_i> + noise, rounded: a user cares (c_u) for few aspects, of which an item has q_i in +-1.

    A review is about the aspects that its writer cares for, with words of praise or of complaint as the item deserves, so
    that what an item is like stands in its reviews, and what a user cares for in his. rng: seed or generator.
    """
    import pandas

    if not (users >= 2 and items >= 2 and 40 <= reviews <= users * items and 0 <= noise < np.inf):
        raise ValueError(f"synthetic_reviews: got users={users}, items={items}, reviews={reviews}, noise={noise}, want at "
                         "least 2 users and 2 items, 40 reviews to one for each pair, and a noise of at least 0")
    rng = generator(rng)
    A = len(ASPECTS)
    cares = rng.dirichlet(np.full(A, 0.3), users)  # (U, A)
    quality = rng.choice([-1.0, 1.0], (items, A), p=[0.35, 0.65]) * rng.uniform(0.5, 1.0, (items, A))
    u, i = np.divmod(rng.choice(users * items, reviews, replace=False), items)
    expected = 3.3 + rng.normal(0, 0.2, users)[u] + 1.6 * (cares[u] * quality[i]).sum(axis=1)
    rating = np.clip(np.rint(expected + rng.normal(0, noise, reviews)), 1, 5)
    about, texts = np.zeros(reviews, np.int64), []
    for n in range(reviews):
        aspects = rng.choice(A, 2, p=cares[u[n]])
        about[n] = aspects[0]
        words = rng.choice(_FILLERS, rng.integers(3, 9)).tolist()
        for a in aspects:
            names, praise, complaint = (part.split() for part in list(ASPECTS.values())[a])
            words += [rng.choice(names), rng.choice(praise if quality[i[n], a] > 0 else complaint)]
        texts.append(" ".join(rng.permutation(words).tolist()) + ".")
    frame = pandas.DataFrame({"user": u, "item": i, "rating": rating, "timestamp": np.arange(reviews), "text": texts})
    return SyntheticReviews(frame, expected, about, cares, quality, name="synthetic reviews")
