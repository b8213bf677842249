"""The HTML page that a study is read on, and the summary that a terminal shows."""

from hpo_lab.report.console import console_table
from hpo_lab.report.page import write_report

__all__ = ["console_table", "write_report"]
