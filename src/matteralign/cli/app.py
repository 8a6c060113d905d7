"""Entry point: runs a verb and turns errors into one clear line."""

from __future__ import annotations

import sys

import typer

from matteralign import __version__
from matteralign.cli.shared.verbs import LazyGroup
from matteralign.core.errors import MatterAlignError, os_fault

app = typer.Typer(
    name="matteralign",
    cls=LazyGroup,
    help="Measure how alike scientific foundation models see matter.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def version_option(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    """Print the version when asked."""
    if version:
        typer.echo(f"matteralign {__version__}")
        raise typer.Exit


def _say_error(text: str) -> None:
    from rich.console import Console

    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"error: {text}", style="bold red", markup=False
    )


def main() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 the work failed; 2 the user named something that does not exist or
    gave a wrong value; 130 interrupted.
    """
    try:
        app()
    except MatterAlignError as error:
        _say_error(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # a full disk, a folder that may not be written
        _say_error(os_fault(error))
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("interrupted: finished work is kept; run again to continue", err=True)
        sys.exit(130)
