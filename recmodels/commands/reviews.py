"""Models of reviews, and on the same split those of ratings: RMSE and MAE; lists of items, with what was written of them."""

from ..datasets import REVIEW_DATA, are_reviews, load_reviews
from ..models import MODELS, REVIEW_MODELS
from ..splits import random_split
from .ratings import RatingTask


class ReviewTask(RatingTask):
    kind, models, guests, data, explains = "reviews", REVIEW_MODELS, MODELS, REVIEW_DATA, "narre"
    things = "items"

    def owns(self, what):
        return are_reviews(what)

    def shown(self, split):
        return split.data, split

    def split(self, what, how):
        name, data = load_reviews(what)
        return name, random_split(data, how["split_seed"], (0.8, 0.1, 0.1))
