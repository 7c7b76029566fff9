"""Hits and exact captions are counted as said, hard attention learns by its draws, and the quick run keeps its claims."""

import json

import numpy as np
import pytest

import tinydl
from examples import image_captioning as example
from examples import scenes
from tinydl import ops

KINDS = ["soft", "hard"]


def test_quick_run_keeps_its_claims_and_leaves_a_figure_and_a_record(tmp_path, monkeypatch):
    monkeypatch.setattr(example, "KINDS", ("hard",))  # one kind is enough, the more difficult one
    assert example.main(["--quick", "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "results.json").read_text())
    assert len(record["claims"]) == 2 and all(claim["holds"] for claim in record["claims"])
    assert (tmp_path / "image_captioning.png").stat().st_size > 10_000
    assert record["rows"]["hard"]["seen"] > record["rows"]["hard"]["pairs"]


def test_the_claims_fail_where_a_number_misses(capsys):
    good = {"unseen": 0.96, "nouns_unseen": 0.91}
    for kind, change, missed in (("soft", {}, 0), ("soft", {"unseen": 0.94}, 1), ("hard", {"unseen": 0.86}, 0),
                                 ("hard", {"unseen": 0.84}, 1), ("hard", {"nouns_unseen": 0.89}, 1)):
        example.arguments("image_captioning")  # forgets the claims before
        example.claims({**dict.fromkeys(KINDS, good), kind: {**good, **change}}, quick=False)
        assert capsys.readouterr().out.count("FAILS") == missed


@pytest.mark.parametrize("kind", KINDS)
def test_a_caption_is_its_own_likeliest_and_a_word_sees_no_later_one(kind, rng):
    model = example.Captioner(kind, 8, rng)
    images = scenes.draw(5, "train", rng).images
    codes, weights = model.write(images)
    before = np.concatenate([np.full((5, 1), scenes.START), codes[:, :-1]], axis=1)
    logits, again, _ = model(tinydl.tensor(images), tinydl.tensor(before))
    np.testing.assert_array_equal(np.argmax(logits.data, axis=2), codes)
    np.testing.assert_allclose(again.data, weights, rtol=1e-4, atol=1e-6)
    h = ops.swapaxes(model.writer(model.words(before.T))[0], axis1=0, axis2=1)
    alpha = ops.softmax(model.attention.score(h, model.look(tinydl.tensor(images))), axis=2)
    np.testing.assert_allclose(weights, alpha.data, rtol=1e-4, atol=1e-6)
    before[:, 6:] = 3
    np.testing.assert_allclose(model(tinydl.tensor(images), tinydl.tensor(before))[0].data[:, :6], logits.data[:, :6])


@pytest.mark.parametrize("training", [True, False])
def test_hard_attention_draws_in_the_first_half_of_a_training_batch_and_takes_the_mean_in_the_other(training, rng):
    model = example.Captioner("hard", 8, rng).train(training)
    a = tinydl.tensor(rng.standard_normal((6, 36, 8)).astype(np.float32) * 5)
    before = rng.integers(3, 20, (6, 4))
    logits, weights, place, _ = model.say(before, a)
    assert np.array_equal(place, np.argmax(weights.data, axis=2)) is not training
    for n in range(6):
        for t in range(4):
            z = weights.data[n, t] @ a.data[n] if training and n >= 3 else a.data[n, place[n, t]]
            before_and_seen = model.words.weight.data[before[n, t]] + model.from_z(tinydl.tensor(z)).data
            want = model.last.weight.data @ before_and_seen + model.last.bias.data
            np.testing.assert_allclose(logits.data[n, t], want, rtol=1e-3, atol=1e-4)


def test_the_hard_loss_rewards_each_word_that_is_there_by_itself(rng):
    logits, y = rng.standard_normal((4, 3, 7)), np.array([[3, 4, 2], [5, 2, 0], [3, 2, 0], [6, 4, 2]])
    alpha, place = rng.dirichlet(np.ones(5), (4, 3)), rng.integers(0, 5, (4, 3))
    logp = np.log(np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True))
    logp = np.take_along_axis(logp, y[..., None], axis=2)[..., 0]
    there = y != scenes.PAD
    gain, first = logp[:2][there[:2]], there[:2]
    chosen = np.take_along_axis(alpha, place[..., None], axis=2)[:2, :, 0][first]
    entropy = -np.sum(alpha * np.log(alpha), axis=2)[:2][first]
    baselines = np.array([-1.0, -3.0, -2.5])  # any numbers, as of the batches before
    expected = np.broadcast_to(baselines, (2, 3))[first]
    want = -np.mean(gain + (gain - expected) * np.log(chosen) + 0.2 * entropy) / 2 - np.mean(logp[2:][there[2:]]) / 2
    loss = example.HardLoss(lambda_e=0.2)
    for baseline, value in zip(loss.baselines, baselines, strict=False):
        baseline.value = value
    said = tinydl.tensor(logits), tinydl.tensor(alpha), place
    assert loss(said, tinydl.tensor(y)).item() == pytest.approx(want)
    means = [logp[:2, 0].mean(), logp[:2, 1].mean(), logp[0, 2]]
    assert [b.value for b in loss.baselines[:3]] == pytest.approx(list(0.9 * baselines + 0.1 * np.array(means)))
    assert loss.baselines[3].value is None
    assert example.soft_loss(said[:1], tinydl.tensor(y)).item() == pytest.approx(-np.mean(logp[there]))


def test_a_noun_hits_where_it_is_right_and_the_largest_weight_is_in_its_things_box():
    shown = scenes.Scenes(np.zeros((1, 3, 24, 24)), ["a red circle top left and a blue ring top right"],
                          [[(0, 0, 8, 8), (16, 0, 24, 8)]])
    weights = np.full((1, example.LONGEST, 36), 0.01)
    weights[0, 2, 7] = weights[0, 8, 4] = 0.6  # inside of the first box, and of the second
    texts = [shown.texts[0]]
    assert example.noun_hits(texts, weights, shown) == [True, True]
    assert example.noun_hits(["a red circle top left"], weights, shown) == [True, False]
    assert example.noun_hits(["a red square top left and a blue ring top right"], weights, shown) == [False, True]
    weights[0, 8, 3] = 0.7  # right beside the second box
    assert example.noun_hits(texts, weights, shown) == [True, False]
    weights[0, 2] = np.eye(36)[4]  # in the other thing's box
    assert example.noun_hits(texts, weights, shown) == [False, False]


def test_things_of_scenes_are_told_apart_by_place_or_not(rng):
    shown = scenes.Scenes(None, ["a red circle top left and a blue ring top right", "a red circle top right"], None)
    assert example.things_of(shown) == {"a red circle top left", "a blue ring top right", "a red circle top right"}
    assert example.things_of(shown, slice(1, 3)) == {"red circle", "blue ring"}
