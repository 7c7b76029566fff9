"""Models of sessions: the next item ranked in the full catalogue; lists for a session so far."""

from ..datasets import SESSION_DATA, load_session_split
from ..models import SESSION_MODELS
from ..session_evaluation import METRICS, PREFIXES, compare_table, evaluate_sessions, fit_and_evaluate
from ..session_recommender import SessionRecommender
from .common import WrongUse, is_whole
from .task import Task


class SessionTask(Task):
    kind, models, base, data, metrics = "sessions", SESSION_MODELS, SessionRecommender, SESSION_DATA, METRICS
    options = ("session", "new")
    asks = {"session": "for whom, as in --session 12,45,3"}

    def split(self, what, how):
        return load_session_split(what)

    def fit_and_evaluate(self, model, split, how, refit):
        return fit_and_evaluate(model, split, refit)

    def results(self, model, split, how):
        return [f"\n{evaluate_sessions(model, split.test, prefixes)}" for prefixes in PREFIXES]

    def table(self, rows):
        return compare_table(rows).to_string()

    def line(self, row):
        return f"Recall@20 {row['last']['all']['Recall@20']:.4f}"

    def recommend(self, args, settings):
        """Print the items that the model of a run puts on top after a session."""
        words = [word.strip() for word in args.session.split(",")]
        if not all(map(is_whole, words)):
            raise WrongUse(f"--session {args.session}: want the items so far, whole numbers with commas between, as 12,45,3")
        session = [int(word) for word in words]
        table = self.lists(args, settings, self.load(args.run), [session], exclude="seen" if args.new else None)
        print(f"after {', '.join(words)}{', none of these again' * bool(args.new)}"
              f"{', SYNTHETIC data' * settings['synthetic']}")
        for row in table.itertuples():
            print(f"{row.rank:4d}  {row.score:10.5g}  [{row.item}]")
