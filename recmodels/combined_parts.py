"""The parts of a combined model: `models` names them as the registry does, by a string, or by a dictionary with parameters:

    CombinedBlended(models=("biases", {"model": "fm", "k": 16}))
"""

import difflib


def plain_models(models):
    """`models` as a tuple of strings and dictionaries, in which a list (JSON has no tuples) is a tuple again."""
    if isinstance(models, (str, dict)) or not hasattr(models, "__iter__"):
        raise TypeError(f"models: got {models!r}, want a list of names and dictionaries, such as "
                        "['biases', {'model': 'fm', 'k': 16}]")
    return tuple({key: tuple(value) if isinstance(value, list) else value for key, value in part.items()}
                 if isinstance(part, dict) else part for part in models)


def make_parts(models, registry, seed, verbose):
    """The unfitted parts that `models` names; where a part has such parameters, part n gets seed + n, and verbose."""
    parts = []
    for n, part in enumerate(models):
        given = dict(part) if isinstance(part, dict) else {"model": part}
        name = given.pop("model", None)
        if not isinstance(name, str) or name not in registry:
            near = difflib.get_close_matches(str(name), registry, n=1)
            raise ValueError(f"models: got {part!r}, want the name of a model, or a dictionary with it under 'model'"
                             + (f"; did you mean {near[0]!r}?" if near else ".") + f" There are {', '.join(registry)}")
        model = registry[name]()
        common = {key: value for key, value in (("seed", seed + n), ("verbose", verbose)) if key in model.get_params()}
        parts.append(model.clone(**{**common, **given}))
    if len(parts) < 2:
        raise ValueError(f"models: got {len(parts)} of them, want at least 2 to combine")
    return parts


def rating_parts(models, seed, verbose):
    """The unfitted rating models, all of which predict the same."""
    from .models import MODELS  # which has the combinations too, and so needs this module

    parts = make_parts(models, MODELS, seed, verbose)
    said = [part.output + (f" of a rating of at least {part.threshold:g}" if part.output == "probability" else "")
            for part in parts]
    if len(set(said)) > 1:
        raise ValueError(f"models: got parts that predict different things ({', '.join(said)}), want the same from all")
    return parts


def feature_tables(parts):
    """The parts' tables of features, for `save`: each part has its own fields."""
    return [[part.users_.state(), part.items_.state()] for part in parts]
