"""Figures by name."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from matteralign.core.errors import UserError
from matteralign.report.plots import chosen
from matteralign.report.slice_findings.results import Drawing


def drawings() -> list[Drawing]:
    stems = ["heatmap_cknna_text_k-25", "heatmap_dcor_squared", "tree", "local_global"]
    return [Drawing(stem, stem, "", Figure()) for stem in stems]


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        ("tree", ["tree"]),
        ("1F", ["tree"]),
        ("1d", ["local_global"]),
        ("C6", ["heatmap_cknna_text_k-25"]),
        ("heatmap_*", ["heatmap_cknna_text_k-25", "heatmap_dcor_squared"]),
    ],
)
def test_figures_are_found_by_number_and_by_name(figure: str, expected: list[str]) -> None:
    assert [d.stem for d in chosen(drawings(), figure, "qm9-demo")] == expected


def test_a_typo_gets_the_nearest_figure() -> None:
    with pytest.raises(UserError, match=r"qm9-demo has no figure 'trea': did you mean 'tree'\?"):
        chosen(drawings(), "trea", "qm9-demo")


def test_a_figure_of_the_study_that_a_slice_does_not_have_is_said() -> None:
    with pytest.raises(UserError, match="has no figure 'B4'"):
        chosen(drawings(), "B4", "qm9-demo")
