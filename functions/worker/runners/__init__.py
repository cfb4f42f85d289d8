"""The ways to execute a task."""
