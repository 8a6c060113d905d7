"""What to cite for a slice."""

from __future__ import annotations

import re

import bibtexparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matteralign.metrics.base.card import Citation
from matteralign.registry.load import load_cards
from matteralign.report.citing.bibtex import bibtex
from matteralign.report.citing.methods import methods
from matteralign.report.citing.works import STUDY, identifiers, link, split_reference, works
from tests.report.figures.conftest import FACTS

SOFTWARE = Citation("this software", "The matteralign developers. matteralign, version 1.", "")


def parsed(text: str) -> dict[str, dict[str, str]]:
    library = bibtexparser.parse_string(text)
    assert not library.failed_blocks
    return {e.key: {f.key: f.value for f in e.fields} for e in library.entries}


@pytest.mark.parametrize("card", load_cards().values(), ids=lambda card: card.key)
def test_the_reference_of_every_card_becomes_entries(card: object) -> None:
    cited = works(models=[(card.name, card.reference)])  # type: ignore[attr-defined]
    entries = parsed(bibtex(cited, SOFTWARE))
    assert len(entries) == len(cited) + 1 >= 3
    for fields in entries.values():
        assert fields["title"]


def test_models_of_one_paper_are_one_entry() -> None:
    cards = load_cards()
    models = [(cards[k].name, cards[k].reference) for k in ("mace-mp-small", "mace-mp-medium")]
    cited = works(models=models)
    assert len(cited) == 2
    assert all(name in cited[1].use for name, _ in models)


def test_methods_that_were_not_used_are_not_cited() -> None:
    assert [w.text for w in works()] == [STUDY.text]
    uses = " ".join(w.use for w in works(metrics=["dcor"]))
    assert "Neighbour joining" not in uses and "CKNNA" not in uses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A et al., X, arXiv:2412.10771", {"eprint": "2412.10771", "year": "2024"}),
        ("B, J. 2010, 50, 742, doi:10.1021/ci100050t", {"doi": "10.1021/ci100050t"}),
        ("C, Sci. Data 1, 140022 (2014), doi:10.1038/sdata.2014.22", {"year": "2014"}),
    ],
)
def test_identifiers_are_read_from_a_reference(text: str, expected: dict[str, str]) -> None:
    found = identifiers(Citation("", text, link(text)))
    assert expected.items() <= found.items()


def test_a_reference_is_split_only_where_each_part_can_be_looked_up() -> None:
    both = "A, arXiv:2410.12771; B, DeNS, arXiv:2403.09549"
    assert len(split_reference(both)) == 2
    assert len(split_reference("Bartók, Phys. Rev. B 2013; compressed as Darby 2022")) == 1


@given(st.text(max_size=60))
def test_any_text_becomes_an_entry_that_a_parser_reads(text: str) -> None:
    work = Citation("x", f"Name {text}", "")
    entries = bibtex([work], SOFTWARE)
    # Braces balance once those that are escaped are taken away.
    bare = re.sub(r"\\[{}\\]", "", entries)
    assert bare.count("{") == bare.count("}")


def test_the_paragraph_names_n_k_definition_scaling_and_untrained_models() -> None:
    text = methods(
        slice_name="qm9-demo",
        dataset="qm9",
        n=1000,
        seed=3,
        sample_set_id="ab" * 32,
        facts=FACTS,
        specs=[
            ("cknna", "huh2024", '{"k":25,"normalize":"l2"}'),
            ("cknna", "huh2024", '{"k":50,"normalize":"l2"}'),
            ("dcor", "squared", '{"normalize":"row_max"}'),
        ],
        taken={"cknna": (900, 1000), "dcor": (1000, 1000)},
        statistics=True,
    )
    assert "1,000 structures of qm9 (drawn with seed 3" in text
    assert "definition huh2024" in text and "k = 25, 50" in text
    assert "each row divided by its length" in text
    assert "each row divided by its largest element" in text
    assert "n = 900 to 1,000 by pair" in text
    for fact in FACTS:
        assert (fact.name in text) == (fact.weights == "untrained" or fact.baseline)
