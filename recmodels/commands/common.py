"""What the tasks share: models by name with their settings, labels in tables, lines on the terminal."""

from ..models import CHECKIN_MODELS, IMPLICIT_MODELS, MODELS, REVIEW_MODELS, SESSION_MODELS
from ..runs import fingerprint, load_run

ALL_MODELS = {**MODELS, **CHECKIN_MODELS, **SESSION_MODELS, **IMPLICIT_MODELS, **REVIEW_MODELS}
_ELSEWHERE = {"seed": "say --seed S", "verbose": "say --quiet for no lines while training",
              "regime": "say --regime frozen or --regime streaming"}  # parameters with an option of their own
REFITTED = " (refit on train and valid)"


class WrongUse(Exception):
    """What the user asked for cannot be done; the message says why and what to do."""


def make_model(name, changes=(), partly=False):
    """The model called `name` with the parameters [(parameter, value)]; partly: leave out those that it has not."""
    model = ALL_MODELS[name]()
    given = {key: value for key, value in changes if not partly or key in model.get_params()}
    for key, value in given.items():
        if key in _ELSEWHERE:
            raise WrongUse(f"--set {key}: {_ELSEWHERE[key]}")
        if key not in model.get_params():
            names = ", ".join(p for p in model.get_params() if p not in _ELSEWHERE)
            raise WrongUse(f"--set {key}: {name} has no such parameter, only {names or 'none at all'}")
        given[key] = _value(key, value, getattr(model, key))
    return model.clone(**given)


def _value(key, value, default):
    """`value`, if it is of the default's kind: a whole number, a number, True or False, a word, words, or widths."""
    def whole(x):
        return type(x) is int and x >= 1

    number = type(value) in (int, float) and 0 <= value < float("inf")
    if isinstance(default, bool):
        good, want = isinstance(value, bool), "True or False"
    elif isinstance(default, int):
        good, want = whole(value), "a whole number of at least 1"
    elif isinstance(default, float):
        good, want = number, "a number, 0 or more"
    elif default is None:
        good, want = value is None or number, "a number, 0 or more, or None"
    elif isinstance(default, str):
        good, want = isinstance(value, str), "a word"
    elif default and all(isinstance(part, int) for part in default):
        good, want = isinstance(value, tuple) and len(value) > 0 and all(map(whole, value)), "whole numbers such as 128,64"
    else:
        value = tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value
        good, want = isinstance(value, tuple) and all(isinstance(part, str) for part in value), "words such as one,two"
    if not good:
        raise WrongUse(f"--set {key}={value}: want {want}")
    return value


def make_models(args):
    """{name: model} of --models with --set, each with those of the settings that it has."""
    models = {name: make_model(name, args.set, partly=True) for name in args.models}
    unused = [key for key, _ in args.set if not any(key in model.get_params() for model in models.values())]
    if unused:
        raise WrongUse(f"--set {unused[0]}: none of these models has such a parameter")
    return models


def with_parameters(model, **parameters):
    """The model with those of the parameters that it has."""
    return model.clone(**{key: value for key, value in parameters.items() if key in model.get_params()})


def settings_of(args, name, split, model):
    """What settings.json says of any run, on the Split of the data called `name`."""
    parameters = {key: value for key, value in model.get_params().items() if key not in _ELSEWHERE}
    train, valid, test = (len(rows) for rows in split.rows)
    return {"model": args.model, "parameters": parameters, "data": name, "fingerprint": fingerprint(split.data),
            "synthetic": split.data.synthetic, "seed": args.seed, "refit": args.refit, "protocol": split.protocol,
            "sizes": f"{train:,} train, {valid:,} valid, {test:,} test"}


def check_data(run, settings, given, data):
    """Refuse other data than the run's: its test part may have trained the model."""
    if fingerprint(data) != settings["fingerprint"]:
        raise WrongUse(f"{run} was trained on other data than {given or settings['data']}: {settings['data']}, fingerprint "
                       f"{settings['fingerprint']}, here {fingerprint(data)}. Its test part may have trained the model: "
                       "give --data with the data of the run, or train again")


def runs_by(folders, *keys):
    """[[(settings, metrics) of a run, ..], ..]: the run folders, those together whose settings agree in `keys`."""
    groups = {}
    for folder in folders:
        settings, row = load_run(folder)
        groups.setdefault(tuple(settings.get(key) for key in keys), []).append((settings, row))
    return list(groups.values())


def label(settings):
    """The model's name, with the parameters that are not the default ones."""
    default = ALL_MODELS[settings["model"]]().get_params() if settings["model"] in ALL_MODELS else {}
    changed = [f"{key}={value}" for key, value in settings["parameters"].items() if value != _plain(default.get(key))]
    return " ".join([settings["model"], *changed] + ["(refit)"] * settings["refit"])


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def say(*lines):
    """Print the lines."""
    for line in lines:
        print(line)


def listed(words):
    """"ratings, check-ins and reviews"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def joined(between, *texts):
    """The texts that there are, with `between` between them."""
    return between.join(filter(None, texts))


def seeds_text(how, seeds):
    """"model seed 3", or "split seed 0; model seeds 0, 1" where a split seed is among the settings `how`."""
    return joined("; ", f"split seed {how['split_seed']}" if "split_seed" in how else None,
                  f"model seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}")


def costs_text(row):
    """"15 epochs, 9,925 parameters, 0.1 s"."""
    return joined(", ", row["epochs"] and f"{row['epochs']} epochs", f"{row['parameters']:,} parameters",
                  f"{row['seconds']:.1f} s")


def why_text(row, most=5):
    """Lines that say why an item is in a list, for a row of it; none where it has no why.

    An Explanation says it itself; of {what: its part of the score}, the largest first, `most` are named, the others as one.
    """
    why = getattr(row, "why", {})
    if isinstance(why, dict):
        named = [f"{part:+.3f} {what}" for what, part in list(why.items())[:most]]
        rest = list(why.values())[most:]
        why = " ".join(named + [f"{sum(rest):+.3f} in {len(rest)} smaller parts"] * bool(rest))
    return [f"      {line}" for line in str(why).splitlines()]


def user_id(text, ids):
    """The id that `text` means among such ids: a whole number if they are whole numbers."""
    return int(text) if ids.dtype.kind in "iu" and is_whole(text) else text


def is_whole(text):
    """Whether the text is a whole number."""
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()
