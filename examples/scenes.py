"""Rendered scenes, one or two coloured shapes in noise, with the sentence that says what is where, and the shapes' boxes."""

from typing import NamedTuple

import numpy as np

SIZE, GRID = 24, 6  # pixels a side; regions a side, each of 4 x 4 pixels
COLOURS = {"red": (1, 0.15, 0.15), "green": (0.1, 0.8, 0.2), "blue": (0.2, 0.3, 1), "yellow": (1, 0.9, 0.1),
           "purple": (0.75, 0.2, 0.85), "white": (1, 1, 1)}
SHAPES = {  # how far outside the point (x, y) is, y downwards, of a shape that reaches to about 1 from its centre
    "circle": lambda x, y: np.hypot(x, y) - 1,
    "square": lambda x, y: np.maximum(np.abs(x), np.abs(y)) - 0.9,
    "triangle": lambda x, y: np.maximum(np.abs(x) - 0.5 * (y + 1), y - 0.9),
    "cross": lambda x, y: np.maximum(np.minimum(np.abs(x), np.abs(y)) - 0.3, np.maximum(np.abs(x), np.abs(y)) - 1),
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.75) - 0.25,
}
PLACES = [(row, column) for row in ("top", "middle", "bottom") for column in ("left", "centre", "right")]
PAD, START, END = 0, 1, 2
WORDS = ("", "<start>", "<end>", "a", "and", *COLOURS, *SHAPES, "top", "middle", "bottom", "left", "centre", "right")
CODES = {word: code for code, word in enumerate(WORDS)}


class Scenes(NamedTuple):
    """images (n, 3, 24, 24), their sentences, and of each the boxes of what it names, in its order: (left, top, right,
    bottom) in pixels, the last two exclusive."""
    images: np.ndarray
    texts: list
    boxes: list


def part_of(colour, shape, place):
    """Which part a thing belongs to, by its three numbers: "train", "valid", "test" or "pairs". No thing is in two parts.

    Five of the 30 pairs of a colour and a shape are in no other part than "pairs". Each of the other 25 is trained on at
    six of the nine places; of the other three, one in each row and column, one is for "valid" and two are for "test"."""
    row, column = divmod(place, 3)
    if colour == shape:
        return "pairs"
    if (column - row - colour - shape) % 3:
        return "train"
    return "valid" if (row - colour) % 3 == 0 else "test"


def things(part):
    """All (colour, shape, place), as numbers, of a part."""
    return [(c, s, p) for c in range(len(COLOURS)) for s in range(len(SHAPES)) for p in range(len(PLACES))
            if part_of(c, s, p) == part]


def render(chosen, rng):
    """(image (3, 24, 24), boxes) of things, (colour, shape, place) each; size, exact place and light are drawn."""
    image = np.full((3, SIZE, SIZE), rng.uniform(0, 0.3))
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    boxes = []
    for colour, shape, place in chosen:
        row, column = divmod(place, 3)
        down, right, radius = 8 * row + rng.uniform(3, 5), 8 * column + rng.uniform(3, 5), rng.uniform(3.2, 4)
        outside = radius * list(SHAPES.values())[shape]((x - right) / radius, (y - down) / radius)
        cover = np.clip(0.5 - outside, 0, 1)  # an edge one pixel wide
        paint = rng.uniform(0.75, 1) * np.array(list(COLOURS.values())[colour])
        image += cover * (paint[:, None, None] - image)
        rows, columns = np.nonzero(cover >= 0.5)
        boxes.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
    return np.clip(image + 0.04 * rng.standard_normal(image.shape), 0, 1), boxes


def sentence(chosen):
    """ "a red circle top left and a white ring middle right" """
    names = list(COLOURS), list(SHAPES), PLACES
    return " and ".join(" ".join(("a", names[0][c], names[1][s], *names[2][p])) for c, s, p in chosen)


def draw(n, part, rng):
    """n scenes of one and two things in turn, all of a part, named as one reads: by their places, no two of which agree."""
    kinds, images, texts, boxes = things(part), np.empty((n, 3, SIZE, SIZE), np.float32), [], []
    while len(texts) < n:
        chosen = sorted((kinds[k] for k in rng.integers(len(kinds), size=1 + len(texts) % 2)), key=lambda thing: thing[2])
        if len({place for _, _, place in chosen}) == len(chosen):
            images[len(texts)], found = render(chosen, rng)
            texts.append(sentence(chosen))
            boxes.append(found)
    return Scenes(images, texts, boxes)


def regions_in(box):
    """Which of the 36 regions have their centre inside a box or on its edge: (36,) booleans, as one reads."""
    left, top, right, bottom = box
    centre = (np.arange(GRID) + 0.5) * (SIZE // GRID)
    inside = ((centre >= top) & (centre <= bottom))[:, None] & (centre >= left) & (centre <= right)
    return inside.reshape(-1)


def coded(texts, end=False):
    """(n, longest) codes of the words, filled up with PAD; with `end`, END comes after each sentence."""
    rows = [[CODES[word] for word in text.split()] + [END] * end for text in texts]
    codes = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for row, code in zip(codes, rows, strict=True):
        row[:len(code)] = code
    return codes


def decoded(codes):
    """The sentences before their first END."""
    return [" ".join(WORDS[code] for code in row).split(WORDS[END])[0].strip() for row in codes]
