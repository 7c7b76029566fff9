"""Scenes show what their sentences say, boxes hold the things, and no part has another's."""

import numpy as np
import pytest

from examples import scenes


def test_no_thing_is_in_two_parts_and_all_that_is_held_out_is_known_apart():
    parts = {part: scenes.things(part) for part in ("train", "valid", "test", "pairs")}
    assert sorted(thing for part in parts.values() for thing in part) == [
        (c, s, p) for c in range(6) for s in range(5) for p in range(9)]
    assert {part: len(found) for part, found in parts.items()} == {"train": 150, "valid": 25, "test": 50, "pairs": 45}
    trained = {(c, s) for c, s, _ in parts["train"]}
    assert len(trained) == 25 and not trained & {(c, s) for c, s, _ in parts["pairs"]}
    for part in ("valid", "test"):
        assert {(c, s) for c, s, _ in parts[part]} == trained
    for which, values in enumerate((6, 5, 9)):
        for part in ("train", "test"):
            assert {thing[which] for thing in parts[part]} == set(range(values))


def test_scenes_of_a_part_hold_its_things_one_and_two_in_turn_as_one_reads(rng):
    drawn = scenes.draw(80, "test", rng)
    assert drawn.images.shape == (80, 3, 24, 24) and drawn.images.dtype == np.float32
    assert 0 <= drawn.images.min() and drawn.images.max() <= 1
    told = {scenes.sentence([thing]): thing for thing in scenes.things("test")}
    for n, (text, boxes) in enumerate(zip(drawn.texts, drawn.boxes, strict=True)):
        found = [told[part] for part in text.split(" and ")]
        assert len(found) == len(boxes) == 1 + n % 2
        assert len(found) == 1 or found[0][2] < found[1][2]


def test_a_thing_has_its_colour_inside_its_box_which_lies_at_its_place(rng):
    for colour, shape, place in scenes.things("train"):
        image, [(left, top, right, bottom)] = scenes.render([(colour, shape, place)], rng)
        row, column = divmod(place, 3)
        assert row == (top + bottom) // 2 // 8 and column == (left + right) // 2 // 8
        assert 5 <= right - left <= 9 and 4 <= bottom - top <= 9
        assert scenes.sentence([(colour, shape, place)]).split()[3:] == [
            ("top", "middle", "bottom")[row], ("left", "centre", "right")[column]]
        outside = image.copy()
        outside[:, max(0, top - 1):bottom + 1, max(0, left - 1):right + 1] = np.nan
        assert np.nanmax(outside) < 0.3 + 0.3  # the ground and its noise
        inside = image[:, top:bottom, left:right].reshape(3, -1)
        brightest = inside[:, np.argsort(inside.max(axis=0))[-5:]].mean(axis=1)
        paint = np.array(list(scenes.COLOURS.values()))
        unit = paint / np.linalg.norm(paint, axis=1, keepdims=True)
        assert np.argmax(unit @ (brightest / np.linalg.norm(brightest))) == colour


def test_shapes_are_what_they_are_called():
    at = {name: [f(np.float64(x), np.float64(y)) <= 0 for x, y in ((0, 0), (0.75, 0), (0.8, 0.8), (0.8, -0.8), (0.5, 0.5))]
          for name, f in scenes.SHAPES.items()}
    assert at == {"circle": [1, 1, 0, 0, 1], "square": [1, 1, 1, 1, 1], "triangle": [1, 0, 1, 0, 1],
                  "cross": [1, 1, 0, 0, 0], "ring": [0, 1, 0, 0, 1]}


@pytest.mark.parametrize("box, regions", [((0, 0, 4, 4), [0]), ((3, 1, 10, 5), [1, 2]), ((2, 2, 6, 6), [0, 1, 6, 7]),
                                          ((17, 15, 24, 23), [28, 29, 34, 35])])
def test_regions_in_a_box_are_those_whose_centre_is(box, regions):
    assert np.flatnonzero(scenes.regions_in(box)).tolist() == regions


def test_sentences_come_back_from_their_codes():
    texts = ["a red circle top left", "a blue ring middle right and a white cross bottom centre"]
    codes = scenes.coded(texts, end=True)
    assert codes.shape == (2, 12) and (codes == scenes.END).sum() == 2 and (codes[0, 6:] == scenes.PAD).all()
    assert scenes.decoded(codes) == texts and scenes.coded(texts).shape == (2, 11)
    assert scenes.decoded(codes[:, :3]) == ["a red circle", "a blue ring"]
