"""The ways to execute a task; may import runs.work, jobs and the layer."""
