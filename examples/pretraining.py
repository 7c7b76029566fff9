"""Does greedy layer-wise pre-training help, and where does it no longer? Networks of 1 to 6 hidden layers, five starts.

    RBM         sigmoids, pre-trained as a stack of RBMs (contrastive divergence)
    denoiser    sigmoids, pre-trained as a stack of denoising autoencoders
    small       sigmoids, weights from N(0, 0.01^2): what one had before 2006
    Glorot      sigmoids, weights whose spread Glorot and Bengio (2010) derive
    ReLU        the same network with ReLU and He's weights

All are trained with AdamW on the same labels, the rate falling along a cosine. Equal compute: for each weight and example,
training costs 3 products (forward, back, the weight's gradient), a step of an RBM or an autoencoder 5, so that P epochs
of pre-training are paid with 5 P / 3 further epochs of the others. Learning rates were chosen on the held-out images at
depth 6 (--validate prints that table). The table by depth is about 20,000 training images; the two pre-trained networks of
depth 6 are also trained on all that are not held out.

It must reach on Fashion-MNIST: pre-trained and fine-tuned on all, 6 layers of sigmoids read >= 86 % of the test images; at
depth 6 both are above sigmoids that start small or from Glorot. --quick (seconds): above those that start small.
"""

import sys
import time

import numpy as np

from tinydl import nn
from tinydl.unsupervised import RBM, DenoisingAutoencoder, feed_forward, greedy_pretraining, stack

from .common import COLOURS, claim, figure, finish, output_folder, save_figure, write_record
from .image_data import accuracy, hold_out, image_arguments, load, train

MACHINES = {"RBM": (RBM, {}), "denoiser": (DenoisingAutoencoder, {"corruption": 0.2, "visible": "binary"})}
RATES = {"RBM": 0.003, "denoiser": 0.006, "small": 0.003, "Glorot": 0.006, "ReLU": 0.003}
TRIED = (0.001, 0.003, 0.006, 0.01)
LOOK = {"RBM": (COLOURS["orange"], "o"), "denoiser": (COLOURS["blue"], "s"), "small": (COLOURS["grey"], "v"),
        "Glorot": (COLOURS["purple"], "D"), "ReLU": (COLOURS["green"], "^")}


class Setting:
    """How wide, how deep, how long: of the full run, or of the quick one."""

    def __init__(self, quick, epochs):
        self.width, self.depths, self.images = (64, (1, 3, 6), 4000) if quick else (256, (1, 2, 3, 4, 5, 6), 20_000)
        self.pretraining = 6 if quick else 3                # epochs of each layer
        self.fine_tuning = epochs or (10 if quick else 5)   # epochs with labels after pre-training
        self.others = self.fine_tuning + round(5 * self.pretraining / 3)

    def sizes(self, images, depth):
        return (images.train[0].shape[1], *[self.width] * depth)


def other_start(name, sizes, classes, rng):
    """A network that was not pre-trained: Linear, Sigmoid (or ReLU), ..., Linear; biases start at 0."""
    layers = []
    for below, above in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(below, above, rng=rng), nn.ReLU() if name == "ReLU" else nn.Sigmoid()]
    for layer in layers[::2]:
        nn.init.zeros_(layer.bias)
        if name == "small":
            nn.init.normal_(layer.weight, 0, 0.01, rng=rng)
        elif name == "Glorot":
            nn.init.xavier_uniform_(layer.weight, rng=rng)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", rng=rng)
    return nn.Sequential(*layers, nn.Linear(sizes[-1], classes, rng=rng))


def pretrained(images, setting, seed):
    """{name: trained machines of the deepest network}; the first ones of them make the others."""
    found = {}
    for name, (machine, options) in MACHINES.items():
        rng, started = np.random.default_rng([seed, 1]), time.perf_counter()
        found[name] = stack(setting.sizes(images, setting.depths[-1]), machine, rng=rng, **options)
        greedy_pretraining(found[name], images.train[0], rng=rng, epochs=setting.pretraining)
        print(f"  seed {seed}  {name}: {len(found[name])} layers pre-trained on {len(images.train[0]):,} images "
              f"({time.perf_counter() - started:.0f} s)", flush=True)
    return found


def trained(name, depth, machines, images, setting, seed, lr=None):
    """(the network, its history)"""
    rng = np.random.default_rng([seed, 2])
    if name in machines:
        network, epochs = feed_forward(machines[name][:depth], len(images.classes), rng=rng), setting.fine_tuning
    else:
        network = other_start(name, setting.sizes(images, depth), len(images.classes), rng)
        epochs = setting.others
    return network, train(network, images, epochs, seed, lr=lr or RATES[name])


def study(images, setting, seed):
    """({part: {start: accuracy by depth}}, {start: training loss by epoch at the greatest depth})"""
    machines = pretrained(images, setting, seed)
    found, losses = {part: {name: [] for name in LOOK} for part in ("valid", "test")}, {}
    for depth in setting.depths:
        for name in LOOK:
            network, history = trained(name, depth, machines, images, setting, seed)
            for part, accuracies in found.items():
                accuracies[name].append(accuracy(network, getattr(images, part)))
            losses[name] = history["train_loss"].tolist()
        shown = "   ".join(f"{name} {accuracies[-1]:.4f}" for name, accuracies in found["test"].items())
        print(f"  seed {seed}  depth {depth}   test  {shown}", flush=True)
    return found, losses


def validate(images, setting, seed):
    """Accuracy on the held-out images at the greatest depth by learning rate: what RATES was chosen by."""
    machines = pretrained(images, setting, seed)
    print(f"\n{'held-out accuracy at lr':26}" + "".join(f"{lr:>9g}" for lr in TRIED))
    for name in LOOK:
        networks = (trained(name, setting.depths[-1], machines, images, setting, seed, lr)[0] for lr in TRIED)
        print(f"{name:26}" + "".join(f"{accuracy(network, images.valid):9.4f}" for network in networks), flush=True)


def draw(found, losses, images, setting, path):
    fig, (left, right) = figure(1, 2, size=(11, 4.4), synthetic=images.synthetic,
                                title=f"Pre-trained or not, at equal compute: {images.name}")
    for name, (colour, marker) in LOOK.items():
        rows = np.array([f["test"][name] for f in found])
        left.plot(setting.depths, rows.mean(0), color=colour, marker=marker, label=name)
        left.fill_between(setting.depths, rows.min(0), rows.max(0), color=colour, alpha=0.2, linewidth=0)
        paid = setting.others - setting.fine_tuning if name in MACHINES else 0
        right.plot(paid + 1 + np.arange(len(losses[name])), losses[name], color=colour, marker=marker, markersize=4,
                   label=name)
    left.set(xlabel="hidden layers", ylabel="test accuracy", title="by depth")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False)
    right.set(xlabel="epochs with labels, or what pre-training cost before them", ylabel="training loss",
              title=f"learning with {setting.depths[-1]} layers")
    save_figure(fig, path)


def main(argv=None):
    parser = image_arguments("pretraining", __doc__)
    parser.add_argument("--validate", action="store_true", help="only the table of learning rates on held-out images")
    args = parser.parse_args(argv)
    folder, setting, seeds = output_folder(args), Setting(args.quick, args.epochs), args.seeds
    whole = hold_out(load(args.data, args.quick, seeds[0]), seeds[0])
    whole = whole._replace(**{part: (x.reshape(len(x), -1), t) for part in ("train", "valid", "test")
                              for x, t in [getattr(whole, part)]})
    images = whole._replace(train=tuple(a[:setting.images] for a in whole.train))
    print(f"protocol: layers of {setting.width} units; {len(images.train[0]):,} training images; pre-trained: "
          f"{setting.pretraining} epochs a layer and {setting.fine_tuning} with labels, others: {setting.others}; "
          f"seeds {seeds}; test images looked at once\n")
    if args.validate:
        return validate(images, setting, seeds[0])
    found, losses = zip(*[study(images, setting, seed) for seed in seeds], strict=True)
    deepest, on_all = setting.depths[-1], {name: [] for name in MACHINES}
    for seed in [] if args.quick else seeds:
        machines = pretrained(whole, setting, seed)
        for name, reached in on_all.items():
            network, _ = trained(name, deepest, machines, whole, setting, seed)
            reached.append(accuracy(network, whole.test))
            print(f"  seed {seed}  {name} on all {len(whole.train[0]):,}: {reached[-1]:.4f} of the test images", flush=True)
    mean = {name: np.mean([f["test"][name] for f in found], axis=0) for name in LOOK}
    print(f"\n{'mean test accuracy':22}" + "".join(f"{name:>10}" for name in LOOK) + "   over the best of small, Glorot")
    for k, depth in enumerate(setting.depths):
        best = max(mean["small"][k], mean["Glorot"][k])
        print(f"{depth} hidden layers" + " " * 7 + "".join(f"{mean[name][k]:10.4f}" for name in LOOK) + "   "
              + ", ".join(f"{name} {100 * (mean[name][k] - best):+.1f} points" for name in MACHINES))
    print()
    for name in MACHINES:
        if whole.name == "Fashion-MNIST" and not args.quick:
            claim(f"Fashion-MNIST, test accuracy of 6 layers of sigmoids, pre-trained ({name}) and fine-tuned", on_all[name],
                  ">=", 0.86)
        for rival in ("small",) if args.quick else ("small", "Glorot"):
            claim(f"test accuracy with {deepest} layers, pre-trained ({name}), beside the start {rival} at equal compute",
                  [f["test"][name][-1] for f in found], ">", mean[rival][-1])
    draw(found, losses[0], images, setting, folder / "depth.png")
    write_record(args, data=whole.name, synthetic=whole.synthetic, depths=setting.depths, accuracy=found, on_all=on_all,
                 losses=losses)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
