"""What does it say when something is wrong? Some forty mistakes, each made on purpose, and the message each one gets.

A message says what was given, what is wanted, and what to do. Data and files are made here, in temporary folders; the
network is not touched.
It must reach: every mistake raises the error that the table below names, with the three parts that it names; and what is
no mistake but a defined case (an unknown user, an unknown category) gives what is said of it.
"""

import contextlib
import io
import pathlib
import sys
import tempfile
import textwrap
import zipfile

import numpy as np
import pandas

import tinydl
from recmodels.cli import main as recmodels_command
from recmodels.datasets import Interactions, load_movielens, synthetic_ratings
from recmodels.datasets.download import DownloadError, fetch, safe_unzip
from recmodels.features import Dense, MultiHot, OneHot
from recmodels.models import Biases, NeuralMF
from recmodels.recommender import NotFittedError, Recommender
from tinydl import nn, ops, optim
from tinydl.data import DataLoader
from tinydl.nn import functional as F
from tinydl.training import CheckpointError, Trainer, load, save

from .common import arguments, check, finish, output_folder

zeros, tensor = tinydl.zeros, tinydl.tensor
WORLD = dict(users=60, items=60, ratings=1_500)


# ---------------------------------------------------------------- the mistakes that take more than a line
def train_on(inputs, target, loss=F.mse_loss):
    layer = nn.Linear(2, 1, rng=0)
    Trainer(layer, loss, optim.SGD(layer.parameters(), lr=0.1)).fit(DataLoader((inputs, target), 4), epochs=1)


def nan_in_the_input():
    inputs = np.ones((8, 2), np.float32)
    inputs[5, 1] = np.nan
    train_on(inputs, np.ones((8, 1), np.float32))


def changed_in_place():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    with tinydl.no_grad():
        x.copy_([5.0, 5.0])
    y.backward()


def layers_in_a_list():
    model = nn.Module()
    model.layers = [nn.Linear(2, 2), nn.Linear(2, 1)]


def another_optimizer():
    optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
    Trainer(nn.Linear(2, 1), F.mse_loss, optimizer)


def backward_twice():
    x = tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()


def movielens(folder, ratings):
    """MovieLens' three files with these lines of ratings."""
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    (folder / "movies.dat").write_text("1::Toy Story (1995)::Animation|Children's|Comedy\n")
    (folder / "ratings.dat").write_text(ratings)
    return load_movielens(folder)


def download(folder, size=None, md5=None):
    (folder / "at_the_publisher.bin").write_bytes(b"a thousand" * 100)
    fetch((folder / "at_the_publisher.bin").as_uri(), folder / "here.bin", size=size, md5=md5)


def climbing_zip(folder):
    with zipfile.ZipFile(folder / "ml.zip", "w") as archive:
        archive.writestr("ml/ratings.dat", "1::1::5::0\n")
        archive.writestr("../outside.txt", "written where it should not be")
    safe_unzip(folder / "ml.zip", folder / "data")


def no_folder(folder):
    """A path where no folder can be made, whoever asks: a file stands in the way."""
    (folder / "file").write_text("in the way")
    return folder / "file" / "data"


def flipped_bit(folder):
    save({"weight": np.arange(1000.0)}, folder / "model.npz")
    data = bytearray((folder / "model.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "model.npz").write_bytes(data)
    load(folder / "model.npz")


def other_checkpoint(folder):
    save({"weight": np.zeros(3)}, folder / "model.npz")
    Recommender.load(folder / "model.npz")


def fitted(model=None):
    return (model or Biases()).fit(synthetic_ratings(**WORLD))


class Refused(Exception):
    """What the command answered, and that its exit code was 2."""


def command(*words):
    """The command's line on stderr, as an error, so that it can stand in the table."""
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        code = recmodels_command([str(word) for word in words])
    if code == 2 and said.getvalue().count("\n") == 1:
        raise Refused(said.getvalue().strip())


# ---------------------------------------------------------------- the table
# (what somebody did, how, the error he gets, the parts of its message: given, wanted, what to do; a part is "" where
# another says it already). The functions get a fresh folder.
MISTAKES = {
    "Shapes": [
        ("multiplied matrices (2, 3) and (4, 5)", lambda _: zeros(2, 3) @ zeros(4, 5), ValueError,
         ["matmul: got shapes (2, 3) and (4, 5)", "must be as long as", "transpose one"]),
        ("added (2, 3) and (4, 5)", lambda _: zeros(2, 3) + zeros(4, 5), ValueError,
         ["add: got shapes (2, 3) and (4, 5)", "must be equal or 1", "reshape one"]),
        ("gave rows of 4 numbers to a layer Linear(3, 2)", lambda _: nn.Linear(3, 2)(zeros(5, 4)), ValueError,
         ["linear: got x (5, 4)", "must be 3 long", "make the layer for"]),
        ("compared predictions (4,) with targets (4, 1)", lambda _: F.mse_loss(zeros(4), zeros(4, 1)), ValueError,
         ["a prediction of shape (4,) and a target of shape (4, 1)", "must be equal", "reshape one"]),
        ("put (2, 3) upon (2, 4)", lambda _: ops.concatenate([zeros(2, 3), zeros(2, 4)], axis=0), ValueError,
         ["concatenate: got shapes [(2, 3), (2, 4)]", "agree on every axis but axis 0", "reshape or cut"]),
    ],
    "Dtypes": [
        ("added float32 and float64", lambda _: zeros(2) + zeros(2, dtype=np.float64), TypeError,
         ["add: got tensors of dtypes float32 and float64", "nothing is converted", "call .float() or .double()"]),
        ("trained on NumPy's float64", lambda _: train_on(np.ones((8, 2)), np.ones((8, 1))), TypeError,
         ["linear: got tensors of dtypes float64 and float32", "nothing is converted", "array.astype(np.float32)"]),
        ("asked for gradients of whole numbers", lambda _: tensor([1, 2], requires_grad=True), TypeError,
         ["got int64", "only floating dtypes", "pass dtype=np.float32"]),
        ("looked up the ids 1.0 and 2.0", lambda _: nn.Embedding(3, 2)(tensor([1.0, 2.0])), TypeError,
         ["embedding: got ids of dtype float32", "want integers", "call .astype(np.int64)"]),
        ("rated with text", lambda _: Interactions(pandas.DataFrame({"user": [1], "item": [1], "rating": ["good"]})),
         TypeError, ["the column rating", "want numbers", "convert it first"]),
    ],
    "Ids out of range": [
        ("looked up id 7 in a table of 3 rows", lambda _: nn.Embedding(3, 2)(tensor([0, 7])), IndexError,
         ["embedding: id 7 at position 1", "want 0 <= id < 3", "make the table larger"]),
        ("looked up id -1", lambda _: nn.Embedding(3, 2)(tensor([-1, 0])), IndexError,
         ["embedding: id -1 at position 0", "want 0 <= id < 3", "encode unknown ids"]),
        ("named class 3 of 3 classes", lambda _: F.cross_entropy(zeros(2, 3), tensor([0, 3])), IndexError,
         ["got class 3", "want 0 <= class < 3", "count classes from 0"]),
    ],
    "nan and inf": [
        ("trained on an input with a nan in it", lambda _: nan_in_the_input(), FloatingPointError,
         ["nan in epoch 1, batch 2", "an input of shape (4, 2) holds nan", "check the data for nan"]),
        ("trained with a loss that takes the logarithm of a negative number",
         lambda _: train_on(np.ones((8, 2), np.float32), np.ones((8, 1), np.float32),
                            lambda prediction, target: ops.log(F.mse_loss(prediction, prediction) - 1)),
         FloatingPointError, ["nan in epoch 1, batch 1", "log was the first to give nan", "lower the learning rate"]),
        ("gave a rating that is nan",
         lambda _: Interactions(pandas.DataFrame({"user": [1, 2], "item": [1, 1], "rating": [4.0, np.nan]})),
         ValueError, ["the rating in row 1 is nan", "want finite numbers", "drop the rows"]),
    ],
    "No data": [
        ("made ratings of a table without rows",
         lambda _: Interactions(pandas.DataFrame({"user": [], "item": [], "rating": []})), ValueError,
         ["got an empty frame", "want at least one rating", "did a filter leave nothing?"]),
        ("cut no rows into batches", lambda _: DataLoader(np.zeros((0, 2), np.float32)), ValueError,
         ["the dataset is empty", "want at least one row", "did a filter leave nothing?"]),
        ("took the mean loss of no rows", lambda _: F.mse_loss(zeros(0), zeros(0)), ValueError,
         ["an empty batch (shape (0,))", "the mean", "leave such batches out"]),
        ("loaded an empty ratings.dat", lambda folder: movielens(folder, ""), ValueError,
         ["ratings.dat: the file is empty", "want lines of UserID::MovieID::Rating::Timestamp", ""]),
    ],
    "Graphs": [
        ("changed an array in place that the graph needs", lambda _: changed_in_place(), RuntimeError,
         ["which copy_ has changed in place", "multiply needs its input 0 (shape (2,), a leaf)", "call backward first"]),
        ("called backward twice", lambda _: backward_twice(), RuntimeError,
         ["freed by an earlier backward", "the graph behind sum", "pass retain_graph=True"]),
        ("called backward where nothing was recorded", lambda _: zeros(2).sum().backward(), RuntimeError,
         ["no graph behind it", "does not require grad", "made with requires_grad=True"]),
    ],
    "Settings": [
        ("kept layers in a plain list", lambda _: layers_in_a_list(), TypeError,
         ["Module.layers: got a Linear in a plain list", "nobody finds it", "write nn.ModuleList"]),
        ("trained a model with another's optimizer", lambda _: another_optimizer(), ValueError,
         ["an optimizer that holds none of the parameters", "", "make it of model.parameters()"]),
        ("summed along axis=0", lambda _: zeros(2, 3).sum(axis=0), TypeError,
         ["Tensor.sum: got axis=0", "PyTorch's words", "write dim=0"]),
        ("set a negative learning rate", lambda _: optim.Adam([zeros(2, requires_grad=True)], lr=-0.1), ValueError,
         ["Adam: got lr=-0.1", "want a finite number >= 0", ""]),
        ("asked a model for the best 0 items", lambda _: fitted().recommend([1], k=0), ValueError,
         ["got k=0", "want a whole number of at least 1", ""]),
        ("asked a model that is not fitted", lambda _: Biases().predict([1], [1]), NotFittedError,
         ["Biases is not fitted yet", "", "call fit(train) first"]),
        ("fitted a model of attributes to ratings without any",
         lambda _: NeuralMF().fit(pandas.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [4, 5]})), KeyError,
         ["the table has []", "no column 'gender'", "add the column"]),
    ],
    "Files": [
        ("loaded a ratings.dat whose third line lost a colon",
         lambda folder: movielens(folder, "1::1::5::978300760\n2::1::3::978300761\n1:1::4::978300762\n"), ValueError,
         ["ratings.dat, line 3: got '1:1::4::978300762'", "want UserID::MovieID::Rating::Timestamp", ""]),
        ("rated a film that is not in movies.dat",
         lambda folder: movielens(folder, "1::1::5::978300760\n2::9::3::978300761\n"), ValueError,
         ["ratings.dat, line 2: got '2::9::3::978300761'", "none of the 1 films", "are the files whole"]),
        ("got a download that broke off", lambda folder: download(folder, size=5_000), DownloadError,
         ["it has 1,000 bytes", "want 5,000", "nothing was kept. Try again"]),
        ("got a download with a wrong checksum", lambda folder: download(folder, md5="0" * 32), DownloadError,
         ["its md5 is df6fb1a2b7547db44b1fcc5b6b857408", "want " + "0" * 32, "nothing was kept. Try again"]),
        ("unpacked a zip that holds ../outside.txt", climbing_zip, DownloadError,
         ["holds '../outside.txt'", "leads out of the folder", "nothing was unpacked. Get the archive from"]),
        ("downloaded to a folder that cannot be made",
         lambda folder: fetch((folder / "any").as_uri(), no_folder(folder) / "here.bin"), DownloadError,
         ["cannot write to the folder", "", "set TINYDL_DATA to a folder that you may write to"]),
        ("saved a model to a folder that cannot be made", lambda folder: fitted().save(no_folder(folder) / "model.npz"),
         OSError, ["cannot write FOLDER/file/data/model.npz", "", "choose a folder that exists and is writable"]),
        ("loaded a checkpoint with one bit flipped", flipped_bit, CheckpointError,
         ["model.npz is damaged", "Bad CRC-32", "start from an earlier one"]),
        ("loaded a model from a checkpoint of something else", other_checkpoint, CheckpointError,
         ["is a checkpoint, but not of a recommender", "", "fit the model again and save it"]),
    ],
    "The command": [
        ("recmodels train --model neural-mff-2", lambda folder: command("train", "--model", "neural-mff-2", "--out", folder),
         Refused, ["no model is called 'neural-mff-2'", "did you mean neural-mf-2?", "train --help"]),
        ("recmodels train --model biases --set k=3",
         lambda folder: command("train", "--model", "biases", "--set", "k=3", "--out", folder), Refused,
         ["biases has no such parameter", "only reg_user, reg_item, sweeps", ""]),
        ("recmodels train, to a folder that cannot be made",
         lambda folder: command("train", "--model", "biases", "--data", "synthetic", "--out", no_folder(folder)), Refused,
         ["cannot write to the folder", "", "choose one that you may write to"]),
        ("recmodels evaluate, of an empty folder", lambda folder: command("evaluate", folder), Refused,
         ["is not a run folder", "it has no settings.json", "name one that `recmodels train --out` has made"]),
        ("recmodels compare, with nothing to compare", lambda _: command("compare"), Refused,
         ["compare: ", "", "name either run folders or --models a,b,c"]),
    ],
}


# ---------------------------------------------------------------- no mistakes, but cases that are defined
def unknown_user():
    """A user nobody knows is an average one: the mean rating and the film's bias, and the average user's list."""
    model = fitted()
    prediction, bias = model.predict([999_999], [7])[0], model.b_i_[model.items_.codes([7])[0]]
    return (f"predict([999999], [7]) = {prediction:.4f}; the mean {model.mean_:.4f} + the item's bias {bias:.4f}; "
            f"recommend gives {model.recommend([999_999], k=3)['item'].tolist()}",
            abs(prediction - np.clip(model.mean_ + bias, 1, 5)) < 1e-9)


def unknown_user_of_a_network():
    model = fitted(NeuralMF(k=4, hidden=4, epochs=1))
    predictions = model.predict([999_999, None, 1], [7, 7, 888_888])
    return (f"predict([999999, None, 1], [7, 7, 888888]) = {np.round(predictions, 4).tolist()}: ratings, and the same for "
            "one unknown user and another", bool(np.isfinite(predictions).all() and predictions[0] == predictions[1]))


def unknown_category():
    """Code 0 is "unknown or missing"; an unknown genre is left out; a missing number is the mean, which is 0."""
    gender = OneHot("gender").encode(["F", "M"], ["M", "X", None]).tolist()
    genres = MultiHot("genres").encode(["Drama", "War"], [("War", "Opera"), None]).tolist()
    year = Dense("year").encode([1990.0, 10.0], [2000, None]).tolist()
    return (f"gender M, X, None -> {gender}; genres (War, Opera), None -> {genres}; year 2000, None -> {year}",
            (gender, genres, year) == ([2, 0, 0], [[0, 1], [0, 0]], [[1], [0]]))


def nothing_is_left():
    """No file outside, no half of an archive, no file that a later run would take for the whole one."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        for refused in (climbing_zip, lambda folder: download(folder, size=5_000)):
            with contextlib.suppress(DownloadError):
                refused(pathlib.Path(folder))
        left = sorted(path.name for path in pathlib.Path(folder).rglob("*"))
    return f"files afterwards: {left}", left == ["at_the_publisher.bin", "ml.zip"]


DEFINED = {"an unknown user is an average one": unknown_user,
           "unknown users and films get a rating from a network too": unknown_user_of_a_network,
           "categories that were never seen, and missing values, have a code": unknown_category,
           "of the refused zip and the broken download nothing is left but what was there": nothing_is_left}


# ---------------------------------------------------------------- making them
def verdict(make, error, parts):
    """(what came, in words; what is wrong with it, "" if nothing)."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):  # a progress bar, no message
        try:
            make(pathlib.Path(folder))
        except Exception as raised:
            kind, said = type(raised), str(raised.args[0] if isinstance(raised, KeyError) else raised)
        else:
            return "no error at all", f"want {error.__name__}"
    said = said.replace(folder, "FOLDER")
    missing = [part for part in parts if part not in said]
    complaint = f"does not say {' nor '.join(map(repr, missing))}" if missing else ""
    return f"{kind.__name__}: {said}", complaint if kind is error else f"want {error.__name__}"


def show(text):
    print(textwrap.indent(textwrap.fill(text, 112, break_on_hyphens=False, break_long_words=False), "      "))


def main(argv=None):
    args = arguments("error_messages", __doc__).parse_args(argv)
    output_folder(args, figures=False)
    print("protocol: made-up (SYNTHETIC) data and files in a temporary folder, which stands as FOLDER below; no seed, no "
          "network")
    for heading, cases in MISTAKES.items():
        print(f"\n{heading}")
        wrong = []
        for did, make, error, parts in cases:
            print(f"\n   {did}")
            said, complaint = verdict(make, error, parts)
            show(said)
            if complaint:
                wrong.append(f"{did}: {complaint}")
        print()
        check(f"all {len(cases)} say what was given, what is wanted and what to do" + "".join(f"; NOT {w}" for w in wrong),
              not wrong)
    print("\nNo mistakes\n")
    for claim, make in DEFINED.items():
        said, holds = make()
        check(claim, holds)
        show(said)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
