"""Ranking: the full catalogue for test events by Neural FM, and the metrics of 100,000 lists beside ranx."""

import numpy as np

from .common import TINYDL, Row, Unavailable
from .interactions import neural_fm, neural_fm_flops, spread, torch_neural_fm, visits
from .training import compiled, named_weights, weights_of

BLOCK = 8  # contexts that are scored at once: their (8, I, 129) layer stays in the processor's cache
KS = (1, 5, 10, 20)


# ------------------------------------------------------------------------------------------------ the full catalogue
def catalogue_problem(quick):
    """Contexts and targets of test check-ins of known users in known venues, and a network whose scores spread."""
    arrays, rng = visits(), np.random.default_rng(0)
    rows = rng.permutation(len(arrays["test user"]))[:64 if quick else 1024]
    user, slot, item, category = arrays["starts"][:4]
    venues = np.arange(len(arrays["category"]))
    weights = spread(neural_fm(arrays).state_dict(), rng)
    return {"contexts": np.stack([user + arrays["test user"][rows], slot + arrays["test slot"][rows]], axis=1),
            "targets": arrays["test item"][rows], "items": np.stack([item + venues, category + arrays["category"]], axis=1),
            "starts": arrays["starts"], "name": arrays["name"], **named_weights(weights)}


class Catalogue:
    """evaluate_events, as a user calls it."""

    def __init__(self, problem):
        self.network, self.contexts, self.targets = neural_fm(problem), problem["contexts"], problem["targets"]
        self.network.load_state_dict(weights_of(problem))
        self.items = problem["items"]

    def scores(self, contexts):
        from tinydl import no_grad

        with no_grad():
            items = self.network.item_sums(self.items)
            return np.concatenate([self.network.rank_all(contexts[n:n + BLOCK], items).numpy()
                                   for n in range(0, len(contexts), BLOCK)])

    def run(self):
        from recmodels.ranking import evaluate_events

        return evaluate_events(self.scores, self.contexts, self.targets, KS)

    def check(self):
        metrics = self.run().per_query
        return {"scores": self.scores(self.contexts[:BLOCK]),
                **{name: np.array(values.mean(), np.float32) for name, values in metrics.items()}}


def torch_catalogue(compile=False):
    def build(problem):
        import torch

        network = torch_neural_fm(problem)
        contexts, targets, items = (torch.from_numpy(problem[key]) for key in ("contexts", "targets", "items"))
        gain = torch.cat([torch.zeros(1), 1 / torch.log2(torch.arange(2.0, len(items) + 2))]).double()
        below = torch.cat([torch.zeros(1), 1 / torch.arange(1.0, len(items) + 1)]).double().cumsum(0)

        def layers(c, k):
            return network.layers(*(a[:, None] + b for a, b in zip(c, k, strict=True)))

        layers = compiled(layers) if compile else layers

        def sums(index):
            return [table(index).sum(1) for table in (network.w, network.V, network.U)]

        class Side:
            def scores(self, contexts, k):
                return torch.cat([layers(sums(block), k) for block in contexts.split(BLOCK)])

            @torch.inference_mode()
            def run(self):
                """Ranks by comparison; the exact means over tied ranks, as evaluate_events."""
                greater, equal, k = [], [], sums(items)
                for c, t in zip(contexts.split(256), targets.split(256), strict=True):
                    s = self.scores(c, k)
                    of_target = s.gather(1, t[:, None])
                    greater.append((s > of_target).sum(1))
                    equal.append((s == of_target).sum(1))
                g, n = torch.cat(greater), torch.cat(equal)
                found = {f"Recall@{k}": ((k - g) / n).clamp(0, 1) for k in KS}
                found["MRR"] = (below[g + n] - below[g]) / n
                for k in KS:
                    sums_of_gain = torch.where(torch.arange(len(gain)) <= k, gain, 0).cumsum(0)
                    found[f"nDCG@{k}"] = (sums_of_gain[g + n] - sums_of_gain[g]) / n
                return found

            @torch.inference_mode()
            def check(self):
                return {"scores": self.scores(contexts[:BLOCK], sums(items)).numpy().copy(),
                        **{name: values.double().mean().float().numpy() for name, values in self.run().items()}}

        return Side()
    return build


# ------------------------------------------------------------------------------------------------ metrics of lists
def lists_problem(quick):
    """Lists of 20 of 5,200 items, and one to six relevant ones, of which most are listed."""
    rng, Q = np.random.default_rng(0), 2_000 if quick else 100_000
    lists = np.arange(0, 5_200, 200) + rng.integers(0, 200, (Q, 26))
    lists = rng.permuted(lists, axis=1)  # 26 different items a query
    R = rng.integers(1, 7, Q)
    places = rng.permuted(np.broadcast_to(np.arange(26), (Q, 26)), axis=1)[:, :6]
    chosen = np.arange(6) < R[:, None]
    relevant = np.take_along_axis(lists, places, axis=1)[chosen]
    return {"lists": lists[:, :20], "start": np.append(0, np.cumsum(R)), "relevant": relevant}


AT = {"recall": (5, 10, 20), "ap": (5, 10), "ndcg": (5, 20)}


class Lists:
    def __init__(self, problem):
        self.lists, self.start, self.relevant = (problem[key] for key in ("lists", "start", "relevant"))

    def run(self):
        from recmodels.ranking_metrics import list_metrics

        at = {k: list_metrics(self.lists, self.start, self.relevant, k, "R") for k in (5, 10, 20)}
        return {f"{name}@{k}": at[k][name].mean() for name, ks in AT.items() for k in ks}

    def check(self):
        return {name: np.array(value) for name, value in self.run().items()}


class RanxLists:
    """ranx.evaluate on a Qrels and a Run that stand ready: their construction from dictionaries is not counted."""

    def __init__(self, problem):
        try:
            from ranx import Qrels, Run
        except ImportError as error:
            raise Unavailable(f"{error}; pip install ranx") from None
        lists, start, relevant = (problem[key] for key in ("lists", "start", "relevant"))
        self.run_ = Run({f"q{q}": {str(i): float(len(row) - n) for n, i in enumerate(row)} for q, row in enumerate(lists)})
        self.qrels = Qrels({f"q{q}": {str(i): 1 for i in relevant[start[q]:start[q + 1]]} for q in range(len(lists))})

    def run(self):
        from ranx import evaluate

        names = {"recall": "recall", "ap": "map", "ndcg": "ndcg"}
        ask = {f"{names[name]}@{k}": f"{name}@{k}" for name, ks in AT.items() for k in ks}
        found = evaluate(self.qrels, self.run_, list(ask), make_comparable=False)
        return {ask[name]: value for name, value in found.items()}

    def check(self):
        return {name: np.array(value) for name, value in self.run().items()}


# ------------------------------------------------------------------------------------------------ the rows
ROWS = {
    "catalogue": Row(
        "Neural FM ranks the full catalogue, an event", catalogue_problem,
        {TINYDL: Catalogue, "eager": torch_catalogue(), "compiled": torch_catalogue(compile=True)}, 3.0, rtol=1e-3,
        steps=lambda p: len(p["targets"]), flops=lambda p: neural_fm_flops(len(p["targets"]) * len(p["items"])) / 3,
        note=lambda p: f"{p['name']}; {len(p['targets']):,} of its test events, {len(p['items']):,} venues"),
    "list-metrics": Row(
        "Recall, MAP, nDCG of lists of 20, a list", lists_problem, {TINYDL: Lists, "ranx": RanxLists}, 1.0, rtol=1e-9,
        steps=lambda p: len(p["lists"]), note=lambda p: f"{len(p['lists']):,} lists"),
}
