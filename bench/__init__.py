"""What a plane costs, measured beside what the same work needs without it: `make bench`."""
