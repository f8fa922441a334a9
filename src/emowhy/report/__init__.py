"""A run to look at: one HTML page that needs nothing but a browser, or a table. (For a terminal: `show.py`.)

`write_html` writes the page of a run, `write_page` one of any blocks and rows, `write_table` CSV or Parquet.
"""

from emowhy.report.blocks import About, Block, Cell, Confusion, Counts, Facts, Interval, Notes, Reliability, Table
from emowhy.report.overview import Tally, write_html
from emowhy.report.page import MOST_BYTES, MOST_ROWS, write_page
from emowhy.report.rows import Line, Segment, branch, lines, mark, merge, notes, right, telling
from emowhy.report.table import write_table

__all__ = [
    "MOST_BYTES",
    "MOST_ROWS",
    "About",
    "Block",
    "Cell",
    "Confusion",
    "Counts",
    "Facts",
    "Interval",
    "Line",
    "Notes",
    "Reliability",
    "Segment",
    "Table",
    "Tally",
    "branch",
    "lines",
    "mark",
    "merge",
    "notes",
    "right",
    "telling",
    "write_html",
    "write_page",
    "write_table",
]
