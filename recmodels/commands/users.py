"""UserTask: a kind of model whose list is for a user by id, of items that may have titles."""

from .common import say, user_id, why_text
from .task import Task


class UserTask(Task):
    """What ratings, implicit feedback and reviews share: a split by a seed, and `recommend`. A subclass may set

        things, had   what the items are, and what a user has done to those that a list leaves out
        stranger      whose list an unknown user gets
        digits        the format of a score
    """

    options = ("split_seed", "user", "include_seen", "explain")
    asks = {"user": "for whom, as in --user 17"}
    things, had, stranger, digits = "films", "rated", "of an average user", ".3f"

    def known(self, model):
        """The ids of the users that the model knows."""
        return model.users_.ids

    def recommend(self, args, settings):
        """Print the titles that the model of a run puts on top for one user."""
        model, split = self.open(args, settings)
        known = self.known(model)
        user, items = user_id(args.user, known), split.data.items
        table = self.lists(args, settings, model, [user], exclude_seen=not args.include_seen)
        print(f"user {args.user}{'' if user in known.tolist() else f' (unknown: the list {self.stranger})'}, "
              f"{f'all {self.things}' if args.include_seen else f'{self.things} not {self.had} in the training data'}"
              f"{', SYNTHETIC data' if split.data.synthetic else ''}")
        for row in table.itertuples():
            print(f"{row.rank:4d}  {row.score:{self.digits}}  {items['title'][row.item] if 'title' in items else row.item}  "
                  f"[{row.item}]")
            say(*why_text(row))
        if table.empty:
            print(f"      nothing is left: the user has {self.had} every {self.things[:-1]}; see them with --include-seen")
