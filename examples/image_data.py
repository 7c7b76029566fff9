"""What the examples on images share: where the images come from, how a classifier is trained on them, and its accuracy."""

import sys
from typing import NamedTuple

import numpy as np

import tinydl
from recmodels.datasets.download import DownloadError, data_folder, fetch
from tinydl import nn, optim
from tinydl.data import AugmentedImages, DataLoader, load_images, synthetic_digits
from tinydl.training import Schedule, Trainer

from .common import arguments

URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FILES = {  # file: md5, as Xiao et al. 2017 publish them
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}
FASHION = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


class Images(NamedTuple):
    """train, test and, where held out, valid: (images (N, 1, H, W), labels (N,)); classes: the labels' names."""
    name: str
    train: tuple
    test: tuple
    classes: tuple
    synthetic: bool
    valid: tuple | None = None


def image_arguments(name, description):
    """The options of all examples, and those about images."""
    parser = arguments(name, description, seeds=True)
    parser.add_argument("--data", default="auto", metavar="auto|synthetic|PATH",
                        help="auto: Fashion-MNIST, found in $TINYDL_DATA or downloaded (30 MB); synthetic: drawn digits; or "
                             "a folder with the four files of MNIST or Fashion-MNIST (default %(default)s)")
    parser.add_argument("--epochs", type=int, help="epochs of each training (default: what the claims are about)")
    return parser


def load(where, quick, seed):
    """The images that --data names; with `quick`, 4,000 to train on and 2,000 to test on, from the front."""
    if where == "synthetic":
        images = _synthetic(quick, seed)
    elif where == "auto":
        images = _fashion_mnist() or _synthetic(quick, seed)
    else:
        images = _folder(where, where)
    if quick:
        images = images._replace(train=_first(images.train, 4000), test=_first(images.test, 2000))
    print(f"data: {images.name}, {len(images.train[0]):,} training and {len(images.test[0]):,} test images of "
          f"{images.train[0].shape[2]} x {images.train[0].shape[3]}, {len(images.classes)} classes")
    return images


def hold_out(images, seed, share=1 / 12):
    """The images with a share of the training part, drawn by the seed, as `valid`: of Fashion-MNIST 5,000 of 60,000.

    Settings are chosen on it; what is trained is trained on the rest alone.
    """
    x, t = images.train
    order = np.random.default_rng([seed, 12]).permutation(len(t))
    rest, held = np.split(order, [len(t) - round(share * len(t))])
    print(f"held out: {len(held):,} of the training images, by seed {seed}; trained on the other {len(rest):,}")
    return images._replace(train=(x[rest], t[rest]), valid=(x[held], t[held]))


def _first(part, n):
    return part[0][:n], part[1][:n]


def _folder(name, path):
    try:
        train, test = load_images(path), load_images(path, "test")
    except (OSError, ValueError) as error:
        raise SystemExit(f"--data {path}: {error}") from None
    classes = FASHION if "fashion" in str(path).lower() else tuple("0123456789")
    return Images(name, train, test, classes, False)


def _fashion_mnist():
    """Fashion-MNIST, downloaded if need be; None, with the reason printed, where it cannot be had."""
    folder = data_folder() / "fashion-mnist"
    try:
        for file, md5 in FILES.items():
            if not (folder / file).is_file() and not (folder / file.removesuffix(".gz")).is_file():
                fetch(URL + file, folder / file, md5=md5)
    except (DownloadError, OSError) as error:
        print(f"Fashion-MNIST cannot be had ({error}): SYNTHETIC digits instead, on which the claims about Fashion-MNIST "
              "are not tested", file=sys.stderr)
        return None
    return _folder("Fashion-MNIST", folder)


def _synthetic(quick, seed):
    n = 4000 if quick else 20_000
    rng = np.random.default_rng([seed, 28])
    train, test = synthetic_digits(n, rng=rng), synthetic_digits(2000 if quick else 5000, rng=rng)
    return Images("SYNTHETIC digits", train, test, tuple("0123456789"), True)


def train(network, images, epochs, seed, lr=1e-3, batch=128, shift=None, weight_decay=0.0):
    """AdamW on batches, the learning rate falling to 0 along a cosine; returns the history. Trains on images.train alone.

    shift: images are mirrored at random and moved by up to so many pixels, anew in every epoch; None: they stay as they are.
    """
    rng = np.random.default_rng([seed, 7])
    data = images.train if shift is None else AugmentedImages(*images.train, shift=shift, rng=rng)
    loader = DataLoader(data, batch, shuffle=True, rng=rng)
    optimizer = optim.AdamW(network.parameters(), lr=lr, weight_decay=weight_decay)
    falling = Schedule(optim.CosineAnnealingLR(optimizer, epochs * len(loader)), every="batch")
    return Trainer(network, nn.functional.cross_entropy, optimizer, [falling]).fit(loader, epochs=epochs)


def logits(network, x, **options):
    """network(x, **options) in evaluation, 500 images at a time: (N, classes)"""
    network.eval()
    with tinydl.no_grad():
        parts = [network(tinydl.from_numpy(x[start:start + 500]), **options) for start in range(0, len(x), 500)]
    return np.concatenate([part.numpy() for part in parts])


def accuracy(network, part, **options):
    """The share of images whose largest logit is that of their class."""
    x, t = part
    return float(np.mean(np.argmax(logits(network, x, **options), axis=1) == t))
