"""How each package itself would go over many structures: its own graphs, collation and forward.

No forces are computed, and what the network returns is dropped: nothing is pooled or kept. Every
loop runs the network that the wrapper has loaded, in the same process and with its settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

Loop = Callable[[Sequence[Any], int], None]
"""Takes structures and a batch size."""


def mace(wrapper: Any) -> Loop:
    from mace import data
    from mace.tools import torch_geometric, torch_tools

    from matteralign.models.inputs.atoms import to_atoms

    calculator = wrapper._calculator
    model, keys = wrapper._model, data.KeySpecification(info_keys={}, arrays_keys={})

    def loop(structures: Sequence[Any], size: int) -> None:
        with torch_tools.default_dtype(calculator.default_dtype):
            graphs = [
                data.AtomicData.from_config(
                    data.config_from_atoms(to_atoms(s), key_specification=keys),
                    z_table=calculator.z_table, cutoff=calculator.r_max,
                )
                for s in structures
            ]  # fmt: skip
            loader = torch_geometric.dataloader.DataLoader(
                dataset=graphs, batch_size=size, shuffle=False, drop_last=False
            )
            for batch in loader:
                with torch.no_grad():
                    model(batch.to_dict(), compute_force=False)

    return loop


def sevennet(wrapper: Any) -> Loop:
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.train.dataload import unlabeled_atoms_to_graph
    from torch_geometric.loader import DataLoader

    from matteralign.models.inputs.atoms import to_atoms

    def loop(structures: Sequence[Any], size: int) -> None:
        graphs = [
            AtomGraphData.from_numpy_dict(unlabeled_atoms_to_graph(to_atoms(s), wrapper._cutoff))
            for s in structures
        ]
        for batch in DataLoader(graphs, batch_size=size, shuffle=False):
            with torch.no_grad():
                wrapper._model(batch)

    return loop


def chgnet(wrapper: Any) -> Loop:
    def loop(structures: Sequence[Any], size: int) -> None:
        crystals = [wrapper.crystal(s) for s in structures]
        wrapper._model.predict_structure(crystals, task="e", batch_size=size)

    return loop


def orb(wrapper: Any) -> Loop:
    from orb_models.forcefield import base
    from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs

    from matteralign.models.inputs.atoms import to_atoms

    model, cpu = wrapper._model, torch.device("cpu")

    def loop(structures: Sequence[Any], size: int) -> None:
        for start in range(0, len(structures), size):
            graphs = [
                ase_atoms_to_atom_graphs(to_atoms(s), system_config=model.system_config, device=cpu)
                for s in structures[start : start + size]
            ]
            batch = base.batch_graphs(graphs)
            with torch.no_grad():
                nodes = model.model(batch)["node_features"]
                model.heads["energy"].predict(nodes, batch)

    return loop


def huggingface(wrapper: Any) -> Loop:
    from torch.nn.utils.rnn import pad_sequence
    from torch.utils.data import DataLoader

    tokenizer = wrapper._tokenizer

    def collate(texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        ids = [torch.tensor(tokenizer.encode(text)) for text in texts]
        mask = [torch.ones_like(row) for row in ids]
        return pad_sequence(ids, True, float(tokenizer.pad)), pad_sequence(mask, True)

    def loop(structures: Sequence[Any], size: int) -> None:
        texts = [s.smiles for s in structures]
        for ids, mask in DataLoader(texts, batch_size=size, collate_fn=collate):
            with torch.no_grad():
                wrapper.model(input_ids=ids, attention_mask=mask)

    return loop


LOOPS: dict[str, Callable[[Any], Loop]] = {
    "mace": mace, "sevennet": sevennet, "chgnet": chgnet, "orb": orb, "huggingface": huggingface,
}  # fmt: skip
