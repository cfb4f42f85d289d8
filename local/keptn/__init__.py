"""A Keptn control plane for a laptop: one process, in memory, with the real one's quirks."""
