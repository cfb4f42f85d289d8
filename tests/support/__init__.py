"""What several tests need: a simulated clock, and whole planes in one process."""
