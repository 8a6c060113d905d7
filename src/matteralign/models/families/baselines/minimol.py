"""MiniMol, a molecular graph network, through graphium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
import yaml
from torch_geometric.data import Batch, Data

from matteralign.core.errors import MatterAlignError
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters, quiet_import
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.models.inputs.scatter import scatter_in_torch
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

with quiet_import(), scatter_in_torch():
    from graphium.config._loader import load_architecture
    from graphium.features import mol_to_pyggraph
    from graphium.finetuning.fingerprinting import Fingerprinter
    from graphium.utils.mup import set_base_shapes

# Of a head that nothing here reads; an older graphium had no such norm.
_NOT_STORED = {
    f"task_heads.graph_output_nn.graph.graph_output_nn.layers.1.normalization.{name}"
    for name in ("weight", "bias")
}


class MinimolWrapper(Wrapper):
    """Node features after the last graph layer, which the package's fingerprint is made of.

    Nodes are the heavy atoms of the SMILES. The package takes the largest value over the nodes;
    the study averages.

    Files: ``config.yaml`` (network and features), ``base_shape.yaml`` (scales of its read-outs)
    and ``state_dict.pth`` (opened with ``weights_only=True``).
    """

    family: ClassVar[str] = "minimol"

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        config = yaml.safe_load(self.file("config.yaml").read_text(encoding="utf-8"))
        features = config["datamodule"]["args"]["featurization"]
        self._featurize = partial(mol_to_pyggraph, **features, on_error="raise")
        example = self._featurize("c1ccccc1")
        widths = {
            key: value.shape[-1] for key, value in example.to_dict().items() if key != "num_nodes"
        }
        kind, arguments = load_architecture(config, in_dims=widths)
        network = set_base_shapes(
            kind(**arguments), str(self.file("base_shape.yaml")), rescale_params=False
        )
        self._load(network, self.file("state_dict.pth"))
        network.requires_grad_(False)
        self._network = network.to(device).eval()
        self._reader = Fingerprinter(self._network, f"gnn:{len(network.gnn.layers) - 1}").setup()

    def n_parameters(self) -> int:
        return count_parameters(self._network)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "graphium", "torch-geometric", "rdkit", "scipy", "datamol"]

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        graphs = [self._graph(s) for s in batch]
        together = Batch.from_data_list(graphs).to(self.device)
        features = self._reader.get_fingerprints_for_batch({"features": together})
        return Embedded(segment_mean(features.numpy(), [g.num_nodes for g in graphs]))

    def _graph(self, structure: Structure) -> Data:
        """Return the molecular graph, its half-precision features as the network takes them."""
        graph = self._featurize(structure.smiles)
        for key, value in graph.to_dict().items():
            if isinstance(value, torch.Tensor):
                graph[key] = value.float() if value.is_floating_point() else value.long()
        return graph

    def _load(self, network: torch.nn.Module, path: Path) -> None:
        state = torch.load(path, map_location="cpu", weights_only=True)
        state = {name.removeprefix("model."): value for name, value in state.items()}
        result = network.load_state_dict(state, strict=False)
        if set(result.missing_keys) - _NOT_STORED or result.unexpected_keys:
            raise MatterAlignError(
                f"{path}: not the weights of the network in config.yaml; missing "
                f"{result.missing_keys[:3]}, unexpected {result.unexpected_keys[:3]}"
            )
