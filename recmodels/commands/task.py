"""Task: what a kind of model is to the command. The verbs are the same for all kinds; a subclass says what differs."""

import pathlib
import sys

from ..runs import prepare_run, save_run
from .common import (
    REFITTED,
    WrongUse,
    check_data,
    joined,
    label,
    make_model,
    make_models,
    runs_by,
    say,
    seeds_text,
    settings_of,
    with_parameters,
)


class Task:
    """train, evaluate, recommend, compare for models of one kind. A subclass sets

        kind       what its models are of, in words; settings.json names it as the task
        models     {name: model}
        guests     {name: model} of another kind that it can measure as well
        base       the class whose `load` reads their files
        data       what --data may be, in words
        options    those of the command's options that not every kind has
        asks       {option: what it says, and how}, of those that `recommend` cannot do without
        explains   the name of a model that can say why, if any can
        metrics    those of the validation part that are shown; () for all

    and defines

        split(what, how)                            (name, Split) of the data called `what`
        fit_and_evaluate(model, split, how, refit)  (the model that was measured, its row)
        results(model, split, how)                  lines: what a fitted model reaches on the test part
        table(rows)                                 the text of [(label, row)]
        line(row)                                   the row in a line
        recommend(args, settings)                   print what the model of a run puts on top

    how: what was chosen beside the model: {"task": kind, "split_seed" or "regime": ..}, or the settings of a run.
    """

    guests, options, asks, explains, metrics = {}, (), {}, None, ()

    def owns(self, what):
        """Whether the data called `what` are of this kind and no other, so that its guests are measured here."""
        return False

    # ---------------------------------------------------------------- the verbs
    def train(self, args):
        """Fit, measure, keep."""
        how = self.how(args)
        model = with_parameters(make_model(args.model, args.set), seed=args.seed, verbose=not args.quiet, **how)
        folder = prepare_run(args.out)
        name, split = self.split(args.data, how)
        say(*self.shown(split), f"model {joined(', ', args.model, how.get('regime'))}: {model}",
            seeds_text(how, [args.seed]))
        measured, row = self.fit_and_evaluate(model, split, how, args.refit)
        save_run(folder, measured, {**settings_of(args, name, split, model), **how}, row, getattr(model, "history_", None))
        say(*self.report(args.model, row, REFITTED * args.refit), f"run: {folder}")

    def evaluate(self, args, settings):
        """Measure the model of a run again, on the test part of its own split."""
        model, split = self.open(args, settings)
        say(split, f"model {settings['model']}: {model}", seeds_text(settings, [settings["seed"]]))
        say(*self.results(model, split, {**settings, "regime": args.regime or settings.get("regime")}))

    def compare_runs(self, folders):
        """A table of runs for each split and regime that they were made on."""
        for runs in runs_by(folders, "fingerprint", "protocol", "regime"):
            first = runs[0][0]
            say(joined("; ", f"{first['data']}{' (SYNTHETIC)' * first['synthetic']}: {first['sizes']}", first["protocol"],
                       first.get("regime")), seeds_text(first, sorted({settings["seed"] for settings, _ in runs})),
                self.table([(label(settings), row) for settings, row in runs]))

    def compare_models(self, args):
        """Train the models over the seeds; one table."""
        models, seeds, how = make_models(args), list(dict.fromkeys(args.seeds)), self.how(args)
        _, split = self.split(args.data, how)
        say(*self.shown(split), joined("; ", how.get("regime"), seeds_text(how, seeds)))
        rows = []
        for name, model in models.items():
            for seed in seeds if "seed" in model.get_params() else seeds[:1]:
                _, row = self.fit_and_evaluate(with_parameters(model, seed=seed, **how), split, how, args.refit)
                rows.append((name + " (refit)" * args.refit, row))
                if not args.quiet:
                    print(f"{name}, seed {seed}: {self.line(row)} ({row['seconds']:.1f} s)", file=sys.stderr)
        say(self.table(rows))

    # ---------------------------------------------------------------- their parts
    def how(self, args):
        """What the options choose beside the model."""
        return {"task": self.kind, **({"split_seed": args.split_seed or 0} if "split_seed" in self.options else {}),
                **({"regime": args.regime or "frozen"} if "regime" in self.options else {})}

    def shown(self, split):
        """What is printed of the data before a model is trained."""
        return (split,)

    def report(self, name, row, refitted):
        """Lines: what a model that was trained has reached."""
        valid = "".join(f"  {metric} {row['valid'][metric]:.4f}" for metric in self.metrics or row["valid"])
        return f"validation:{valid}", f"test:{refitted}", self.table([(name, row)])

    def load(self, run):
        """The model of a run folder."""
        return self.base.load(pathlib.Path(run) / "model.npz")

    def open(self, args, settings):
        """(model, split) of a run folder; the data must be what the run was trained on."""
        model = self.load(args.run)
        _, split = self.split(args.data or settings["data"], settings)
        check_data(args.run, settings, args.data, split.data)
        return model, split

    def lists(self, args, settings, model, *whom, **options):
        """The model's recommendations of --k items, with a column why if --explain asks for it."""
        if not args.explain:
            return model.recommend(*whom, k=args.k, **options)
        try:
            return model.recommend(*whom, k=args.k, explain=True, **options)
        except NotImplementedError as error:
            raise WrongUse(f"--explain: {settings['model']} does not explain its scores, want a model that does, such as "
                           f"{self.explains}; or leave --explain out") from error
