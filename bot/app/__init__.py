"""The bot as a whole: everything wired together, the worker, and the commands that start it."""
