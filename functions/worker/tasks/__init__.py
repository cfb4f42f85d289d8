"""The user's own Python tasks: one file each, with a function of the same name."""
