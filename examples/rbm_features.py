"""What a restricted Boltzmann machine learns, and how likely it finds what it has not seen.

A small one first, of 12 x 8 units on all bars and stripes of 3 x 4 pixels, whose 2^12 states can be counted: there the exact
gradient is the finite difference of the exact log-likelihood, the bias of CD-k shrinks as k grows (the mean of CD-k over
all its chains is counted too), and annealed importance sampling finds log Z.

Then images, each pixel on where its intensity is above one half, under 500 hidden units, learned in three ways:

    CD-1     the chain starts at the data and takes one step
    CD-25    25 steps, for some 11 times the time of CD-1
    PCD      one step of a chain that goes on from batch to batch

log P(v) = -F(v) - log Z in nats an image, log Z by annealed importance sampling; beside it the baseline, pixels that are
independent. Where chains miss a mode, log Z comes out too low and log P(v) too high: the spread does not tell, but two runs
of different length do, so both are shown.

It must reach: gradient to 1e-6, bias smaller with each larger k, log Z within 0.05 nat; on images the test log-likelihood of
CD-25 above that of CD-1, and all above independent pixels. --quick (seconds): 100 hidden units, 4,000 images.
"""

import itertools
import sys
import time

import numpy as np

from tinydl.unsupervised import RBM, annealed_importance_sampling
from tinydl.unsupervised.exact import likelihood_gradient, log_likelihood, log_partition, mean_contrastive_divergence

from .autoencoder_images import tiles
from .common import COLOURS, check, claim, figure, finish, output_folder, save_figure, write_record
from .image_data import hold_out, image_arguments, load

WAYS = {  # their rates were chosen on the images held out
    "CD-1": {"k": 1, "learning_rate": 0.1}, "CD-25": {"k": 25, "learning_rate": 0.1},
    "PCD": {"k": 1, "persistent": True, "learning_rate": 0.05}}
STEPS = 1, 2, 5, 10, 25, 100
PARTS = "training", "validation", "test"


# ------------------------------------------------------------------------------------------------ a machine to count
def bars(rows, columns):
    """All images whose rows, or whose columns, are of one colour each; the two uniform ones once.  (n, rows * columns)"""
    across, down = (np.array(list(itertools.product((0.0, 1.0), repeat=n))) for n in (rows, columns))
    return np.concatenate([np.repeat(across, columns, axis=1), np.tile(down, rows)[1:-1]])


def small_machine(seed):
    """{what was measured: number or list} of a trained machine of 12 x 8 units, all in float64."""
    x, rng = bars(3, 4), np.random.default_rng([seed, 0])
    rbm = RBM(12, 8, rng=rng).double().start_from(x)
    rbm.fit(np.tile(x, (10, 1)), epochs=150, batch_size=20, learning_rate=0.1, rng=rng)
    exact, worst, step = likelihood_gradient(rbm, x), 0.0, 1e-5
    for name, p in rbm.named_parameters():
        values = p.data.copy()
        for place in np.ndindex(p.shape):
            ends = []
            for sign in (1, -1):
                moved = values.copy()
                moved[place] += sign * step
                p.copy_(moved)
                ends.append(log_likelihood(rbm, x).mean())
            worst = max(worst, abs((ends[0] - ends[1]) / (2 * step) - exact[name][place]))
        p.copy_(values)
    bias = [float(np.sqrt(sum(np.sum((g - exact[name]) ** 2) for name, g in mean_contrastive_divergence(rbm, x, k).items())))
            for k in STEPS]
    log_z, found = log_partition(rbm), annealed_importance_sampling(rbm, 2000, 500, data=x, rng=rng)
    return {"log_likelihood": float(log_likelihood(rbm, x).mean()), "best_log_likelihood": -float(np.log(len(x))),
            "largest_difference": worst, "bias": bias, "log_z": log_z, "ais_log_z": found.log_z, "ais_spread": found.spread}


# ------------------------------------------------------------------------------------------------ images
def learned(X, way, hidden, epochs, seed):
    """A machine trained in one of the ways, its learning rate falling in equal steps from epoch to epoch."""
    rng = np.random.default_rng([seed, 1])
    rbm = RBM(X.shape[1], hidden, rng=rng).start_from(X)
    for epoch in range(epochs):
        rate = way["learning_rate"] * (1 - epoch / epochs)
        rbm.fit(X, epochs=1, batch_size=100, rng=rng, **{**way, "learning_rate": rate})
    return rbm


def judged(rbm, parts, steps, seed):
    """{part: mean log P(v)}, with the spread of log Z, log Z with half as many steps, and the pseudo-likelihood in test."""
    found = annealed_importance_sampling(rbm, steps, 100, data=parts["training"], rng=np.random.default_rng([seed, 2]))
    half = annealed_importance_sampling(rbm, steps // 2, 100, data=parts["training"], rng=np.random.default_rng([seed, 3]))
    free = {part: float(np.mean(np.concatenate([rbm.free_energy(X[n:n + 5000]) for n in range(0, len(X), 5000)])))
            for part, X in parts.items()}
    return {**{part: -f - found.log_z for part, f in free.items()}, "spread": found.spread,
            "shorter": half.log_z - found.log_z,
            "pseudo": float(rbm.pseudo_log_likelihood(parts["test"], rng=seed).mean())}


def study(parts, hidden, epochs, steps, seed):
    """({way: what `judged` found, and seconds}, {way: machine}), independent pixels among them."""
    pixels = RBM(parts["training"].shape[1], 1, std=0.0).start_from(parts["training"])
    found, machines = {"independent pixels": {**judged(pixels, parts, 2, seed), "seconds": 0.0}}, {}
    for name, way in WAYS.items():
        started = time.perf_counter()
        machines[name] = learned(parts["training"], way, hidden, epochs, seed)
        seconds = time.perf_counter() - started
        found[name] = {**judged(machines[name], parts, steps, seed), "seconds": seconds}
        both = time.perf_counter() - started
        print(f"  seed {seed}  {name:8}learned in {seconds:4.0f} s, judged in {both - seconds:4.0f} s", flush=True)
    return found, machines


# ------------------------------------------------------------------------------------------------ figures
def draw_bias(bias, path):
    fig, ax = figure(size=(6, 4), title="CD-k approaches the gradient of the likelihood")
    for values in bias:
        ax.loglog(STEPS, values, "o-", color=COLOURS["blue"], alpha=0.8)
    ax.set(xlabel="k", ylabel="|mean of CD-k - exact gradient|", xticks=STEPS, xticklabels=STEPS)
    save_figure(fig, path)


def draw_machines(machines, X, shape, images, path):
    """Of each way: 64 filters, what it makes of test images, and samples."""
    fig, axes = figure(len(machines), 3, size=(12, 4 * len(machines)), synthetic=images.synthetic,
                       title=f"{images.name}: filters (columns of W), test images and what is left of them, samples")
    for (name, rbm), row in zip(machines.items(), axes, strict=True):
        tiles(row[0], rbm.W.data.T[:64], shape, 8, "RdBu")
        tiles(row[1], np.stack([X[:32], rbm.reconstruct(X[:32])], axis=1).reshape(64, -1), shape, 8)
        tiles(row[2], rbm.p_visible(rbm.sample_hidden(rbm.sample(64, steps=1000, rng=0), rng=0)), shape, 8)
        row[0].set_title(f"{name}: filters", fontsize=10)
        row[1].set_title("image, reconstruction, image, ...", fontsize=10)
        row[2].set_title("after 1,000 steps from random bits", fontsize=10)
    save_figure(fig, path)


def main(argv=None):
    args = image_arguments("rbm_features", __doc__).parse_args(argv)
    folder = output_folder(args)
    small = [small_machine(seed) for seed in args.seeds]
    print(f"12 x 8 units, {len(bars(3, 4))} bars and stripes: log-likelihood "
          f"{np.mean([s['log_likelihood'] for s in small]):.4f} (at best {small[0]['best_log_likelihood']:.4f})")
    print("  bias of CD-k  " + "".join(f"{f'k={k}':>11}" for k in STEPS))
    print("                " + "".join(f"{b:11.2e}" for b in np.mean([s["bias"] for s in small], axis=0)))
    print("  log Z         exact, sampled: " + "; ".join(
        f"{s['log_z']:.4f}, {s['ais_log_z']:.4f} +- {s['ais_spread']:.4f}" for s in small) + "\n")

    images = hold_out(load(args.data, args.quick, args.seeds[0]), args.seeds[0])
    shape, parts = images.test[0].shape[2:], {part: x.reshape(len(x), -1) > 0.5 for part, (x, _) in zip(
        PARTS, (images.train, images.valid, images.test), strict=True)}
    hidden, steps = (100, 1000) if args.quick else (500, 8000)
    epochs = args.epochs or (10 if args.quick else 5)
    print(f"protocol: pixels on above 0.5, {hidden} hidden units, {epochs} epochs in batches of 100, momentum 0.5, learning "
          f"rates {', '.join(str(way['learning_rate']) for way in WAYS.values())} falling to 0; log Z from 100 chains of "
          f"{steps:,} steps; seeds {args.seeds}\n")
    found = []
    for seed in args.seeds:
        result, machines = study(parts, hidden, epochs, steps, seed)
        found.append(result)
        if seed == args.seeds[0]:
            draw_machines(machines, parts["test"], shape, images, folder / "machines.png")
    draw_bias([s["bias"] for s in small], folder / "bias.png")

    print(f"\n{'log P(v), nats an image':22}" + "".join(f"{part:>12}" for part in PARTS)
          + f"{'+- of log Z':>13}{'half as long':>14}{'pseudo, test':>14}{'seconds':>9}")
    for name in found[0]:
        means = {key: np.mean([result[name][key] for result in found]) for key in found[0][name]}
        print(f"{name:22}" + "".join(f"{means[part]:12.2f}" for part in PARTS)
              + f"{means['spread']:13.3f}{means['shorter']:+14.3f}{means['pseudo']:14.2f}{means['seconds']:9.0f}")
    print()
    test = {name: [result[name]["test"] for result in found] for name in found[0]}
    claim("exact gradient less the finite difference of the exact log-likelihood, the largest",
          [s["largest_difference"] for s in small], "<=", 1e-6)
    check(f"the bias of CD-k shrinks with each k of {', '.join(map(str, STEPS))}",
          all(more > less for s in small for more, less in itertools.pairwise(s["bias"])))
    claim("|log Z by annealed importance sampling - exact log Z|, nats",
          [abs(s["ais_log_z"] - s["log_z"]) for s in small], "<=", 0.05)
    claim("test log-likelihood of CD-25, nats an image, beside CD-1's", test["CD-25"], ">", np.mean(test["CD-1"]))
    for name in ("CD-1", "PCD"):
        claim(f"test log-likelihood of {name}, nats an image, beside independent pixels'", test[name], ">",
              np.mean(test["independent pixels"]))
    write_record(args, data=images.name, synthetic=images.synthetic, hidden=hidden, epochs=epochs, small_machine=small,
                 log_likelihood=found)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
