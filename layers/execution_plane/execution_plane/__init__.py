"""What the poller and the worker share; knows neither of them."""

VERSION = "0.1.0"
"""As in pyproject.toml; Keptn's Bridge shows it with the integration."""
