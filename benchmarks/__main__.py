"""The command: every row in turn, then the table. 1 when a row misses its must."""

import argparse
import sys

from . import (
    attention,
    autorec,
    boltzmann,
    convolution,
    graph,
    interactions,
    mlp,
    ranking,
    recommenders,
    recurrence,
    sessions,
    small_graph,
    start_up,
    table_updates,
)
from .common import machine, measure, print_table, run_side, save

MODULES = (recommenders, autorec, interactions, ranking, mlp, boltzmann, convolution, recurrence, attention, sessions, graph,
           small_graph, table_updates)
ROWS = {name: row for module in MODULES for name, row in module.ROWS.items()}
NAMES = [*ROWS, "start-up"]


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="tinydl beside PyTorch, in one run")
    parser.add_argument("--only", metavar="A,B", help=f"some of {', '.join(NAMES)}; also by their beginnings")
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds: shows that it runs, no more")
    parser.add_argument("--out", metavar="FILE.json", help="where to write all numbers")
    parser.add_argument("--side", nargs=4, metavar=("ROW", "SIDE", "PROBLEM", "CHECKS"), help=argparse.SUPPRESS)
    parser.add_argument("--first-trainings", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.side:
        name, *rest = args.side
        return run_side(ROWS[name], *rest)
    if args.first_trainings:
        return start_up.first_trainings()
    wanted = args.only.split(",") if args.only else NAMES
    names = [name for name in NAMES if any(name.startswith(w) for w in wanted)]
    for w in wanted:
        if not any(name.startswith(w) for name in NAMES):
            parser.error(f"--only: no row {w!r}, want some of {', '.join(NAMES)}")
    try:
        facts = machine()
    except ImportError as error:
        parser.error(f'{error}; install what the comparison needs: pip install -e ".[benchmark]"')
    print("\n".join(f"{what + ':':<16}{value}" for what, value in facts.items()))
    results = []
    for name in names:
        results += start_up.results(args.quick) if name == "start-up" else [measure(name, ROWS[name], args.quick)]
    print_table(results)
    if args.quick:
        print("(--quick: small sizes, few rounds; run without it before believing a ratio)")
    if args.out:
        save(args.out, facts, results)
    missed = [r.title for r in results if r.holds is False]
    print(f"\n{len(missed)} missed: {'; '.join(missed)}" if missed else "\nevery must holds")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
