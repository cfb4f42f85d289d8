"""One run in the worker: from acquiring it to its outcome; may import jobs and the layer."""
