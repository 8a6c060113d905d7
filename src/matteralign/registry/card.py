"""The model card: one YAML file per model, checked field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from matteralign.core.hashing import sha256_json
from matteralign.core.patterns import KEY
from matteralign.registry.elements import ElementRanges, parse_ranges
from matteralign.registry.pinned import PinnedFile, Sha256, Strict
from matteralign.registry.vocabulary import Functional, Group, TrainingSet

Key = Annotated[str, StringConstraints(pattern=KEY)]
Modality = Literal["3d", "smiles", "selfies", "text", "sequence", "structure", "any"]
Embedding = Literal["equivariant", "invariant", "vanilla", "fingerprint", "random"]

SMILES_MESSAGE = "SMILES: {smiles}"
"""The user's message of the study about a molecule."""


class StandIn(Strict):
    """An untrained network of the same architecture, saved in the same file format.

    The model's own package builds it, and the wrapper loads it by the code that loads the
    trained file.
    """

    options: dict[str, Any] = Field(default={}, description="what the builder is told")
    seed: int = Field(default=0, ge=0, description="of the initial weights")
    dim: int | None = Field(
        default=None, gt=0, description="width of its latent where it is smaller than the model's"
    )
    parameters: int | None = Field(
        default=None, gt=0, description="its parameter count where it is smaller than the model"
    )


class Checkpoint(Strict):
    """The weights of a model: files, licence and what the licence asks of the user."""

    weights: Literal["trained", "untrained", "none"]
    files: list[PinnedFile] = []
    licence: str
    licence_url: str | None = None
    restricted: str | None = Field(
        default=None, description="shown before first use when the licence restricts use"
    )
    executes_code: bool = Field(
        default=False,
        description="a file is a pickle or Python, opened only after its hash matched",
    )

    gated: str | None = Field(
        default=None, description="page where the licence is accepted before the download"
    )
    stand_in: StandIn | None = Field(
        default=None, description="how the same network is built without trained weights"
    )

    @model_validator(mode="after")
    def _weights_have_files(self) -> Checkpoint:
        if self.weights != "none" and not self.files:
            raise ValueError(
                f"weights are {self.weights!r}, but no files are listed; list them, or write "
                "weights: none"
            )
        return self

    def hash_from(self) -> str:
        """Return where the hashes of the files are from: the weakest of all of them.

        ``card``; ``lock``, the user's; ``first download``: they are recorded when the files are
        first seen; "" where there are no files to fetch.
        """
        if self.weights != "trained":
            return ""
        if all(f.sha256 for f in self.files):
            return "card"
        return "lock" if all(f.sha256 or f.locked for f in self.files) else "first download"

    def digest(self) -> str | None:
        """Return the file's hash, one hash over several files, or None when not all are known."""
        if not self.files or not all(f.sha256 for f in self.files):
            return None
        if len(self.files) == 1:
            return self.files[0].sha256
        return sha256_json({f.name: f.sha256 for f in self.files})

    def origin(self) -> str | None:
        """Return `digest`; where it is not known, one hash over where the files come from."""
        if not self.files:
            return None
        return self.digest() or sha256_json({f.name: f.sha256 or f.origin() for f in self.files})


class Accepts(Strict):
    """What a model can take; anything else becomes a masked row with a reason."""

    elements: ElementRanges | None = Field(
        default=None, description="atomic numbers such as '1-9,15-17'; null: any element"
    )
    max_atoms: int | None = None
    max_tokens: int | None = None
    max_residues: int | None = None
    needs: Literal[
        "positions", "smiles", "selfies", "text", "sequence", "backbone", "atoms", "nothing"
    ] = Field(
        default="positions",
        description="what of a structure the model reads; text: whatever its prompt asks for; "
        "atoms: the elements alone",
    )

    def element_set(self) -> frozenset[int] | None:
        """Return the accepted atomic numbers, or None when every element is."""
        return None if self.elements is None else parse_ranges(self.elements)


class LatentSpec(Strict):
    """Which layer is read and how it becomes one vector."""

    layer: str = Field(description="where in the network the vector is read")
    documented: str = Field(description="function or paper that documents this layer")
    pooling: Literal["mean over atoms", "mean over tokens", "mean over residues", "none"]
    dim: int = Field(gt=0)


class Claims(Strict):
    """Behaviour that the contract test measures."""

    rotation: Literal["invariant", "equivariant", "not invariant", "not applicable"]
    translation: Literal["invariant", "not invariant", "not applicable"]
    permutation: Literal["invariant", "not invariant", "not applicable"] | None = Field(
        default=None,
        description="of the atoms; null: invariant for a model that reads positions or atoms",
    )
    tolerance: float = Field(
        default=1e-4, gt=0, description="relative deviation below which a latent is unchanged"
    )


class Parameters(Strict):
    """Parameter counts: as the study prints it and as the loaded network has it."""

    study: int | None = None
    measured: int = Field(ge=0)
    note: str | None = Field(default=None, description="why the two differ")


class Printed(Strict):
    """What Table 1 of the study prints of a row otherwise than the card has it."""

    modality: Literal["string"] | None = Field(default=None, description="column: input")
    embedding: Embedding | None = None
    functional: Functional | None = None
    training_sets: list[TrainingSet] | None = None
    note: str = Field(description="why the card has it otherwise")


class PinnedPrompt(Strict):
    """The prompt of a chat model, pinned by its hash: another prompt gives other latents."""

    file: str = Field(description="name of a file of models/prompts, or a full path")
    sha256: Sha256
    study: Literal["long", "blank", "blank-atomistic"] | None = Field(
        default=None,
        description="prompt of the study that it stands for, used in its place where the user has "
        "the study's words",
    )
    words: Literal["own", "study"] = Field(
        default="own", description="whose words; set by the program, not on a card"
    )
    pieces: dict[str, str] = Field(
        default={}, description="the user's files with the study's words; set by the program"
    )
    user: str | None = Field(
        default=None,
        description="the user's message, where the file is the system message alone; set by the "
        "program from `prompts`",
    )

    def label(self) -> dict[str, Any]:
        """Return what is written down of a prompt beside the latents that it made."""
        told: dict[str, Any] = {"sha256": self.sha256, "words": self.words}
        if self.study is not None:
            told["study"] = self.study
        return told if self.words == "study" else {"file": Path(self.file).name} | told


class Prompts(Strict):
    """The prompt of a chat model in words of the user's own."""

    system: str = Field(
        min_length=1,
        description="file with the system message alone, relative to the card; its words are part "
        "of the model's identity",
    )
    user: str = Field(
        default=SMILES_MESSAGE,
        description="the user's message, with a field such as {smiles}, {selfies} or {atoms}",
    )


class ModelCard(Strict):
    """Everything the project knows about one model.

    `index` is the model's place: panels, tables and reports list models by it. A new model takes
    the next free number, and no index changes later, so that old and new tables have one order.
    """

    key: Key
    index: int = Field(ge=0)
    name: str
    family: str
    wrapper: str = Field(description="module of matteralign.models")
    environment: str
    modality: Modality
    architecture: str
    group: Group | None = Field(
        default=None, description="architecture group of condensed matrices; null: the family"
    )
    embedding: Embedding
    training_sets: list[TrainingSet] = Field(
        default=[], description="all that the weights were trained on, as the model's authors say"
    )
    functional: Functional = Field(default="none", description="level of theory of its energies")
    functional_note: str | None = Field(
        default=None, description="what the word leaves out: basis set, other tasks"
    )
    study_row: str | None = Field(default=None, description="row of Table 1, null for extras")
    printed: Printed | None = Field(
        default=None, description="what Table 1 prints otherwise; null: nothing"
    )
    parameters: Parameters
    checkpoint: Checkpoint
    latent: LatentSpec
    accepts: Accepts = Accepts()
    claims: Claims
    predicts: list[Literal["energy"]] = []
    batch: int = Field(
        default=2000,
        gt=0,
        description="budget per batch on a CPU, in what the wrapper counts: atoms, edges or tokens",
    )
    options: dict[str, Any] = {}
    prompt: PinnedPrompt | None = None
    prompts: Prompts | None = Field(
        default=None, description="in place of `prompt`: a system message of your own"
    )
    reference: str

    @model_validator(mode="after")
    def _printed_of_a_row(self) -> ModelCard:
        if self.printed is not None and self.study_row is None:
            raise ValueError("printed: is for rows of the study; give study_row, or leave it out")
        return self

    @model_validator(mode="after")
    def _one_prompt(self) -> ModelCard:
        if self.prompt is not None and self.prompts is not None:
            raise ValueError("prompt: and prompts: are two prompts of one model; delete one")
        return self

    def as_printed(self) -> dict[str, Any]:
        """Return the card's facts as Table 1 prints them; of extras the card's own."""
        names = ("modality", "embedding", "functional", "training_sets")
        told = {} if self.printed is None else self.printed.model_dump()
        return {
            name: getattr(self, name) if told.get(name) is None else told[name] for name in names
        }

    @property
    def permutation(self) -> str:
        """What the card claims of reordered atoms, where it says nothing by what it reads."""
        reads = self.accepts.needs in ("positions", "atoms")
        return self.claims.permutation or ("invariant" if reads else "not applicable")

    def identity(self) -> dict[str, Any]:
        """Return the part of the card that decides latents and energies; prose is left out."""
        identity = {
            "key": self.key,
            "wrapper": self.wrapper,
            "environment": self.environment,
            "checkpoint": self.checkpoint.digest(),
            "weights": self.checkpoint.weights,
            "latent": {"pooling": self.latent.pooling, "dim": self.latent.dim},
            "accepts": self.accepts.model_dump(),
            "options": self.options,
            "batch": self.batch,
            "predicts": self.predicts,
        }
        if self.prompt is not None:
            identity["prompt"] = self.prompt.sha256
        if self.prompts is not None:  # until its file is read, see registry.prompt_files
            identity["prompts"] = self.prompts.model_dump()
        return identity

    def digest(self) -> str:
        """Return the hash of `identity`: it changes exactly when latents or energies may."""
        return sha256_json(self.identity())
