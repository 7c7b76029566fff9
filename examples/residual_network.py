"""A residual network reads images; then blocks of a deep one are left out, one at a time.

1. A small ResNet (He et al. 2016): a convolution whose maps are halved, then a block each of 32, 64 and 128 channels.
   Images are mirrored and moved by a pixel in training.
2. Deletion (Veit et al. 2016): a stem, N layers f_n = 3 x 3 convolution after batch norm and ReLU, a linear map, joined as

       plain      h_{n+1} = f_n(h_n)
       residual   h_{n+1} = f_n(h_n) + h_n                 the usual block: 2^N paths, half of which remain without one block
       slide      h_{n+1} = f_n(h_n) + f_{n-3}(h_{n-3})    the lecture's formula

   are trained alike, on 10,000 images; then each layer is left out of the trained network, which is not trained again.

A twelfth of the training images is held out, settings were chosen on it, and its accuracy stands beside that of the test
images. It must reach on Fashion-MNIST: ResNet >= 93.0 % of the test images (mean of the seeds); one residual block left out
costs less than 3 points on average, one plain layer more than 30. --quick (15 s): the ordering only.
"""

import sys
import time

import numpy as np

from tinydl import nn

from .common import COLOURS, claim, figure, finish, output_folder, save_figure, write_record
from .image_data import accuracy, hold_out, image_arguments, load, train
from .vanishing_gradients import plain, residual, slide

JOINS = {"plain": (plain, COLOURS["red"], "s"), "residual": (residual, COLOURS["blue"], "o"),
         "slide": (slide, COLOURS["purple"], "^")}


class Chain(nn.Module):
    """N layers of one width, joined by `plain`, `residual` or `slide`: x (B, 1, H, W) -> logits (B, classes)

    The stem, two convolutions, halves the image twice. A layer ends with a convolution, so that what a residual block adds
    has both signs; it starts from He's weights, divided by sqrt(N) where the N layers add up: together they then change
    as much as one.
    """

    def __init__(self, N, join, classes, width=16, rng=None):
        self.join = join
        self.stem = nn.Sequential(nn.Conv2d(1, width, 5, stride=2, padding=2, bias=False, rng=rng), nn.BatchNorm2d(width),
                                  nn.ReLU(), nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False, rng=rng),
                                  nn.BatchNorm2d(width))
        self.layers = nn.ModuleList([nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(),
                                                   nn.Conv2d(width, width, 3, padding=1, bias=False, rng=rng))
                                     for _ in range(N)])
        self.head = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(3), nn.Flatten(),
                                  nn.Linear(9 * width, classes, rng=rng))
        for layer in self.layers:
            nn.init.kaiming_normal_(layer[2].weight, nonlinearity="relu", rng=rng)
            if join is not plain:
                layer[2].weight.copy_(layer[2].weight.data / N**0.5)

    def forward(self, x, without=()):
        """without: the numbers of layers to leave out; the signal goes past them unchanged."""
        h, f = [self.stem(x)], []
        for n, layer in enumerate(self.layers):
            f.append(h[n] if n in without else layer(h[n]))
            h.append(h[n] if n in without else self.join(n, f, h))
        return self.head(h[-1])


def study_accuracy(images, widths, epochs, seeds):
    """{"valid": accuracies, "test": accuracies} of the small ResNet, one a seed."""
    print(f"1. ResNet, a block each of {', '.join(map(str, widths))} channels, {epochs} epochs\n\n{'valid':>53}{'test':>9}")
    reached = {"valid": [], "test": []}
    for seed in seeds:
        network = nn.ResNet(1, len(images.classes), widths, blocks=1, pool=True, rng=np.random.default_rng([seed, 1]))
        started = time.perf_counter()
        train(network, images, epochs, seed, lr=0.005, shift=1, weight_decay=0.05)
        for part, values in reached.items():
            values.append(accuracy(network, getattr(images, part)))
        print(f"  seed {seed}  {network.num_parameters():>10,} parameters{time.perf_counter() - started:12.0f} s"
              f"{reached['valid'][-1]:12.4f}{reached['test'][-1]:9.4f}", flush=True)
    print(f"  mean{np.mean(reached['valid']):47.4f}{np.mean(reached['test']):9.4f}\n")
    return reached


def study_deletion(images, N, epochs, seeds):
    """{join: (accuracy when whole, accuracies without each layer)}, both with one row a seed."""
    print(f"2. Deletion: {N} layers, {epochs} epochs; accuracy on 1,000 test images, whole and without one layer\n")
    found = {name: ([], []) for name in JOINS}
    for seed in seeds:
        for name, (join, *_) in JOINS.items():
            network = Chain(N, join, len(images.classes), rng=np.random.default_rng([seed, 2]))
            train(network, images, epochs, seed, lr=0.003)
            part = images.test[0][:1000], images.test[1][:1000]
            found[name][0].append(accuracy(network, part))
            found[name][1].append([accuracy(network, part, without={n}) for n in range(N)])
            print(f"  seed {seed}  {name:10}whole {found[name][0][-1]:.4f}   without one layer, on average "
                  f"{np.mean(found[name][1][-1]):.4f}, at worst {np.min(found[name][1][-1]):.4f}", flush=True)
    return found


def drop(found, name):
    """How much of the accuracy leaving out one layer costs, on average over layers and seeds."""
    whole, without = found[name]
    return float(np.mean(whole) - np.mean(without))


def draw_deletion(found, images, path):
    fig, (left, right) = figure(1, 2, size=(11, 4.4), width_ratios=(3, 1), synthetic=images.synthetic,
                                title=f"One layer left out of a network trained on {images.name}")
    for k, (name, (whole, without)) in enumerate(found.items()):
        _, colour, marker = JOINS[name]
        positions = np.arange(1, len(without[0]) + 1)
        left.plot(positions, np.mean(without, axis=0), color=colour, marker=marker, markersize=5, label=name)
        left.axhline(np.mean(whole), color=colour, linestyle=":", linewidth=1.5)
        right.bar(k, 100 * drop(found, name), color=colour, width=0.6)
        right.annotate(f"{100 * drop(found, name):.1f}", (k, 100 * drop(found, name)), xytext=(0, 3), ha="center",
                       textcoords="offset points")
    left.set(xlabel="position of the layer left out", ylabel="test accuracy", ylim=(0, 1),
             title="accuracy without it (dotted: nothing left out)")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False)
    right.set(xticks=range(len(found)), xticklabels=list(found), ylabel="points lost", title="on average")
    save_figure(fig, path)


def main(argv=None):
    args = image_arguments("residual_network", __doc__).parse_args(argv)
    folder, seeds = output_folder(args), args.seeds
    images = hold_out(load(args.data, args.quick, seeds[0]), seeds[0])
    widths, epochs = ((16, 32), 1) if args.quick else ((32, 64, 128), 9)
    print()
    reached = study_accuracy(images, widths, args.epochs or epochs, seeds)
    few = images._replace(train=(images.train[0][:10_000], images.train[1][:10_000]))
    layers = 8 if args.quick else 16
    found = study_deletion(few, layers, 3, seeds)
    lost = {name: 100 * drop(found, name) for name in found}
    print()
    if images.name == "Fashion-MNIST" and not args.quick:
        claim("Fashion-MNIST, the ResNet's accuracy on the test images", reached["test"], ">=", 0.93)
        claim(f"points that one residual block of {layers} costs, left out, on average", lost["residual"], "<", 3)
        claim(f"points that one plain layer of {layers} costs", lost["plain"], ">", 30)
    else:
        claim("points that one residual block costs, left out, on average, beside a third of a plain layer's",
              lost["residual"], "<", lost["plain"] / 3)
    draw_deletion(found, images, folder / "deletion.png")
    write_record(args, data=images.name, synthetic=images.synthetic, resnet=reached, points_lost=lost,
                 whole={name: whole for name, (whole, _) in found.items()},
                 without_one_layer={name: without for name, (_, without) in found.items()})
    return finish()


if __name__ == "__main__":
    sys.exit(main())
