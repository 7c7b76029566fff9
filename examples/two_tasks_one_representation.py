"""Features that were learned once, without labels, serve two tasks: the lecture's P(task1 | h) and P(task2 | h).

    pixels      the raw numbers
    RBM         P(h = 1 | v), 500 units, contrastive divergence
    denoiser    h of a denoising autoencoder, 500 units, noise from N(0, 0.5^2)

Each goes under the same linear classifier, softmax regression: the W and b of the smallest mean cross-entropy + decay / 2
||W||^2, found by L-BFGS, so that no learning rate has a say. decay is chosen for each from the same values.

    task 1      the 10 classes, with all labels; decay chosen on every 6th training image, which the final fit gets back
    task 2      upper body, trousers, footwear or bag (of other images than clothes: even or odd), with 200 labels, drawn 10
                times; decay chosen by 5-fold cross-validation within the 200: no other label is seen

It must reach: above raw pixels in both tasks with either features (means over seeds and draws).
--quick (half a minute): 4,000 images to learn from, too few for the RBM, of which nothing is claimed then; 3 draws.
"""

import sys
import time

import numpy as np
from scipy.optimize import minimize

import tinydl
from tinydl import nn
from tinydl.unsupervised import RBM, DenoisingAutoencoder

from .common import COLOURS, claim, figure, finish, output_folder, save_figure, write_record
from .image_data import image_arguments, load

GROUPS = {"upper body": ("T-shirt", "pullover", "dress", "coat", "shirt"), "trousers": ("trousers",),
          "footwear": ("sandal", "sneaker", "boot"), "bag": ("bag",)}
DECAYS = {"10 classes": (1e-5, 1e-4, 1e-3), "200 labels": (1e-4, 1e-3, 1e-2, 1e-1)}
COLOUR = {"pixels": COLOURS["grey"], "RBM": COLOURS["orange"], "denoiser": COLOURS["blue"]}
LABELS, FOLDS = 200, 5


def learned(X, hidden, epochs, seed):
    """{name: function from images (N, V) to features}, learned from images without labels."""
    rng = np.random.default_rng([seed, 1])
    machines = {"RBM": RBM(X.shape[1], hidden, rng=rng).fit(X, epochs=epochs, rng=rng),
                "denoiser": DenoisingAutoencoder(X.shape[1], hidden, 0.5, "gaussian", visible="binary", rng=rng).fit(
                    X, epochs=epochs, learning_rate=2e-3, falling=True, rng=rng)}
    return {"pixels": lambda X: X, **{name: machine.transform for name, machine in machines.items()}}


def softmax_regression(X, t, classes, decay, steps=100):
    """The nn.Linear of the smallest mean cross-entropy + decay / 2 ||W||^2, from zero by so many steps of L-BFGS."""
    layer, x = nn.Linear(X.shape[1], classes, rng=0), tinydl.from_numpy(X)

    def place(theta):
        layer.weight.copy_(theta[classes:].reshape(layer.weight.shape))
        layer.bias.copy_(theta[:classes])

    def objective(theta):
        place(theta)
        layer.zero_grad()
        loss = nn.functional.cross_entropy(layer(x), t) + 0.5 * decay * (layer.weight * layer.weight).sum()
        loss.backward()
        return loss.item(), np.concatenate([layer.bias.grad.data, layer.weight.grad.data.ravel()]).astype(float)

    place(minimize(objective, np.zeros(classes * (X.shape[1] + 1)), jac=True, method="L-BFGS-B",
                   options={"maxiter": steps}).x)
    return layer


def accuracy(layer, X, t):
    with tinydl.no_grad():
        return float(np.mean(layer(tinydl.from_numpy(X)).data.argmax(axis=1) == t))


def chosen(X, t, classes, decays, held_out):
    """The decay with the best mean accuracy on the parts in `held_out`, lists of rows, when the other rows train."""
    scores = [[accuracy(softmax_regression(np.delete(X, rows, 0), np.delete(t, rows), classes, decay), X[rows], t[rows])
               for rows in held_out] for decay in decays]
    return decays[int(np.argmax(np.mean(scores, axis=1)))]


def second_task(images):
    """(names of the groups, group of each class)"""
    if "T-shirt" in images.classes:
        return list(GROUPS), np.array([next(n for n, labels in enumerate(GROUPS.values()) if label in labels)
                                       for label in images.classes])
    return ["even", "odd"], np.arange(len(images.classes)) % 2


def study(images, hidden, epochs, draws, seed):
    """{task: {features: accuracies, one a draw of labels}}, on the test images."""
    (X, t), (X_test, t_test) = ((x.reshape(len(x), -1), t) for x, t in (images.train, images.test))
    started, (groups, group_of) = time.perf_counter(), second_task(images)
    features = learned(X, hidden, epochs, seed)
    print(f"seed {seed}: features learned from {len(X):,} images without labels ({time.perf_counter() - started:.0f} s)")
    rng, found = np.random.default_rng([seed, 2]), {"10 classes": {}, "200 labels": {}}
    few = [rng.permutation(len(X))[:LABELS] for _ in range(draws)]
    for name, transform in features.items():
        H, H_test = transform(X), transform(X_test)
        decay = chosen(H, t, len(images.classes), DECAYS["10 classes"], [np.arange(0, len(X), 6)])
        found["10 classes"][name] = [accuracy(softmax_regression(H, t, len(images.classes), decay), H_test, t_test)]
        accuracies, decays = [], []
        for rows in few:
            x, group = H[rows], group_of[t[rows]]
            folds = np.array_split(np.arange(LABELS), FOLDS)
            decays.append(chosen(x, group, len(groups), DECAYS["200 labels"], folds))
            layer = softmax_regression(x, group, len(groups), decays[-1])
            accuracies.append(accuracy(layer, H_test, group_of[t_test]))
        found["200 labels"][name] = accuracies
        print(f"  {name:10}{H.shape[1]:5} numbers   10 classes {found['10 classes'][name][0]:.4f} (decay {decay:g})   "
              f"{len(groups)} groups, {LABELS} labels {np.mean(accuracies):.4f} +- {np.std(accuracies):.4f} (median decay "
              f"{np.median(decays):g})   {time.perf_counter() - started:.0f} s", flush=True)
    return found


def draw(found, images, path):
    fig, axes = figure(1, 2, size=(10, 4), synthetic=images.synthetic,
                       title=f"One representation, two tasks, one linear classifier: {images.name}")
    for ax, (task, of) in zip(axes, found.items(), strict=True):
        for k, (name, rows) in enumerate(of.items()):
            values = np.ravel(rows)
            ax.bar(k, np.mean(values), color=COLOUR[name], width=0.6)
            ax.plot(np.full(len(values), k), values, "o", color=COLOURS["black"], markersize=3, alpha=0.6)
            ax.annotate(f"{np.mean(values):.2%}", (k, np.max(values)), xytext=(0, 5), ha="center",
                        textcoords="offset points")
        low, high = (f(np.ravel([np.ravel(rows) for rows in of.values()])) for f in (np.min, np.max))
        ax.set(xticks=range(len(of)), xticklabels=list(of), ylabel="test accuracy", ylim=(low - 0.03, high + 0.02),
               title=task if task == "10 classes" else f"{' / '.join(second_task(images)[0])}, {LABELS} labels")
    save_figure(fig, path)


def main(argv=None):
    args = image_arguments("two_tasks_one_representation", __doc__).parse_args(argv)
    folder, images = output_folder(args), load(args.data, args.quick, args.seeds[0])
    hidden, epochs, draws = 500, args.epochs or 10, 3 if args.quick else 10
    print(f"protocol: {hidden} hidden units, {epochs} epochs without labels; softmax regression by L-BFGS, decay chosen on "
          f"validation labels for each; test images looked at once; seeds {args.seeds}\n")
    studies = [study(images, hidden, epochs, draws, seed) for seed in args.seeds]
    found = {task: {name: [s[task][name] for s in studies] for name in COLOUR} for task in studies[0]}
    print(f"\n{'mean test accuracy +- deviation':34}" + "".join(f"{name:>18}" for name in COLOUR))
    for task, of in found.items():
        print(f"{task:34}" + "".join(f"{np.mean(rows):11.4f} +-{np.std(rows):.4f}" for rows in of.values()))
    print()
    for task, of in found.items():
        for name in ("denoiser",) if args.quick else ("RBM", "denoiser"):
            claim(f"{task}: test accuracy on the features of the {name}, against that on pixels",
                  [float(np.mean(row)) for row in of[name]], ">", np.mean(of["pixels"]))
    draw(found, images, folder / "accuracy.png")
    write_record(args, data=images.name, synthetic=images.synthetic, hidden=hidden, epochs=epochs, accuracy=found)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
