"""Operating a deployed plane from a laptop: what runs, what ran, and what to do about it."""
