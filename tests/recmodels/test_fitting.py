import numpy as np
import pytest

from recmodels.datasets import synthetic_ratings
from recmodels.models import MODELS, NeuralMF, WideDeep
from recmodels.neural import NeuralRecommender
from tinydl import Tensor, no_grad


@pytest.mark.parametrize("name", [n for n in MODELS if isinstance(MODELS[n](), NeuralRecommender)])
def test_validation_scores_unread_ids_as_the_fitted_model_does(name):
    world = synthetic_ratings(users=60, items=60, ratings=1500, rng=0)
    cold = np.isin(world.frame["item"], np.unique(world.frame["item"])[::5])
    model = MODELS[name]()
    small = {"k": 6, "epochs": 3, "batch_size": 64, "lr": 0.01, "scale": 0.3}
    model = model.clone(**{key: value for key, value in small.items() if key in model.get_params()})
    model.fit(world.take(np.flatnonzero(~cold)), valid=world.take(np.flatnonzero(cold)))
    users, items, ratings = model._encode(world.take(np.flatnonzero(cold)))
    with no_grad():
        loss = model._loss(model.network_(Tensor(users), Tensor(items)), Tensor(model._target(ratings))).item()
    assert model.history_["valid_loss"][model.best_epoch_] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("model, message", [
    (NeuralMF(hidden=(32,)), r"NeuralMF: got hidden=\(32,\), want a whole number of at least 1, as in hidden=128"),
    (WideDeep(hidden=32), r"WideDeep: got hidden=32, want a tuple of whole numbers of at least 1, as in hidden=\(128, 64\)"),
    (WideDeep(hidden=(32, 0)), r"got hidden=\(32, 0\), want a tuple"),
    (NeuralMF(k=2.5), "got k=2.5, want a whole number"),
    (NeuralMF(epochs="5"), "got epochs='5', want a whole number"),
])
def test_sizes_are_of_their_kind(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(synthetic_ratings(users=60, items=60, ratings=1200, rng=0))
