"""Imports: files of reviews into the catalogue and the index."""

from core.intake.importing import import_file
from core.intake.report import ImportLimits, ImportProgress, ImportReport

__all__ = ["ImportLimits", "ImportProgress", "ImportReport", "import_file"]
