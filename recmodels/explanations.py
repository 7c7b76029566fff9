"""Why this item: parts that add up to the score, and for models of reviews the reviews and words that were read.

    fm_contributions    a factorization machine's score by fields, pairs of fields, and triples
    Explanation         of a model of reviews: its parts, and each review with its share; `text` shows it, `page` many
    faithfulness        does the score move more without the most attended review than without another?
"""

import dataclasses
import html
import itertools
import math

import numpy as np

from tinydl.random import generator

from .bootstrap import paired_bootstrap
from .reviews import spans


# ---------------------------------------------------------------- factorization machines
def fm_contributions(network, fields, index, values=None, numbers=None):
    """{(field, ..): (n,) its part of the score}, in float64; the parts add up to the score of each example.

        ()         b
        (f,)       sum of w_i x_i, i in f
        (f, g)     sum of <v_i, v_j> x_i x_j, one of them in f, the other in g; (f, f, g) and the like for order 3

    With Z_f = sum of z_i = x_i v_i over a field, a term that has field f m_f times is, summed over d,

        n! prod_f Z_f^m_f / m_f!       form="full": all orders of n members, equal ones too
        prod_f e_{m_f}(z_i, i in f)    form="distinct", e the elementary symmetric polynomials

    network: a FactorizationMachineNetwork; index, values (n, F) as its `forward` takes them; fields (F,): whose feature each
    place is; numbers (n, P): the real numbers, each a field of its own, "number 0" and so on.
    """
    if len(fields) != index.shape[1]:
        raise ValueError(f"fm_contributions: got {len(fields)} fields for index {index.shape}, want a name for each column")
    x = np.ones(index.shape) if values is None else np.asarray(values, np.float64)
    if network.padding_idx is not None:
        x = x * (index != network.padding_idx)
    parts = {} if network.b is None else {(): np.full(len(index), float(network.b.detach().numpy()))}
    for n, table in enumerate((network.w, *network.factors()), start=1):
        members = {name: [] for name in fields}
        for place, name in enumerate(fields):
            members[name].append(x[:, place, None] * table.weight.detach().numpy()[index[:, place]])
        for p in range(0 if numbers is None else numbers.shape[1]):
            rows = network.of_numbers[n - 1].weight.detach().numpy()
            members[f"number {p}"] = [numbers[:, p, None] * rows[:, p].astype(np.float64)]
        powers = {name: _powers(z, n, network.form) for name, z in members.items()}
        for term in itertools.combinations_with_replacement(members, n):
            counts = {name: term.count(name) for name in term}
            if network.form == "full" or all(m <= len(members[name]) for name, m in counts.items()):
                product = math.prod(powers[name][m] for name, m in counts.items())
                parts[term] = (math.factorial(n) if network.form == "full" else 1) * product.sum(axis=1)
    return parts


def _powers(z, n, form):
    """[what a field's members z counts that are there m times in a term, m = 0 .. n]: Z^m / m!, or e_m(z)."""
    if form == "full":
        return [sum(z) ** m / math.factorial(m) for m in range(n + 1)]
    e = [1.0] + [0.0] * n
    for one in z:
        for m in range(n, 0, -1):
            e[m] = e[m] + e[m - 1] * one
    return e


def explained(parts, constant=0.0):
    """[{"constant": .., "user": .., "user x item": ..}] of `fm_contributions`, a dict an example, the largest part first."""
    names = [" x ".join(term) or "constant" for term in parts]
    numbers = np.stack(list(parts.values()), axis=1)
    if constant:
        names, numbers = ["mean", *names], np.insert(numbers, 0, constant, axis=1)
    order = np.argsort(-np.absolute(numbers), axis=1, kind="stable")
    return [{names[c]: float(row[c]) for c in columns} for row, columns in zip(numbers, order, strict=True)]


# ---------------------------------------------------------------- models of reviews
@dataclasses.dataclass(frozen=True)
class Read:
    """A review that was read for a pair: of its user or of its item.

    attention: its weight among the reviews of that side; part: what it adds to the score; words: {word: (weight in the
    review, part of the score)}.
    """
    side: str
    user: object
    item: object
    rating: float
    text: str
    attention: float
    part: float
    words: dict


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Why a user would rate an item so: parts {what: its part} add up to score; reads, the most attended first."""
    user: object
    item: object
    score: float
    parts: dict
    reads: tuple

    def of(self, side):
        """What was read of the "user" or the "item"."""
        return [read for read in self.reads if read.side == side]

    def __str__(self):
        return self.text()

    def text(self, reviews=1, words=5, width=200):
        """The score, its parts, the most attended reviews of each side and the words that moved it most."""
        lines = [f"user {self.user}, item {self.item}: {self.score:.2f} = "
                 + " ".join(f"{value:+.2f} {what}" for what, value in self.parts.items())]
        for side in ("item", "user"):
            reads = self.of(side)
            for read in reads[:reviews]:
                who = f"user {read.user} on it" if side == "item" else f"the user on item {read.item}"
                said = " ".join(read.text.split())
                lines += [f"  {who}, {read.rating:g} stars (attention {read.attention:.2f} of {len(reads)} reviews, "
                          f"{read.part:+.3f}): \"{said[:width]}{'..' if len(said) > width else ''}\"",
                          "    words: " + ", ".join(f"{word} {part:+.3f}" for word, part in _strongest(read, words))]
        return "\n".join(lines)


def _strongest(read, n):
    """[(word, part)] of the n words that moved the score most."""
    found = [(word, part) for word, (_, part) in read.words.items()]
    return sorted(found, key=lambda one: -abs(one[1]))[:n]


def page(explanations, title, reviews=3, notes=()):
    """An HTML page: each score and its parts, and the most attended reviews with the words that raised it (green) or lowered
    it (red), the stronger the deeper. notes: a text for each explanation, or none; names and texts are escaped.
    """
    notes = list(notes) or [""] * len(explanations)
    body = []
    for one, note in zip(explanations, notes, strict=True):
        parts = ", ".join(f"{html.escape(what)} {value:+.2f}" for what, value in one.parts.items())
        body.append(f"<section><h2>User {_safe(one.user)}, item {_safe(one.item)}: {one.score:.2f}</h2><p>{parts}</p>")
        body.append(f"<p><em>{html.escape(note)}</em></p>" if note else "")
        for side, head in (("item", "What was said of the item"), ("user", "What the user said of other items")):
            reads = one.of(side)
            body.append(f"<h3>{head}: {len(reads)} reviews</h3>")
            body += [f"<blockquote><p><b>attention {read.attention:.2f}</b>, {read.part:+.3f}; user {_safe(read.user)} on "
                     f"item {_safe(read.item)}, {read.rating:g} stars</p><p>{_marked(read)}</p></blockquote>"
                     for read in reads[:reviews]]
        body.append("</section>")
    return _PAGE.format(title=html.escape(title), body="\n".join(filter(None, body)))


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{font-family: sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em}}
blockquote {{border-left: 3px solid #ccc; margin: 0 0 1em; padding: 0 1em}}
</style></head><body><h1>{title}</h1>
{body}
</body></html>
"""


def _safe(name):
    return html.escape(str(name))


def _marked(read):
    """The text as HTML with a colour behind each word."""
    most = max((abs(part) for _, part in read.words.values()), default=0.0) or 1.0
    pieces, end = [], 0
    for word, first, last in spans(read.text):
        if word in read.words:
            weight, part = read.words[word]
            colour = "0,158,115" if part > 0 else "213,94,0"
            pieces += [html.escape(read.text[end:first]),
                       f"<span title=\"weight {weight:.3f}, {part:+.4f}\" style=\"background:rgba({colour},"
                       f"{0.7 * abs(part) / most:.2f})\">{html.escape(read.text[first:last])}</span>"]
            end = last
    return "".join([*pieces, html.escape(read.text[end:])])


@dataclasses.dataclass(frozen=True)
class Faithfulness:
    """How far each score moves without the most attended review, and without another one (n,); users (n,) whose it is."""
    most: np.ndarray
    other: np.ndarray
    users: np.ndarray

    def difference(self, **options):
        """The paired difference of the two with its interval: `paired_bootstrap` over users."""
        return paired_bootstrap(self.most, self.other, self.users, **options)


def faithfulness(model, data, side="item", rng=0):
    """Faithfulness of the attention of a fitted NARRE to the reviews of the "item" or the "user" of each pair in `data`.

    An explanation that names a review says that the score hangs on it: so it should move more without that review than
    without another one, drawn at random (`rng`) among the rest. Pairs with fewer than two such reviews are left out.
    """
    place = ("user", "item").index(side)
    users, items = model.codes(data)
    _, read = model.parts(users, items)
    keep = [keep for _, keep in model.table_.readable(users, items)]
    some = np.flatnonzero(keep[place].sum(axis=1) >= 2)
    most = read[place][1].argmax(axis=1)
    drawn = generator(rng).random(keep[place].shape) * keep[place]
    drawn[np.arange(len(drawn)), most] = 0
    whole = model.score_without(users[some], items[some], side, None)
    moved = [np.absolute(model.score_without(users[some], items[some], side, column[some]) - whole)
             for column in (most, drawn.argmax(axis=1))]
    return Faithfulness(*moved, data.frame["user"].to_numpy()[some])
