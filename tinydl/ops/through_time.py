"""What recurrences over packed sequences share: the order of the steps, the states between them, the way back.

N rows of all steps, B sequences, H hidden units, G numbers a row before the gates (4H for LSTM). `steps` are the steps in
the order in which they are computed, each as (its rows, how many); `before` the hidden states that they start from.
"""

import numpy as np

from .. import kernels
from ..autograd import grad
from ..tensor import Tensor
from .linear_algebra import _outer
from .shape import concatenate, reshape

BLOCK = 1 << 19  # gradients before the gates that are kept until they are multiplied: two megabytes, to stay in the cache
PART = 64        # sequences that are worth a core of their own,
LEAST = 1 << 22  # where the hidden part of a step takes so many products of numbers


def ordered(name, x, h, batch_sizes, reverse):
    """The steps, after a look at what was given to the primitive `name`."""
    if x.ndim != 2 or h.ndim != 2:
        raise ValueError(f"{name}: got x {x.shape} and a state {h.shape}, want packed rows (N, I) and (B, H): reshape a "
                         "batch (T, B, I) to (T B, I)")
    N, B = x.shape[0], h.shape[0]
    sizes = (B,) * (N // B if B else 0) if batch_sizes is None else tuple(int(n) for n in batch_sizes)
    if list(sizes) != sorted(sizes, reverse=True) or sum(sizes) != N or sizes and sizes[0] != B:
        raise ValueError(f"{name}: got {N} rows for {B} sequences and batch_sizes {batch_sizes}; they must begin with all "
                         "sequences, never grow and add up to the rows (without them the rows must make whole steps)")
    ends = np.cumsum(sizes, dtype=np.int64).tolist()
    steps = [(slice(end - n, end), n) for n, end in zip(sizes, ends, strict=True)]
    return steps[::-1] if reverse else steps


def states_before(steps, states, first):
    """For each step, the states (n, H) that it starts from: those after the step before, or `first` where that had none.

    A generator: packed `states` (N, H) can be filled while it runs.
    """
    before = first
    for rows, n in steps:
        yield before[:n] if n <= len(before) else np.concatenate([before, first[len(before):n]])
        before = states[rows]


def states_after(steps, states, first):
    """The state (B, H) that each sequence ends in."""
    after, filled = first.copy(), 0
    for rows, n in reversed(steps):
        if n > filled:
            after[filled:n] = states[rows][filled:]
            filled = n
    return after


def in_parts(run, inputs, count, steps):
    """(value, pullback) of a recurrence over arrays, run(steps, x, *state, *parameters): parts of many sequences at a time.

    x and `count` states are cut; each part adds to the gradients of the parameters, and the sum of all is theirs.
    """
    dtype = np.result_type(*(a for a in inputs if a is not None))
    inputs = [None if a is None else np.ascontiguousarray(a, dtype) for a in inputs]
    x, state, parameters = inputs[0], inputs[1:1 + count], inputs[1 + count:]
    N, (B, H) = len(x), state[0].shape
    parts = B // PART if B * parameters[1].size >= LEAST else 1
    if parts <= 1:
        return run(steps, *inputs)
    y, done = np.empty((N + count * B, H), dtype), [None] * parts
    cuts = [(here, *_part_of(steps, here.start, here.stop)) for here in kernels.cuts(B, parts)]

    def places(here, rows):
        """Where a part's value lies in y: its rows, and the states that its sequences end in."""
        return np.concatenate([rows, *(np.arange(here.start, here.stop) + N + k * B for k in range(count))])

    def forward(i):
        here, rows, its_steps = cuts[i]
        y[places(here, rows)], done[i] = run(its_steps, x[rows], *(s[here] for s in state), *parameters)

    kernels.side_by_side(forward, range(parts))

    def pull_parts_back(dy, needs):
        dx, dstate = np.empty_like(x) if needs[0] else None, np.empty((count, B, H), dtype)
        found = [None] * parts

        def backward(i):
            here, rows, _ = cuts[i]
            dx_part, *d = done[i](dy[places(here, rows)], needs)
            if needs[0]:
                dx[rows] = dx_part
            dstate[:, here] = d[:count]
            found[i] = d[count:]

        kernels.side_by_side(backward, range(parts))
        totals = [None if first is None else sum(others, first) for first, *others in zip(*found, strict=True)]
        return dx, *dstate, *totals

    return y, pull_parts_back


def _part_of(steps, low, high):
    """Of the sequences from `low` to `high`: (their rows in the packed array, their steps as a packed array of their own)"""
    kept = [(rows.start, min(n, high) - low) for rows, n in steps if n > low]
    rows, places, end = [], {}, 0
    for start, n in sorted(kept):
        rows.append(np.arange(start + low, start + low + n))
        places[start] = slice(end, end := end + n)
    return np.concatenate(rows), [(places[start], n) for start, n in kept]


def pull_back(step, steps, dy, x, y, state, w_ih, w_hh, needs, two_sums=False):
    """Back-propagation through time: one gradient an input (x, *state, W_ih, W_hh, b_ih, b_hh) that is needed.

    step(k, before, dy, dstate, da, da_hidden): dstate = dh, ... (n, H) holds what reaches the state after step k from later
    steps, dy what reaches h from outside; before is the h that the step starts from. It writes da (n, G) = dL/d(W_ih x +
    b_ih) and leaves in dstate what goes to the state before. There h gets da W_hh, and nothing else, unless two_sums: then
    the step writes da_hidden = dL/d(W_hh h + b_hh) as well, which else is the same, and leaves in dh what h gets past W_hh.
    A weight's gradient is a product over all rows; it is made a block of steps at a time.
    """
    N, (G, H), count = len(x), w_hh.shape, len(state)
    before = list(states_before(steps, y, state[0]))
    dstate = [np.array(part, order="C") for part in np.split(dy[N:], count)]
    dh, product = dstate[0], np.empty_like(state[0])
    need_x, *need = needs[0], *needs[1 + count:], *(False,) * (1 + count + 4 - len(needs))  # biases may not be there
    dx = np.empty_like(x) if need_x else None
    totals = [np.zeros(shape, x.dtype) if needed else None
              for shape, needed in zip((w_ih.shape, w_hh.shape, G, G), need, strict=True)]
    blocks = _blocks(steps, BLOCK // G)
    most = max((end - first for first, end, _ in blocks), default=0)
    da, h = np.empty((most, G), x.dtype), np.empty((most, H), x.dtype)
    da_hidden = np.empty_like(da) if two_sums else da
    for first, end, numbers in blocks:
        for k in numbers:
            rows, n = steps[k]
            here = slice(rows.start - first, rows.stop - first)
            step(k, before[k], dy[rows], [part[:n] for part in dstate], da[here], da_hidden[here])
            if two_sums:
                dh[:n] += np.matmul(da_hidden[here], w_hh, out=product[:n])
            else:
                np.matmul(da[here], w_hh, out=dh[:n])
            h[here] = before[k]
        now, rows = slice(end - first), slice(first, end)
        if need_x:
            np.matmul(da[now], w_ih, out=dx[rows])
        parts = ((_outer, da[now], x[rows]), (_outer, da_hidden[now], h[now]), (_total, da[now]), (_total, da_hidden[now]))
        for i, (product_of, *factors) in enumerate(parts):
            if need[i]:
                totals[i] += product_of(*factors)
    return dx, *dstate, *totals


def _blocks(steps, size):
    """[(first row, end, numbers of the steps)], from the last step back, of at most `size` rows or of one step."""
    blocks = []
    for k in reversed(range(len(steps))):
        rows, n = steps[k]
        if not blocks or blocks[-1][1] - blocks[-1][0] + n > size:
            blocks.append((rows.start, rows.stop, []))
        first, end, numbers = blocks[-1]
        blocks[-1] = min(first, rows.start), max(end, rows.stop), [*numbers, k]
    return blocks


def _total(da):
    return np.matmul(np.ones(len(da), da.dtype), da)


def any_tensor(inputs):
    return any(isinstance(a, Tensor) for a in inputs)


def unrolled(cell, inputs, count, steps):
    """(value, pullback) of a rule on tensors: the cell, step by step, and its gradient with a graph.

    cell(x, *state, *parameters) -> the new state, `count` arrays.
    """
    inputs = own_names(inputs)
    x, state, parameters = inputs[0], inputs[1:1 + count], inputs[1 + count:]
    h = {}
    for rows, n in steps:
        new = cell(x[rows], *(s[:n] for s in state), *parameters)
        state = [concatenate([s_new, s[n:]]) for s_new, s in zip(new, state, strict=True)]
        h[rows.start] = new[0]
    y = concatenate([*(h[start] for start in sorted(h)), *state])
    return y, gradient_with_graph(y, inputs)


def own_names(inputs):
    """The inputs of a rule on tensors under names that it alone uses, lest a gradient to one of them flow on to another that
    it was made of."""
    return [reshape(a, shape=a.shape) if isinstance(a, Tensor) else a for a in inputs]


def in_full(formula, inputs):
    """(value, pullback) of a rule on tensors, to be differentiated again: the formula, and its gradient with a graph."""
    inputs = own_names(inputs)
    return (y := formula(*inputs)), gradient_with_graph(y, inputs)


def gradient_with_graph(y, inputs):
    """The pullback of a joint rule on tensors: y's gradient to its `own_names`, itself to be differentiated."""
    def pullback(dy, needs):
        wanted = [a for a, needed in zip(inputs, needs, strict=False) if needed]  # some may not be there
        found = iter(grad(y, wanted, dy, create_graph=True, allow_unused=True))
        return [next(found) if needed else None for needed in needs]

    return pullback
