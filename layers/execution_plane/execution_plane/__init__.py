"""What the poller and the worker share; knows neither of them."""
