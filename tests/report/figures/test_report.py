from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from matteralign.core.errors import MatterAlignError
from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.calibration import calibration_table
from matteralign.report.analysis.coverage import coverage_table, masked_reasons, masked_rows
from matteralign.report.analysis.dimensions import dimension_table
from matteralign.report.analysis.matrices import score_matrix
from matteralign.report.analysis.tables import not_scored_table, score_specs
from matteralign.report.analysis.tree import model_tree
from matteralign.report.citing.works import works
from matteralign.report.figures.heatmap import clustered_heatmap
from matteralign.report.figures.render import render
from matteralign.report.page.html_tables import cell_of
from matteralign.report.page.inline import inline_svg
from matteralign.report.page.page import ReportData, ReportFigure, render_report

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects what a browser would act on, and checks that tags are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def report_data(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame, **changes: Any
) -> ReportData:
    matrices = [score_matrix(scores, *spec, models=demo.KEYS) for spec in score_specs(scores)]
    svg = render(clustered_heatmap(matrices[0], demo.labels), "h").svg.decode()
    sidecars = demo.sidecars()
    data = ReportData(
        slice_name="qm9-demo",
        dataset="QM9",
        n=1000,
        sample_set_id="5a" * 32,
        seed=42,
        models=demo.FACTS,
        coverage=coverage_table(sidecars),
        masked_reasons=masked_reasons(sidecars),
        masked_rows=masked_rows(sidecars),
        matrices=matrices,
        intrinsic=dimension_table(intrinsic, demo.KEYS),
        not_scored=not_scored_table(scores),
        figures=[ReportFigure("One", "First caption.", svg), ReportFigure("Two", "Second.", svg)],
        latents={"ecfp4": {"dim": 2048, "sha256": demo.SHA}},
        environments={"atoms": ("ab" * 32, {"torch": "2.13.0"})},
        hashes={"scores.parquet": "cd" * 32},
        citations=works(metrics=["cknna"]),
        configuration="seed: 42\n",
        newick=model_tree(matrices[0], exclude=["random"]).newick,
    )
    return replace(data, **changes)


def test_same_data_gives_the_same_report(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    first = render_report(report_data(demo, scores, intrinsic))
    assert first == render_report(report_data(demo, scores, intrinsic))


def test_report_is_well_formed_and_loads_nothing(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    html = render_report(report_data(demo, scores, intrinsic))
    page = Page(html)
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "img", "source"}
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        href = attributes.get("href") or "#"
        allowed = {"a": "https://", "image": "data:image/png;base64,"}.get(tag, "#")
        assert href.startswith(("#", allowed))
        assert "http" not in (attributes.get("style") or "")
    css = "".join(re.findall(r"<style>(.*?)</style>", html, re.S))
    assert "url(" not in css
    assert "@import" not in css
    assert "default-src 'none'" in html


def test_ids_are_unique_and_references_resolve(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    page = Page(render_report(report_data(demo, scores, intrinsic)))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    used = {a["href"][1:] for _, a in page.tags if (a.get("href") or "").startswith("#")}  # type: ignore[index]
    used |= {
        m for _, a in page.tags for v in a.values() for m in re.findall(r"url\(#(.*?)\)", v or "")
    }
    assert used <= set(ids)


def test_hostile_text_is_escaped_everywhere(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    facts = [replace(demo.FACTS[0], name=HOSTILE, licence=HOSTILE, family=HOSTILE), *demo.FACTS[1:]]
    holed = demo.fail_pair(scores, "ecfp4", "chgnet-0.3.0", HOSTILE)
    base = report_data(demo, holed, intrinsic)
    html = render_report(
        replace(
            base,
            models=facts,
            slice_name=HOSTILE,
            dataset=HOSTILE,
            configuration=HOSTILE,
            notes=[HOSTILE],
            figures=[replace(base.figures[0], title=HOSTILE, caption=HOSTILE)],
            sample_facts={HOSTILE: HOSTILE},
            versions={HOSTILE: HOSTILE},
            hashes={HOSTILE: HOSTILE},
        )
    )
    page = Page(html)
    assert "&lt;script&gt;alert(1)" in html
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in page.tags]


def test_report_says_what_is_missing_and_why(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    whole = render_report(report_data(demo, scores, intrinsic))
    assert "every pair has every score" in whole
    html = render_report(
        report_data(demo, demo.fail_pair(scores, "ecfp4", "chgnet-0.3.0", "too few"), intrinsic)
    )
    assert "failed: too few" in html
    assert html.count(">no score<") == 2 * 5
    assert "element Na (Z = 11)" in html


def test_report_holds_identity_numbering_and_cautions(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    html = render_report(report_data(demo, scores, intrinsic))
    for text in (
        "Figure 1. One.",
        "Figure 2. Two.",
        "5a" * 32,
        "cd" * 32,
        demo.SHA[:12],
        "3,847,696",
        "ASL (academic use only)",
        "2512.03750",
        "2405.07987",
        "k/(N−1)",
        "seed: 42",
        "torch",
        "d = 512: CKA 0.34, dCor² 0.67, dCor 0.82",
    ):
        assert text in html, text


def test_scores_within_the_baseline_are_pale(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    hit = scores["model_a"].isin(["ecfp4", "rxnfp-bert"]) & scores["model_b"].isin(
        ["ecfp4", "rxnfp-bert"]
    )
    before = render_report(report_data(demo, scores, intrinsic)).count('class="num floor"')
    scores.loc[hit & (scores["metric"] == "cka"), "value"] = 0.01
    after = render_report(report_data(demo, scores, intrinsic)).count('class="num floor"')
    assert after == before + 2


@pytest.mark.parametrize(
    ("metric", "definition", "pale", "told"),
    [
        ("idcor", "basile2024", "0.050", "pale cells are not above its highest score"),
        ("gfre", "goscinski2021", "0.950", "pale cells are not below its lowest score"),
        ("lfre", "goscinski2021", "0.950", "pale cells are not below its lowest score"),
    ],
)
def test_pale_is_what_is_no_better_than_chance_whichever_way_a_metric_counts(
    demo: SimpleNamespace,
    scores: pd.DataFrame,
    intrinsic: pd.DataFrame,
    metric: str,
    definition: str,
    pale: str,
    told: str,
) -> None:
    """0.9 and 0.1 are the scores of the baseline; of the others one is 0.95, the rest 0.05."""
    names = ["ecfp4", "sevennet-0", "random", "rxnfp-bert"]
    rows = scores[(scores["metric"] == "cka") & scores["model_a"].isin(names)].copy()
    rows = rows[rows["model_b"].isin(names)].assign(metric=metric, definition=definition)
    base = (rows["model_a"] == "random") | (rows["model_b"] == "random")
    far = rows[["model_a", "model_b"]].isin(["ecfp4", "sevennet-0"]).all(axis=1)
    low = METRICS[metric].larger_is_closer
    rows["value"] = np.where(base, 0.1 if low else 0.9, np.where(far, 0.95, 0.05))
    matrix = score_matrix(rows, metric, definition, models=names)
    html = render_report(report_data(demo, scores, intrinsic, matrices=[matrix]))
    section = html[html.index('<section id="tables">') : html.index('<section id="unscored">')]
    assert told in section
    assert set(re.findall(r'class="num floor"[^>]*>([^<]*)<', section)) == {pale}
    assert ("Row a, column b: error of b rebuilt from a" in section) == (metric != "idcor")


def test_small_numbers_keep_two_digits() -> None:
    shown = {x: cell_of(x).text for x in (0.00049, 0.0005, -0.0012, 1e-7, 0.0, 0.0104, 0.5)}
    assert list(shown.values()) == [
        "0.00049", "0.0005", "−0.0012", "1e−07", "0.000", "0.010", "0.500",
    ]  # fmt: skip


def test_the_floor_of_a_large_sample_is_not_told_to_be_zero(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    html = render_report(report_data(demo, scores, intrinsic, n=50_000))
    assert "d = 64: CKA 0.0013, dCor² 0.0051, dCor 0.071" in html


def calibrated(demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame) -> ReportData:
    known = demo.calibrate(scores)
    return report_data(
        demo,
        known,
        intrinsic,
        calibration=calibration_table(known, demo.KEYS),
        matrices=[score_matrix(known, "cka", "plain", models=demo.KEYS, column="debiased")],
    )


def test_raw_floor_and_debiased_stand_side_by_side(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    html = render_report(calibrated(demo, scores, intrinsic))
    section = html[html.index('<section id="calibrated">') : html.index('<section id="energies">')]
    heads = re.findall(r"<button type=\"button\">(.*?)</button>", section)
    assert heads == [
        "score", "model a", "model b", "n", "value", "95 % interval", "null mean", "null sd",
        "debiased", "debiased, 95 % interval", "adjusted p",
    ]  # fmt: skip
    # 36 pairs of four definitions once and of two, which have a direction, both ways.
    assert section.count("<tr") - 1 == 36 * 3 + 72 * 2
    assert section.count("&lt; 0.001") > 30
    assert section.count('class="base"') == 8 * 3 + 16 * 2
    first = scores[(scores["metric"] == "cka") & (scores["model_b"] == "ecfp4")].iloc[0]["value"]
    assert f">{first:.3f}<" in section
    assert f">{(first - 0.05) / 0.95:.3f}<" in section
    assert "Linear CKA, debiased, plain" in html
    assert Page(html).open == []


def test_a_slice_without_statistics_says_so(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    for table in (None, calibration_table(scores, demo.KEYS)):
        html = render_report(report_data(demo, scores, intrinsic, calibration=table))
        assert "was scored without statistics" in html
        assert "t-calibrated" not in html


def test_a_large_panel_shows_the_start_and_names_the_file(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    table = calibration_table(demo.calibrate(scores), demo.KEYS)
    large = pd.concat([table] * 5, ignore_index=True)
    html = render_report(report_data(demo, scores, intrinsic, calibration=large))
    assert f"{len(large) - 600} more are in tables/calibration.csv" in html


def test_intervals_are_spoken_of_where_there_are_some(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    some = calibration_table(demo.calibrate(scores), demo.KEYS)
    bare = ["ci_low", "ci_high", "debiased_low", "debiased_high"]
    for table in (some, some.assign(**dict.fromkeys(bare, np.nan))):
        html = render_report(report_data(demo, scores, intrinsic, calibration=table))
        assert ("Intervals are of 95 %" in html) is (table is some)
        assert ("No score has an interval" in html) is (table is not some)


def test_empty_optional_parts_still_render(
    demo: SimpleNamespace, scores: pd.DataFrame, intrinsic: pd.DataFrame
) -> None:
    html = render_report(
        report_data(
            demo,
            scores,
            intrinsic,
            figures=[],
            matrices=[],
            latents={},
            environments={},
            hashes={},
            configuration="",
            newick="",
            seed=None,
            models=demo.FACTS[:2],
        )
    )
    assert "No figure was drawn" in html
    assert "has no random baseline" in html
    assert Page(html).open == []


def test_inlined_svg_is_cleaned() -> None:
    dirty = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'onload="x()" viewBox="0 0 1 1"><script>x()</script><style>*{fill:red}</style>'
        '<g id="a" style="fill: #1b1f24; clip-path: url(#a)"><image xlink:href="http://x/y.png"/>'
        '<use xlink:href="#a"/><path style="fill: url(http://x/z)" fill="#fffffe"/></g></svg>'
    )
    clean = inline_svg(dirty, "fig1", 'a "label" <b>')
    assert "x()" not in clean
    assert "http" not in clean
    assert "fill:red" not in clean
    assert 'id="fig1-a"' in clean
    assert 'href="#fig1-a"' in clean
    assert "url(#fig1-a)" in clean
    assert "var(--fig-ink, #1b1f24)" in clean
    assert "var(--fig-paper, #fffffe)" in clean
    assert "a &quot;label&quot; &lt;b&gt;" in clean


@pytest.mark.parametrize("text", ["", "<svg", "<p/>", '<!DOCTYPE svg [<!ENTITY a "b">]><svg/>'])
def test_what_is_no_svg_is_refused(text: str) -> None:
    with pytest.raises(MatterAlignError, match="figure fig1"):
        inline_svg(text, "fig1", "label")
