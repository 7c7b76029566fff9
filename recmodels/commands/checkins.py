"""Models of check-ins: events and contexts ranked on a split by time; lists of venues for a user at a local time."""

from ..checkin_evaluation import compare_table, evaluate_checkins, evaluate_new_venues, fit_and_evaluate
from ..checkin_recommender import CheckInRecommender
from ..datasets import CHECKIN_DATA, load_checkins
from ..models import CHECKIN_MODELS
from ..splits import time_split
from .common import costs_text, say, user_id, why_text
from .task import Task


class CheckInTask(Task):
    kind, models, base, data, explains = "check-ins", CHECKIN_MODELS, CheckInRecommender, CHECKIN_DATA, "fm-venues"
    options = ("user", "regime", "at", "category", "new", "explain")
    asks = {"user": "for whom, as in --user 17", "at": "for what local time, as in --at \"2012-12-01 20:00\""}

    def split(self, what, how):
        name, data = load_checkins(what)
        return name, time_split(data)

    def shown(self, split):
        return split.data, split

    def fit_and_evaluate(self, model, split, how, refit):
        return fit_and_evaluate(model, split, how["regime"], refit)

    def results(self, model, split, how):
        found = (*evaluate_checkins(model, split, how["regime"]), evaluate_new_venues(model, split, how["regime"]))
        return [f"\n{result}" for result in found]

    def table(self, rows):
        return "\n".join(f"\n{part}\n{table.to_string()}" for part, table in compare_table(rows).items())

    def line(self, row):
        return f"Recall@10 {row['events']['all']['Recall@10']:.4f}"

    def report(self, name, row, refitted):
        return *super().report(name, row, refitted), costs_text(row)

    def recommend(self, args, settings):
        """Print the venues that the model of a run puts on top for one user at a local time: category, place, score."""
        model = self.load(args.run)
        table = self.lists(args, settings, model, [user_id(args.user, model.log_.users)], args.at, category=args.category,
                           exclude="visited" if args.new else None)
        print(f"user {args.user} at {args.at}, {'venues not visited until then' if args.new else 'all venues'}"
              f"{f', {args.category} only' if args.category else ''}, {settings['regime']}"
              f"{', SYNTHETIC data' if settings['synthetic'] else ''}")
        venues = model.venues_.loc[table["item"]]
        width = max(map(len, venues["category_name"]), default=0)
        for row, venue in zip(table.itertuples(), venues.itertuples(), strict=True):
            print(f"{row.rank:4d}  {row.score:10.5g}  {venue.category_name:{width}}  {venue.latitude:.5f}, "
                  f"{venue.longitude:.5f}  [{row.item}]")
            say(*why_text(row))
        if table.empty:
            print("      nothing is left: the user has been in every such venue; see them without --new")
