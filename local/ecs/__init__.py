"""A small Amazon ECS: what the worker asks of it, with Docker or without."""
