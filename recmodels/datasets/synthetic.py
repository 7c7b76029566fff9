"""A synthetic world of ratings: MovieLens 1M's columns, made from a known truth: the best possible error is a number.

    x_ui = mu + b_u + b_i + s p_u . q_i            how much user u likes film i
    r_ui = clip(round(x_ui + e), 1, 5)             the stars given;   e ~ N(0, noise^2), drawn afresh for each rating

p_u (D) is partly the sum of vectors that belong to the user's gender, age and occupation, q_i (D) partly that of the
film's genres. Whole stars on a bounded scale are a nonlinearity, and part of the noise, but they keep the sums exact:

    E[r]   = 1 + sum_{k=1..4} P(r > k)                  P(r > k) = Phi((x - k - 1/2) / noise)
    E[r^2] = 1 + sum_{k=1..4} (2k + 1) P(r > k)         Var[r] = E[r^2] - E[r]^2

No predictor has a smaller expected squared error than E[r], whose error is Var[r]: the floor.
"""

import dataclasses

import numpy as np

from tinydl.random import generator

from .interactions import Interactions
from .movielens import AGE_GROUPS, GENRES, OCCUPATIONS

_LEAST = 20  # ratings of a user, as in MovieLens 1M
_START, _END = 956_703_932, 1_046_454_590  # MovieLens 1M's first and last second
_WORDS = (("Silent", "Golden", "Last", "Broken", "Hidden", "Second", "Electric", "Lonely", "Crimson", "Winter"),
          ("River", "Garden", "Letter", "Harbor", "Machine", "Summer", "Witness", "Orchard", "Signal", "Stranger"))


@dataclasses.dataclass(frozen=True)
class Truth:
    """What the world is made of: mu, b_u (U,), b_i (I,), p (U, D), q (I, D), s and the noise. Row n belongs to id n + 1."""
    mu: float
    b_u: np.ndarray
    b_i: np.ndarray
    p: np.ndarray
    q: np.ndarray
    s: float
    noise: float

    def latent(self, u, i):
        """x (n,) of the rows u (n,) and i (n,)."""
        return self.mu + self.b_u[u] + self.b_i[i] + self.s * (self.p[u] * self.q[i]).sum(-1)


class SyntheticRatings(Interactions):
    """Interactions that know their Truth. So does a selection of rows: `split.test.floor_mse` is the test's floor."""

    def __init__(self, frame, users, items, truth):
        super().__init__(frame, users, items, name="synthetic", synthetic=True, rating_range=(1, 5))
        self.truth = truth

    def latent(self, user, item):
        """x_ui for ids, (n,) and (n,), or one of each."""
        return self.truth.latent(_rows(user, len(self.truth.b_u), "user"), _rows(item, len(self.truth.b_i), "item"))

    def expected_rating(self, user, item):
        """E[r_ui], the best possible prediction of a rating, for ids (n,) and (n,), or one of each."""
        return _moments(self.latent(user, item), self.truth.noise)[0]

    def variance(self, user, item):
        """Var[r_ui], the squared error that the best possible prediction must expect, for ids as above."""
        mean, square = _moments(self.latent(user, item), self.truth.noise)
        return square - mean ** 2

    @property
    def floor_mse(self):
        """The mean of Var[r_ui] over the rows: the expected MSE of the best possible predictor on them."""
        return float(self.variance(self.frame["user"].to_numpy(), self.frame["item"].to_numpy()).mean())


def _moments(x, noise):
    """E[r] and E[r^2] of r = clip(round(x + e), 1, 5)."""
    from scipy.special import ndtr

    above = [ndtr((x - k - 0.5) / noise) for k in (1, 2, 3, 4)]  # P(r > k)
    return 1 + sum(above), 1 + sum((2 * k + 1) * p for k, p in enumerate(above, start=1))


def _rows(ids, count, what):
    ids = np.asarray(ids)
    if ids.dtype.kind not in "iu" or (ids.size and (ids.min() < 1 or ids.max() > count)):
        raise KeyError(f"SyntheticRatings: got {what} ids {ids.dtype} from {ids.min()} to {ids.max()}, want 1 to {count}")
    return ids - 1


def synthetic_ratings(users=1000, items=600, ratings=200_000, rank=4, noise=0.6, rng=0):
    """A world with so many users, items and ratings; rank is D. rng: seed or generator; the same seed makes the same world.

    Activity and popularity have long tails; every user has 20 ratings or more, none of an item twice. Rows stand by
    user, each user's in the order of time. The default sizes can be learned: biases and `rank` factors, fitted by least
    squares, come nine tenths of the way from the biases' test error down to the floor (a test says so).

    >>> world = synthetic_ratings(users=50, items=100, ratings=2_000)
    >>> len(world), world.synthetic
    (2000, True)
    >>> bool(1 < world.expected_rating(3, 7) < 5) and 0 < world.floor_mse < 1
    True
    """
    if not (1 <= rank and noise > 0 and users >= 2 and items >= 2 * _LEAST):
        raise ValueError(f"synthetic_ratings: got users={users}, items={items}, rank={rank}, noise={noise}, want at least "
                         f"2 users, {2 * _LEAST} items, rank 1 and noise above 0")
    if not _LEAST * users <= ratings <= users * items // 2:
        raise ValueError(f"synthetic_ratings: got ratings={ratings:,} for {users:,} users and {items:,} items, want "
                         f"{_LEAST * users:,} ({_LEAST} a user) to {users * items // 2:,} (half of all pairs)")
    rng = generator(rng)
    people, films = _people(users, rng), _films(items, rng)
    popularity = rng.permutation(-1.2 * np.log(np.arange(items) + 0.05 * items))  # log weights: Zipf's tail, a blunt head
    truth = _truth(people, films, popularity, rank, noise, rng)
    user, item, time = _who_saw_what(users, items, ratings, popularity, rng)

    import pandas

    stars = np.clip(np.rint(truth.latent(user, item) + noise * rng.standard_normal(ratings)), 1, 5)
    frame = pandas.DataFrame({"user": user + 1, "item": item + 1, "rating": stars, "timestamp": time})
    return SyntheticRatings(frame, people, films, truth)


def _people(users, rng):
    """The users' table, with the shares of MovieLens 1M for gender and age."""
    import pandas

    return pandas.DataFrame({
        "gender": rng.choice(["F", "M"], users, p=[0.28, 0.72]),
        "age": rng.choice(list(AGE_GROUPS), users, p=[0.04, 0.18, 0.35, 0.20, 0.09, 0.08, 0.06]),
        "occupation": rng.integers(0, len(OCCUPATIONS), users),
        "zip": [f"{code:05d}" for code in rng.integers(501, 99_951, users)],
    }, index=pandas.RangeIndex(1, users + 1, name="user"))


def _films(items, rng):
    """The items' table: most films are of the last years, and of one to three genres."""
    import pandas

    year = 2000 - np.minimum(rng.exponential(12, items).astype(np.int64), 81)
    genres = [tuple(sorted(rng.choice(GENRES, rng.integers(1, 4), replace=False).tolist())) for _ in range(items)]
    first, second = (rng.choice(words, items) for words in _WORDS)
    title = [f"{a} {b} {number} ({y})" for number, (a, b, y) in enumerate(zip(first, second, year, strict=True), start=1)]
    return pandas.DataFrame({"title": title, "year": year, "genres": genres},
                            index=pandas.RangeIndex(1, items + 1, name="item"))


def _truth(people, films, popularity, rank, noise, rng):
    """Biases with deviations 0.4 (users) and 0.5 (items), an interaction s p.q with deviation 0.8 over all pairs."""
    def vectors(count):
        return rng.standard_normal((count, rank))

    gender, age, occupation = vectors(2), vectors(len(AGE_GROUPS)), vectors(len(OCCUPATIONS))
    of_user = (gender[(people["gender"] == "M").to_numpy().astype(int)] + occupation[people["occupation"]]
               + age[np.searchsorted(list(AGE_GROUPS), people["age"])]) / np.sqrt(3)
    genre = dict(zip(GENRES, vectors(len(GENRES)), strict=True))
    of_item = np.array([sum(genre[g] for g in names) / np.sqrt(len(names)) for names in films["genres"]])
    p = 0.7 * of_user + 0.7 * vectors(len(people))  # half of the variance is the attributes'
    q = 0.7 * of_item + 0.7 * vectors(len(films))
    p, q = p - p.mean(axis=0), q - q.mean(axis=0)  # so that biases and interaction do not overlap
    s = 0.8 / np.sqrt(np.trace((p.T @ p / len(p)) @ (q.T @ q / len(q))))
    fame = (popularity - popularity.mean()) / popularity.std()
    b_i = 0.3 * fame + 0.4 * rng.standard_normal(len(films))  # what many see is better than the rest
    return Truth(3.3, 0.4 * rng.standard_normal(len(people)), b_i, p, q, float(s), float(noise))


def _who_saw_what(users, items, ratings, popularity, rng):
    """Rows (ratings,) of users, items and times. A user's items are drawn without return, in proportion to popularity.

    Drawing n without return by weights w is taking the n largest of log w + Gumbel noise (Efraimidis & Spirakis 2006).
    """
    count = _activity(rng.lognormal(0, 0.8, users), ratings, items)
    user = np.repeat(np.arange(users), count)
    item, time = np.empty(ratings, np.int64), np.empty(ratings, np.int64)
    end = np.cumsum(count)
    for u in range(users):
        rows = slice(end[u] - count[u], end[u])
        item[rows] = np.argsort(-(popularity + rng.gumbel(size=items)), kind="stable")[:count[u]]
        first, last = np.sort(rng.integers(_START, _END, 2))
        time[rows] = np.sort(rng.integers(first, last + 1, count[u]))
    return user, item, time


def _activity(weight, ratings, items):
    """How many ratings each user gives: 20, and a share by weight of the rest, but at most three quarters of the items."""
    count = np.full(len(weight), _LEAST)
    while (left := ratings - count.sum()) > 0:
        room = items * 3 // 4 - count
        share = np.minimum((left * weight / weight[room > 0].sum()).astype(np.int64), room)
        if share.sum() == 0:  # fewer left than users: one each to the most active
            most = np.argsort(-np.where(room > 0, weight, 0), kind="stable")[:left]
            share[most] = room[most] > 0
        count += share
    return count
