"""Pieces of the pages: each draws one thing from what it is given and returns the operator's choice, if any."""
