"""What the poller and the worker share; knows neither of them."""

VERSION = "0.1.0"
"""The version of all that is here; Keptn's Bridge shows it with the integration."""
