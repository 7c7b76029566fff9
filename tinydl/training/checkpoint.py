"""save and load: nested dictionaries of arrays and numbers in one .npz file, written whole or not at all.

Arrays are the members of the file; the tree around them is JSON, in the member "tree". Nothing is pickled, so a file
from a stranger can be read without running his code. zip's checksums tell a damaged file.
"""

import contextlib
import json
import os

import numpy as np

from ..tensor import Tensor


class CheckpointError(RuntimeError):
    """The file cannot be read as a checkpoint. The message says which file, why, and what to do."""


def save(tree, path):
    """Write dictionaries, lists, numbers, strings, None, arrays and tensors to `path`, through a temporary file.

    The old file is there until the new one is complete on disk: a crash in the middle leaves the old one. `load` gives
    the same tree, with lists for tuples, arrays for tensors and Python's numbers for NumPy's scalars.
    """
    path, arrays = os.fspath(path), {}
    text = json.dumps(_pack(tree, arrays))
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "wb") as file:
            np.savez(file, tree=np.frombuffer(text.encode(), np.uint8), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(os.path.dirname(path) or ".")
    except OSError as error:
        raise OSError(f"save: cannot write {path} ({error.strerror or error}); choose a folder that exists and is "
                      "writable, with room for the file") from error
    finally:
        with contextlib.suppress(OSError):
            os.remove(temporary)  # there only if something failed


def _sync_folder(folder):
    """Make the rename itself durable, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load(path):
    """The tree that `save` wrote to `path`; CheckpointError where the file is damaged or something else."""
    with open(path, "rb") as file:
        try:
            if file.read(2) != b"PK":  # else np.load takes it for a pickle, and tells how to run a stranger's code
                raise ValueError("it is no zip file")
            file.seek(0)
            members = np.load(file, allow_pickle=False)
            arrays = {name: members[name] for name in members.files}
            return _unpack(json.loads(arrays.pop("tree").tobytes().decode()), arrays)
        except Exception as error:  # zip, NumPy and JSON have some ten ways of complaining about a strange file
            raise CheckpointError(f"load: {os.fspath(path)} is damaged or not a checkpoint of this library "
                                  f"({type(error).__name__}: {error}); start from an earlier one, or train "
                                  "again") from error


def _pack(node, arrays):
    """The tree in JSON's terms: arrays are put aside under a name, dictionaries become lists of pairs (any keys)."""
    if isinstance(node, Tensor):
        node = node._data
    if isinstance(node, np.generic):
        node = node.item()
    if isinstance(node, np.ndarray) and not node.dtype.hasobject:  # an object would be pickled
        name = f"array{len(arrays)}"
        arrays[name] = node
        return {"array": name}
    if isinstance(node, dict):
        return {"dict": [[_key(key), _pack(value, arrays)] for key, value in node.items()]}
    if isinstance(node, (list, tuple)):
        return [_pack(value, arrays) for value in node]
    if _is_plain(node):
        return node
    kind = f"array of {node.dtype}" if isinstance(node, np.ndarray) else type(node).__name__
    raise TypeError(f"save: got a {kind}; want dictionaries, lists, numbers, strings, None, arrays, tensors")


def _is_plain(node):
    return node is None or isinstance(node, (bool, int, float, str))


def _key(key):
    key = key.item() if isinstance(key, np.generic) else key
    if not _is_plain(key):
        raise TypeError(f"save: got a dictionary with a key of type {type(key).__name__}; want numbers, strings, None")
    return key


def _unpack(node, arrays):
    if isinstance(node, list):
        return [_unpack(value, arrays) for value in node]
    if isinstance(node, dict):
        if "array" in node:
            return arrays[node["array"]]
        return {key: _unpack(value, arrays) for key, value in node["dict"]}
    return node
