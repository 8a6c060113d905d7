"""CHGNet's graph of angles, listed faster than its package does, row for row the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from chgnet.graph import CrystalGraphConverter
from chgnet.graph.graph import Graph


class AngleGraph(Graph):  # type: ignore[misc]  # the package has no types
    """The package's graph; only the lists that it makes of it are made otherwise."""

    def adjacency_list(self) -> tuple[Any, Any]:
        """Return both ends, shape (E, 2), and the undirected edge, (E,), of directed edges."""
        edges = self.directed_edges_list
        ends = np.array([edge.nodes for edge in edges], np.int32).reshape(-1, 2)
        undirected = np.array([edge.info["undirected_edge_index"] for edge in edges], np.int32)
        return ends, undirected

    def line_graph_adjacency_list(self, cutoff: float) -> tuple[Any, list[int]]:
        """Return the angles, shape (A, 5), and one directed edge of each undirected one.

        The package goes through all bonds of an atom for each of its short ones, and most
        are longer than `cutoff`; here the short ones are picked out once.

        Parameters
        ----------
        cutoff
            Longest bond of an angle, in Å.

        Raises
        ------
        ValueError
            Where the package raises it: an undirected edge without its two directed ones.
        """
        edges = self.undirected_edges_list
        if len(self.directed_edges_list) != 2 * len(edges):
            raise ValueError("a bond of the graph lacks one of its two directions")
        # The package asks for "not longer" of the first bond and for "shorter" of the second.
        first = np.array(
            [
                (center, edge.index, directed)
                for edge in edges
                if edge.info["distance"] <= cutoff
                for center, directed in zip(edge.nodes, _both(edge), strict=True)
            ],
            np.int32,
        ).reshape(-1, 3)
        short = [_short(node, cutoff) for node in self.nodes]
        second = np.array([bond for bonds in short for bond in bonds], np.int32).reshape(-1, 2)
        counts = np.array([len(bonds) for bonds in short], np.int64)
        # Every first bond meets the short bonds of its atom, one after another, itself left out.
        many = counts[first[:, 0]]
        row = np.repeat(np.arange(len(first)), many)
        start = (np.cumsum(counts) - counts)[first[:, 0]] - (np.cumsum(many) - many)
        other = second[np.arange(len(row)) + start[row]]
        angles = np.hstack([first[row], other])[other[:, 1] != first[row, 2]]
        # Without an angle the package hands on an empty list, which has one axis.
        return (angles if len(angles) else []), self.undirected2directed()


def _short(node: Any, cutoff: float) -> list[tuple[int, int]]:
    """Return undirected and directed index of an atom's bonds shorter than `cutoff`."""
    return [
        (edge.info["undirected_edge_index"], edge.index)
        for edges in node.neighbors.values()
        for edge in edges
        if edge.info["distance"] < cutoff
    ]


def _both(edge: Any) -> list[int]:
    """Return the two directed edges of an undirected one."""
    found: list[int] = edge.info["directed_edge_index"]
    if len(found) != 2:
        raise ValueError(f"bond {edge.index} of the graph has {len(found)} directions, not two")
    return found


def angle_converter(converter: CrystalGraphConverter) -> CrystalGraphConverter:
    """Return a converter with the settings of `converter` that lists angles as `AngleGraph`."""
    made = CrystalGraphConverter.from_dict(converter.as_dict())
    made.set_isolated_atom_response(converter.on_isolated_atoms)
    create = made.create_graph

    def create_graph(*arguments: Any) -> AngleGraph:
        graph = create(*arguments)
        found = AngleGraph(graph.nodes)
        found.__dict__.update(graph.__dict__)
        return found

    made.create_graph = create_graph
    return made
