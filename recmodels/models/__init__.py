"""The rating models by name, from baselines to the lecture's networks: `MODELS[name](**parameters)` makes one.

    baselines.py              global-mean, biases; on attributes ridge, and logistic for "does the user like it?"
    matrix_factorization.py   biased-mf
    neural_mf.py              neural-mf-1, neural-mf-2: Neural MF V1 and V2; with -slide as plain as on the slides
    bayesian_mf.py            bayesian-neural-mf: Neural MF whose ratings come with an interval
    factorization_machine.py  fm; beside it neural_fm.py and neural_tf.py, networks for ranking
    wide_deep.py              wide-deep, and wide-deep-attributes, which sees no ids
    autorec.py                item-autorec, user-autorec: an autoencoder of all ratings of a film, or of a user
    rbm_cf.py                 item-rbm, user-rbm: a restricted Boltzmann machine of them
    deep_regression.py        deep-regression, for "does the user like it?"
    combined.py               combined-joint, combined-blended: several of these as one

and the models of check-ins: `CHECKIN_MODELS[name](**parameters)`.

    counters.py               popularity, slot-popularity, user-counts, user-slot-counts, user-slot-decay
    item_knn.py, fpmc.py      item-knn, fpmc: venues that are alike; the user's taste and a Markov chain
    venue_ranker.py           fm-venues, nfm, ntf on <user, venue, category, time>; nfm-options with what else is known
    combined_venues.py        combined-venues: a mixture of several of these

and the models of sessions: `SESSION_MODELS[name](**parameters)`.

    session_baselines.py      session-popularity, session-own-popularity, session-markov, session-item-knn, session-knn, and
                              session-knn-recent, in which the last items say most
    session_gru4rec.py        gru4rec: a recurrent network
    session_narm.py           narm: attention over its states
    session_stamp.py          stamp: attention over the items, without recurrence
    session_sasrec.py         sasrec: self-attention
    session_two_readers.py    two-readers: self-attention and a recurrent network, each with its own loss

the model of reviews: `REVIEW_MODELS[name](**parameters)`.

    explainable.py            narre: attention over what was written of the item, and by the user

and the models of implicit feedback: `IMPLICIT_MODELS[name](**parameters)`.

    implicit_baselines.py     implicit-popularity, implicit-item-knn
    bpr_mf.py, ials.py        bpr-mf, ials: factors, by pairs of items or by least squares over all pairs
    lightgcn.py, ngcf.py      lightgcn, ngcf: embeddings of the neighbours, and of theirs
    graph_attention.py        graph-attention: neighbours that are weighed
"""

from functools import partial

from .autorec import AutoRec
from .baselines import Biases, GlobalMean, LogisticRegression, RidgeRegression
from .bayesian_mf import BayesianNeuralMF
from .bpr_mf import BPRMF
from .combined import CombinedBlended, CombinedJoint
from .combined_venues import CombinedVenues
from .counters import COUNTERS
from .deep_regression import DeepRegression
from .explainable import NARRE
from .factorization_machine import FactorizationMachine
from .fpmc import FPMC
from .graph_attention import GraphAttention
from .ials import IALS
from .implicit_baselines import ImplicitItemKNN, ImplicitPopularity
from .item_knn import ItemKNN
from .lightgcn import LightGCN
from .matrix_factorization import BiasedMF
from .neural_mf import NeuralMF
from .ngcf import NGCF
from .rbm_cf import RatingRBM
from .session_baselines import SESSION_BASELINES
from .session_gru4rec import GRU4Rec
from .session_narm import NARM
from .session_sasrec import SASRec
from .session_stamp import STAMP
from .session_two_readers import TwoReaders
from .venue_ranker import OPTIONS, VenueRanker
from .wide_deep import WideDeep

PLAIN = dict(biases=False, dropout=0.0, weight_decay=0.0)  # the slide's form of Neural MF

MODELS = {
    "global-mean": GlobalMean,
    "biases": Biases,
    "ridge": RidgeRegression,
    "biased-mf": BiasedMF,
    "neural-mf-1-slide": partial(NeuralMF, version=1, **PLAIN),
    "neural-mf-1": partial(NeuralMF, version=1, biases=False, weight_decay=1.5),
    "neural-mf-2-slide": partial(NeuralMF, version=2, **PLAIN),
    "neural-mf-2": partial(NeuralMF, version=2, dropout=0.1, weight_decay=1.2),
    "fm": FactorizationMachine,
    "wide-deep": partial(WideDeep, ids=True),
    "wide-deep-attributes": partial(WideDeep, ids=False),
    "item-autorec": AutoRec,
    "user-autorec": partial(AutoRec, by="user", hidden=200, biases=True, denoise=0.3, dropout=0.1, epochs=40,
                            weight_decay=4.0),
    "item-rbm": RatingRBM,
    "user-rbm": partial(RatingRBM, by="user"),
    "deep-regression": DeepRegression,
    "logistic": LogisticRegression,
    "bayesian-neural-mf": BayesianNeuralMF,
    "combined-joint": CombinedJoint,
    "combined-blended": CombinedBlended,
}

CHECKIN_MODELS = {
    **COUNTERS,
    "item-knn": ItemKNN,
    "fpmc": FPMC,
    "fm-venues": partial(VenueRanker, network="fm", lr=5e-3, weight_decay=0.05),
    "nfm": VenueRanker,
    "nfm-options": partial(VenueRanker, features=OPTIONS, lr=2e-3, weight_decay=8.0, epochs=5),
    "ntf": partial(VenueRanker, network="ntf", weight_decay=0.1),
    "combined-venues": CombinedVenues,
}

SESSION_MODELS = {
    **SESSION_BASELINES,
    "gru4rec": GRU4Rec,
    "narm": NARM,
    "stamp": STAMP,
    "sasrec": SASRec,
    "two-readers": TwoReaders,
}

REVIEW_MODELS = {"narre": NARRE}

IMPLICIT_MODELS = {
    "implicit-popularity": ImplicitPopularity,
    "implicit-item-knn": ImplicitItemKNN,
    "bpr-mf": BPRMF,
    "ials": IALS,
    "lightgcn": LightGCN,
    "ngcf": NGCF,
    "graph-attention": GraphAttention,
}
