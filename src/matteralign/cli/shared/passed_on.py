"""What `matteralign run` passes on to Snakemake, looked at before anything starts."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Collection, Sequence

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def check_passed_on(arguments: Sequence[str], own: Collection[str]) -> bool:
    """Refuse options that Snakemake does not know; return whether they ask for a dry run.

    Parameters
    ----------
    arguments
        What is not the verb's own.
    own
        Options of the verb, which a typo may mean as well.

    Raises
    ------
    UserError
        In one line: the nearest option of the verb or of Snakemake, or what Snakemake says
        of a wrong value.
    """
    if not any(argument.startswith("-") for argument in arguments):
        return False
    from snakemake.cli import get_argument_parser  # takes two seconds

    parser = get_argument_parser()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            known_to_it, left = parser.parse_known_args(["target", *arguments])
    except SystemExit as stop:
        if not stop.code:  # it has printed its version
            raise
        line = (said.getvalue().strip().splitlines() or ["wrong options"])[-1]
        raise UserError(f"Snakemake refuses {' '.join(arguments)}: {line}") from stop
    wrong = next((argument for argument in left if argument.startswith("-")), None)
    if wrong is not None:
        known = {*own, *_OPTION.findall(parser.format_help())}
        told = unknown("option", wrong.partition("=")[0], known)
        raise UserError(
            f"{told} (`matteralign run --help` lists those of this verb; others go to Snakemake)"
        )
    return bool(known_to_it.dryrun)
