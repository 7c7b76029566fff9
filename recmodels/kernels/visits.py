"""Counts of a user's past visits, by venue, at the moment of a query: what every model of check-ins must beat."""

import numpy as np

from tinydl.kernels import kernel

from ..ragged import places, row_of


def _visit_counts_reference(user, slot, now, start, item, item_slot, time, weight, decay, venues):
    first, event = places(start, user)
    query = row_of(first)  # one row for each query and each visit of its user
    earlier = time[event] < now[query]
    query, event = query[earlier], event[earlier]
    y = np.exp((time[event] - now[query]) / decay) * (1 + weight * (item_slot[event] == slot[query]))
    y = np.bincount(query * venues + item[event], y, len(user) * venues) + 0.0  # whole numbers if there is nothing to add
    return np.reshape(y, (len(user), venues))


@kernel(_visit_counts_reference)
def visit_counts(user, slot, now, start, item, item_slot, time, weight, decay, venues):
    """y_qi = sum_e exp(-(now_q - t_e) / decay) (1 + weight [s_e = s_q])   over the visits e of q's user to i, t_e < now_q

    user, slot, now (Q,): the queries. item, item_slot, time (E,): the visits, by user and then by time; user u's are
    start[u] .. start[u + 1] - 1. decay in seconds, inf for none. -> (Q, I) float64, I = venues
    """
    y = np.zeros((len(user), venues))
    for q in range(len(user)):
        for e in range(start[user[q]], start[user[q] + 1]):
            if time[e] >= now[q]:
                break
            same = 1.0 if item_slot[e] == slot[q] else 0.0
            y[q, item[e]] += np.exp((time[e] - now[q]) / decay) * (1 + weight * same)
    return y
