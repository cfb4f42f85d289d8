"""Job configs: what a `job/config.yaml` says, decided without any input or output."""
