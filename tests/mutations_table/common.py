"""The names of test files that several chapters use."""


def ops(names, also=""):
    """test_ops.py's cases of these functions, and all of the files `also`."""
    words = names.split() + [path.split("/")[1].removesuffix(".py") for path in also.split()]
    return f"tinydl/test_ops.py {also} -k '{' or '.join(words)}'"


KERNELS = "tinydl/test_kernels.py"
AUTOGRAD = "tinydl/test_autograd.py"
LAYERS = "tinydl/test_nn_layers.py"
RECURRENT = "tinydl/test_nn_recurrent.py"
OPTIM = "tinydl/test_optim.py"
TRAINING = "tinydl/test_training.py"
CONTRACT = "recmodels/test_contract.py"
MISTAKES = "tinydl/test_first_mistakes.py"
CHECKINS = "recmodels/test_checkin_recommender.py -k 'not (fpmc or knn or nfm or ntf or venues)'"
