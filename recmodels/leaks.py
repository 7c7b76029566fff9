"""Leak audit: does a model of check-ins read what had not happened yet?

A score at a moment may depend on earlier check-ins only. So delete the moment's own check-ins and all later ones from the
log, and ask again: nothing may change. Where it does, the audit says by how much, and what the model gains by it: a model
that sees its answer ranks it suspiciously high.
"""

import dataclasses

import numpy as np

from tinydl.random import generator


@dataclasses.dataclass(frozen=True)
class LeakAudit:
    """events: check-ins asked for; changed: of how many the scores changed; most: by how much; the target's mean rank, from
    1, with the log as it is and with the present and the future deleted."""
    events: int
    changed: int
    most: float
    rank: float
    rank_without: float

    def __bool__(self):
        """Whether there is a leak."""
        return self.changed > 0

    def __str__(self):
        if not self:
            return f"no leak: {self.events} check-ins have the same scores when they and all later ones are deleted"
        return (f"LEAK: the scores of {self.changed} of {self.events} check-ins change, by up to {self.most:.3g}, when they "
                f"and all later ones are deleted from the log; the mean rank of the venue asked for is {self.rank:.1f} "
                f"with them and {self.rank_without:.1f} without. Let features count only visits with time < now")


def leak_audit(model, data, log=None, moments=10, rng=0):
    """LeakAudit of a fitted model that looks back on `log`, on all check-ins of `moments` moments of `data`.

    data: CheckIns, such as split.test, in which the moments are drawn; log: CheckIns that hold them, such as split.data,
    by default the model's own (a frozen model reads none of them, so it cannot leak). rng: a generator or a seed.
    """
    now, trained = np.unique(data.frame["timestamp"]), int(model.log_.by_time.time[model.trained_].max())
    if now[0] <= trained and log is not None:
        raise ValueError(f"leak_audit: data begins at {now[0]}, before the training check-ins end ({trained}), want later "
                         "ones: a log without check-ins of training is refused")
    now = np.sort(generator(rng).permutation(now)[:moments])
    whole = model if log is None else model.streaming(log)
    events, changed, most, ranks = 0, 0, 0.0, []
    for moment in now:
        asked = data.frame[data.frame["timestamp"] == moment]
        target = model.items_.get_indexer(asked["item"])
        asked, target = asked[target >= 0], target[target >= 0]
        query = tuple(asked[column].to_numpy() for column in ("user", "local", "timestamp"))
        past = model if log is None else model.streaming(log.take(np.flatnonzero(log.frame["timestamp"] < moment)))
        one, other = (np.asarray(m.scores(*query), np.float64) for m in (whole, past))
        difference = np.abs(one - other).max(axis=1, initial=0.0)
        events, changed, most = events + len(asked), changed + int((difference > 0).sum()), max(most, *difference, 0.0)
        ranks.append([1 + (y > y[np.arange(len(y)), target][:, None]).sum(axis=1) for y in (one, other)])
    if not events:
        raise ValueError("leak_audit: none of the check-ins is in a venue of the catalogue, want at least one")
    rank, without = (float(np.concatenate(r).mean()) for r in zip(*ranks, strict=True))
    return LeakAudit(events, changed, most, rank, without)
