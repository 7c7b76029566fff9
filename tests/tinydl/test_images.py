"""Files in MNIST's format, whole and broken; the built-in worlds; augmentation that changes nothing else."""

import gzip

import numpy as np
import pytest

from tinydl import nn, optim
from tinydl.data import (
    AugmentedImages,
    DataLoader,
    bars_and_stripes,
    flipped,
    load_images,
    read_idx,
    shifted,
    synthetic_digits,
    synthetic_shapes,
)
from tinydl.data.images import SHAPES

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array):
    """The bytes of an array in MNIST's format."""
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def folder_of(path, images, labels, part="train", end=""):
    for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
        data = idx(array)
        (path / f"{name}{end}").write_bytes(gzip.compress(data) if end else data)
    return path


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("end", ["", ".gz"])
def test_what_is_in_an_idx_file_is_read(tmp_path, rng, code, end):
    for shape in [(3,), (2, 3, 4), (0, 5), ()]:
        array = (rng.standard_normal(shape) * 100).astype(code)
        data = idx(np.asarray(array))
        (tmp_path / f"x{end}").write_bytes(gzip.compress(data) if end else data)
        found = read_idx(tmp_path / f"x{end}")
        np.testing.assert_array_equal(found, array)
        assert found.dtype == np.dtype(code) and found.dtype.isnative


@pytest.mark.parametrize("spoil, words", [
    (lambda data: b"", "not an idx file .it begins with nothing"),
    (lambda data: b"PK\3\4" + data, "not an idx file .it begins with 50 4b 03 04"),
    (lambda data: data[:2] + b"\7" + data[3:], "not an idx file"),
    (lambda data: data[:10], "cut short or damaged"),
    (lambda data: data[:-1], r"holds 39 bytes where its head promises 40 \(an array \(2, 3, 4\)\)"),
    (lambda data: data + b"\0", "holds 41 bytes"),
    (lambda data: gzip.compress(data)[:-4], "damaged or cut short"),
    (lambda data: gzip.compress(data)[:20] + b"????" + gzip.compress(data)[24:], "damaged or cut short"),
])
def test_a_broken_file_is_named(tmp_path, spoil, words):
    path = tmp_path / "broken"
    path.write_bytes(spoil(idx(np.arange(24, dtype="u1").reshape(2, 3, 4))))
    with pytest.raises(ValueError, match=f"{path}: .*{words}"):
        read_idx(path)


@pytest.mark.parametrize("part, file, end", [("train", "train", ""), ("test", "t10k", ".gz")])
def test_a_folder_becomes_images_and_labels(tmp_path, rng, part, file, end):
    images, labels = rng.integers(0, 256, (5, 4, 3)).astype("u1"), np.array([0, 9, 3, 3, 1], "u1")
    x, t = load_images(folder_of(tmp_path, images, labels, file, end), part)
    assert x.shape == (5, 1, 4, 3) and x.dtype == np.float32 and t.dtype == np.int64
    np.testing.assert_allclose(x[:, 0], images / 255, rtol=1e-6)
    assert t.tolist() == labels.tolist()


def test_a_folder_that_is_not_right_is_refused(tmp_path, rng):
    images, labels = rng.integers(0, 256, (5, 4, 3)).astype("u1"), np.array([0, 9, 3, 10, 1], "u1")
    with pytest.raises(FileNotFoundError, match="none of train-images-idx3-ubyte, .*gz, train-images.idx3-ubyte is there"):
        load_images(tmp_path)
    folder_of(tmp_path, images, labels)
    with pytest.raises(ValueError, match="label 10 of image 3 is out of range, want 0 <= label < 10"):
        load_images(tmp_path)
    assert load_images(tmp_path, classes=11)[1].max() == 10
    with pytest.raises(ValueError, match="part='valid', want 'train' or 'test'"):
        load_images(tmp_path, "valid")
    with pytest.raises(ValueError, match="5 images but 4 labels"):
        load_images(folder_of(tmp_path, images, labels[:4]))
    with pytest.raises(ValueError, match="are the two files swapped"):
        load_images(folder_of(tmp_path, labels, images))


def test_fashion_mnist_is_read(real_data):
    folder = real_data("fashion-mnist")
    x, t = load_images(folder, "test")
    assert x.shape == (10_000, 1, 28, 28) and np.bincount(t).tolist() == [1000] * 10
    assert x.min() == 0 and x.max() == 1
    x, t = load_images(folder)
    assert len(x) == 60_000 and np.bincount(t).tolist() == [6000] * 10
    assert t[:5].tolist() == [9, 0, 0, 3, 0] and abs(float(x.mean()) - 0.2860) < 1e-4


# ------------------------------------------------------------------------------------------------ built-in worlds
@pytest.mark.parametrize("make, classes", [(synthetic_digits, 10), (synthetic_shapes, len(SHAPES))])
def test_synthetic_images_can_be_told_apart_and_drawn_again(make, classes):
    x, t = make(1500, 20, rng=3)
    assert x.shape == (1500, 1, 20, 20) and x.dtype == np.float32 and 0 <= x.min() < x.max() <= 1
    assert np.bincount(t, minlength=classes).min() > 60 and t.max() == classes - 1
    again, labels = make(1500, 20, rng=3)
    assert np.array_equal(x, again) and np.array_equal(t, labels) and not np.array_equal(x, make(1500, 20, rng=4)[0])
    assert make(0)[0].shape == (0, 1, 28, 28)
    clean = make(400, 28, noise=0, rng=1)[0]
    assert np.mean((clean == 0) | (clean == 1)) > 0.8  # mostly ink or paper
    # A small convnet learns them; a guess would be right in one of `classes`.
    net = nn.Sequential(nn.Conv2d(1, 8, 5, stride=2, rng=0), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(128, classes, rng=0))
    adam = optim.Adam(net.parameters(), lr=0.01)
    for _ in range(4):
        for images, labels in DataLoader((x[:1200], t[:1200]), 50, shuffle=True, rng=0):
            loss = nn.functional.cross_entropy(net(images), labels)
            adam.zero_grad()
            loss.backward()
            adam.step()
    assert np.mean(net(x[1200:]).data.argmax(1) == t[1200:]) > 0.75


def test_bars_and_stripes_are_all_there_once():
    for size in (2, 4):
        x, t = bars_and_stripes(size)
        assert x.shape == (2 ** (size + 1) - 2, 1, size, size) and set(np.unique(x)) == {0, 1}
        assert len({image.tobytes() for image in x}) == len(x)
        assert all((image[0] == image[0][:, :1]).all() for image in x[t == 0])
        assert all((image[0] == image[0][:1]).all() for image in x[t == 1])


# ------------------------------------------------------------------------------------------------ augmentation
def test_a_shift_moves_the_whole_image_and_brings_zeros_in(rng):
    x = np.zeros((200, 2, 7, 9), np.float32)
    x[:, 0, 3, 4], x[:, 1, 2, 5] = 1, 2
    y = shifted(x, 2, rng=1)
    assert y.shape == x.shape and y.dtype == x.dtype
    _, rows, columns = np.nonzero(y[:, 0])
    _, others, more = np.nonzero(y[:, 1])
    assert len(rows) == 200 and y[:, 0].sum() == 200 and y[:, 1].sum() == 400
    assert np.all(others == rows - 1) and np.all(more == columns + 1)  # channels move together
    assert set(rows) == {1, 2, 3, 4, 5} and set(columns) == {2, 3, 4, 5, 6}
    assert not np.array_equal(rows - 3, columns - 4)
    edge = shifted(np.ones((50, 1, 3, 3), np.float32), 1, rng=0)
    assert set(edge.sum((1, 2, 3))) == {4.0, 6.0, 9.0}
    np.testing.assert_array_equal(shifted(x, 0), x)


def test_a_flip_mirrors_left_and_right_with_its_probability(rng):
    x = rng.random((400, 1, 3, 5))
    y = flipped(x, rng=2)
    mirrored = np.array([np.array_equal(a, b[..., ::-1]) for a, b in zip(y, x, strict=True)])
    assert all(np.array_equal(a, b) for a, b in zip(y[~mirrored], x[~mirrored], strict=True))
    assert abs(mirrored.mean() - 0.5) < 0.1
    assert np.array_equal(flipped(x, 0), x) and np.array_equal(flipped(x, 1), x[..., ::-1])


def test_augmented_images_are_drawn_anew_and_keep_their_labels(rng):
    x, t = rng.random((6, 1, 5, 5)).astype(np.float32), np.arange(6)
    data = AugmentedImages(x, t, shift=1, rng=0)
    (a, labels), (b, _) = data[np.array([4, 1])], data[np.array([4, 1])]
    assert labels.tolist() == [4, 1] and a.dtype == np.float32 and not np.array_equal(a, b)
    again = AugmentedImages(x, t, shift=1, rng=0)
    np.testing.assert_array_equal(again[np.array([4, 1])][0], a)
    plain = AugmentedImages(x, t, shift=0, flip=False)
    np.testing.assert_array_equal(plain[slice(1, 3)][0], x[1:3])
    assert len(data) == 6 and [len(batch[0]) for batch in DataLoader(data, 4, shuffle=True, rng=0)] == [4, 2]
    with pytest.raises(ValueError, match=r"want \(N, C, H, W\)"):
        AugmentedImages(x[:, 0], t)
