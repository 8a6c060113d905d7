"""Where the files of a slice and of an analysis lie below the results folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """Paths of one slice.

    Attributes
    ----------
    results
        The study's output folder.
    slice
        Name of the slice.
    """

    results: Path
    slice: str

    @property
    def root(self) -> Path:
        """Folder of the slice."""
        return self.results / self.slice

    @property
    def shared(self) -> Path:
        """Folder of what slices share: records of fetched data, weights, environments."""
        return self.results / "_shared"

    def dataset_record(self, dataset: str) -> Path:
        """Record of a fetched dataset."""
        return self.shared / "datasets" / f"{dataset}.json"

    def weights_record(self, key: str, weights: str) -> Path:
        """Record of a model's fetched weights, by whether untrained ones may stand in."""
        folder = self.shared / "weights"
        return (folder if weights == "trained" else folder / weights) / f"{key}.json"

    def environment_record(self, name: str) -> Path:
        """Record of a built environment."""
        return self.shared / "environments" / f"{name}.json"

    def wanted(self, stage: str, key: str | None = None) -> Path:
        """Return the file that tells the workflow what a result must be made from."""
        return self.root / ".wanted" / stage / f"{key or 'all'}.json"

    @property
    def structures(self) -> Path:
        """The sample set."""
        return self.root / "structures.parquet"

    @property
    def skipped(self) -> Path:
        """Records that were drawn and could not be taken."""
        return self.root / "skipped.json"

    @property
    def warnings(self) -> Path:
        """Warnings of libraries from records that were read and accepted."""
        return self.root / "warnings.json"

    def latent(self, key: str) -> Path:
        """Latents of a model; the sidecar is in the same folder."""
        return self.root / "latents" / f"{key}.npy"

    def latent_sidecar(self, key: str) -> Path:
        """Sidecar of a model's latents."""
        return self.root / "latents" / f"{key}.json"

    def shards(self, key: str) -> Path:
        """Unfinished work of an embedding, removed when it is done."""
        return self.root / "latents" / ".shards" / key

    def predictions(self, key: str) -> Path:
        """Predicted energies of a model."""
        return self.root / "predictions" / f"{key}.parquet"

    def neighbors(self, key: str) -> Path:
        """Neighbour lists of a model; sidecar with its intrinsic dimensions beside them."""
        return self.root / "neighbors" / f"{key}.npz"

    def neighbors_sidecar(self, key: str) -> Path:
        """Sidecar of a model's neighbour lists."""
        return self.neighbors(key).with_suffix(".json")

    @property
    def ledger(self) -> Path:
        """Finished scores, kept across kills and re-runs."""
        return self.root / "scores" / ".ledger.jsonl"

    @property
    def passes(self) -> Path:
        """Folder of unfinished passes, removed when the scores are done."""
        return self.root / "scores" / ".pass"

    @property
    def scores(self) -> Path:
        """All scores of the slice."""
        return self.root / "scores.parquet"

    @property
    def replicates(self) -> Path:
        """All scores without each block of rows."""
        return self.root / "replicates.parquet"

    @property
    def sweep(self) -> Path:
        """Scores at growing sample sizes, where the study asks for them."""
        return self.root / "sweep.parquet"

    @property
    def tables(self) -> Path:
        """Folder of the tables."""
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.root / "figures"

    @property
    def probe(self) -> Path:
        """Folder of what energies can be read from latents."""
        return self.root / "probe"

    @property
    def table_list(self) -> Path:
        """Files of the tables with their hashes."""
        return self.tables / "files.json"

    @property
    def figure_list(self) -> Path:
        """Titles and captions of the figures."""
        return self.figures / "captions.json"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.root / "report.html"


@dataclass(frozen=True)
class AnalysisLayout:
    """Paths of one analysis.

    Attributes
    ----------
    results
        The study's output folder.
    analysis
        Name of the analysis.
    """

    results: Path
    analysis: str

    @property
    def root(self) -> Path:
        """Folder of the analysis. No slice can have the name of the folder above it."""
        return self.results / "_study" / self.analysis

    @property
    def tables(self) -> Path:
        """Folder of the tables."""
        return self.root / "tables"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.root / "figures"

    @property
    def figure_list(self) -> Path:
        """Titles and captions of the figures."""
        return self.figures / "captions.json"

    @property
    def record(self) -> Path:
        """What the analysis was made from, and its files with their hashes."""
        return self.root / "analysis.json"

    @property
    def wanted(self) -> Path:
        """What the analysis must be made from, for the workflow."""
        return self.root / ".wanted" / "analyze.json"

    def slice(self, name: str) -> Layout:
        """Return the paths of a slice."""
        return Layout(self.results, name)
