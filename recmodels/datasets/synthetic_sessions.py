"""A synthetic shop of sessions whose next click has a known probability: only who remembers how a session began knows it.

    P(i | session) = (1 - e) S_c[l, i] + e p_i      l the last item, c the category of the session's first

S_c[l] puts 0.6, 0.3 and 0.1 on three successors of l, others in each of the C intents c; p is the popularity, by which the
first item is drawn too. A Markov chain sees l alone, and so the mixture of C chains; a session may have any length, so the
first item must be found from any distance: what attention is for.
"""

import dataclasses

import numpy as np

from tinydl.random import generator

from ..splits import Split
from .sessions import Sessions

_STEPS = np.array([0.6, 0.3, 0.1])


@dataclasses.dataclass(frozen=True)
class Truth:
    """successors (C, I, 3), category (I,), p (I,), e; items are 1 .. I."""
    successors: np.ndarray
    category: np.ndarray
    p: np.ndarray
    e: float

    def probabilities(self, first, last):
        """P(i | session) (n, I) of the ids (n,) of its first and last item."""
        first, last = np.asarray(first) - 1, np.asarray(last) - 1
        y = np.tile(self.e * self.p, (len(first), 1))
        for step, weight in enumerate(_STEPS):
            y[np.arange(len(first)), self.successors[self.category[first], last, step]] += (1 - self.e) * weight
        return y


class SyntheticSessions(Sessions):
    """Sessions that know their Truth; so does a selection of them."""

    def __init__(self, *columns, truth, **about):
        super().__init__(*columns, **about)
        self.truth = truth

    def take(self, rows):
        part = super().take(rows)
        return SyntheticSessions(part.ids, part.start, part.items, part.category, truth=self.truth, name=part.name,
                                 synthetic=True, notes=part.notes)

    def best_recall(self, k):
        """The expected Recall@k on each session's last item of who names the k most probable ones: the ceiling."""
        if not 1 <= k <= len(self.truth.p):
            raise ValueError(f"best_recall: got k={k}, want 1 to the {len(self.truth.p)} items")
        row, length = self.prefixes()
        y = self.truth.probabilities(self.items[self.start[row]], self.items[self.start[row] + length - 1])
        return float(np.partition(y, -k, axis=1)[:, -k:].sum(axis=1).mean())


def synthetic_sessions(sessions=6_000, items=60, intents=3, exploration=0.2, more=0.7, rng=0):
    """A Split of SyntheticSessions: 70 % train, 15 % validate, 15 % test.

    intents: C; exploration: e; more: the chance that a session of two items or more goes on. rng: seed or generator.

    >>> split = synthetic_sessions(sessions=300, items=30)
    >>> len(split.train), len(split.test), 0.7 < split.test.best_recall(3) < split.test.best_recall(30)
    (210, 45, True)
    """
    if not (sessions >= 20 and intents >= 1 and items >= max(4, intents) and 0 <= exploration < 1 and 0 <= more < 1):
        raise ValueError(f"synthetic_sessions: got sessions={sessions}, items={items}, intents={intents}, exploration="
                         f"{exploration}, more={more}, want at least 20 sessions, 4 items and 1 intent, no more intents "
                         "than items, and parts from 0 to below 1")
    rng = generator(rng)
    p = rng.permutation((np.arange(items) + 0.05 * items) ** -0.8)
    p /= p.sum()
    category = rng.permutation(np.arange(items) % intents)
    successors = np.array([[rng.choice(items - 1, 3, replace=False) for _ in range(items)] for _ in range(intents)])
    successors += successors >= np.arange(items)[:, None]  # never the item itself
    truth = Truth(successors, category, p, exploration)
    lengths = 1 + rng.geometric(1 - more, sessions)
    start = np.append(0, np.cumsum(lengths))
    item = rng.choice(items, start[-1], p=p)  # the first ones, and where people explore
    steps, explores = rng.choice(3, start[-1], p=_STEPS), rng.random(start[-1]) < exploration
    for s in range(sessions):
        c = category[item[start[s]]]
        for n in range(start[s] + 1, start[s + 1]):
            if not explores[n]:
                item[n] = successors[c, item[n - 1], steps[n]]
    data = SyntheticSessions(np.arange(sessions), start, item + 1, category[item], truth=truth, name="synthetic sessions",
                             synthetic=True)
    return Split(data, *np.split(np.arange(sessions), [int(0.7 * sessions), int(0.85 * sessions)]),
                 "70 % of the sessions train, 15 % validate, 15 % test")
