"""A small convolutional network learns to read images, beside a network of dense layers and a linear one.

    linear    y = softmax(W x + b), on the 784 raw numbers: the lecture's shallow learning
    MLP       784 - 512 - 256 - 10, ReLU
    convnet   two 3 x 3 convolutions, 32 and 64 channels, each with ReLU and max-pooling, then 128 units

All see the same images, in AdamW's batches of 128 whose learning rate falls along a cosine; the test images are looked at
once, after the last epoch. And the lecture's distinction: the linear model again, on the features that the convnet learned.

It must reach on Fashion-MNIST (60,000 training images, 10 epochs; mean of the seeds): convnet >= 92.0 % of the 10,000 test
images, MLP >= 89.5 %; on the synthetic digits: convnet >= 97 % and above the others. --quick (a minute): convnet above the
linear model.
"""

import json
import sys
import time

import numpy as np

import tinydl
from tinydl import nn

from .common import COLOURS, check, figure, finish, output_folder, save_figure
from .image_data import accuracy, image_arguments, load, logits, train


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


def features(network, x):
    """The 128 numbers before the last layer of the convnet."""
    return logits(network[:-2], x)


def study(images, epochs, seeds):
    """({model: accuracies of the seeds}, {model: history of the first seed}, the convnet of the first seed)"""
    x, t = images.train
    if x.shape[2] % 4 or x.shape[3] % 4:
        raise SystemExit(f"the convnet halves the images twice: {x.shape[2]} x {x.shape[3]} must be multiples of 4")
    pixels, classes = x[0].size, len(images.classes)
    reached, histories, kept = {name: [] for name in COLOUR}, {}, None
    for seed in seeds:
        for name, make in MODELS.items():
            rng = np.random.default_rng([seed, 1])
            network, started = make(pixels, classes, rng), time.perf_counter()
            history = train(network, images, epochs, seed, **SETTINGS[name])
            reached[name].append(accuracy(network, images.test))
            print(f"  seed {seed}  {name:34}{network.num_parameters():>10,} parameters{time.perf_counter() - started:8.0f} s"
                  f"{reached[name][-1]:9.4f}", flush=True)
            histories.setdefault(name, history)
        again = images._replace(train=(features(network, x), t))
        top = linear(128, classes, np.random.default_rng([seed, 2]))
        train(top, again, max(2, epochs // 2), seed)
        reached[LEARNED].append(accuracy(top, (features(network, images.test[0]), images.test[1])))
        print(f"  seed {seed}  {LEARNED:34}{top.num_parameters():>10,} parameters{reached[LEARNED][-1]:19.4f}", flush=True)
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
    args = image_arguments("convnet_images", __doc__).parse_args(argv)
    folder, seeds = output_folder(args), args.seeds or [args.seed]
    images = load(args.data, args.quick, seeds[0])
    epochs = args.epochs or (6 if args.quick else 10)
    print(f"protocol: {epochs} epochs of all training images, AdamW (lr 0.001, convnet 0.003; cosine), batches of 128, "
          f"seeds {seeds}; test accuracy after the last epoch\n")
    reached, histories, network = study(images, epochs, seeds)
    mean = {name: float(np.mean(values)) for name, values in reached.items()}
    print(f"\n{'test accuracy':36}{'mean':>9}{'deviation':>11}")
    for name, values in reached.items():
        print(f"{name:36}{mean[name]:9.4f}{np.std(values):11.4f}")
    print()
    best = max(mean["linear"], mean["MLP"])
    if args.quick:
        check(f"the convnet, {mean['convnet']:.3f}, is above the linear model, {mean['linear']:.3f}",
              mean["convnet"] > mean["linear"])
    elif images.synthetic:
        check(f"the convnet reads {mean['convnet']:.2%} of the synthetic digits, at least 97 %", mean["convnet"] >= 0.97)
        check(f"more than the others, {best:.2%}", mean["convnet"] > best)
    elif images.name == "Fashion-MNIST":
        check(f"the convnet reads {mean['convnet']:.2%} of Fashion-MNIST, at least 92.0 %, in {epochs} epochs, at most 10",
              mean["convnet"] >= 0.92 and epochs <= 10)
        check(f"the MLP reads {mean['MLP']:.2%}, at least 89.5 %", mean["MLP"] >= 0.895)
        check(f"a linear model reads more from the features it learned, {mean[LEARNED]:.2%}, than from pixels, "
              f"{mean['linear']:.2%}", mean[LEARNED] > mean["linear"] + 0.05)
    draw_accuracy(reached, histories, images, folder / "accuracy.png")
    draw_network(network, images, folder / "network.png")
    (folder / "results.json").write_text(json.dumps(
        {"data": images.name, "seeds": seeds, "epochs": epochs, "accuracy": reached}, indent=1) + "\n")
    return finish()


if __name__ == "__main__":
    sys.exit(main())
