"""Back-propagation is two formulas: delta_n = delta_{n+1} * df_{n+1}/dh_n, and dL/dW_n = delta_n * df_Wn/dW_n.

They are worked out by hand, in NumPy, for a network of three layers, and printed beside what the engine finds. Then the
slide's "issue (1)": how many parameters a deep network has, and how its learning time grows with its depth.
It must reach: every delta_n and dL/dW_n equal to the engine's to rounding (1e-12), and 4,000,000 weights at depth 100.
"""

import sys
import time

import numpy as np

import tinydl
from tinydl import nn, ops, optim

from .common import COLOURS, arguments, check, figure, finish, output_folder, save_figure


class Network(nn.Module):
    """h_0 = x,  h_n = f_Wn(h_{n-1}) = tanh(W_n h_{n-1} + b_n),  y = h_N. The h_n of the last call stay in `self.h`."""

    def __init__(self, sizes, bias=True, rng=None):
        self.f = nn.ModuleList([nn.Linear(m, n, bias=bias, rng=rng) for m, n in zip(sizes[:-1], sizes[1:], strict=True)])

    def forward(self, x):
        self.h = [x]
        for f_n in self.f:
            self.h.append(np.tanh(f_n(self.h[-1])))
        return self.h[-1]


def by_hand(W, b, x, y_hat):
    """The slide's formulas for L = |y - y_hat|^2 / 2: [delta_1 .. delta_N], [dL/dW_1 .. dL/dW_N], [dL/db_1 .. dL/db_N].

    W[n-1] (|h_n|, |h_{n-1}|) and b[n-1] (|h_n|,) are layer n's; x and y_hat are vectors. delta_n = dL/dh_n (|h_n|,).
    """
    N = len(W)
    h = [x]
    for n in range(1, N + 1):
        h.append(np.tanh(W[n - 1] @ h[n - 1] + b[n - 1]))
    delta, dW, db = [None] * (N + 2), [None] * (N + 1), [None] * (N + 1)
    delta[N] = h[N] - y_hat                                 # dL/dy
    for n in range(N, 0, -1):
        slope = 1 - h[n] ** 2                               # tanh' at layer n
        dW[n] = np.outer(delta[n] * slope, h[n - 1])        # delta_n * df_Wn/dW_n
        db[n] = delta[n] * slope                            # delta_n * df_Wn/db_n
        delta[n - 1] = W[n - 1].T @ (delta[n] * slope)      # delta_n * df_n/dh_{n-1}
    return delta[1:N + 1], dW[1:], db[1:]


def by_engine(network, x, y_hat):
    """The same three lists by `backward`; `retain_grad` keeps the gradients of the h_n, which are no leaves."""
    y = network(tinydl.tensor(x))
    h = network.h[1:]
    for h_n in h:
        h_n.retain_grad()
    L = 0.5 * ((y - tinydl.tensor(y_hat)) ** 2).sum()
    L.backward()
    return tuple([t.grad.numpy() for t in tensors] for tensors in (h, [f.weight for f in network.f],
                                                                   [f.bias for f in network.f]))


def side_by_side(name, hand, engine):
    """Print two arrays row by row; True if they are equal to rounding."""
    difference = np.max(np.abs(hand - engine))
    print(f"{name}  {hand.shape}   largest difference {difference:.1e}")
    rows = zip(np.atleast_2d(hand), np.atleast_2d(engine), strict=True)
    for row_hand, row_engine in rows:
        print("   " + "".join(f"{v:10.6f}" for v in row_hand) + "   |" + "".join(f"{v:10.6f}" for v in row_engine))
    return hand.shape == engine.shape and np.allclose(hand, engine, rtol=1e-12, atol=1e-15)


def compare(seed):
    sizes = [3, 4, 3, 2]
    print(f"A network of 3 layers, |h_0..3| = {sizes}, tanh, L = |y - y_hat|^2 / 2, float64.   by hand | by the engine\n")
    rng = np.random.default_rng(seed)
    network = Network(sizes, rng=rng).double()
    x, y_hat = rng.standard_normal(3), rng.uniform(-1, 1, 2)
    W, b = [f.weight.detach().numpy() for f in network.f], [f.bias.detach().numpy() for f in network.f]
    hand = by_hand(W, b, x, y_hat)
    engine = by_engine(network, x, y_hat)
    equal = {}
    for symbol, ours, theirs in zip(("delta_{}", "dL/dW_{}", "dL/db_{}"), hand, engine, strict=True):
        for n in (3, 2, 1):
            name = symbol.format(n)
            equal[name] = side_by_side(name, ours[n - 1], theirs[n - 1])
        print()
    for symbol in ("delta", "dL/dW", "dL/db"):
        check(f"{symbol}_n by hand and by the engine are equal to rounding, n = 3, 2, 1",
              all(same for name, same in equal.items() if name.startswith(symbol)))


def seconds_per_step(network, batch, steps, rng):
    """The fastest of `steps` learning steps: forward, backward, update."""
    x, y_hat = tinydl.randn(batch, 200, rng=rng), tinydl.randn(batch, 200, rng=rng)
    optimizer, best = optim.SGD(network.parameters(), lr=0.01), np.inf
    for _ in range(steps):
        start = time.perf_counter()
        L = ops.mse_loss(network(x), y_hat)
        optimizer.zero_grad()
        L.backward()
        optimizer.step()
        best = min(best, time.perf_counter() - start)
    return best


def cost(seed, quick, folder):
    print("\nIssue (1): the parameters of N dense layers are sum_n |h_n| |h_{n-1}|, here for 200 units a layer.\n")
    depths, steps, batch = ([1, 10, 100], 3, 16) if quick else ([1, 2, 5, 10, 20, 50, 100], 8, 64)
    rng = np.random.default_rng(seed)
    seconds, counts = {}, {}
    print(f"{'depth N':>8}{'weights built':>16}{'sum |h_n||h_n-1|':>18}{'with biases':>13}{'seconds a step':>16}")
    for N in depths:
        network = Network([200] * (N + 1), bias=False, rng=rng)
        counts[N] = network.num_parameters()
        with_biases = counts[N] + 200 * N
        seconds[N] = seconds_per_step(network, batch, steps, rng)
        print(f"{N:8}{counts[N]:16,}{sum([200 * 200] * N):18,}{with_biases:13,}{seconds[N]:16.5f}")
    print(f"\n(batches of {batch}, forward + backward + update, the fastest of {steps}, measured on this machine now)")
    print("The slide says 400,000,000 for 100 layers of 200 units. It is 100 * 200 * 200 = 4,000,000, as counted above.\n")
    check("100 layers of 200 units have 4,000,000 weights, not 400,000,000", counts[100] == 100 * 200 * 200)
    check(f"a step through 100 layers takes longer than through 10: {seconds[100] / seconds[10]:.1f} times, at least 3",
          seconds[100] > 3 * seconds[10])
    fig, ax = figure(size=(6, 3.8), title="Learning time grows with depth")
    ax.plot(depths, [1000 * seconds[N] for N in depths], "o-", color=COLOURS["blue"])
    ax.set(xlabel="depth N (dense layers of 200 units)", ylabel=f"milliseconds a step, {batch} examples", xlim=0, ylim=0)
    weights = ax.secondary_xaxis("top", functions=(lambda N: N * 0.04, lambda millions: millions / 0.04))
    weights.set_xlabel("millions of weights")
    save_figure(fig, folder / "seconds_by_depth.png")


def main(argv=None):
    args = arguments("backpropagation_by_hand", __doc__).parse_args(argv)
    folder = output_folder(args)
    print(f"protocol: random weights and one random example, seed {args.seed}; no data set, nothing is trained\n")
    compare(args.seed)
    cost(args.seed, args.quick, folder)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
