"""The report: one page without a network, its tables the result's figures, its files whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ebbflow.agents.evaluation.report import write_report
from ebbflow.agents.evaluation.report_tables import figures_table, flexibility_table
from ebbflow.agents.evaluation.result import PolicyDays

from .hand_made import Evaluated, MakeWorld, make_evaluated

VOID = ("meta", "img", "br", "link", "input", "hr")


@pytest.fixture(scope="module")
def evaluated(world: MakeWorld) -> Evaluated:
    """See `make_evaluated`."""
    return make_evaluated(world)


@pytest.fixture(scope="module")
def folder(evaluated: Evaluated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the report of the small evaluation."""
    where = tmp_path_factory.mktemp("report")
    write_report(evaluated.result, where, evaluated.recorded)
    return where


class Page(HTMLParser):
    """Checks that every tag is closed, and keeps addresses, texts and headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []
        self.unnamed = 0
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.sources += [str(values[name]) for name in ("src", "href", "srcset", "data") if name in values]
        self.unnamed += tag == "img" and not values.get("alt")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append(data.strip())


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    """The page, read."""
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_else(folder: Path, page: Page) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert page.sources
    assert all(source.startswith("data:image/") for source in page.sources)
    for asks_the_network in ("http://", "https://", "url(", "@import", "<script", "//cdn"):
        assert asks_the_network not in text
    assert 'name="viewport"' in text
    assert page.unnamed == 0
    assert len(text) < 1_000_000


def test_the_page_says_what_was_found(evaluated: Evaluated, page: Page) -> None:
    result = evaluated.result
    uncontrolled = sum(result.policy("uncontrolled").net_cost_usd()[:2]) / 2
    assert f"${uncontrolled:,.2f} a day" in page.words
    assert "Emergency: days with an import price above $1/kWh" in page.words
    for name in result.names:
        assert name in page.words
    assert any("15 July 2026 to 16 July 2026" in words for words in page.words)
    assert "day 0 (and 2 more)" in page.words


def test_the_table_holds_the_headlines_figures(evaluated: Evaluated) -> None:
    result = evaluated.result
    table = figures_table("any", result.headline, 2)
    for row in table.rows:
        figures = result.headline[row[0].text]
        assert row[1].text == f"{(figures['net_cost_usd'] or 0.0) / 2:,.2f}"
        assert len(row) == len(table.columns)
    rows = {row[0].text: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["optimum"]["highest\npeak kW"].text == "-"
    captured = rows["cheapest_hours"]["captured\n%"]
    low, high = (float(x) for x in captured.range.split(" to "))
    assert low <= float(captured.text) <= high
    kept = rows["cheapest_hours"]["kept out\nkWh a day"].text
    base, own = (result.headline[name]["peaker_window_kwh"] or 0.0 for name in ("uncontrolled", "cheapest_hours"))
    assert float(kept) == pytest.approx((base - own) / 2, abs=0.05)


def test_files_beside_the_page(evaluated: Evaluated, folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"report.html", "plots", "flexibility.csv", "events.csv"}
    pictures = {path.stem for path in (folder / "plots").iterdir()}
    assert {"cost", "accounts", "shortfall", "grid", "day-uncontrolled", "flexibility-cheapest_hours"} <= pictures
    assert "day-do_nothing" not in pictures
    flexible = list(rows_of(folder / "flexibility.csv"))
    assert {row["policy"] for row in flexible} == {"uncontrolled", "cheapest_hours", "as_late_as_possible"}
    events = list(rows_of(folder / "events.csv"))
    for name in ("uncontrolled", "cheapest_hours"):
        delivered = sum(float(row["delivered_kwh"]) for row in events if row["policy"] == name)
        paid = -evaluated.recorded[name].ledgers[0].usd["programme_usd"]
        assert 0.1 * max(delivered, 0.0) == pytest.approx(paid)


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def test_the_same_result_gives_the_same_page(evaluated: Evaluated, folder: Path, tmp_path: Path) -> None:
    write_report(evaluated.result, tmp_path, evaluated.recorded)
    for name in ("report.html", "flexibility.csv", "events.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_days_with_events_can_be_others_than_those_shown(evaluated: Evaluated, tmp_path: Path) -> None:
    runs = evaluated.recorded
    write_report(evaluated.result, tmp_path, runs, {"uncontrolled": [runs["uncontrolled"]]})
    assert {row["policy"] for row in rows_of(tmp_path / "events.csv")} == {"uncontrolled"}
    bare = {"uncontrolled": [replace(runs["uncontrolled"], history=None)]}
    with pytest.raises(ValueError, match="run it with record=True"):
        write_report(evaluated.result, tmp_path / "none", runs, bare)
    assert not (tmp_path / "none").exists()


def test_names_and_failures_are_text_and_no_markup(evaluated: Evaluated, tmp_path: Path) -> None:
    result = evaluated.result
    broken = PolicyDays(
        "cheapest_hours", result.policy("cheapest_hours").ledgers, replaced_requests=3, failure="<b>weights</b> & more"
    )
    rows = tuple(broken if policy.name == "cheapest_hours" else policy for policy in result.policies)
    write_report(replace(result, policies=rows), tmp_path, evaluated.recorded)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert any("3 requests of cheapest_hours: <b>weights</b> & more" in words for words in page.words)


def test_nothing_recorded_and_no_interval_still_make_a_report(evaluated: Evaluated, tmp_path: Path) -> None:
    figures = {
        name: {key: None if key.endswith(("_low", "_high")) or "captured" in key else value for key, value in f.items()}
        for name, f in evaluated.result.headline.items()
    }
    write_report(replace(evaluated.result, headline=figures, emergency={}), tmp_path, {})
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "No day was recorded." in page.words
    assert not (tmp_path / "flexibility.csv").exists()


def test_flexibility_is_told_by_three_hours(evaluated: Evaluated) -> None:
    from ebbflow.agents.evaluation.flexibility import flexibility_of_day

    history = evaluated.recorded["uncontrolled"].history
    assert history is not None
    scenario = history.day.scenario
    found = flexibility_of_day(scenario, history.applied_kw)
    table = flexibility_table("uncontrolled", scenario, found)
    assert [row[0].text for row in table.rows] == ["12:00", "15:00", "18:00"]
    assert float(table.rows[0][1].text) == pytest.approx(found.draw_kw[:3].mean(), abs=0.05)
    assert float(table.rows[2][1].text) == pytest.approx(found.draw_kw[6:].mean(), abs=0.05)
