"""The verbs of the command: ratings.py for models of ratings, checkins.py for those of check-ins, common.py for both."""
