"""recmodels: recommenders to read, built on tinydl.

    datasets/        Interactions (ratings) and CheckIns (visits), to which models are fitted; MovieLens, Foursquare,
                     synthetic worlds with a known truth, downloads
    splits.py        which ratings train, which choose, which test
    metrics.py       how wrong predictions are
    features.py      attributes of users and items as arrays
    fm.py            interactions of factorization machines: pairs and triples of features
    rating_rows.py   models that read all ratings of a film, or of a user; sampled.py: products of matrices at known places
    negatives.py     items that were not chosen, for training rankers; ranking_losses.py: the losses that take them
    recommender.py   what every model of ratings offers: fit, predict, recommend, save, load
    checkin_recommender.py  the same of models of check-ins, frozen and streaming; visit_log.py: what they look back on
    implicit_recommender.py  the same of models of implicit feedback: who chose what, without ratings
    session_recommender.py   the same of models of sessions: what comes next? session_neural.py: what their networks share,
                     catalogue_loss.py: the softmax over a whole catalogue, in blocks
    reviews.py       texts as words and documents, and which reviews a pair may read
    explanations.py  parts that add up to a score; the reviews and words that it is from, as text and as a page
    graph.py         graphs of users and items: sums over neighbours, attention to neighbours
    estimator.py     what all share: parameters by name, files
    models/          the models, from means and biases on; MODELS, CHECKIN_MODELS, SESSION_MODELS, all of them by name
    evaluation.py    one model on one split -> one row of a table
    ranking_metrics.py  recall, precision, AP, nDCG, .. of a ranked list; their expectations where scores tie
    ranking.py       every query ranks the full catalogue: tables by stratum, lists; bootstrap.py: is the difference luck?
    runs.py          run folders: what was asked for and what came out
    implicit_evaluation.py  which of the items that he does not have will a user choose?
    checkin_evaluation.py   events, contexts and new venues of a split of check-ins, frozen and streaming
    session_evaluation.py   the last item of each session, and every item, after those before it
    cli.py           recmodels train | evaluate | recommend | compare; commands/: what they do, a file for each kind of model

Notation: u user, i item, r_ui rating, U users, I items, B batch, F fields, D embedding size, K list length.
"""

from .datasets import (CheckIns, Interactions, load_foursquare, load_movielens, synthetic_checkins,
                       synthetic_ratings)
from .metrics import auc, log_loss, mae, mse, rmse
from .splits import Split, k_fold, leave_last_out, random_split, time_split, user_random_split, user_time_split

__all__ = ["CheckIns", "Interactions", "Split", "auc", "k_fold", "leave_last_out", "load_foursquare", "load_movielens",
           "log_loss", "mae", "mse", "random_split", "rmse", "synthetic_checkins", "synthetic_ratings", "time_split",
           "user_random_split", "user_time_split"]
