"""What comes back for a mail: reading it, and the words for it."""

from domain.reports.reading import read_report
from domain.reports.words import Report, Reported, ReportKind

__all__ = ["Report", "ReportKind", "Reported", "read_report"]
