"""A small convolutional network learns to read images, beside a network of dense layers and a linear one.

    linear    y = softmax(W x + b), on the 784 raw numbers: the lecture's shallow learning
    MLP       784 - 512 - 256 - 10, ReLU
    convnet   two 3 x 3 convolutions, 32 and 64 channels, each with ReLU and max-pooling, then 128 units

All see the same images, in AdamW's batches of 128 whose learning rate falls along a cosine. Settings were chosen on a
twelfth of the training images (--validate holds it out and measures on it as well); then all are trained on, and the test
images are looked at once, after the last epoch. And the lecture's distinction: the linear model again, on the features that
the convnet learned.

It must reach on Fashion-MNIST (60,000 training images, 10 epochs, the MLP 20; mean of the seeds): convnet >= 92.0 % of
the 10,000 test images, MLP >= 89.5 %; on the synthetic digits: convnet >= 97 % and above the others. --quick (15 s):
convnet above the linear model.
"""

import sys
import time

import numpy as np

import tinydl
from tinydl import nn

from .common import COLOURS, claim, figure, finish, output_folder, save_figure, write_record
from .image_data import accuracy, hold_out, image_arguments, load, logits, train


def linear(pixels, classes, rng):
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes, rng=rng))


def mlp(pixels, classes, rng):
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, 512, rng=rng), nn.ReLU(), nn.Dropout(0.2, rng=rng),
                         nn.Linear(512, 256, rng=rng), nn.ReLU(), nn.Dropout(0.2, rng=rng), nn.Linear(256, classes, rng=rng))


def convnet(pixels, classes, rng):
    """(B, 1, H, W) -> 32 maps, halved -> 64 maps, halved -> 128 units -> logits"""
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 3, padding=1, rng=rng), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Dropout(0.25, rng=rng), nn.Linear(64 * (pixels // 16), 128, rng=rng), nn.ReLU(),
                         nn.Dropout(0.4, rng=rng), nn.Linear(128, classes, rng=rng))


MODELS = {"linear": linear, "MLP": mlp, "convnet": convnet}
LEARNED = "linear on the convnet's features"
COLOUR = {"linear": COLOURS["grey"], "MLP": COLOURS["orange"], "convnet": COLOURS["blue"],
          LEARNED: COLOURS["green"]}
SETTINGS = {"linear": {"lr": 0.001}, "MLP": {"lr": 0.001, "weight_decay": 0.05},
            "convnet": {"lr": 0.003, "weight_decay": 0.05}}
LONGER = {"MLP": 2}  # so many times the epochs: an epoch of the MLP takes a tenth of the convnet's


def features(network, x):
    """The 128 numbers before the last layer of the convnet."""
    return logits(network[:-2], x)


def study(images, epochs, seeds):
    """({"valid", "test": {model: accuracies of the seeds}}, {model: history of the first seed}, the first seed's convnet)"""
    x, t = images.train
    if x.shape[2] % 4 or x.shape[3] % 4:
        raise SystemExit(f"the convnet halves the images twice: {x.shape[2]} x {x.shape[3]} must be multiples of 4")
    pixels, classes = x[0].size, len(images.classes)
    parts = ["valid"] * (images.valid is not None) + ["test"]
    reached, histories, kept = {part: {name: [] for name in COLOUR} for part in parts}, {}, None

    def measure(name, network, seed, started, see=lambda x: x):
        for part, accuracies in reached.items():
            x, t = getattr(images, part)
            accuracies[name].append(accuracy(network, (see(x), t)))
        print(f"  seed {seed}  {name:34}{network.num_parameters():>10,} parameters{time.perf_counter() - started:8.0f} s"
              + "".join(f"{reached[part][name][-1]:9.4f}" for part in parts), flush=True)

    print(" " * 70 + "".join(f"{part:>9}" for part in parts))
    for seed in seeds:
        for name, make in MODELS.items():
            network, started = make(pixels, classes, np.random.default_rng([seed, 1])), time.perf_counter()
            histories.setdefault(name, train(network, images, LONGER.get(name, 1) * epochs, seed, **SETTINGS[name]))
            measure(name, network, seed, started)
        top, started = linear(128, classes, np.random.default_rng([seed, 2])), time.perf_counter()
        train(top, images._replace(train=(features(network, x), t)), max(2, epochs // 2), seed)
        measure(LEARNED, top, seed, started, lambda x, network=network: features(network, x))
        kept = kept or network
    return reached, histories, kept


def draw_accuracy(reached, histories, images, path):
    fig, (left, right) = figure(1, 2, size=(11, 4.4), title=f"Reading {images.name}", synthetic=images.synthetic)
    for name, history in histories.items():
        left.plot(np.asarray(history.index), history["train_loss"], color=COLOUR[name], marker="o", markersize=3.5,
                  label=name)
    left.set(xlabel="epoch", ylabel="training loss", title="learning")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False)
    for k, (name, values) in enumerate(reached.items()):
        right.barh(k, np.mean(values), color=COLOUR[name], alpha=0.85, height=0.6)
        right.plot(values, [k] * len(values), "o", color=COLOURS["black"], markersize=4)
        right.annotate(f"{np.mean(values):.2%}", (np.mean(values), k), xytext=(8, 0), va="center",
                       textcoords="offset points")
    lowest, highest = min(map(min, reached.values())), max(map(max, reached.values()))
    right.set(yticks=range(len(reached)), yticklabels=[name.replace(" on ", "\non ") for name in reached],
              xlim=(max(0, lowest - 0.05), highest + 0.03), xlabel="accuracy", title="on test images (dots: seeds)")
    right.invert_yaxis()
    save_figure(fig, path)


def draw_network(network, images, path):
    """What the first layer looks for, what it finds in one image, and the surest mistakes."""
    x, t = images.test
    y = logits(network, x)
    guess, sureness = y.argmax(1), np.sort(y, axis=1)[:, -1] - y[np.arange(len(t)), t]
    wrong = np.argsort(-sureness * (guess != t))[:16]
    with tinydl.no_grad():
        maps = network[:2](tinydl.from_numpy(x[:1])).numpy()[0]
    fig, axes = figure(5, 16, size=(13, 5), synthetic=images.synthetic,
                       title="The first layer's weights (32), what they find in one image, and the surest mistakes")
    weights = network[0].weight.detach().numpy()[:, 0]
    panels = [*((w, "RdBu", "") for w in weights), *((m, "gray", "") for m in maps),
              *((x[n, 0], "gray_r", f"{images.classes[t[n]]},\nread as {images.classes[guess[n]]}") for n in wrong)]
    for ax, panel in zip(axes.flat, [*panels, *[None] * axes.size], strict=False):
        ax.axis("off")
        if panel is not None:
            picture, colours, words = panel
            most = np.abs(picture).max() if colours == "RdBu" else None
            ax.imshow(picture, cmap=colours, vmin=most and -most, vmax=most)
            ax.set_title(words, fontsize=7)
    save_figure(fig, path)


def main(argv=None):
    parser = image_arguments("convnet_images", __doc__)
    parser.add_argument("--validate", action="store_true", help="hold a twelfth of the training images out, for settings")
    args = parser.parse_args(argv)
    folder, seeds = output_folder(args), args.seeds
    images = load(args.data, args.quick, seeds[0])
    images = hold_out(images, seeds[0]) if args.validate else images
    epochs = args.epochs or (6 if args.quick else 10)
    print(f"protocol: {epochs} epochs (MLP {LONGER['MLP'] * epochs}), AdamW (lr 0.001, convnet 0.003; cosine), batches of "
          f"128, seeds {seeds}; accuracy after the last epoch\n")
    reached, histories, network = study(images, epochs, seeds)
    print(f"\n{'mean ± deviation of the seeds':36}" + "".join(f"{part:>18}" for part in reached))
    for name in COLOUR:
        means = [f"{np.mean(reached[part][name]):.4f} ± {np.std(reached[part][name]):.4f}" for part in reached]
        print(f"{name:36}" + "".join(f"{text:>18}" for text in means))
    print()
    test = reached["test"]
    what = f"{images.name}, test accuracy of"
    if args.quick:
        claim(f"{what} the convnet, beside the linear model's", test["convnet"], ">", np.mean(test["linear"]))
    elif images.synthetic:
        claim(f"{what} the convnet", test["convnet"], ">=", 0.97)
        claim(f"{what} the convnet, beside the others'", test["convnet"], ">",
              max(np.mean(test["linear"]), np.mean(test["MLP"])))
    elif images.name == "Fashion-MNIST":
        claim(f"{what} the convnet", test["convnet"], ">=", 0.92)
        claim("epochs that it takes", epochs, "<=", 10)
        claim(f"{what} the MLP", test["MLP"], ">=", 0.895)
        claim(f"{what} a linear model on the convnet's features, 5 points above one on the pixels", test[LEARNED], ">",
              np.mean(test["linear"]) + 0.05)
    draw_accuracy(test, histories, images, folder / "accuracy.png")
    draw_network(network, images, folder / "network.png")
    write_record(args, data=images.name, synthetic=images.synthetic, epochs=epochs, accuracy=reached)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
