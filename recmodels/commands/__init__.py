"""The kinds of model that the command knows. A kind is a `Task` (task.py), in a module of its own that says what differs.

    task.py       what a task is, and the verbs train, evaluate, compare
    users.py      tasks whose lists are for a user
    common.py     models by name with their settings, labels in tables, lines on the terminal
"""

from .checkins import CheckInTask
from .implicit import ImplicitTask
from .ratings import RatingTask
from .reviews import ReviewTask
from .sessions import SessionTask

TASKS = (RatingTask(), CheckInTask(), SessionTask(), ImplicitTask(), ReviewTask())
