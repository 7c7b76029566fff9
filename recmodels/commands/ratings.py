"""Models of ratings: RMSE and MAE, or AUC and log loss, on a random split; lists of titles."""

from ..datasets import DATA, load_ratings
from ..evaluation import METRICS, evaluate_ratings, rating_metrics, results_table
from ..models import MODELS
from ..recommender import Recommender
from ..splits import random_split
from .common import costs_text
from .users import UserTask


class RatingTask(UserTask):
    kind, models, base, data, explains = "ratings", MODELS, Recommender, DATA, "fm"

    def split(self, what, how):
        name, data = load_ratings(what)
        return name, random_split(data, how["split_seed"])

    def fit_and_evaluate(self, model, split, how, refit):
        return evaluate_ratings(model, split, refit)

    def results(self, model, split, how):
        return (f"test: {self.line(rating_metrics(model, split.test))}",)

    def table(self, rows):
        return results_table(rows).to_string()

    def line(self, row):
        return "  ".join(f"{title} {row[key]:.4f}" for key, title in METRICS.items() if key in row)

    def report(self, name, row, refitted):
        return f"validation: {self.line(row['valid'])}", f"test: {self.line(row)}{refitted}", costs_text(row)
