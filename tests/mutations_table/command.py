"""Mutations of the command `recmodels`."""

RATINGS, CHECKINS = "recmodels/test_cli.py -k 'not train_evaluate'", "recmodels/test_cli_checkins.py"

IMPLICIT, REVIEWS = "recmodels/test_cli_implicit.py -k 'not train_evaluate'", "recmodels/test_cli_reviews.py"

CHAPTERS = [
    ("recmodels/cli.py", CHECKINS, [
        ("getattr(args, option, None) is not None", "getattr(args, option, None)"),
        ("if len(tasks) > 1:", "if False:"),
        ("if getattr(args, option) is None:", "if False:"),
    ]),
    ("recmodels/cli.py", REVIEWS, [
        ("if task.owns(what)), None)", "if False), None)"),
        ("{**task.models, **task.guests}", "task.models"),
        ("settings.get(\"task\", \"check-ins\" if", "(\"check-ins\" if"),
        ("if kind not in known:", "if False:"),
    ]),
    ("recmodels/commands/task.py", CHECKINS, [
        ("args.regime or settings.get(\"regime\")", "settings.get(\"regime\")"),
        ("check_data(args.run, settings, args.data, split.data)", "pass"),
        ("\"protocol\", \"regime\")", "\"protocol\")"),
        ("fit_and_evaluate(model, split, how, args.refit)", "fit_and_evaluate(model, split, how, False)"),
    ]),
    ("recmodels/commands/task.py", RATINGS, [
        ("for seed in seeds if \"seed\" in model.get_params() else seeds[:1]:", "for seed in seeds:"),
        ("with_parameters(model, seed=seed, **how)", "with_parameters(model, **how)"),
        ("args.split_seed or 0", "0"),
        ("seed=args.seed, verbose", "verbose"),
        ("args.data or settings[\"data\"]", "settings[\"data\"]"),
    ]),
    ("recmodels/commands/task.py", IMPLICIT, [
        ("list(dict.fromkeys(args.seeds))", "args.seeds"),
        ("for metric in self.metrics or row[\"valid\"]", "for metric in row[\"valid\"]"),
    ]),
    ("recmodels/commands/task.py", REVIEWS, [
        ("if not args.explain:", "if True:"),
        ("except NotImplementedError as error:", "except ZeroDivisionError as error:"),
    ]),
    ("recmodels/commands/common.py", REVIEWS, [
        ("list(why.items())[:most]", "list(why.items())"),
        ("f\"{sum(rest):+.3f} in", "f\"{0:+.3f} in"),
    ]),
    ("recmodels/commands/users.py", RATINGS, [
        ("exclude_seen=not args.include_seen", "exclude_seen=True"),
        ("if user in known.tolist()", "if True"),
        ("if table.empty:", "if False:"),
    ]),
    ("recmodels/commands/checkins.py", CHECKINS, [
        ("exclude=\"visited\" if args.new else None", "exclude=None"),
        ("category=args.category", "category=None"),
        ("fit_and_evaluate(model, split, how[\"regime\"], refit)", "fit_and_evaluate(model, split, how[\"regime\"])"),
    ]),
    ("recmodels/commands/implicit.py", IMPLICIT, [
        ("user_random_split(liked(data), seed=how[\"split_seed\"])", "user_random_split(liked(data))"),
        ("user_random_split(liked(data)", "user_random_split((data)"),
        ("fit_and_evaluate(model, split, refit)", "fit_and_evaluate(model, split)"),
        ("return model.users_\n", "return model.users_[:0]\n"),
    ]),
    ("recmodels/commands/reviews.py", REVIEWS, [
        ("how[\"split_seed\"], (0.8, 0.1, 0.1))", "how[\"split_seed\"])"),
        ("random_split(data, how[\"split_seed\"]", "random_split(data, 0"),
        ("return are_reviews(what)", "return True"),
    ]),
    ("recmodels/datasets/named.py", REVIEWS, [("or pathlib.Path(what).is_file()\n", "or pathlib.Path(what).exists()\n")]),
    ("recmodels/runs.py", REVIEWS, [("(\"user\", \"item\", \"rating\", \"text\")", "(\"user\", \"item\", \"rating\")")]),
    ("recmodels/implicit_evaluation.py", IMPLICIT, [
        ("fitted(model, split, refit)", "fitted(model, split)"),
        ("evaluate_implicit(measured, split.test), evaluate_implicit(model, split.valid)",
         "evaluate_implicit(model, split.test), evaluate_implicit(model, split.valid)"),
    ]),
]
