"""Images: files in MNIST's format, three built-in worlds to learn from without any file, and light augmentation.

Images are (N, C, H, W), float32 in [0, 1]; labels (N,), int64.
"""

import math
import pathlib

import numpy as np

from ..random import generator
from .dataset import Dataset

_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}  # the third byte of an idx file


def read_idx(path):
    """The array in an idx file, MNIST's format, plain or compressed by gzip   (LeCun et al. 1998, the data's page)

    Two zero bytes, one for the type, one for the number of axes; their lengths as big-endian 32-bit integers; the numbers.
    """
    path = pathlib.Path(path)
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        import gzip
        import zlib

        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: the compressed file is damaged or cut short ({error}); get it again") from None
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise ValueError(f"{path}: not an idx file (it begins with {data[:4].hex(' ') or 'nothing'}); want MNIST's format, "
                         "such as train-images-idx3-ubyte or the same with .gz")
    dtype, start = np.dtype(_TYPES[data[2]]), 4 + 4 * data[3]
    shape = tuple(np.frombuffer(data[4:start], ">u4").tolist()) if len(data) >= start else ()
    wanted = start + math.prod(shape) * dtype.itemsize
    if len(data) < start or len(data) != wanted:
        raise ValueError(f"{path}: holds {len(data):,} bytes where its head promises {wanted:,} (an array {shape}); it is "
                         "cut short or damaged, get it again")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def load_images(folder, part="train", classes=10):
    """(images (N, 1, H, W) in [0, 1], labels (N,)) of a folder with the four files of MNIST or Fashion-MNIST.

    part: "train" or "test" (whose files are called t10k-...). The files may be compressed or not. (LeCun et al. 1998; Xiao
    et al. 2017.)
    """
    if part not in ("train", "test"):
        raise ValueError(f"load_images: got part={part!r}, want 'train' or 'test'")
    images, labels = (read_idx(_find(folder, "t10k" if part == "test" else part, what))
                      for what in ("images-idx3", "labels-idx1"))
    if images.ndim != 3 or images.dtype != np.uint8 or labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"{folder}: got images {images.dtype} {images.shape} and labels {labels.dtype} {labels.shape}, "
                         "want (N, H, W) of bytes and (N,) of whole numbers; are the two files swapped?")
    if len(images) != len(labels):
        raise ValueError(f"{folder}: {len(images):,} images but {len(labels):,} labels; the files belong to different sets")
    bad = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(bad):
        raise ValueError(f"{folder}: label {labels[bad[0]]} of image {bad[0]} is out of range, want 0 <= label < {classes}; "
                         "pass the number of classes if there are more")
    return (images[:, None] / np.float32(255)).astype(np.float32), labels.astype(np.int64)


def _find(folder, part, what):
    names = [f"{part}-{what}-ubyte{end}" for end in ("", ".gz")] + [f"{part}-{what.replace('-', '.')}-ubyte"]
    for name in names:
        if (path := pathlib.Path(folder) / name).is_file():
            return path
    raise FileNotFoundError(f"{folder}: none of {', '.join(names)} is there; want the four files of MNIST or Fashion-MNIST")


# ------------------------------------------------------------------------------------------------ built-in worlds
# The strokes of a digit between six points, numbered 0 1 / 2 3 / 4 5 from the top left.
_STROKES = ["01 13 35 54 42 20", "13 35", "01 13 32 24 45", "01 13 32 35 54", "02 23 13 35", "10 02 23 35 54",
            "10 02 24 45 53 32", "01 13 35", "01 13 35 54 42 20 23", "32 20 01 13 35 54"]
_POINTS = np.array([[-0.5, -1.0], [0.5, -1.0], [-0.5, 0.0], [0.5, 0.0], [-0.5, 1.0], [0.5, 1.0]])
SHAPES = ("disc", "ring", "square", "triangle", "cross")


def _seen(n, size, rng):
    """Coordinates (n, size, size, 2) of the pixels as each object sees them: moved, turned, slanted and scaled at random."""
    angle, slant = rng.uniform(-0.25, 0.25, n), rng.uniform(-0.25, 0.25, n)
    turn = np.stack([np.stack([np.cos(angle), -np.sin(angle)], 1), np.stack([np.sin(angle), np.cos(angle)], 1)], 1)
    turn[:, 0] += slant[:, None] * turn[:, 1]
    axis = (np.arange(size) + 0.5) * (2.8 / size) - 1.4
    grid = np.stack(np.broadcast_arrays(axis, axis[:, None]), -1)  # (size, size, 2): x to the right, y down
    grid = (grid - rng.uniform(-0.3, 0.3, (n, 1, 1, 2))) / rng.uniform(0.75, 1.1, (n, 1, 1, 1))
    return np.einsum("nij,nhwj->nhwi", turn, grid)


def _painted(distance, size, noise, rng):
    """Pixels that are 1 inside (distance <= 0), 0 outside, with an edge one pixel wide, and noise."""
    x = np.clip(0.5 - distance * (size / 2.8), 0, 1) + noise * rng.standard_normal(distance.shape)
    return np.clip(x, 0, 1).astype(np.float32)[:, None]


def _in_parts(n, classes, make, rng):
    """n images with labels drawn uniformly, a thousand at a time, since all distances at once would fill the memory."""
    labels = rng.integers(0, classes, n)
    parts = [make(labels[start:start + 1000]) for start in range(0, max(n, 1), 1000)]
    return np.concatenate(parts), labels


def synthetic_digits(n, size=28, noise=0.15, rng=None):
    """n digits of straight strokes, moved, turned, slanted, of different thickness, in noise: (n, 1, size, size), labels.

    >>> x, t = synthetic_digits(5, rng=0)
    >>> x.shape, x.dtype, t.tolist()
    ((5, 1, 28, 28), dtype('float32'), [8, 6, 5, 2, 3])
    """
    rng = generator(rng)

    def make(labels):
        seen, distance = _seen(len(labels), size, rng), np.full((len(labels), size, size), np.inf)
        for digit, strokes in enumerate(_STROKES):
            rows = np.flatnonzero(labels == digit)
            for first, last in strokes.split():
                a, b = _POINTS[int(first)], _POINTS[int(last)]
                along = np.clip((seen[rows] - a) @ (b - a) / np.sum((b - a) ** 2), 0, 1)
                gap = seen[rows] - a - along[..., None] * (b - a)
                distance[rows] = np.minimum(distance[rows], np.sqrt(np.sum(gap * gap, axis=-1)))
        return _painted(distance - rng.uniform(0.06, 0.18, (len(labels), 1, 1)), size, noise, rng)

    return _in_parts(n, 10, make, rng)


def synthetic_shapes(n, size=28, noise=0.15, rng=None):
    """n filled shapes, moved, turned, slanted and scaled, in noise; labels 0 .. 4 are `SHAPES`."""
    rng = generator(rng)

    def make(labels):
        seen = _seen(len(labels), size, rng)
        x, y = seen[..., 0], seen[..., 1]
        ax, ay, radius = np.abs(x), np.abs(y), np.sqrt(x * x + y * y)
        distances = (radius - 0.8, np.abs(radius - 0.65) - 0.15, np.maximum(ax, ay) - 0.7,
                     np.maximum(0.9 * ax + 0.45 * y, -y) - 0.45,
                     np.maximum(np.minimum(ax, ay) - 0.2, np.maximum(ax, ay) - 0.8))
        return _painted(np.choose(labels[:, None, None], distances), size, noise, rng)

    return _in_parts(n, len(SHAPES), make, rng)


def bars_and_stripes(size=4):
    """All images with rows (label 0) or columns (label 1) of one colour, the two uniform ones once, as rows.

    (2^(size + 1) - 2, 1, size, size): a world small enough to count through, on which RBMs are checked (MacKay 2003,
    section 43.3).

    >>> x, t = bars_and_stripes(3)
    >>> x.shape, int(t.sum())
    ((14, 1, 3, 3), 6)
    """
    bits = (np.arange(2**size)[:, None] >> np.arange(size) & 1).astype(np.float32)
    rows = np.repeat(bits[:, :, None], size, axis=2)
    x = np.concatenate([rows, np.swapaxes(rows, 1, 2)[1:-1]])
    return x[:, None], np.repeat([0, 1], [2**size, 2**size - 2])


# ------------------------------------------------------------------------------------------------ augmentation
def shifted(images, most, rng=None):
    """Each image moved by up to `most` pixels, down or up and right or left, drawn uniformly; zeros come in."""
    rng = generator(rng)
    B, C, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (most, most), (most, most)))
    down, right = rng.integers(0, 2 * most + 1, (2, B))
    rows, columns = down[:, None] + np.arange(H), right[:, None] + np.arange(W)
    return padded[np.arange(B)[:, None, None, None], np.arange(C)[:, None, None], rows[:, None, :, None],
                  columns[:, None, None, :]]


def flipped(images, p=0.5, rng=None):
    """Each image mirrored, left to right, with probability p."""
    chosen = generator(rng).random(len(images)) < p
    return np.where(chosen[:, None, None, None], images[..., ::-1], images)


class AugmentedImages(Dataset):
    """Images and labels, where every reading of a row moves and mirrors its image anew, by `rng`.

    For training only. The generator is the dataset's own: a checkpoint of the training does not hold it.
    """

    def __init__(self, images, labels, shift=2, flip=True, rng=None):
        if images.ndim != 4 or len(images) != len(labels):
            raise ValueError(f"AugmentedImages: got images {images.shape} and labels {labels.shape}, want (N, C, H, W) and "
                             "(N,)")
        self.images, self.labels, self.shift, self.flip, self.rng = images, labels, shift, flip, generator(rng)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        x = shifted(self.images[rows], self.shift, self.rng) if self.shift else self.images[rows]
        return flipped(x, rng=self.rng) if self.flip else x, self.labels[rows]
