"""Networks that know what they do not know: a curve with a gap in its data, and a classifier as sure as it is right.

Regression. 200 points of y = sin 3x + noise of deviation 0.1 with 0.75 < |x| < 2: nothing is known of the middle. Networks
of 50 hidden units learn it; bands are 90 % intervals, y +- 1.645 sqrt(spread^2 + noise^2), the spread over 200 draws:

    plain             one network, spread 0
    MC dropout        ReLU or tanh, dropout 0.05 that stays on
    Bayesian          ReLU or tanh, Bayes by backprop with local reparametrisation, prior N(0, 4 / inputs) of the weights

How far the spread opens is its mean for |x| < 0.4 over its mean where the data are. With one layer of ReLU neither
independent Gaussian weights nor dropout can open it between two groups of data (Foong et al. 2020); tanh can.

Classification. The first 2,000 images train, all test images test; 784 - 200 - 200 - 10, ReLU: plain, with MC dropout (0.5),
and Bayesian (prior N(0, 1 / inputs), kl_weight 0.03); the last two average the softmax of 30 draws. Accuracy, mean negative
log-likelihood, and the expected calibration error (15 bins). Epochs and kl_weight were chosen on other training images.

It must reach, mean of the seeds: Bayesian (tanh), spread in the gap >= 2 times that at the data, and above MC dropout's; its
90 % intervals hold >= 85 % of new targets at the data, and more of those in the gap than the plain network's. On
Fashion-MNIST the calibration errors of the Bayesian classifier and of MC dropout are below half the plain one's. --quick:
the same but for the classifiers.
"""

import sys
from typing import NamedTuple

import numpy as np

from tinydl import Tensor, nn, optim
from tinydl.calibration import coverage, expected_calibration_error, reliability
from tinydl.data import DataLoader
from tinydl.nn import functional as F
from tinydl.training import Schedule, Trainer

from .common import COLOURS, check, claim, figure, finish, output_folder, save_figure, write_record
from .image_data import image_arguments, load, logits

NOISE, INNER, OUTER, HIDDEN = 0.1, 0.75, 2.0, 50
STEPS, QUICK_STEPS = 3000, 1500
GRID = np.linspace(-3, 3, 241, dtype=np.float32)
AT_DATA, IN_GAP = (np.abs(GRID) > INNER + 0.1) & (np.abs(GRID) < OUTER - 0.1), np.abs(GRID) < 0.4
COLOUR = {"plain": "grey", "MC dropout, ReLU": "sky", "MC dropout, tanh": "green", "Bayesian, ReLU": "orange",
          "Bayesian, tanh": "blue", "MC dropout": "green", "Bayesian": "blue"}


class Band(NamedTuple):
    """On GRID: the predicted mean and the spread; and what was measured of them."""
    mean: np.ndarray
    spread: np.ndarray
    numbers: dict


def curve(x):
    return np.sin(3 * x)


def points(seed):
    """200 noisy points of the curve, on both sides of the gap: x, y (200, 1)"""
    rng = np.random.default_rng([seed, 1])
    x = rng.uniform(INNER, OUTER, 200) * np.repeat([-1, 1], 100)
    y = curve(x) + NOISE * rng.standard_normal(200)
    return x[:, None].astype(np.float32), y[:, None].astype(np.float32)


def network(kind, rng):
    unit = nn.ReLU() if kind.endswith("ReLU") else nn.Tanh()
    if kind.startswith("Bayesian"):
        return nn.Sequential(nn.BayesianLinear(1, HIDDEN, prior=nn.GaussianPrior(2.0), rng=rng), unit,
                             nn.BayesianLinear(HIDDEN, 1, prior=nn.GaussianPrior(2 / HIDDEN**0.5), rng=rng))
    dropout = [nn.Dropout(0.05, rng=rng)] if kind.startswith("MC dropout") else []
    return nn.Sequential(nn.Linear(1, HIDDEN, rng=rng), unit, *dropout, nn.Linear(HIDDEN, 1, rng=rng))


def fit(net, data, loss, epochs, batch, lr, seed):
    """Adam, its rate falling to 0 along a cosine; Bayesian layers pay their divergence."""
    loader = DataLoader(data, batch, shuffle=True, rng=np.random.default_rng([seed, 2]))
    adam = optim.Adam(net.parameters(), lr=lr)
    falling = Schedule(optim.CosineAnnealingLR(adam, epochs * len(loader)), every="batch")
    Trainer(net, loss, adam, [falling]).fit(loader, epochs=epochs)


def gaussian_loss(prediction, target):
    """-log N(target; prediction, NOISE^2), but for a constant"""
    return F.mse_loss(prediction, target) / (2 * NOISE**2)


def regression(kind, seed, epochs):
    """One network on the points of one seed -> Band"""
    rng, data = np.random.default_rng([seed, 3]), points(seed)
    net = network(kind, rng)
    loss = nn.variational_loss(gaussian_loss, net, len(data[0])) if kind.startswith("Bayesian") else gaussian_loss
    fit(net, data, loss, epochs, len(data[0]), 0.01, seed)
    x = Tensor(GRID[:, None])
    draws = net(x).detach().numpy()[None] if kind == "plain" else nn.predictive_draws(net, x, samples=200)
    draws = draws[..., 0]
    mean, spread = draws.mean(axis=0), draws.std(axis=0)
    half = 1.6449 * np.hypot(spread, NOISE)
    new = curve(GRID) + NOISE * np.random.default_rng([seed, 4]).standard_normal((200, len(GRID)))
    inside = {name: float(np.mean([coverage(y[where], (mean - half)[where], (mean + half)[where]) for y in new]))
              for name, where in (("data", AT_DATA), ("gap", IN_GAP))}
    at_data, in_gap = float(spread[AT_DATA].mean()), float(spread[IN_GAP].mean())
    return Band(mean, spread, {"spread at data": at_data, "spread in gap": in_gap, "coverage at data": inside["data"],
                               "coverage in gap": inside["gap"], "ratio": in_gap / at_data if at_data else 1.0})


def classifier(kind, images, seed, epochs):
    """Probabilities (N, C) of the test images."""
    (x, t), rng = images.train, np.random.default_rng([seed, 5])
    pixels, classes = x[0].size, len(images.classes)

    def layer(n, m):
        if kind == "Bayesian":
            return nn.BayesianLinear(n, m, prior=nn.GaussianPrior(n**-0.5), rng=rng)
        return nn.Linear(n, m, rng=rng)

    def dropout():
        return [nn.Dropout(0.5, rng=rng)] if kind == "MC dropout" else []

    net = nn.Sequential(nn.Flatten(), layer(pixels, 200), nn.ReLU(), *dropout(), layer(200, 200), nn.ReLU(), *dropout(),
                        layer(200, classes))
    loss = nn.variational_loss(F.cross_entropy, net, len(x), kl_weight=0.03) if kind == "Bayesian" else F.cross_entropy
    fit(net, (x, t), loss, epochs, 100, 1e-3, seed)
    test = images.test[0]
    if kind == "plain":
        return F.softmax(Tensor(logits(net, test)), dim=1).numpy()
    return np.mean(F.softmax(Tensor(nn.predictive_draws(net, Tensor(test), samples=30)), dim=2).numpy(), axis=0)


def classification(images, seed, epochs):
    """{network: (probabilities, {accuracy, nll, ece})} on the test images."""
    t, found = images.test[1], {}
    for kind in ("plain", "MC dropout", "Bayesian"):
        p = classifier(kind, images, seed, epochs)
        nll = -np.mean(np.log(np.maximum(p[np.arange(len(t)), t], 1e-12)))
        found[kind] = p, {"accuracy": float(np.mean(p.argmax(axis=1) == t)), "nll": float(nll),
                          "ece": expected_calibration_error(p, t)}
    return found


def draw_bands(bands, seed, path):
    fig, axes = figure(1, len(bands), size=(14, 3.4), title="90 % intervals of a curve with a gap in its data", sharey=True)
    x, y = points(seed)
    for ax, (kind, band) in zip(axes, bands.items(), strict=True):
        half, colour = 1.6449 * np.hypot(band.spread, NOISE), COLOURS[COLOUR[kind]]
        ax.axvspan(-INNER, INNER, color="#EEEEEE")
        ax.fill_between(GRID, band.mean - half, band.mean + half, color=colour, alpha=0.3, linewidth=0)
        ax.plot(GRID, curve(GRID), color=COLOURS["black"], linewidth=0.8, linestyle="--")
        ax.plot(GRID, band.mean, color=colour)
        ax.plot(x, y, ".", color=COLOURS["black"], markersize=2)
        ax.set(title=kind, xlabel="x", ylim=(-2.2, 2.2))
    save_figure(fig, path)


def draw_reliability(found, images, path):
    fig, axes = figure(1, len(found), size=(11, 3.8), sharey=True, synthetic=images.synthetic,
                       title=f"{images.name}: how sure, and how often right (bars: share of the images)")
    for ax, (kind, (p, numbers)) in zip(axes, found.items(), strict=True):
        table = reliability(p, images.test[1])
        ax.bar(table.edges[:-1], table.count / table.count.sum(), np.diff(table.edges), align="edge", color="#CCCCCC")
        ax.plot([0, 1], [0, 1], color=COLOURS["black"], linewidth=0.8)
        ax.plot(table.confidence, table.accuracy, "o-", color=COLOURS[COLOUR[kind]])
        ax.set(title=f"{kind}: ECE {numbers['ece']:.3f}", xlabel="confidence", ylabel="accuracy" if ax is axes[0] else "")
    save_figure(fig, path)


def table(title, rows, keys):
    """Means over the seeds. rows: {network: [numbers of each seed]}"""
    print(f"\n{title:22}" + "".join(f"{key:>18}" for key in keys))
    for kind, numbers in rows.items():
        print(f"{kind:22}" + "".join(f"{np.mean([row[key] for row in numbers]):18.4f}" for key in keys))


def claims(curves, classes, fashion):
    def values(rows, kind, key):
        return [row[key] for row in rows[kind]]

    print()
    ratio = values(curves, "Bayesian, tanh", "ratio")
    claim("Bayesian (tanh), spread in the gap over that at the data", ratio, ">=", 2)
    dropout = max(np.mean(values(curves, kind, "ratio")) for kind in curves if kind.startswith("MC dropout"))
    claim("Bayesian (tanh), the same ratio against MC dropout's", ratio, ">", dropout)
    claim("Bayesian (tanh), share of new targets at the data in 90 % intervals",
          values(curves, "Bayesian, tanh", "coverage at data"), ">=", 0.85)
    claim("Bayesian (tanh), share of those in the gap, against the plain network's",
          values(curves, "Bayesian, tanh", "coverage in gap"), ">", np.mean(values(curves, "plain", "coverage in gap")))
    if fashion:
        half = np.mean(values(classes, "plain", "ece")) / 2
        for kind in ("MC dropout", "Bayesian"):
            claim(f"{kind}, calibration error on Fashion-MNIST, against half the plain network's",
                  values(classes, kind, "ece"), "<", half)


def main(argv=None):
    args = image_arguments("bayesian_regression", __doc__).parse_args(argv)
    folder = output_folder(args)
    images = load(args.data, args.quick, args.seeds[0])
    images = images._replace(train=tuple(part[:2000] for part in images.train))
    epochs = args.epochs or (10 if args.quick else 80)
    steps = QUICK_STEPS if args.quick else STEPS
    print(f"protocol: regression {steps} steps on all points, classification {epochs} epochs on {len(images.train[1]):,} "
          f"images, Adam with a cosine; seeds {args.seeds}", flush=True)
    curves, classes, bands, found = {}, {}, {}, {}
    for seed in args.seeds:
        for kind in ("plain", "MC dropout, ReLU", "MC dropout, tanh", "Bayesian, ReLU", "Bayesian, tanh"):
            band = regression(kind, seed, steps)
            bands.setdefault(kind, band)
            curves.setdefault(kind, []).append(band.numbers)
        for kind, result in classification(images, seed, epochs).items():
            found.setdefault(kind, result)
            classes.setdefault(kind, []).append(result[1])
    table("a curve with a gap", curves, ["spread at data", "spread in gap", "ratio", "coverage at data", "coverage in gap"])
    table(images.name, classes, ["accuracy", "nll", "ece"])
    draw_bands(bands, args.seeds[0], folder / "bands.png")
    draw_reliability(found, images, folder / "reliability.png")
    check("the plain network's interval is as wide in the gap as at the data", bands["plain"].spread.max() == 0)
    claims(curves, classes, images.name == "Fashion-MNIST" and not args.quick)
    write_record(args, data=images.name, synthetic=images.synthetic, regression=curves, classification=classes)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
