"""Benchmarks: speed and memory beside PyTorch, in one run, on the same cores, from the same weights.

    python -m benchmarks [--only neural-mf,mlp] [--quick] [--out FILE.json]     (pip install -e ".[benchmark]")

    common.py         a row and its sides, turns, equality, memory, the limit of matrix products, the table
    training.py       one epoch on both sides: shuffle, batches, forward, backward, step
    recommenders.py   Neural MF V2 and Wide & Deep on MovieLens
    autorec.py        item-based AutoRec on MovieLens
    interactions.py   factorization machines, and Neural FM's training step against sampled venues
    ranking.py        the full catalogue ranked by Neural FM; metrics of many lists, beside ranx
    cost_growth.py    seconds an epoch against check-ins, candidates and K (a command of its own)
    mlp.py            a small network of dense layers
    boltzmann.py      contrastive divergence of a Boltzmann machine
    recurrence.py     LSTM and GRU over a batch of sequences
    small_graph.py    what one operation costs when there is nothing to compute
    table_updates.py  SparseAdam and exact Adam on a table of a million rows
    start_up.py       the import, the first compilation, the second start

The sides take turns, each turn after a pause: the idle threads of the other library spin for a while and would steal a
core. A number means something only on a machine that does nothing else. The exit code is 1 when a row misses its "must".
"""
