"""What assignment I shows beside its table: learning curves, three users' top-10 lists, and a page on bias."""

import numpy as np

from examples.common import COLOURS, figure, save_figure
from recmodels.bias import error_by_group, list_statistics
from recmodels.models import BiasedMF


def learning_curves(histories, folder, synthetic):
    """Training and validation loss by epoch, a panel a model, of the first seed. histories: {model: one of each seed}."""
    if not histories:
        return
    columns = min(3, len(histories))
    lines = -(-len(histories) // columns)
    fig, axes = figure(lines, columns, size=(4 * columns, 2.8 * lines), title="Learning curves, first seed",
                       synthetic=synthetic, squeeze=False)
    for ax, (name, (history, *_)) in zip(axes.flat, histories.items(), strict=False):
        ax.plot(history["epoch"], history["train_loss"], color=COLOURS["blue"], label="training")
        ax.plot(history["epoch"], history["valid_loss"], color=COLOURS["red"], label="validation")
        best = int(np.argmin(history["valid_loss"]))
        ax.plot(history["epoch"][best], history["valid_loss"][best], "o", color=COLOURS["red"], markersize=4)
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss")
    axes.flat[0].legend(fontsize=8)
    for ax in axes.flat[len(histories):]:
        ax.set_visible(False)
    save_figure(fig, folder / "learning_curves.png")


def top_ten(model, name, split):
    """Print the lists of three users (few, many, median ratings): what they rated highest, and what they are offered."""
    counts = split.train.frame["user"].value_counts(ascending=True)
    titles = split.train.items["title"]
    for user in counts.index[[len(counts) // 10, len(counts) // 2, -len(counts) // 10]]:
        rated = split.train.frame[split.train.frame["user"] == user].nlargest(3, "rating", keep="first")
        who = split.train.users.loc[user]
        print(f"\n{name}: top 10 for user {user} ({who['gender']}, age group {who['age']}; {counts[user]} ratings, the best "
              f"of them {'; '.join(titles[rated['item']])})")
        for _, row in model.recommend([user], k=10).iterrows():
            print(f"  {row['rank']:2.0f}. {titles[row['item']]}  ({row['score']:.2f})")


def bias_page(models, best, split, folder):
    """Print for whom the model called `best` is worse, what all lists show, and what a biased training set does."""
    lines = [f"Bias: errors of {best} on the test ratings"]
    for by in ("gender", "age", "activity"):
        lines += ["", error_by_group(models[best], split.train, split.test, by).round(4).to_string()]
    users = split.train.users_seen
    some = np.random.default_rng(0).choice(users, min(300, len(users)), replace=False)
    lines += ["", f"Top-10 lists of {len(some)} users: share of the catalogue shown, mean popularity percentile, Gini index"]
    for name, model in models.items():
        shown = list_statistics(model.recommend(some, k=10), split.train)
        lines.append(f"  {name:21} coverage {shown['coverage']:.3f}  popularity {shown['popularity']:.3f}  "
                     f"Gini {shown['gini']:.3f}")
    lines += ["", *_biased_training_set(split)]
    print("\n" + "\n".join(lines))
    (folder / "bias.txt").write_text("\n".join(lines) + "\n")


def _biased_training_set(split):
    """"ML systems are biased when data is biased": leave most ratings of one gender out, and see who pays."""
    frame, gender = split.train.frame, split.train.users["gender"]
    women = (gender.reindex(frame["user"]).to_numpy() == "F")
    rng = np.random.default_rng(0)
    left_out = women & (rng.random(len(frame)) < 0.9)
    even = rng.permutation(len(frame))[:int((~left_out).sum())]  # as many ratings, left out at random
    lines = [f"A biased training set: biased MF trained without 90 % of the women's ratings ({left_out.sum():,} of "
             f"{len(frame):,}), and without as many taken at random"]
    errors = {}
    for name, rows in (("at random", np.sort(even)), ("women's", np.flatnonzero(~left_out))):
        model = BiasedMF(epochs=8).fit(split.train.take(rows), split.valid)
        errors[name] = error_by_group(model, split.train, split.test, "gender")["rmse"]
        lines.append(f"  left out {name:10}  RMSE of women {errors[name].get('F', np.nan):.4f}, "
                     f"of men {errors[name].get('M', np.nan):.4f}")
    return lines
