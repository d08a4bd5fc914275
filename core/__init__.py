"""Brigade: fan-out -> combine LLM work over thousands of items, watched and steered while it runs."""

__version__ = "0.1.0"
