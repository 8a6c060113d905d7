"""The verb that builds the environment of a model family."""

from __future__ import annotations

from typing import Annotated

import typer

from matteralign.cli.shared.common import (
    OutOption,
    say,
)
from matteralign.core.files import write_json


def environment(
    name: Annotated[str, typer.Argument(help="Environment below envs/.")],
    out: OutOption = None,
) -> None:
    """Build the environment of a model family in the cache, or find it there."""
    from matteralign.registry.environments import get_environment
    from matteralign.stages.runtime.environments import ensure_environment

    chosen = get_environment(name)
    python = ensure_environment(chosen, say)
    if out is not None:
        digest = chosen.lock_digest()
        write_json(out, {"name": name, "lock_sha256": digest, "asked": {"lock": digest}})
    else:
        typer.echo(python)
