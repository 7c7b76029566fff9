"""save and load: what goes in comes out, the file is whole or the old one, and a strange file is a clear error."""

import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinydl
from tinydl import Tensor, load, save
from tinydl.training import CheckpointError

TREE = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "t": 7, "names": ["a", "b"], "none": None}


def same(a, b):
    """Equal with equal types, nan included; arrays bit for bit with dtype and shape. Tuples have become lists."""
    if isinstance(a, np.ndarray):
        return type(b) is np.ndarray and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return (type(b) is dict and len(a) == len(b)
                and all(same(k, j) and same(a[k], b[j]) for k, j in zip(a, b, strict=True)))
    if isinstance(a, (list, tuple)):
        return type(b) is list and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and (a == b or (a != a and b != b)) and str(a) == str(b)


# ---------------------------------------------------------------- round trip
numbers = st.none() | st.booleans() | st.integers(-2**200, 2**200) | st.floats() | st.text()
dtypes = (hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.unsigned_integer_dtypes() | hnp.floating_dtypes()
          | hnp.complex_number_dtypes() | hnp.unicode_string_dtypes(max_len=3))
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
trees = st.recursive(numbers | arrays, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
                     | st.dictionaries(st.text() | st.integers(-2**70, 2**70), inner, max_size=3), max_leaves=12)


@given(tree=trees)
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_round_trip(tree, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "round_trip.npz"
    save(tree, path)
    assert same(tree, load(path))


@pytest.mark.parametrize("tree", [
    {}, [], None, 2**130, float("nan"), -float("inf"), -0.0, "", "\ud800 ä", True, {1: {"1": 1}}, {None: 0, 1.5: 2, True: 3},
    {"array": 1, "dict": 2, "tree": np.ones(2)}, {"array": "array0", "x": np.ones(1)}, np.array(3), np.zeros((0, 3)),
    np.array(True),
    np.asfortranarray(np.arange(6).reshape(2, 3)), np.arange(6)[::2], np.array([np.nan, np.inf, -0.0], np.float16),
    np.array([1, 2], ">i4"), np.array("text"), [[], {}, [[]]]])
def test_corners(tree, tmp_path):
    save(tree, tmp_path / "x")
    assert same(tree, load(tmp_path / "x"))


def test_tensors_and_scalars_become_arrays_and_numbers(tmp_path):
    save({np.int64(3): np.float32(0.5), "t": Tensor([1.0, 2.0], requires_grad=True), "b": np.bool_(True)}, tmp_path / "x")
    tree = load(tmp_path / "x")
    assert same({3: 0.5, "t": np.array([1.0, 2.0], np.float32), "b": True}, tree)
    tree["t"][0] = 5  # one's own, to write to
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("bad, words", [
    ({"f": print}, "builtin_function_or_method"), ({"x": {1, 2}}, "set"), (np.array([None]), "array of object"),
    ({(1, 2): 3}, "key of type tuple"), (np.complex128(1j), "complex"), (b"bytes", "bytes"),
    (np.array([(1, None)], [("a", "i4"), ("b", "O")]), "array of")])
def test_what_cannot_be_saved_is_named_and_the_old_file_stays(bad, words, tmp_path):
    save(TREE, tmp_path / "x")
    with pytest.raises(TypeError, match=words):
        save({"good": 1, "bad": [bad]}, tmp_path / "x")
    assert same(TREE, load(tmp_path / "x")) and os.listdir(tmp_path) == ["x"]


# ---------------------------------------------------------------- strange files
def raised(path):
    with pytest.raises(CheckpointError, match="damaged or not a checkpoint.*start from an earlier one") as info:
        load(path)
    assert str(path) in str(info.value)


def test_truncated_anywhere(tmp_path):
    path = tmp_path / "x"
    save(TREE, path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        raised(path)


def test_a_changed_byte_is_noticed_or_does_not_matter(tmp_path):
    path, harmless = tmp_path / "x", 0
    save(TREE, path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1:])
        try:
            tree = load(path)
        except CheckpointError:
            continue
        assert same(TREE, tree), place
        harmless += 1
    assert harmless < len(whole) / 9  # dates, permissions and the like


@pytest.mark.parametrize("name, content", [("empty", b""), ("text", b"hello world\n" * 50), ("json", b"{}"),
                                           ("zeros", bytes(1000)), ("pickle", pickle.dumps(TREE))])
def test_foreign_files(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    raised(tmp_path / name)


def test_files_of_numpy_and_zip_without_a_tree(tmp_path):
    np.save(tmp_path / "one.npy", np.ones(3))
    np.savez(tmp_path / "some.npz", a=np.ones(3))
    np.savez(tmp_path / "tree.npz", tree=np.ones(3))
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("readme.txt", "hello")
    for name in ("one.npy", "some.npz", "tree.npz", "other.zip"):
        raised(tmp_path / name)


class Bomb:
    def __reduce__(self):
        return os.mkdir, (Bomb.path,)


def test_nothing_in_a_strangers_file_is_run(tmp_path):
    Bomb.path = str(tmp_path / "exploded")
    np.savez(tmp_path / "x.npz", tree=np.array([Bomb()], object))
    np.save(tmp_path / "y.npy", np.array([Bomb()], object))
    (tmp_path / "z").write_bytes(pickle.dumps(Bomb()))
    for name in ("x.npz", "y.npy", "z"):
        raised(tmp_path / name)
    assert not os.path.exists(Bomb.path)


def test_no_file_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "x")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


# ---------------------------------------------------------------- writing
def test_unwritable_places(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "x", tmp_path / "missing" / "x"):
        with pytest.raises(OSError, match="save: cannot write .*choose a folder that exists"):
            save(TREE, path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="cannot write"):
        save(TREE, tmp_path / "folder")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    save(TREE, tmp_path / "x")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        save({"new": 1}, tmp_path / "x")
    monkeypatch.undo()
    assert same(TREE, load(tmp_path / "x")) and os.listdir(tmp_path) == ["x"]


def run(code, *arguments):
    source = os.path.dirname(os.path.dirname(tinydl.__file__))
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env={**os.environ, "PYTHONPATH": source},
                            stdout=subprocess.PIPE, text=True)


KILLED_WHILE_WRITING = """
import os, signal, sys, numpy as np, tinydl
tinydl.save({"version": 1, "x": np.full(1000, 1.0)}, sys.argv[1])
target, kill = sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if target == "fsync":
    os.fsync = kill
elif target == "replace":
    os.replace = kill
else:
    write = np.lib.format.write_array
    np.lib.format.write_array = lambda file, *a, **k: (file.write(b"half of it"), file.flush(), kill())
tinydl.save({"version": 2, "x": np.full(1000, 2.0)}, sys.argv[1])
"""


@pytest.mark.parametrize("moment", ["write", "fsync", "replace"])
def test_a_process_killed_while_writing_leaves_the_old_file(moment, tmp_path):
    with run(KILLED_WHILE_WRITING, tmp_path / "x", moment) as process:
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert load(tmp_path / "x")["version"] == 1
    assert sorted(os.listdir(tmp_path)) == ["x", "x.tmp"]
    save({"version": 3}, tmp_path / "x")  # what was left over is in nobody's way
    assert load(tmp_path / "x") == {"version": 3} and os.listdir(tmp_path) == ["x"]


SAVING_IN_A_LOOP = """
import itertools, sys, numpy as np, tinydl
for k in itertools.count():
    tinydl.save({"k": k, "x": np.full(20000, float(k))}, sys.argv[1])
    if k == 2:
        print("ready", flush=True)
"""


def test_a_process_killed_at_any_moment_leaves_a_readable_file(tmp_path):
    rng = np.random.default_rng(0)
    with run(SAVING_IN_A_LOOP, tmp_path / "x") as process:
        assert process.stdout.readline() == "ready\n"
        for _ in range(20):  # a reader never meets half a file either
            tree = load(tmp_path / "x")
            assert (tree["x"] == tree["k"]).all()
            time.sleep(rng.uniform(0, 0.005))
        process.kill()
    tree = load(tmp_path / "x")
    assert tree["k"] >= 2 and (tree["x"] == tree["k"]).all()
