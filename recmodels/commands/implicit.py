"""Models of implicit feedback: of all films that a user does not have yet, which will he like? Lists of titles."""

from ..datasets import DATA, load_ratings
from ..implicit_evaluation import METRICS, compare_table, evaluate_implicit, fit_and_evaluate, liked
from ..implicit_recommender import ImplicitRecommender
from ..models import IMPLICIT_MODELS
from ..splits import user_random_split
from .users import UserTask


class ImplicitTask(UserTask):
    kind, models, base, metrics = "implicit feedback", IMPLICIT_MODELS, ImplicitRecommender, METRICS
    data = f"the likes, ratings of 4 or more, in {DATA}"
    options = ("split_seed", "user", "include_seen")
    had, stranger, digits = "liked", "of what is popular", "10.5g"

    def split(self, what, how):
        name, data = load_ratings(what)
        return name, user_random_split(liked(data), seed=how["split_seed"])

    def fit_and_evaluate(self, model, split, how, refit):
        return fit_and_evaluate(model, split, refit)

    def results(self, model, split, how):
        return (f"\n{evaluate_implicit(model, split.test)}",)

    def table(self, rows):
        return compare_table(rows).to_string()

    def line(self, row):
        return f"nDCG@10 {row['test']['all']['nDCG@10']:.4f}"

    def known(self, model):
        return model.users_
