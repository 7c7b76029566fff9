"""A gradient that is a product of derivatives below 1 does not reach the front layers; a plus sign lets it through.

Three studies on two spirals (generated, so every figure is marked synthetic):
  1. the size of dL/dW_n by layer n, for networks of 5 to 40 layers of sigmoid, tanh, ReLU, and residual ones;
  2. who learns: 20 layers of each, trained alike;
  3. deletion (Veit et al. 2016): leave out one layer of a trained plain network, one block of a residual one.
It must reach, at depth 20: plain sigmoid's first layer < 1e-6 of the last, the same layers as residual blocks within a
factor of 10; residual > 0.95 test accuracy where plain sigmoid stays < 0.60; one layer left out costs the plain network
more than 0.25 of its accuracy, the residual one less than 0.10, on average over the layers.
"""

import csv
import sys

import numpy as np

import tinydl
from tinydl import nn, ops, optim

from .common import COLOURS, arguments, check, figure, finish, output_folder, save_figure

D = 32  # units of every hidden layer


def plain(n, f, h):
    """h_{n+1} = f_n(h_n):   the gradient is a product, dL/dh_1 = dL/dh_N * df_N/dh_{N-1} * ... * df_2/dh_1"""
    return f[n]


def residual(n, f, h):
    """h_{n+1} = f_n(h_n) + h_n, the usual block (He et al. 2016):   each factor is df_n/dh_n + 1, not df_n/dh_n"""
    return f[n] + h[n]


def slide(n, f, h):
    """h_{n+1} = f_n(h_n) + f_{n-3}(h_{n-3}), the slide's: its gradient there leaves out the long path, through f_n(h_n)."""
    return f[n] + f[n - 3] if n >= 3 else f[n]


class Deep(nn.Module):
    """N hidden layers f_n(h) = sigma(W_n h + b_n), joined by `plain`, `residual` or `slide`, between two linear maps.

    x (B, 2) -> y (B,), the logit of class 1.
    start: "glorot", "he", "he/sqrt(N)" (N blocks that add up then spread the signal as one layer), or "linear" (what
    nn.Linear does by itself, and PyTorch: U(-1/sqrt(D), 1/sqrt(D))).
    """

    def __init__(self, N, sigma, join=plain, start="glorot", rng=None):
        self.sigma, self.join = sigma, join
        self.first = nn.Linear(2, D, rng=rng)
        self.hidden = nn.ModuleList([nn.Linear(D, D, rng=rng) for _ in range(N)])
        self.last = nn.Linear(D, 1, rng=rng)
        for layer in self.hidden:
            if start == "glorot":
                nn.init.xavier_uniform_(layer.weight, rng=rng)
            elif start in ("he", "he/sqrt(N)"):
                std = np.sqrt(2 / D) if start == "he" else np.sqrt(2 / D) / np.sqrt(N)
                nn.init.normal_(layer.weight, 0, std, rng=rng)
            elif start != "linear":
                raise ValueError(f"start: got {start!r}, want 'glorot', 'he', 'he/sqrt(N)' or 'linear'")
            if start != "linear":
                nn.init.zeros_(layer.bias)

    def forward(self, x, without=()):
        """without: the numbers of layers to leave out; the signal goes past them unchanged."""
        h, f = [self.first(x)], []
        for n, layer in enumerate(self.hidden):
            f.append(h[n] if n in without else self.sigma(layer(h[n])))
            h.append(h[n] if n in without else self.join(n, f, h))
        return self.last(h[-1]).reshape(-1)


# name: (sigma, join, start, the colour and the line in the figures)
KINDS = {
    "sigmoid, Glorot's start": (ops.sigmoid, plain, "glorot", COLOURS["red"], "-"),
    "tanh, start of nn.Linear": (ops.tanh, plain, "linear", COLOURS["orange"], "--"),
    "tanh, Glorot's start": (ops.tanh, plain, "glorot", COLOURS["orange"], "-"),
    "ReLU, start of nn.Linear": (ops.relu, plain, "linear", COLOURS["green"], "--"),
    "ReLU, He's start": (ops.relu, plain, "he", COLOURS["green"], "-"),
    "sigmoid, slide: f_N(h_N) + f_{N-3}(h_{N-3})": (ops.sigmoid, slide, "glorot", COLOURS["purple"], "-"),
    "sigmoid, residual: f(h_N) + h_N": (ops.sigmoid, residual, "glorot", COLOURS["blue"], "-"),
}
SIGMOID, TANH, TANH_GLOROT, RELU, RELU_HE, SLIDE, RESIDUAL = KINDS


def spirals(rows, rng):
    """Two spirals of three quarters of a turn, with noise: x (rows, 2), class t (rows,) of 0 and 1."""
    radius, t = np.sqrt(rng.uniform(0.02, 1, rows)), rng.integers(0, 2, rows)
    angle = 1.5 * np.pi * radius + np.pi * t
    x = radius * np.stack([np.cos(angle), np.sin(angle)]) + 0.025 * rng.standard_normal((2, rows))
    return (2 * x.T).astype(np.float32), t.astype(np.float32)


# ---------------------------------------------------------------- 1. the gradient, layer by layer
def gradient_norms(network, x, t):
    """|dL/dW_n| of every hidden layer, n = 1 .. N."""
    L = ops.binary_cross_entropy_with_logits(network(tinydl.tensor(x)), t)
    weights = [layer.weight for layer in network.hidden]
    return np.array([np.linalg.norm(g.numpy().astype(np.float64)) for g in tinydl.grad(L, weights)])


def study_gradients(depths, draws, seed, folder):
    print(f"1. |dL/dW_1| / |dL/dW_N|, first layer against last, before training: geometric mean of {draws} starts\n")
    print(f"{'':44}" + "".join(f"{f'depth {N}':>12}" for N in depths))
    norms = {}
    for name, (sigma, join, start, *_) in KINDS.items():
        for N in depths:
            logs = []
            for draw in range(draws):
                rng = np.random.default_rng([seed, draw])
                x, t = spirals(256, rng)
                logs.append(np.log(gradient_norms(Deep(N, sigma, join, start, rng), x, t) + 1e-40))
            norms[name, N] = np.exp(np.mean(logs, axis=0))
        print(f"{name:44}" + "".join(f"{norms[name, N][0] / norms[name, N][-1]:12.1e}" for N in depths))
    print()
    first = {key: norm[0] / norm[-1] for key, norm in norms.items()}
    within = max(max(r, 1 / r) for r in norms[RESIDUAL, 20] / norms[RESIDUAL, 20][-1])
    check(f"sigmoid, depth 20: the first layer's gradient is {first[SIGMOID, 20]:.0e} of the last layer's, below 1e-6",
          first[SIGMOID, 20] < 1e-6)
    check(f"the same layers as residual blocks: all gradients within a factor of {within:.1f} of the last, at most 10",
          within < 10)
    check(f"the slide's sum lies between: {first[SLIDE, 20]:.0e} (f_{{N-3}} is no identity: fewer factors, still a product)",
          first[SIGMOID, 20] < 1e-3 * first[SLIDE, 20] and first[SLIDE, 20] < 0.1 * first[RESIDUAL, 20])
    check(f"tanh starves too from a small start, {first[TANH, 20]:.0e}, and not from Glorot's, {first[TANH_GLOROT, 20]:.1f}",
          first[TANH, 20] < 0.05 and 0.1 < first[TANH_GLOROT, 20] < 10)
    check(f"ReLU starves too from a small start, {first[RELU, 20]:.0e}, and not from He's, {first[RELU_HE, 20]:.1f}",
          first[RELU, 20] < 1e-3 and 0.1 < first[RELU_HE, 20] < 10)
    draw_gradients(norms, depths, folder / "gradient_by_layer.png")
    with open(folder / "gradient_by_layer.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["network", "depth", "layer", "gradient_norm"])
        table.writerows([name, N, n + 1, f"{g:.6e}"] for (name, N), norm in norms.items() for n, g in enumerate(norm))


def draw_gradients(norms, depths, path):
    lowest = 1e-15
    fig, axes = figure(1, len(depths), size=(12, 5.4), sharey=True, synthetic=True,
                       title="How much of the gradient reaches layer n, before training?")
    for ax, N in zip(np.atleast_1d(axes), depths, strict=True):
        for name, (*_, colour, line) in KINDS.items():
            ratio = norms[name, N] / norms[name, N][-1]
            words, _, formula = name.partition(": ")
            ax.plot(np.arange(1, N + 1), ratio, line, color=colour, linewidth=2, zorder=3 if name == RESIDUAL else 2,
                    label=f"{words}: ${formula}$" if formula else words)
            if ratio[0] < lowest:
                ax.annotate(f"{ratio[0]:.0e} at layer 1", (np.argmax(ratio > lowest), lowest), xytext=(12, 3),
                            textcoords="offset points", fontsize=9, color=colour)
        ax.set(yscale="log", ylim=(lowest, 100), title=f"{N} layers", xlabel="layer n  (1 is the front)", xlim=(1, N),
               xticks=[1, *range(N // 5, N + 1, N // 5)] if N > 5 else range(1, N + 1))
    fig.axes[0].set_ylabel(r"$\|dL/dW_n\|\ /\ \|dL/dW_N\|$")
    fig.legend(*fig.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=10)
    save_figure(fig, path)


# ---------------------------------------------------------------- 2. who learns
def train(network, data, steps, lr, rng):
    """Adam on batches of 64; returns the mean loss of the last tenth of the steps."""
    x, t = data
    optimizer, losses = optim.Adam(network.parameters(), lr=lr), []
    for _ in range(steps):
        rows = rng.integers(0, len(x), 64)
        L = ops.binary_cross_entropy_with_logits(network(tinydl.tensor(x[rows])), t[rows])
        optimizer.zero_grad()
        L.backward()
        optimizer.step()
        losses.append(L.item())
    return np.mean(losses[-max(1, steps // 10):])


def accuracy(network, data, without=()):
    x, t = data
    with tinydl.no_grad():
        return float(np.mean((network(tinydl.tensor(x), without).numpy() > 0) == (t == 1)))


def study_learning(N, steps, rates, seed):
    train_data, test_data = (spirals(rows, np.random.default_rng([seed, rows])) for rows in (512, 2000))
    print(f"\n2. Who learns two spirals with {N} layers? 512 training and 2,000 test examples, {steps} steps of Adam, for")
    print(f"   each the learning rate among {rates} that has the lower training loss\n")
    print(f"{'':44}{'lr':>12}{'train loss':>12}{'test accuracy':>15}")
    majority = max(np.mean(test_data[1]), 1 - np.mean(test_data[1]))
    print(f"{'always the same class':44}{'':24}{majority:15.3f}")
    reached = {}
    for name, (sigma, join, start, *_) in KINDS.items():
        if start == "linear":
            continue
        runs = []
        for lr in rates:
            rng = np.random.default_rng([seed, 3])
            network = Deep(N, sigma, join, start, rng)
            loss = train(network, train_data, steps, lr, rng)
            runs.append((loss, lr, accuracy(network, test_data)))
        loss, lr, reached[name] = min(runs)
        print(f"{name:44}{lr:12g}{loss:12.3f}{reached[name]:15.3f}")
    print()
    check(f"plain sigmoid does not learn: {reached[SIGMOID]:.3f}, below 0.60", reached[SIGMOID] < 0.60)
    check(f"the same layers as residual blocks do: {reached[RESIDUAL]:.3f}, above 0.95", reached[RESIDUAL] > 0.95)
    check(f"so does plain ReLU from He's start, whose gradient arrives: {reached[RELU_HE]:.3f}, above 0.95",
          reached[RELU_HE] > 0.95)


# ---------------------------------------------------------------- 3. deletion
def study_deletion(N, steps, draws, seed, folder):
    print(f"\n3. Deletion: plain h = relu(W h + b), He's start, and residual h = h + relu(W h + b), He's start / sqrt({N});")
    print(f"   {N} layers, {steps} steps of Adam (lr 0.002), mean over {draws} training(s). Test accuracy and its drop:\n")
    designs = {"plain": (plain, "he"), "residual": (residual, "he/sqrt(N)")}
    whole = {name: [] for name in designs}
    one = {name: [] for name in designs}    # [training][position]: accuracy without that one layer
    many = {name: [] for name in designs}   # [training][k]: accuracy without k random layers, mean of 10 choices
    for draw in range(draws):
        for name, (join, start) in designs.items():
            rng = np.random.default_rng([seed, 4, draw])
            train_data, test_data = spirals(512, rng), spirals(1000, rng)
            network = Deep(N, ops.relu, join, start, rng)
            train(network, train_data, steps, 0.002, rng)
            whole[name].append(accuracy(network, test_data))
            one[name].append([accuracy(network, test_data, {n}) for n in range(N)])
            many[name].append([np.mean([accuracy(network, test_data, set(rng.permutation(N)[:k].tolist()))
                                        for _ in range(10)]) for k in range(N + 1)])
    intact = {name: np.mean(values) for name, values in whole.items()}
    drop = {name: np.mean(whole[name]) - np.mean(one[name], axis=0) for name in designs}
    print(f"{'left out':>10}" + "".join(f"{name:>12}" for name in designs))
    print(f"{'nothing':>10}" + "".join(f"{intact[name]:12.3f}" for name in designs))
    for n in range(N):
        print(f"{f'layer {n + 1}':>10}" + "".join(f"{0 - drop[name][n]:+12.3f}" for name in designs))
    print(f"{'mean':>10}" + "".join(f"{0 - drop[name].mean():+12.3f}" for name in designs) + "\n")
    check(f"both learn the task: {intact['plain']:.3f} and {intact['residual']:.3f}, above 0.95",
          min(intact.values()) > 0.95)
    check(f"leaving out one layer costs the plain network {drop['plain'].mean():.3f} on average, above 0.25",
          drop["plain"].mean() > 0.25)
    check(f"leaving out one block costs the residual network {drop['residual'].mean():.3f}, below 0.10: of its 2^{N} paths "
          "half remain", drop["residual"].mean() < 0.10)
    draw_deletion(one, many, intact, folder / "deletion.png")


def draw_deletion(one, many, intact, path):
    fig, (left, right) = figure(1, 2, size=(11, 4.6), sharey=True, synthetic=True,
                                title="Leaving out layers of a trained network, without training it again")
    for name, colour, marker in (("plain", COLOURS["red"], "s"), ("residual", COLOURS["blue"], "o")):
        for ax, runs, first in ((left, one[name], 1), (right, many[name], 0)):
            positions = np.arange(first, first + len(runs[0]))
            for run in runs:
                ax.plot(positions, run, marker, color=colour, markersize=4.5, alpha=0.4, markeredgewidth=0)
            ax.plot(positions, np.mean(runs, axis=0), color=colour, marker=marker, markersize=5.5, linewidth=1.8,
                    label=f"{name} ({intact[name]:.3f} when whole)")
    for ax in (left, right):
        ax.axhline(0.5, color=COLOURS["grey"], linestyle=":", linewidth=1.5, zorder=1, label="chance")
        ax.set_ylim(-0.03, 1.05)
    left.set(title="one layer", xlabel="position of the layer left out", ylabel="test accuracy")
    right.set(title="several layers, chosen at random", xlabel="number of layers left out")
    right.legend(frameon=False, title="line: mean, pale marks: each training", alignment="left")
    for ax in (left, right):
        ax.xaxis.get_major_locator().set_params(integer=True)
    save_figure(fig, path)


def main(argv=None):
    args = arguments("vanishing_gradients", __doc__).parse_args(argv)
    folder = output_folder(args)
    print(f"protocol: two generated spirals (synthetic), hidden layers of {D} units, float32, seed {args.seed}"
          f"{', quick' if args.quick else ''}\n")
    if args.quick:
        study_gradients([5, 20], 2, args.seed, folder)
        study_learning(20, 250, [0.005], args.seed)
        study_deletion(20, 250, 1, args.seed, folder)
    else:
        study_gradients([5, 10, 20, 40], 5, args.seed, folder)
        study_learning(20, 600, [0.001, 0.005], args.seed)
        study_deletion(20, 500, 3, args.seed, folder)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
