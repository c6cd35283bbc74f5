"""The reference cloud endpoint of the dispatch centre: intake, desk, board."""
