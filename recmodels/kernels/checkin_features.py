"""Sums over the past: what somebody's earlier check-ins say of each candidate, at the moment of a query."""

import numpy as np

from tinydl.kernels import kernel

from ..ragged import places, row_of

_FAR = 30.0  # exp(-30) is nothing beside 1


def _past_sums_reference(owner, asof, quarter, weekend, start, group, time, event_quarter, event_weekend, near, decays,
                         units, candidates, groups):
    first, event = places(start, owner)
    query = row_of(first)  # one row for each query and each event of its owner
    earlier = time[event] < asof[query]
    query, event = query[earlier], event[earlier]
    age = (asof[query] - time[event]) / 86400.0
    hour = near[(event_quarter[event] - quarter[query]) % len(near)]
    alike = hour * (event_weekend[event] == weekend[query])
    (Q, N), S, G = candidates.shape, len(decays), len(units)
    y = np.empty((Q, N, G, 3 * S), np.float32)
    for s in range(S):
        recent = np.where(age < _FAR * decays[s], np.exp(-age / decays[s]), 0.0)
        for k, weight in enumerate((1.0, hour, alike)):
            sums = np.bincount(query * groups + group[event], recent * weight, Q * groups) + 0.0
            for g in range(G):
                y[:, :, g, 3 * s + k] = np.log1p(np.reshape(sums / units[g], (Q, groups))[np.arange(Q)[:, None], candidates])
    return np.reshape(y, (Q, N, 3 * S * G))


@kernel(_past_sums_reference)
def past_sums(owner, asof, quarter, weekend, start, group, time, event_quarter, event_weekend, near, decays, units,
              candidates, groups):
    """y = log(1 + sum_e exp(-(asof - t_e) / decay) w_e / unit)   over the owner's events e in the candidate's group

    before asof (t_e < asof). For each unit, in it for each decay, three: w_e = 1; near[h_e - h]; the same where both are at
    the weekend or both are not, else 0.

    owner, asof, quarter h, weekend (Q,): whose events, before which second, the query's quarter of an hour and day. group,
    time, event_quarter, event_weekend (E,): the events, by owner and then by time; owner o's are start[o] .. start[o + 1]
    - 1. near (96,): how alike two times of the day are, by their distance in quarters. decays (S,): days, inf for none;
    units (G,). candidates (Q, N): each candidate's group, one of `groups`. -> (Q, N, 3 S G) float32
    """
    Q, N = candidates.shape
    S, G, T = len(decays), len(units), len(near)
    y = np.zeros((Q, N, 3 * S * G), np.float32)
    sums = np.zeros((groups, 3 * S))
    for q in range(Q):
        first, last = start[owner[q]], start[owner[q] + 1]
        for e in range(first, last):
            if time[e] >= asof[q]:
                last = e
                break
        for e in range(first, last):
            age = (asof[q] - time[e]) / 86400.0
            hour = near[(event_quarter[e] - quarter[q]) % T]
            alike = hour if event_weekend[e] == weekend[q] else 0.0
            for s in range(S):
                w = np.exp(-age / decays[s]) if age < _FAR * decays[s] else 0.0
                sums[group[e], 3 * s] += w
                sums[group[e], 3 * s + 1] += w * hour
                sums[group[e], 3 * s + 2] += w * alike
        for n in range(N):
            for s in range(3 * S):
                x = sums[candidates[q, n], s]
                if x > 0:
                    for g in range(G):
                        y[q, n, 3 * S * g + s] = np.log1p(x / units[g])
        for e in range(first, last):
            for s in range(3 * S):
                sums[group[e], s] = 0.0
    return y
