"""What an evaluation found, as one self-contained HTML page and CSV files."""

from .write import write_report

__all__ = ["write_report"]
