import numpy as np
import pytest

from recmodels.datasets import synthetic_ratings
from recmodels.models import MODELS
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
