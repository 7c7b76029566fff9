"""An LSTM reads the project's own source (without the tests), character by character, and is then asked to write some.

The files are divided at random; on those held out, models are compared by bits per character, the mean of
-log2 P(character | all before it in its file). Beside the LSTM stand n-gram models, which know the last n - 1 characters:
interpolated Kneser-Ney (Kneser & Ney 1995; Chen & Goodman 1999), the strongest of the classic ones, for n = 1 .. 8.
Training cuts back-propagation through time: the text runs past in windows, the state goes on, its gradient does not.
It must reach: fewer bits per character on the held-out files than the 5-gram model (with --quick, than the 2-gram model).
"""

import pathlib
import sys
import time

import numpy as np

import tinydl
from tinydl import nn, ops, optim
from tinydl.nn.utils.rnn import pack_padded_sequence

from .common import COLOURS, arguments, claim, figure, finish, output_folder, save_figure, write_record
from .kneser_ney import START, KneserNey

OTHER = 1             # the code of characters that training showed too seldom; START, 0, stands before each file
RARE = 10             # a character is known if training files hold it so often
ORDER = 5
WINDOW, CLIP = 64, 1.0


# ---------------------------------------------------------------- the text
def own_source(folders):
    """{name: text} of the project's Python files."""
    root = pathlib.Path(tinydl.__file__).resolve().parents[1]
    return {str(path.relative_to(root)): path.read_text() for folder in folders
            for path in sorted((root / folder).rglob("*.py")) if path.stat().st_size}


def brackets(files, rng, length=4000):
    """{name: text} of generated text: brackets of three kinds, each closed by its own, and letters between them."""
    texts = {}
    for number in range(files):
        open_ones, text = [], []
        while len(text) < length:
            if rng.random() < 0.3 and len(open_ones) < 12:
                open_ones.append(")]}"[rng.integers(3)])
                text.append("([{"[")]}".index(open_ones[-1])])
            elif rng.random() < 0.45 and open_ones:
                text.append(open_ones.pop())
            else:
                text.append("ab\n"[rng.integers(3)])
        texts[f"brackets {number}"] = "".join(text)
    return texts


def read(data, quick, rng):
    """({name: text}, whether it was generated)"""
    if data == "synthetic":
        return brackets(40 if quick else 200, rng), True
    if data == "auto":
        return own_source(["tinydl"] if quick else ["tinydl", "recmodels", "examples", "benchmarks"]), False
    path = pathlib.Path(data)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    texts = {str(p): p.read_text(errors="replace") for p in files if p.exists() and p.stat().st_size}
    if len(texts) < 2:
        raise SystemExit(f"--data {data}: found {len(texts)} file(s) with text, want two or more: some to train on, some to "
                         "hold out")
    return texts, False


def divided(texts, rng, share=0.1):
    """Names of training and held-out files: random files until a share of all characters is held out."""
    names, held = list(texts), []
    goal = share * sum(map(len, texts.values()))
    for number in rng.permutation(len(names))[:-1]:
        if sum(len(texts[name]) for name in held) >= goal:
            break
        held.append(names[number])
    return [name for name in names if name not in held], held


class Alphabet:
    """Characters <-> codes: START, OTHER, then the characters that the training texts hold often enough."""

    def __init__(self, texts):
        characters, counts = np.unique(np.array(list("".join(texts))), return_counts=True)
        self.characters = ["", "\N{REPLACEMENT CHARACTER}", *characters[counts >= RARE].tolist()]
        self._code = {c: code for code, c in enumerate(self.characters)}

    def __len__(self):
        return len(self.characters)

    def encode(self, text):
        return np.array([self._code.get(c, OTHER) for c in text], np.int64)

    def decode(self, codes):
        return "".join(self.characters[code] for code in codes)


# ---------------------------------------------------------------- the LSTM
class CharacterLSTM(nn.Module):
    """P(next character) = softmax(W h_t + b), h_t = LSTM(embedding of the characters so far).

    codes (T, B) and a state -> logits (T, B, V) and the state after.
    """

    def __init__(self, V, hidden, dropout, rng):
        self.embedding = nn.Embedding(V, 64, rng=rng)
        self.lstm = nn.LSTM(64, hidden, rng=rng)
        self.dropout = nn.Dropout(dropout, rng=rng)
        self.last = nn.Linear(hidden, V, rng=rng)
        is_f = np.arange(4 * hidden) // hidden == 1  # of i, f, g, o: begin by remembering (Jozefowicz et al. 2015)
        self.lstm.bias_ih_l0.copy_(np.where(is_f, 1, self.lstm.bias_ih_l0.data))

    def forward(self, codes, state=None):
        h, state = self.lstm(self.embedding(codes), state)
        return self.last(self.dropout(h)), state


def epoch(model, optimizer, text, streams, rng):
    """Once through the text, from a place drawn at random, in so many streams side by side. Returns bits per character."""
    V, L = len(model.embedding.weight), (len(text) - 1) // streams
    text = np.roll(text, -rng.integers(len(text)))
    x, t = (text[shift:shift + L * streams].reshape(streams, L).T for shift in (0, 1))  # (L, streams)
    state, nats = None, []
    for start in range(0, L - WINDOW + 1, WINDOW):
        window = slice(start, start + WINDOW)
        logits, state = model(x[window], state)
        state = tuple(s.detach() for s in state)  # the cut
        loss = ops.cross_entropy(ops.reshape(logits, shape=(-1, V)), t[window].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        nats.append(loss.item())
    return np.mean(nats) / np.log(2)


def bits_of(model, files, window=256):
    """[-log2 P of each character] of each file: all files side by side, packed, so each is read from its own start."""
    order = np.argsort([-len(f) for f in files], kind="stable")
    lengths = np.array([len(files[k]) for k in order])
    padded = np.full((lengths.max() + 1, len(files)), START)
    for place, k in enumerate(order):
        padded[1:1 + lengths[place], place] = files[k]
    found, state = [[] for _ in files], None
    with tinydl.no_grad():
        for start in range(0, lengths.max(), window):
            left = np.minimum(lengths - start, window)
            alive = int(np.sum(left > 0))
            left, codes = left[:alive], padded[start:start + window, :alive]
            state = None if state is None else tuple(s[:, :alive] for s in state)
            packed = pack_padded_sequence(tinydl.tensor(codes), left)
            h, state = model.lstm(packed._replace(data=model.embedding(packed.data)), state)
            logP = ops.log_softmax(model.last(h.data)).numpy()
            target = pack_padded_sequence(tinydl.tensor(padded[start + 1:start + 1 + window, :alive]), left).data.numpy()
            row = 0
            bits = -logP[np.arange(len(target)), target] / np.log(2)
            for n in packed.batch_sizes:
                for place in range(n):
                    found[order[place]].append(bits[row + place])
                row += n
    return [np.array(b) for b in found]


def written(model, alphabet, prompt, length, temperature, rng):
    """The prompt, gone on with by drawing from the model's predictions; a low temperature prefers what is likely."""
    codes, state = alphabet.encode(prompt).tolist(), None
    with tinydl.no_grad():
        logits, state = model(np.array([START, *codes])[:, None])
        for _ in range(length):
            z = logits.numpy()[-1, 0].astype(np.float64) / temperature
            z[[START, OTHER]] = -np.inf
            P = np.exp(z - z.max())
            codes.append(int(rng.choice(len(P), p=P / P.sum())))
            logits, state = model(np.array([[codes[-1]]]), state)
    return alphabet.decode(codes)


# ---------------------------------------------------------------- the figure
def draw(curve, ngrams, text, bits, synthetic, path):
    fig, (left, right) = figure(1, 2, size=(14, 5.2), synthetic=synthetic, width_ratios=(1, 1.5),
                                title="What an LSTM expects of the next character")
    epochs, train, held = np.transpose(curve)
    left.plot(epochs, train, color=COLOURS["sky"], linewidth=2, label="LSTM, while training")
    left.plot(epochs, held, color=COLOURS["blue"], linewidth=2, marker="o", label="LSTM, held-out files")
    for n in ngrams:
        if n == ORDER or n == min(ngrams, key=ngrams.get):
            left.axhline(ngrams[n], color=COLOURS["orange"], linestyle="--" if n == ORDER else ":",
                         label=f"{n}-gram, Kneser-Ney")
    left.set(title="bits per character", xlabel="epoch")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(frameon=False, fontsize=9)
    right.grid(False)
    right.set(title="a held-out file: the redder, the more surprising", xlim=(0, 100), ylim=(24, 0), xticks=[], yticks=[])
    right.spines[:].set_visible(False)
    row, column = 0, 0
    for character, surprise in zip(text, bits, strict=True):
        if character == "\n" or column == 100:
            row, column = row + 1, 0
        if row == 24:
            break
        if character != "\n":
            shade = min(1.0, surprise / 6)
            right.add_patch(_box(column, row, shade))
            right.text(column + 0.5, row + 0.5, character, family="monospace", fontsize=6.5, ha="center", va="center")
            column += 1
    save_figure(fig, path)


def _box(column, row, shade):
    from matplotlib.patches import Rectangle

    return Rectangle((column, row), 1, 1, facecolor=(1, 1 - 0.65 * shade, 1 - 0.85 * shade), edgecolor="none")


def study(data, quick, seed, path):
    """Division, n-gram models and LSTM with one seed, drawn to path unless that is None: ({n: bits}, curve, synthetic)"""
    hidden, streams, epochs, dropout = (64, 16, 2, 0.0) if quick else (256, 32, 7, 0.2)
    rng = np.random.default_rng(seed)
    texts, synthetic = read(data, quick, rng)
    train_names, held_names = divided(texts, rng)
    alphabet = Alphabet([texts[name] for name in train_names])
    train, held = ([alphabet.encode(texts[name]) for name in names] for names in (train_names, held_names))
    print(f"protocol: {len(train)} files ({sum(map(len, train)):,} characters) to train on, {len(held)} "
          f"({sum(map(len, held)):,}) held out, {len(alphabet)} different characters, seed {seed}"
          f"{', quick' if quick else ''}{', synthetic' if synthetic else ''}\n")

    print("bits per character on the held-out files\n")
    ngrams = {}
    for n in range(1, 6 if quick else 9):
        model = KneserNey(train, n, len(alphabet))
        ngrams[n] = float(np.mean(np.concatenate([model.bits(f) for f in held])))
        print(f"{f'{n}-gram, Kneser-Ney':24}{ngrams[n]:8.3f}", flush=True)

    model = CharacterLSTM(len(alphabet), hidden, dropout, rng)
    optimizer = optim.Adam(model.parameters(), lr=0.005 if quick else 0.003)
    decay = optim.CosineAnnealingLR(optimizer, epochs)
    stream, curve, started = np.concatenate([np.append(START, f) for f in train]), [], time.perf_counter()
    for number in range(1, epochs + 1):
        seen = epoch(model.train(), optimizer, stream, streams, rng)
        decay.step()
        bits = bits_of(model.eval(), held)
        curve.append((number, float(seen), float(np.mean(np.concatenate(bits)))))
        print(f"{f'LSTM, epoch {number}':24}{curve[-1][2]:8.3f}   (training {seen:.3f}; "
              f"{time.perf_counter() - started:.0f} s)", flush=True)

    print(f"\nwhat it writes after {epochs} epoch(s), at temperature 0.6\n")
    for prompt in ("([a" if synthetic else "def forward(self, x):\n", "" if synthetic else '"""'):
        print("\n".join("    " + line for line in written(model, alphabet, prompt, 300, 0.6, rng).split("\n")) + "\n")
    if path is not None:
        longest = max(range(len(held)), key=lambda k: min(len(held[k]), 3000))
        draw(curve, ngrams, texts[held_names[longest]], bits[longest], synthetic, path)
    return ngrams, curve, synthetic


def main(argv=None):
    parser = arguments("character_lstm", __doc__, seeds=True)
    parser.add_argument("--data", default="auto", metavar="auto|synthetic|PATH",
                        help="the project's own source, generated brackets, or a text file or a folder of them")
    args = parser.parse_args(argv)
    folder, order = output_folder(args), 2 if args.quick else ORDER
    found = [study(args.data, args.quick, seed, None if n else folder / "surprise.png") for n, seed in enumerate(args.seeds)]
    goal = np.mean([ngrams[order] for ngrams, *_ in found])
    claim(f"bits per character on held-out files, the LSTM's, beside those of a {order}-gram model",
          [curve[-1][2] for _, curve, _ in found], "<", goal)
    write_record(args, data="own source" if args.data == "auto" else args.data, synthetic=found[0][2],
                 ngrams=[ngrams for ngrams, *_ in found], lstm=[curve for _, curve, _ in found])
    return finish()


if __name__ == "__main__":
    sys.exit(main())
