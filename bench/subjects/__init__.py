"""What is measured, each in a process of its own: it prints its answer as the last line, in JSON."""
