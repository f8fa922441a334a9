"""`emowhy report`: a run as a page, a table, or on the terminal."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer

from emowhy.cli import options as o


@o.guarded
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the rows as CSV.")] = None,
    parquet: Annotated[Path | None, typer.Option("--parquet", help="Write the rows as Parquet.")] = None,
    show: Annotated[
        int | None, typer.Option("--show", metavar="N", help="Print the first N rows to read.", min=0)
    ] = None,
) -> None:
    """Write RUN/report.html, or what is asked for instead."""
    from rich.console import Console

    from emowhy import report as made
    from emowhy.errors import UsageError
    from emowhy.run import read_rows
    from emowhy.show import show as show_rows

    for path, suffix in ((csv, ".csv"), (parquet, ".parquet")):
        if path is not None:
            if path.suffix != suffix:
                raise UsageError(f"{path} does not end in {suffix}", f"--{suffix[1:]} {path.with_suffix(suffix)}")
            print(f"{path}: {made.write_table(run, path)} rows")
    if show is not None:
        show_rows(itertools.islice(read_rows(run), show), Console(highlight=False))
    if csv is None and parquet is None and show is None:
        print(made.write_html(run))
