"""The images' options, the features under the linear model, and that the quick study runs and notices a broken convnet."""

import json

import numpy as np
import pytest

from examples import convnet_images as example
from examples import image_data
from tests.tinydl.test_images import folder_of
from tinydl.data import synthetic_digits


def digits(quick, seed):
    """600 and 300 synthetic digits, 12 x 12."""
    rng = np.random.default_rng(seed)
    return image_data.Images("SYNTHETIC digits", synthetic_digits(600, 12, 0.05, rng),
                             synthetic_digits(300, 12, 0.05, rng), tuple("0123456789"), True)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(image_data, "_synthetic", digits)


@pytest.mark.parametrize("options, parts", [(["--validate"], ["valid", "test"]), ([], ["test"])])
def test_the_study_trains_all_models_prints_and_draws(few, tmp_path, capsys, options, parts):
    example.main(["--quick", "--data", "synthetic", "--epochs", "2", "--seeds", "0,1", "--out", str(tmp_path), *options])
    shown = capsys.readouterr().out
    assert "of 1 claims hold" in shown and "SYNTHETIC" in shown and "seeds [0, 1]" in shown
    results = json.loads((tmp_path / "results.json").read_text())
    assert list(results["accuracy"]) == parts and ("held out: 50 " in shown) == (len(parts) == 2)
    for part in parts:
        assert set(results["accuracy"][part]) == {"linear", "MLP", "convnet", example.LEARNED}
        assert all(len(values) == 2 and 0 <= min(values) for values in results["accuracy"][part].values())
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("accuracy.png", "network.png"))


@pytest.mark.parametrize("name, options, convnet, mlp, kept", [
    ("Fashion-MNIST", [], 0.921, 0.896, 4), ("Fashion-MNIST", [], 0.919, 0.896, 3), ("Fashion-MNIST", [], 0.925, 0.894, 3),
    ("Fashion-MNIST", ["--epochs", "11"], 0.925, 0.896, 3), ("Fashion-MNIST", ["--quick"], 0.8, 0.79, 1),
    ("SYNTHETIC digits", [], 0.975, 0.97, 2), ("SYNTHETIC digits", [], 0.975, 0.98, 1), ("my folder", [], 0.1, 0.2, 0)])
def test_its_claims_are_the_stated_ones(tmp_path, monkeypatch, capsys, name, options, convnet, mlp, kept):
    images = digits(False, 0)._replace(name=name, synthetic=name.startswith("SYN"))
    reached = {"linear": [0.7], "MLP": [mlp], "convnet": [convnet], example.LEARNED: [0.9]}
    monkeypatch.setattr(example, "load", lambda *_: images)
    monkeypatch.setattr(example, "study", lambda *_: ({"valid": reached, "test": reached}, {}, None))
    for draw in ("draw_accuracy", "draw_network"):
        monkeypatch.setattr(example, draw, lambda *_: None)
    code = example.main([*options, "--out", str(tmp_path)])
    claims = capsys.readouterr().out.splitlines()[-1]
    assert claims.startswith(f"{kept} of ") and code == (claims.split()[0] != claims.split()[2])


def test_features_are_what_the_last_layer_gets(rng):
    network = example.convnet(64, 3, rng)
    x = rng.random((5, 1, 8, 8)).astype(np.float32)
    last = network[-1]
    expected = example.features(network, x) @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    np.testing.assert_allclose(image_data.logits(network, x), expected, rtol=1e-5, atol=1e-6)


def test_a_folder_of_files_is_read_and_a_bad_one_ends_with_its_reason(tmp_path, rng, capsys):
    images, labels = rng.integers(0, 256, (5, 4, 4)).astype("u1"), np.array([0, 9, 3, 3, 1], "u1")
    folder_of(tmp_path, images, labels)
    with pytest.raises(SystemExit, match="--data .*t10k-images-idx3-ubyte"):
        image_data.load(str(tmp_path), False, 0)
    folder_of(tmp_path, images[:3], labels[:3], "t10k", ".gz")
    found = image_data.load(str(tmp_path), False, 0)
    assert len(found.train[1]) == 5 and found.test[1].tolist() == [0, 9, 3] and not found.synthetic
    assert "5 training and 3 test images of 4 x 4" in capsys.readouterr().out


def test_what_is_held_out_is_not_trained_on_and_follows_the_seed():
    images = digits(True, 0)
    held = image_data.hold_out(images, 1)
    assert len(held.valid[1]) == 50 and held.test is images.test
    whole = np.concatenate([held.train[0], held.valid[0]])
    labels = np.concatenate([held.train[1], held.valid[1]])
    for image, label in zip(whole[::60], labels[::60], strict=True):
        at, = np.flatnonzero(np.all(images.train[0] == image, axis=(1, 2, 3)))
        assert images.train[1][at] == label
    assert sorted(whole.sum((1, 2, 3))) == sorted(images.train[0].sum((1, 2, 3)))
    assert np.array_equal(image_data.hold_out(images, 1).valid[0], held.valid[0])
    assert not np.array_equal(image_data.hold_out(images, 2).valid[0], held.valid[0])


def test_without_the_files_and_the_network_it_says_that_it_is_synthetic(few, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TINYDL_DATA", str(tmp_path))

    def refuse(*args, **options):
        raise image_data.DownloadError("no network here")
    monkeypatch.setattr(image_data, "fetch", refuse)
    assert image_data.load("auto", True, 0).synthetic
    assert "no network here): SYNTHETIC digits instead" in capsys.readouterr().err


def test_files_in_the_data_folder_are_not_fetched_again(tmp_path, monkeypatch, rng):
    (tmp_path / "fashion-mnist").mkdir()
    monkeypatch.setenv("TINYDL_DATA", str(tmp_path))
    monkeypatch.setattr(image_data, "fetch", lambda *args, **options: pytest.fail("fetched"))
    for part in ("train", "t10k"):
        folder_of(tmp_path / "fashion-mnist", np.zeros((2, 4, 4), "u1"), np.array([1, 2], "u1"), part, ".gz")
    assert image_data.load("auto", False, 0).name == "Fashion-MNIST"


def test_the_learning_rate_falls_to_zero_and_augmentation_changes_the_training(few):
    images = image_data.load("synthetic", True, 0)
    network = [example.linear(144, 10, np.random.default_rng(0)) for _ in range(3)]
    plain, again, augmented = (image_data.train(n, images, 2, 0, shift=1 if k == 2 else None) for k, n in enumerate(network))
    assert plain["lr"].iloc[-1] < 1e-9 < plain["lr"].iloc[0] and plain["train_loss"].is_monotonic_decreasing
    assert np.array_equal(plain["train_loss"], again["train_loss"])
    assert not np.array_equal(plain["train_loss"], augmented["train_loss"])
