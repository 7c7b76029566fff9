"""Mutations of the command `recmodels`."""

RATINGS, CHECKINS = "recmodels/test_cli.py -k 'not train_evaluate'", "recmodels/test_cli_checkins.py"

CHAPTERS = [
    ("recmodels/cli.py", CHECKINS, [
        ("getattr(args, option, None) is not None", "getattr(args, option, None)"),
        ("if len(different) > 1:", "if False:"),
        ("if getattr(args, option) is None:", "if False:"),
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
]
