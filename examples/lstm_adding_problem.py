"""An RNN forgets because its gradient is a product over time; an LSTM's cell adds, so it can carry a number for 200 steps.

Three studies (all data generated, so the figures are marked synthetic):
  1. the adding problem (Hochreiter & Schmidhuber 1997, section 5.4): 200 random numbers, two of them marked, one in each
     half; after the last, say the sum of the two. RNN, LSTM and GRU at one budget of units, batches and steps;
  2. the size of dL/dh_t, the loss's gradient at the state after step t: before training, and after;
  3. the copy task: read symbols, wait for 20 steps, write them down.
The LSTM and the GRU start with gates that keep the state for 1 .. 200 steps (Tallec & Ollivier 2018): what a gate of 1/2
keeps is gone after 200. It must reach: LSTM's mean squared error < 0.005, where the RNN stays above 0.14 (the best constant
has 1/6 = 0.167); the gradient that reaches the first step is at least 1,000 times as large, of the last step's, in the LSTM
as in the RNN; LSTM copies >= 99 % of the symbols.
"""

import copy
import sys
import time

import numpy as np

import tinydl
from tinydl import nn, ops, optim

from .common import COLOURS, arguments, claim, figure, finish, output_folder, save_figure, write_record

KINDS = {"RNN": (nn.RNN, COLOURS["orange"]), "LSTM": (nn.LSTM, COLOURS["blue"]), "GRU": (nn.GRU, COLOURS["green"])}
CONSTANT = 1 / 6  # mean squared error of always saying 1: the variance of a sum of two numbers from U(0, 1)
BATCH, CLIP = 50, 1.0


class Reader(nn.Module):
    """y = w'h_T + b, with h_T the state after the last step.  x (T, B, I) -> y (B, outputs)"""

    def __init__(self, kind, inputs, hidden, outputs, keep=None, rng=None):
        """keep: how many steps the gates shall be able to keep a state for at the start; None: as they come."""
        self.recurrence = KINDS[kind][0](inputs, hidden, rng=rng)
        self.last = nn.Linear(hidden, outputs, rng=rng)
        if keep is not None and kind != "RNN":
            keep_for(self.recurrence, keep, rng)

    def forward(self, x):
        return self.last(self.recurrence(x)[0])


def keep_for(recurrence, steps, rng):
    """Chrono initialisation: b_f = log U(1, steps - 1), b_i = -b_f, all other biases 0   (Tallec & Ollivier 2018, eq. 16)

    sigmoid(log u) = 1 - 1 / (1 + u): a gate that loses the state over about u steps. The GRU's z is such a gate.
    """
    H = recurrence.hidden_size
    bias = np.zeros(recurrence.bias_ih_l0.shape)
    bias[H:2 * H] = np.log(rng.uniform(1, steps - 1, H))  # f of i, f, g, o; z of r, z, n
    if isinstance(recurrence, nn.LSTM):
        bias[:H] = -bias[H:2 * H]
    recurrence.bias_ih_l0.copy_(bias)
    recurrence.bias_hh_l0.zero_()


def adding(T, B, rng):
    """x (T, B, 2): a number from U(0, 1) and a mark; t (B, 1): the sum of the two marked numbers."""
    numbers, marks = rng.random((T, B)), np.zeros((T, B))
    for low, high in ((0, T // 2), (T // 2, T)):
        marks[rng.integers(low, high, B), np.arange(B)] = 1
    return np.stack([numbers, marks], axis=2).astype(np.float32), np.sum(numbers * marks, axis=0)[:, None].astype(np.float32)


def copying(symbols, wait, B, rng, alphabet=8):
    """x (T, B, alphabet + 2), one-hot: symbols, blanks, the sign to begin, blanks; t (symbols, B): the symbols' numbers."""
    t = rng.integers(0, alphabet, (symbols, B))
    codes = np.full((2 * symbols + wait, B), alphabet)
    codes[:symbols], codes[symbols + wait] = t, alphabet + 1
    return np.eye(alphabet + 2, dtype=np.float32)[codes], t


def train(network, draw, loss, steps, lr, every, measure):
    """Adam on fresh batches, its rate falling to 0; the gradient is clipped. Returns [(step, measure())], one in `every`."""
    optimizer, curve = optim.Adam(network.parameters(), lr=lr), []
    schedule = optim.CosineAnnealingLR(optimizer, steps)
    for step in range(1, steps + 1):
        x, t = draw()
        L = loss(network(tinydl.tensor(x)), t)
        optimizer.zero_grad()
        L.backward()
        optim.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        schedule.step()
        if step % every == 0:
            curve.append((step, measure()))
    return curve


# ---------------------------------------------------------------- 1. the adding problem
def adding_error(network, x, t):
    with tinydl.no_grad():
        return float(np.mean((network(tinydl.tensor(x))[-1].numpy() - t) ** 2))


def study_adding(T, hidden, steps, rates, seed):
    print(f"1. Adding two of {T} numbers: {hidden} units, {steps} steps of Adam on {BATCH} fresh sequences each, gradients")
    print(f"   clipped at norm {CLIP:g}; error on 2,000 others. The best constant has {CONSTANT:.4f}\n")
    print(f"{'':8}{'lr':>8}{'parameters':>12}{'test MSE':>12}{'seconds':>10}")
    x, t = adding(T, 2000, np.random.default_rng([seed, 1]))
    networks, curves = {}, {}
    for kind, lr in rates:
        rng, started = np.random.default_rng([seed, 2]), time.perf_counter()
        network = Reader(kind, 2, hidden, 1, T, rng)
        curve = train(network, lambda: adding(T, BATCH, rng), lambda y, t: ops.mse_loss(y[-1], t), steps, lr,
                      steps // 20, lambda: adding_error(network, x, t))
        print(f"{kind:8}{lr:8g}{network.num_parameters():12,}{curve[-1][1]:12.5f}{time.perf_counter() - started:10.0f}",
              flush=True)
        if kind not in curves or curve[-1][1] < curves[kind][-1][1]:  # of two learning rates the better
            networks[kind], curves[kind] = network, curve
    print()
    return networks, curves


# ---------------------------------------------------------------- 2. the gradient through time
def gradient_through_time(network, x, t):
    """|dL/dh_t| for t = 1 .. T, L = (y_T - t)^2 summed; for an LSTM |dL/d(h_t, c_t)|: its cell, step by step."""
    cell, x = network.recurrence.cell(), tinydl.tensor(x)
    state, states = None, []
    for x_t in x:
        state = cell(x_t, state)
        states.append(state if isinstance(state, tuple) else (state,))
    L = ops.mse_loss(network.last(states[-1][0]), t, reduction="sum")
    flat = [s for step in states for s in step]
    gradients = tinydl.grad(L, flat, allow_unused=True)  # c_T leads nowhere but to h_T
    squares = [0.0 if g is None else float(np.sum(g.numpy().astype(np.float64) ** 2)) for g in gradients]
    return np.sqrt(np.reshape(squares, (len(states), -1)).sum(axis=1))


def study_gradients(T, hidden, trained, seed):
    print("2. How much of the last step's gradient reaches the first: |dL/dh_1| / |dL/dh_T|\n")
    x, t = (a.astype(np.float64) for a in adding(T, 20, np.random.default_rng([seed, 3])))
    norms = {}
    for name, kind, keep in (("RNN, start", "RNN", None), ("LSTM, PyTorch's start", "LSTM", None),
                             ("LSTM, gates that keep", "LSTM", T), ("GRU, gates that keep", "GRU", T)):
        started = Reader(kind, 2, hidden, 1, keep, np.random.default_rng([seed, 2]))
        norms[name] = gradient_through_time(started.double(), x, t)  # in float32, the smallest would be 0
    for kind, network in trained.items():
        norms[f"{kind}, trained"] = gradient_through_time(copy.deepcopy(network).double(), x, t)
    for name, norm in norms.items():
        print(f"{name:24}{norm[0] / norm[-1]:10.1e}")
    print()
    return norms


def draw_adding(curves, norms, path):
    fig, (left, right) = figure(1, 2, size=(12, 4.8), synthetic=True, title="Adding two of many numbers: who remembers?")
    for kind, curve in curves.items():
        left.plot(*zip(*curve, strict=True), color=KINDS[kind][1], linewidth=2, label=kind)
    left.axhline(CONSTANT, color=COLOURS["grey"], linestyle=":", linewidth=1.5, label="the best constant, 1/6")
    left.axhline(0.005, color=COLOURS["black"], linestyle="--", linewidth=1, label="the aim, 0.005")
    left.set(yscale="log", title="test error", xlabel="training steps", ylabel="mean squared error")
    left.legend(frameon=False, fontsize=9)
    lowest = 1e-12
    for name, norm in norms.items():
        kind, rest = name.split(", ")
        style = {"trained": "-", "gates that keep": "--"}.get(rest, ":")
        right.plot(np.arange(1, len(norm) + 1), norm / norm[-1], style, color=KINDS[kind][1], linewidth=2, label=name)
    right.set(yscale="log", ylim=(lowest, None), xlim=(1, len(norm)), title="the gradient through time", xlabel="step t",
              ylabel=r"$\|dL/dh_t\|\ /\ \|dL/dh_T\|$")
    right.legend(frameon=False, fontsize=9)
    save_figure(fig, path)


# ---------------------------------------------------------------- 3. the copy task
def copied(network, x, t):
    """The share of symbols that are right."""
    with tinydl.no_grad():
        return float(np.mean(np.argmax(network(tinydl.tensor(x))[-len(t):].numpy(), axis=2) == t))


def study_copying(symbols, wait, hidden, steps, lr, seed):
    print(f"3. Copying {symbols} of 8 symbols after {wait} steps: {hidden} units, {steps} steps of Adam on {BATCH} fresh")
    print("   sequences each; the share of symbols right in 1,000 others, ten times on the way. Guessing has 0.125\n")
    right = {}
    x, t = copying(symbols, wait, 1000, np.random.default_rng([seed, 4]))
    for kind in ("RNN", "LSTM"):
        rng = np.random.default_rng([seed, 5])
        network = Reader(kind, 10, hidden, 8, 2 * symbols + wait, rng)
        curve = train(network, lambda: copying(symbols, wait, BATCH, rng), lambda y, t: ops.cross_entropy(
            ops.reshape(y[-len(t):], shape=(-1, 8)), np.reshape(t, -1)), steps, lr, steps // 10,
            lambda: copied(network, x, t))
        right[kind] = curve[-1][1]
        print(f"{kind:8}" + "".join(f"{share:8.3f}" for _, share in curve), flush=True)
    print()
    return right


def study(seed, quick, path):
    """All three studies with one seed, drawn to path unless that is None: errors, shares of symbols, and how much of the
    last step's gradient reaches the first: {"adding": {kind: .}, "copying": {kind: .}, "gradient": {start: .}}"""
    print(f"seed {seed}\n")
    T, hidden, steps = (30, 16, 900) if quick else (200, 64, 1600)
    rates = [("RNN", 0.001), ("RNN", 0.005), ("LSTM", 0.005), ("GRU", 0.005)]
    if quick:
        rates = [("RNN", 0.001), ("LSTM", 0.02)]
    networks, curves = study_adding(T, hidden, steps, rates, seed)
    norms = study_gradients(T, hidden, networks, seed)
    if path is not None:
        draw_adding(curves, norms, path)
    right = study_copying(*((2, 5, 32, 300) if quick else (5, 20, 128, 2500)), 0.01, seed)
    return {"adding": {kind: curve[-1][1] for kind, curve in curves.items()}, "copying": right,
            "gradient": {name: float(norm[0] / norm[-1]) for name, norm in norms.items()}}


def main(argv=None):
    args = arguments("lstm_adding_problem", __doc__, seeds=True, generated=True).parse_args(argv)
    folder = output_folder(args)
    print(f"protocol: generated sequences (synthetic), float32, seeds {args.seeds}{', quick' if args.quick else ''}\n")
    found = [study(seed, args.quick, None if n else folder / "adding_problem.png") for n, seed in enumerate(args.seeds)]

    def of(task, name):
        return [one[task][name] for one in found]
    steps, wait, aim, copies = (30, 5, 0.1, 0.8) if args.quick else (200, 20, 0.005, 0.99)
    claim(f"adding two of {steps} numbers, the LSTM's mean squared error", of("adding", "LSTM"), "<", aim)
    claim("the plain RNN's, near the best constant's 0.167", of("adding", "RNN"), ">", 0.14)
    claim("what of the last step's gradient reaches the first: a plain RNN's share in that of an LSTM whose gates keep",
          [one["gradient"]["RNN, start"] / one["gradient"]["LSTM, gates that keep"] for one in found], "<", 1e-3)
    claim(f"copying symbols after {wait} steps, the share that the LSTM has right", of("copying", "LSTM"), ">=", copies)
    write_record(args, data="generated sequences", synthetic=True, found=found)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
