"""Qdrant's engine embedded in the process."""
