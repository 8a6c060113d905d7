"""The verbs of the program, and the group that imports the module of a verb when it is called.

The help of the program and the message about a typo need this table only, so both are quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


@dataclass(frozen=True)
class Verb:
    """One verb: its module below ``matteralign.cli`` and its line in the program's help."""

    name: str
    module: str
    help: str


VERBS = (
    Verb(
        "run",
        "run",
        "Run the whole workflow for a slice or analysis; further arguments go to Snakemake (-n).",
    ),
    Verb(
        "models",
        "listing.models",
        "List the model cards, which weights are on this machine, and the last check.",
    ),
    Verb(
        "datasets",
        "listing.datasets",
        "List the datasets that a slice can use, and how many of their files are here.",
    ),
    Verb(
        "prompts",
        "listing.prompts",
        "List the study's prompts and which words the chat models read; check prompt files.",
    ),
    Verb(
        "new-model",
        "new_model",
        "Write the card of a new model, and for a new family the first version of its modules.",
    ),
    Verb(
        "panel",
        "listing.panel",
        "List the models of a slice's panel, and those left out with the reason.",
    ),
    Verb(
        "check-model",
        "checks.check_model",
        "Check models against the contract and print the results; exit with 1 if one fails.",
    ),
    Verb(
        "probe",
        "checks.probe",
        "Predict energies from each model's latents, beyond what composition explains.",
    ),
    Verb(
        "sensitivity",
        "checks.sensitivity",
        "Disturb structures by growing amounts and test whether every metric answers.",
    ),
    Verb(
        "compare",
        "compare",
        "Score how alike two arrays are: row i of both is the same structure.",
    ),
    Verb(
        "contrast",
        "contrast",
        "Compare scores of a slice: a - b with its 95 % interval and adjusted p-value.",
    ),
    Verb("dimension", "dimension", "Estimate the intrinsic dimension of an array."),
    Verb(
        "metrics",
        "listing.metrics",
        "List the metrics with their definitions, properties, cost and version.",
    ),
    Verb(
        "fetch",
        "jobs.fetch",
        "Fetch datasets and weights into the cache, checked by hash; show the cost first.",
    ),
    Verb(
        "architecture",
        "jobs.architecture",
        "Build the untrained network of a model in its file format, or find it in the cache.",
    ),
    Verb(
        "environment",
        "jobs.environment",
        "Build the environment of a model family in the cache, or find it there.",
    ),
    Verb("sample", "jobs.sample", "Draw a slice's structures from its dataset."),
    Verb("embed", "jobs.embed", "Run one model over a slice and keep its latents and energies."),
    Verb(
        "summarize",
        "jobs.summarize",
        "Find the neighbours and intrinsic dimensions of one model's latents.",
    ),
    Verb(
        "score",
        "jobs.score",
        "Compare every pair of models of a slice; earlier scores are reused.",
    ),
    Verb("tables", "jobs.tables", "Write the tables of a slice as Parquet and CSV."),
    Verb(
        "figures",
        "jobs.figures",
        "Draw the figures of a slice as SVG and PNG, and write its tree as Newick.",
    ),
    Verb(
        "report",
        "jobs.report",
        "Write the slice's report: one HTML file that opens offline.",
    ),
    Verb(
        "analyze",
        "jobs.analyze",
        "Make the tables and figures of an analysis from slices that are finished.",
    ),
    Verb(
        "plot",
        "plot",
        "Draw one figure of a slice or an analysis again, from what lies there.",
    ),
    Verb(
        "cite",
        "cite",
        "Print BibTeX and a paragraph on the methods for what a slice shows.",
    ),
    Verb(
        "schema",
        "schema",
        "Print a JSON Schema: of config.yaml, of model cards or of dataset cards.",
    ),
    Verb("weights", "weights", "Pin the weights that were downloaded."),
)
_BY_NAME = {verb.name: verb for verb in VERBS}


def registered(module: str) -> TyperGroup:
    """Return the group of the commands of a module below ``matteralign.cli``.

    A verb is the function of its name; a module with anything else to say of its verbs has a
    function ``register``.
    """
    app = typer.Typer()
    app.callback()(lambda: None)
    found = import_module(f"matteralign.cli.{module}")
    if hasattr(found, "register"):
        found.register(app)
    else:
        for verb in VERBS:
            if verb.module == module:
                app.command()(getattr(found, verb.name.replace("-", "_")))
    return get_group(app)


class LazyGroup(TyperGroup):
    """A group whose commands are only a name and a line of help until one is called."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = {verb.name: TyperCommand(verb.name, help=verb.help) for verb in VERBS}

    def get_help_option(self, ctx: Any) -> Any:
        """Return ``--help`` with a default, so that typer need not import pydantic to read it."""
        option = super().get_help_option(ctx)
        if option is not None and option.default is None:
            option.default = False
        return option

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command as usual, then replace it by the one of its module."""
        name, found, rest = super().resolve_command(ctx, args)
        if found is None or name is None:
            return name, found, rest
        return name, registered(_BY_NAME[name].module).commands[name], rest
