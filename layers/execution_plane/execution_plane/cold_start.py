"""A cold start's share of the garbage collector; the handlers import this before all else of the project."""

import gc

# What is imported stays: to look through it for garbage again and again, as Python does each 700 new objects,
# takes a seventh of a cold start. What is left in cycles until then are some megabytes.
gc.set_threshold(100_000)
