"""What a `job/config.yaml` says, decided without input or output; may import jsonpath, and nothing of AWS."""
