"""Dates inside of sentences are written in ISO form, with each of six attention scores and without: who looks where?

"they left Sat 09 May 1908 for work 7/30/1984 again" -> "1908-05-09,1984-07-30". A GRU reads the sentence letter by letter,
in both directions: h_i. A GRU writes the answer: s_t, from the letters before. Attention (Luong et al. 2015) takes a mean
c_t of the h_i by score(s_t, h_i), and the next letter comes from tanh(W_c [c_t; s_t]). Without attention all that is known
of the sentence is the state that the writer starts with. Sentences hold one date or two; no date of the validation or test
part is ever seen in training. Of each score: the share of test answers that are right to the last letter, parameters,
seconds, and how well it aligns: how much weight lies on the letters that say what is being written, and how often the
largest does, on them or right beside them (a state next to a letter has read it, too).
It must reach: additive, general and scaled dot >= 99 % exact; no attention, on sentences of two dates, at least 5 points
below the worst of those three; the largest weight in place for >= 80 % of the digits, by the best of them.
"""

import sys
import time

import numpy as np

import tinydl
from recmodels.attention import SCORES, GlobalAttention, make_score
from tinydl import nn, ops, optim
from tinydl.data import DataLoader
from tinydl.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from tinydl.training import Schedule, Trainer

from .common import arguments, claim, figure, finish, output_folder, save_figure, write_record
from .dates import LETTERS, PAD, START, coded, decoded, draw

BEST, FIRST = ("additive", "general", "scaled dot"), ("additive", "scaled dot")  # at the end, and after few steps


class Translator(nn.Module):
    """h = GRU both ways (sentence),  s = GRU(answer so far),  c_t = sum_i alpha_ti h_i,  logits = W tanh(W_c [c_t; s_t])"""

    def __init__(self, score, hidden, places, rng):
        """score: a name of SCORES, or None for no attention. places: the longest sentence, for the location-based score."""
        H = hidden
        self.letters = nn.Embedding(len(LETTERS), 32, rng=rng)
        self.reader = nn.GRU(32, H // 2, bidirectional=True, rng=rng)
        self.start = nn.Linear(H, H, rng=rng)
        self.writer = nn.GRU(32, H, rng=rng)
        self.attention = None
        if score is not None:
            options = {"location-based": {"places": places}}.get(score, {})
            self.attention = GlobalAttention(make_score(score, H, rng=rng, **options))
        self.combine = nn.Linear(H if score is None else 2 * H, H, rng=rng)
        self.last = nn.Linear(H, len(LETTERS), rng=rng)

    def read(self, x):
        """(h (B, S, H), which letters are there (B, S), the writer's first state (1, B, H))"""
        x = np.asarray(x)
        keep = x != PAD
        packed = pack_padded_sequence(self.letters(x.T), keep.sum(axis=1), enforce_sorted=False)
        h, state = self.reader(packed)
        h = ops.swapaxes(pad_packed_sequence(h)[0], axis1=0, axis2=1)
        state = ops.concatenate([state[0], state[1]], axis=1)
        return h, keep[:, :h.shape[1]], ops.expand_dims(ops.tanh(self.start(state)), axis=0)

    def write(self, before, state, h, keep):
        """(logits (B, T, letters), weights (B, T, S) or None, the state after) of answers whose letters before are known."""
        s, state = self.writer(self.letters(np.asarray(before).T), state)
        s, weights = ops.swapaxes(s, axis1=0, axis2=1), None
        if self.attention is not None:
            context, weights = self.attention(s, h, keep=keep)
            s = ops.concatenate([context, s], axis=2)
        return self.last(ops.tanh(self.combine(s))), weights, state

    def forward(self, x, before):
        h, keep, state = self.read(x.data)
        return self.write(before.data, state, h, keep)[0]

    def translate(self, x, longest):
        """The answers (B, longest), each letter the likeliest after those before."""
        letter, written = np.full((len(x), 1), START), []
        with tinydl.no_grad():
            h, keep, state = self.read(x)
            for _ in range(longest):
                logits, _, state = self.write(letter, state, h, keep)
                letter = np.argmax(logits.data, axis=2)
                written.append(letter)
        return np.concatenate(written, axis=1)


def shifted(y):
    """What was written before each letter of y: START first."""
    return np.concatenate([np.full((len(y), 1), START), y[:, :-1]], axis=1)


def cross_entropy(logits, y):
    return ops.cross_entropy(ops.reshape(logits, shape=(-1, logits.shape[2])), ops.reshape(y, shape=(-1,)), ignore_index=PAD)


def train(model, samples, epochs, batch_size, lr, seed):
    """Adam, its rate falling to 0, on (sentence, letters before) -> letters. Returns the seconds."""
    x, y = coded([s[0] for s in samples]), coded([s[1] for s in samples], end=True)
    loader = DataLoader((x, shifted(y), y), batch_size, shuffle=True, rng=seed)
    optimizer = optim.Adam(model.parameters(), lr=lr)
    schedule = Schedule(optim.CosineAnnealingLR(optimizer, epochs * len(loader)), every="batch")
    started = time.perf_counter()
    Trainer(model, cross_entropy, optimizer, [schedule]).fit(loader, epochs=epochs)
    return time.perf_counter() - started


def exact(model, samples):
    """Which answers are right to the last letter."""
    model.eval()
    written = decoded(model.translate(coded([s[0] for s in samples]), 1 + max(len(s[1]) for s in samples)))
    return np.array([w == s[1] for w, s in zip(written, samples, strict=True)])


def weights_of(model, samples):
    """The weights of each sample while the right answer is written: a list of (T, S)."""
    with tinydl.no_grad():
        h, keep, state = model.read(coded([s[0] for s in samples]))
        _, weights, _ = model.write(shifted(coded([s[1] for s in samples])), state, h, keep)
    return [w[:len(s[1]), :len(s[0])] for w, s in zip(weights.data, samples, strict=True)]


def alignment(weights, samples):
    """(mean weight on the letters that say it, share of digits whose largest weight is on them or right beside them)"""
    on, beside = [], []
    for w, (_, _, says) in zip(weights, samples, strict=True):
        needed = says.any(axis=1)
        on += np.sum(w * says, axis=1)[needed].tolist()
        near = says.copy()
        near[:, 1:] |= says[:, :-1]
        near[:, :-1] |= says[:, 1:]
        beside += near[np.arange(len(w)), np.argmax(w, axis=1)][needed].tolist()
    return float(np.mean(on)), float(np.mean(beside))


def draw_maps(maps, sample, path):
    """One heat map a score: rows are letters written, columns letters read."""
    text, answer, says = sample
    columns = min(3, len(maps))
    lines = -(-len(maps) // columns)
    fig, axes = figure(lines, columns, size=(6.7 * columns, 5.5 * lines), synthetic=True, squeeze=False,
                       title="Where each score looks (framed: the letters that say it)")
    for ax, (name, w) in zip(axes.flat, maps.items(), strict=False):
        ax.imshow(w, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.scatter(*np.nonzero(says)[::-1], s=22, marker="s", facecolors="none", edgecolors="#D55E00", linewidths=0.7)
        ax.set_xticks(range(len(text)), list(text), fontsize=7, family="monospace")
        ax.set_yticks(range(len(answer)), list(answer), fontsize=7, family="monospace")
        ax.grid(False)
        ax.set_title(name)
    save_figure(fig, path)


def main(argv=None):
    args = arguments("attention_alignment", __doc__, generated=True).parse_args(argv)
    folder, rng = output_folder(args), np.random.default_rng([args.seed, 0])
    sentences, epochs, hidden, tests, most = (2400, 4, 48, 200, 1) if args.quick else (16000, 5, 64, 2000, 2)
    samples = {part: draw(n, part, rng, most) for part, n in (("train", sentences), ("valid", tests // 2), ("test", tests))}
    places = max(len(s[0]) for part in samples.values() for s in part)
    print(f"protocol: generated sentences (synthetic), {sentences:,} train, {tests // 2} validate, {tests} test, none of "
          f"whose dates is in training;\n{hidden} hidden units, {epochs} epochs of batches of 32, Adam, seed {args.seed}"
          f"{', quick: one date each' if args.quick else ''}. For example:\n  {samples['test'][1][0]!r} -> "
          f"{samples['test'][1][1]!r}\n")
    print(f"{'':16}{'parameters':>11}{'seconds':>9}{'valid':>8}{'exact':>8}{'1 date':>9}" + f"{'2 dates':>9}" * (most - 1)
          + f"{'weight on it':>14}{'largest there':>15}")
    test, rows, maps = samples["test"], {}, {}
    dates = np.array([1 + s[1].count(",") for s in test])
    for name in [*SCORES, None]:
        model = Translator(name, hidden, places, np.random.default_rng([args.seed, 1]))
        seconds = train(model, samples["train"], epochs, 32, 0.01, args.seed)
        right, label = exact(model, test), name or "no attention"
        shares = {"valid": exact(model, samples["valid"]).mean(), "exact": right.mean(),
                  **{f"dates_{n}": right[dates == n].mean() for n in range(1, most + 1)}}
        rows[label] = {"parameters": model.num_parameters(), "seconds": seconds, **{k: float(x) for k, x in shares.items()}}
        line = f"{label:16}{model.num_parameters():11,}{seconds:9.0f}{shares['valid']:8.1%}{shares['exact']:8.1%}"
        line += "".join(f"{shares[f'dates_{n}']:9.1%}" for n in range(1, most + 1))
        if name is not None:
            on, there = alignment(weights_of(model, test), test)
            rows[label].update(weight_on_it=on, largest_there=there)
            maps[name] = weights_of(model, test[1:2])[0]
            line += f"{on:14.3f}{there:15.1%}"
        print(line, flush=True)
    print()
    draw_maps(maps, test[1], folder / "attention_alignment.png")
    claims(rows, args.quick)
    write_record(args, data="generated sentences with dates", synthetic=True, rows=rows)
    return finish()


def claims(rows, quick):
    names, longest = (FIRST, "dates_1") if quick else (BEST, "dates_2")
    for name in names:
        claim(f"test answers that are right to the last letter, {name}", rows[name]["exact"], ">=", 0.3 if quick else 0.99)
    worst = min(rows[name][longest] for name in names)
    claim("the same of the longest sentences, no attention (5 points below the worst of these)",
          rows["no attention"][longest], "<=", worst - 0.05)
    best = max(names, key=lambda name: rows[name]["largest_there"])
    claim(f"digits whose largest weight is where the digit is written, {best}", rows[best]["largest_there"], ">=",
          0.5 if quick else 0.8)


if __name__ == "__main__":
    sys.exit(main())
