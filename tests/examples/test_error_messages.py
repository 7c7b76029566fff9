"""The page of messages keeps its claims without network, and notices a message that is missing, of another type or poor."""

import socket
import sys

import pytest

from examples import error_messages as example


def test_every_mistake_gets_its_message(tmp_path, monkeypatch, capsys):
    def refuse(*arguments, **options):
        raise AssertionError("an example of messages needs no network")

    monkeypatch.setattr(socket, "socket", refuse)
    assert example.main(["--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "FAILS" not in printed and printed.count("FOLDER/ratings.dat, line 3") == 1
    assert not list(tmp_path.iterdir())


def raises(error):
    def make(folder):
        raise error
    return make


@pytest.mark.parametrize("make, complaint", [
    (lambda folder: None, "no error at all"),
    (raises(TypeError("got 7, want 3: take one")), "TypeError: got 7"),
    (raises(NotADirectoryError("got 7, want 3: take one")), "NotADirectoryError: got 7"),
    (raises(OSError("got 7, want three: take one")), "does not say 'want 3'"),
    (raises(OSError("want 3: take one")), "does not say 'got 7'"),
    (raises(OSError("got 7, want 3")), "does not say 'take one'"),
])
def test_a_poor_message_fails(make, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(example, "DEFINED", {})
    good = ("said it well", raises(OSError("got 7, want 3: take one")), OSError, ["got 7", "want 3", "take one"])
    monkeypatch.setattr(example, "MISTAKES", {"A": [good]})
    assert example.main(["--out", str(tmp_path)]) == 0
    monkeypatch.setattr(example, "MISTAKES", {"A": [good, ("erred", make, *good[2:])]})
    assert example.main(["--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert complaint in printed and "NOT erred" in printed


def test_a_defined_case_that_is_otherwise_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(example, "MISTAKES", {})
    monkeypatch.setattr(example, "DEFINED", {"one is two": lambda: ("it is not", False)})
    assert example.main(["--out", str(tmp_path)]) == 1


def test_a_command_that_says_nothing_or_too_much_is_no_refusal(monkeypatch):
    def answer(text, code):
        monkeypatch.setattr(example, "recmodels_command", lambda words: print(text, end="", file=sys.stderr) or code)

    for text, code in (("", 2), ("one line\n", 0), ("two\nlines\n", 2)):
        answer(text, code)
        example.command("train")
    answer("one line\n", 2)
    with pytest.raises(example.Refused, match="one line"):
        example.command("train")
