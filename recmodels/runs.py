"""A run folder: what was asked for and what came out, so that a number can be looked up, checked and continued.

    settings.json       task, model, its parameters, data and their fingerprint, split, seeds, protocol
    metrics.json        the row of `evaluate_ratings`, or of `fit_and_evaluate` (check-ins, sessions, implicit feedback)
    model.npz           the fitted model: `load` of its class reads it, or that of `Recommender` or another base class
    history.csv         one row an epoch, where the model trains in epochs
    learning_curve.png  the same as a figure, where matplotlib is installed
"""

import contextlib
import json
import pathlib
import tempfile
import zlib

from tinydl import plotting

_SETTINGS = ("model", "parameters", "data", "fingerprint", "synthetic", "seed", "refit", "protocol", "sizes")


def fingerprint(data):
    """A checksum of users, items, ratings, texts (check-ins: times; sessions: theirs) in their order: the same data?"""
    total = 0
    if not hasattr(data, "frame"):
        for values in (data.ids, data.start, data.items):
            total = zlib.crc32(values.tobytes(), total)
        return f"{len(data)}-{total:08x}"
    columns = ("user", "item", "rating", "text") if "rating" in data.frame else ("user", "item", "timestamp", "local")
    for column in (column for column in columns if column in data.frame):
        values = data.frame[column].to_numpy()
        total = zlib.crc32(values.tobytes() if values.dtype.kind in "iuf" else "\n".join(values).encode(), total)
    return f"{len(data)}-{total:08x}"


def prepare_run(folder):
    """Make the folder, and see before an hour of training that a run can be written to it."""
    folder = pathlib.Path(folder)
    if (folder / "settings.json").exists():
        raise FileExistsError(f"{folder} holds a run already: choose another folder, or delete that one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise OSError(f"cannot write to the folder {folder} ({error.strerror or error}): choose one that you may write "
                      "to") from error


def save_run(folder, model, settings, row, history=None):
    """Write a run. settings.json comes last: a folder that has it is whole. history: a DataFrame, or None."""
    folder = pathlib.Path(folder)
    model.save(folder / "model.npz")
    if history is not None:
        history.to_csv(folder / "history.csv")
        _learning_curve(history, folder / "learning_curve.png", settings)
    for name, content in (("metrics.json", row), ("settings.json", settings)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


def load_run(folder):
    """(settings, metrics) of the run in `folder`. Settings name the task, and where it has one the regime or the split_seed;
    those of ratings and check-ins may be older and name no task."""
    folder, read = pathlib.Path(folder), []
    if not (folder / "settings.json").is_file():
        raise FileNotFoundError(f"{folder} is not a run folder (it has no settings.json): name one that `recmodels train "
                                "--out` has made")
    for name, keys in (("settings.json", _SETTINGS), ("metrics.json", ("parameters", "seconds"))):
        try:
            content = json.loads((folder / name).read_text())
            missing = [key for key in keys if key not in content]
            if name == "settings.json" and not {"regime", "task", "split_seed"} & set(content):
                missing.append("split_seed")
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{folder / name} is damaged ({error}): train the run again") from error
        if missing:
            raise ValueError(f"{folder / name} is damaged (it lacks {missing[0]!r}): train the run again")
        read.append(content)
    return tuple(read)


def _learning_curve(history, path, settings):
    title = settings["model"] + (", SYNTHETIC data" if settings["synthetic"] else "")
    with contextlib.suppress(ImportError):  # matplotlib is an extra
        plotting.learning_curve(history, path, title=title)
