"""Figures: drawn with matplotlib's objects, without a display and without any state that figures would share."""

import os

import numpy as np


def figure_class():
    """matplotlib's Figure, imported now; a clear error where it is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("figures need matplotlib: pip install 'tinydl[plots]'") from error
    return Figure


def learning_curve(history_frames, path, title=""):
    """Draw the losses of one training, or of several, over the epochs, to the picture `path`. Returns the path.

    history_frames: what `Trainer.fit` gave, or {label: that}. Training is dashed, validation solid, in one colour a
    training; a dot marks the epoch with the smallest validation loss. The ending of `path` says which format.
    """
    frames = dict(history_frames) if isinstance(history_frames, dict) else {"": history_frames}
    if not frames or any(len(frame) == 0 for frame in frames.values()):
        raise ValueError("learning_curve: got a history without epochs; train first")
    figure = figure_class()(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for k, (label, frame) in enumerate(frames.items()):
        label = f"{label} " if label else ""
        epochs, color = np.asarray(frame.index), f"C{k % 10}"
        if "train_loss" in frame:
            axes.plot(epochs, frame["train_loss"].to_numpy(), "--", color=color, label=f"{label}training")
        if "valid_loss" in frame:
            losses = frame["valid_loss"].to_numpy()
            best = int(np.argmin(losses))
            axes.plot(epochs, losses, "-", color=color, label=f"{label}validation")
            axes.plot(epochs[best], losses[best], "o", color=color)
    axes.set(xlabel="epoch", ylabel="loss", title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    path = os.fspath(path)
    figure.savefig(path)
    return path
