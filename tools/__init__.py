"""What the project's own upkeep runs: pages that are made from the code."""
