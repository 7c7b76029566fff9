"""Kneser-Ney against dictionaries, the LSTM's bits against one file at a time, and the quick run keeps its claim."""

import collections

import numpy as np
import pytest

import tinydl
from examples import character_lstm as example
from examples.kneser_ney import KneserNey
from tinydl import ops


@pytest.mark.parametrize("data", ["auto", "synthetic"])
def test_quick_run_keeps_its_claim(data, tmp_path, capsys, monkeypatch):
    source = example.own_source
    monkeypatch.setattr(example, "own_source", lambda folders: dict(list(source(folders).items())[:15]))  # faster
    assert example.main(["--quick", "--data", data, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "1 of 1 claims hold" in out and ("synthetic" in out) == (data == "synthetic")
    assert (tmp_path / "surprise.png").stat().st_size > 10_000


@pytest.mark.parametrize("lstm, kept", [(1.79, 1), (1.81, 0)])
def test_its_claim_is_about_the_mean_of_the_seeds_and_the_5_gram_model(lstm, kept, tmp_path, monkeypatch, capsys):
    bits, ngrams = iter([lstm + 0.1, lstm - 0.1]), {2: 2.5, 5: 1.8, 6: 1.7}
    monkeypatch.setattr(example, "study", lambda *_: (ngrams, [(1, 2.0, 3.0), (2, 1.5, next(bits))], False))
    assert example.main(["--seeds", "0,1", "--out", str(tmp_path)]) == 1 - kept
    assert f"{kept} of 1 claims hold" in capsys.readouterr().out


def plain_kneser_ney(files, order, V, context, c):
    """P(c | context) by the formula, on tuples."""
    padded = [(0,) * (order - 1) + tuple(f) for f in files]
    grams = [tuple(f[i - order + 1:i + 1]) for f in padded for i in range(order - 1, len(f))]
    P = 1 / V
    for n in range(1, order + 1):
        if n == order:
            k = collections.Counter(grams)
        else:  # how many different characters stand before
            k = collections.Counter(g[1:] for g in {g[order - n - 1:] for g in grams})
        ones, twos = (sum(v == r for v in k.values()) for r in (1, 2))
        D = ones / (ones + 2 * twos) if ones else 0.5
        here = context[len(context) - n + 1:] if n > 1 else ()
        after = {g: v for g, v in k.items() if g[:-1] == here}
        if after:
            total = sum(after.values())
            P = max(after.get((*here, c), 0) - D, 0) / total + D * len(after) / total * P
    return P


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_is_its_formula_and_sums_to_one(order, rng):
    V, files = 5, [rng.integers(2, 5, n) for n in (30, 7, 12)]
    model = KneserNey(files, order, V)
    for text in ([3, 4, 2, 2], [2], [4, 1, 3]):  # 1 was never seen, nor what follows it
        bits = model.bits(np.array(text))
        padded = (0,) * (order - 1) + tuple(text)
        for i, c in enumerate(text):
            P = plain_kneser_ney(files, order, V, padded[i:i + order - 1], c)
            np.testing.assert_allclose(bits[i], -np.log2(P), rtol=1e-12)
    for start in ([3, 4], [1, 1]):
        total = sum(2.0 ** -model.bits(np.array([*start, c]))[-1] for c in range(V))
        np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_bits_of_packed_files_are_those_of_each_file_alone(rng):
    model = example.CharacterLSTM(7, 8, 0.0, rng).double().eval()
    files = [rng.integers(1, 7, n) for n in (3, 11, 1, 8)]
    for window in (4, 100):
        for f, bits in zip(files, example.bits_of(model, files, window), strict=True):
            with tinydl.no_grad():
                logP = ops.log_softmax(model(np.append(0, f)[:-1, None])[0]).numpy()[:, 0]
            np.testing.assert_allclose(bits, -logP[np.arange(len(f)), f] / np.log(2), rtol=1e-10)


def test_an_epoch_cuts_the_gradient_and_hands_the_state_on(rng, monkeypatch):
    seen = []

    class Spy(example.CharacterLSTM):
        def forward(self, codes, state=None):
            seen.append((codes, state))
            logits, after = super().forward(codes, state)
            self.after = after
            return logits, after

    monkeypatch.setattr(example, "WINDOW", 4)
    model, text = Spy(5, 6, 0.0, rng), np.arange(50) % 5
    optimizer = tinydl.optim.SGD(model.parameters(), lr=0.0)
    bits = example.epoch(model, optimizer, text, 3, rng)
    assert len(seen) == 4 and seen[0][1] is None  # 16 steps of 3 streams
    assert all(codes.shape == (4, 3) for codes, _ in seen)
    for (_, state), (before, _) in zip(seen[1:], seen, strict=False):
        assert before.shape == (4, 3) and all(s._node is None and s.shape == (1, 3, 6) for s in state)
    assert 2 < bits < 3  # log2 5 = 2.32


def test_files_are_divided_and_rare_characters_are_one(rng):
    texts = {f"f{k}": "ab" * 50 for k in range(20)} | {"rare": "z"}
    train, held = example.divided(texts, rng)
    assert set(train) | set(held) == set(texts) and not set(train) & set(held) and len(held) >= 2
    alphabet = example.Alphabet(texts.values())
    assert alphabet.encode("abz").tolist() == [2, 3, example.OTHER] and alphabet.decode([2, 3]) == "ab"


def test_generated_brackets_close_what_was_opened(rng):
    for text in example.brackets(3, rng, 500).values():
        stack = []
        for c in text:
            if c in "([{":
                stack.append(c)
            elif c in ")]}":
                assert "([{".index(stack.pop()) == ")]}".index(c)


def test_a_single_file_cannot_be_divided(tmp_path):
    (tmp_path / "one.txt").write_text("text")
    with pytest.raises(SystemExit, match="two or more"):
        example.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")])
