"""Laws of the report page in a browser: it works from disk, by keyboard, on a phone, in the dark, and runs nothing.

Needs `pip install playwright` and a Chromium that is called `chromium` (Debian: `apt-get install chromium`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from emowhy.report import About, write_page
from report.browsing import BLOCKS, current, harmful, ids, row, watch
from report.pages import HOSTILE

sync = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path (apt-get install chromium)")

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync.sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []  # chromium's own sandbox does not start as root
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield made
        made.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 120 rows: every third joy, else anger; every fourth wrong; one failed, one hostile a kind."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_page(path, "a run", BLOCKS, [*map(row, range(120)), *map(harmful, HOSTILE)], About("A lead."))


@pytest.fixture
def tab(browser: Browser, page: Path) -> Iterator[Tab]:
    """The page, opened from disk; whatever goes wrong on it fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    made = context.new_page()
    wrong, asked = watch(made)
    made.goto(page.as_uri())
    yield made
    context.close()
    assert wrong == []
    assert asked == [page.as_uri()] * len(asked)


def test_the_page_opens_with_its_rows_in_order(tab: Tab) -> None:
    assert ids(tab) == [f"row-{i}" for i in range(50)]
    assert tab.locator("#found").inner_text() == f"{120 + len(HOSTILE)} rows"
    assert tab.locator("article").nth(1).locator("mark").all_inner_texts() == ["cancelled"]
    assert "anger" in (tab.locator("article").nth(1).get_attribute("class") or "")


def test_a_filter_leaves_just_the_rows_that_are_so(tab: Tab) -> None:
    tab.select_option("select[name=predicted]", "joy")
    assert ids(tab) == [f"row-{i}" for i in range(0, 120, 3)]
    tab.select_option("select[name=right]", "wrong")
    assert ids(tab) == [f"row-{i}" for i in range(0, 120, 12)]
    tab.select_option("select[name='group kind']", "odd")
    assert "No row is like that." in tab.inner_text("#feed")
    tab.click("#clear")
    assert len(ids(tab)) == 50
    tab.select_option("select[name=status]", "truncated")
    assert ids(tab) == ["row-7"]
    assert "the reply did not end" in tab.inner_text("#feed")


def test_rows_with_unverified_quotes_can_be_found(tab: Tab) -> None:
    tab.select_option("select[name=quotes]", "some not verbatim")
    assert set(ids(tab)) >= {f"row-{i}" for i in range(0, 120, 5)}
    assert "1 quote not verbatim" in tab.locator("article").first.inner_text()


def test_a_search_finds_rows_by_all_their_words(tab: Tab) -> None:
    tab.fill("#search", "FLIGHT 17.")
    assert ids(tab) == ["row-17", "row-117"]  # the words 'flight' and '17.'
    tab.fill("#search", '"FLIGHT 17."')
    assert ids(tab) == ["row-17"]
    tab.fill("#search", '"cancelled it" "words 33"')  # a phrase that runs over a mark, and one in the gold
    assert ids(tab) == ["row-33"]
    tab.fill("#search", "no such words")
    assert ids(tab) == []


def test_worst_first_puts_failed_before_wrong_before_right(tab: Tab) -> None:
    tab.select_option("#order", label="Worst first")
    assert ids(tab)[:4] == ["row-7", "row-116", "row-112", "row-108"]  # of the wrong ones the surest first


def test_the_whole_list_works_by_keyboard(tab: Tab) -> None:
    tab.keyboard.press("j")
    assert current(tab) == "row-0"
    tab.keyboard.press("j")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("k")
    assert current(tab) == "row-1"
    tab.keyboard.press("Enter")
    opened = tab.locator("article").nth(1)
    assert opened.locator("[data-toggle]").get_attribute("aria-expanded") == "true"
    assert "gold words 1" in opened.inner_text()
    assert current(tab) == "row-1"
    tab.keyboard.press("Escape")
    assert opened.locator("[data-toggle]").get_attribute("aria-expanded") == "false"
    tab.keyboard.press("Tab")  # to the link in row 1, from where the keys go on
    tab.keyboard.press("j")
    assert current(tab) == "row-2"
    tab.keyboard.press("/")
    tab.keyboard.type("flight 3j")
    assert tab.input_value("#search") == "flight 3j"  # letters are letters while one types
    tab.keyboard.press("Escape")
    assert tab.input_value("#search") == ""
    tab.keyboard.press("Escape")
    assert current(tab) == "row-0"


def test_moving_on_turns_the_page(tab: Tab) -> None:
    tab.click("#row-49 .why")
    assert current(tab) == "row-49"
    tab.keyboard.press("j")
    assert current(tab) == "row-50"
    assert ids(tab)[0] == "row-50"
    tab.click("text=Previous")
    assert ids(tab)[0] == "row-0"
    tab.click("text=Last")
    assert ids(tab)[-1] == "__proto__"


def test_an_open_row_shows_answer_clues_gold_and_replies_side_by_side(tab: Tab) -> None:
    tab.click("#row-3 [data-toggle]")
    opened = tab.locator("#row-3")
    assert opened.locator("h3").all_inner_texts() == ["Answer", "Specialists: emotion, cue", "Gold"]
    assert opened.locator("dt").all_inner_texts() == ["0 · B", "1 · A", "face", "voice", "why"]
    opened.locator("summary", has_text="Raw reply").click()
    assert opened.locator("pre").all_inner_texts() == ["hm", '{"raw": 1}']


def test_an_address_names_a_row(browser: Browser, page: Path) -> None:
    tab = browser.new_page()
    tab.goto(f"{page.as_uri()}#row-77")
    assert current(tab) == "row-77"
    assert tab.locator("#row-77 [data-toggle]").get_attribute("aria-expanded") == "true"
    tab.close()


def test_figures_of_the_summary_lead_to_their_rows_and_tables_sort(tab: Tab) -> None:
    tab.click("td[data-gold=fear][data-label=joy]")
    assert ids(tab) == [f"row-{i}" for i in range(0, 120, 12)]
    heading = tab.locator(".figures th", has_text="F1").first
    heading.locator("button").click()
    assert tab.locator(".block.table tbody th").all_inner_texts() == ["joy", "fear", "anger"]
    assert heading.get_attribute("aria-sort") == "descending"


def test_no_text_of_a_row_runs_and_all_of_it_is_shown(tab: Tab) -> None:
    tab.click("text=Last")
    for number in range(120, 120 + len(HOSTILE)):
        tab.click(f"#row-{number} [data-toggle]")
        shown = tab.locator(f"#row-{number}")
        assert shown.locator("img, script, base, meta, style").count() == 0
        assert shown.locator("[onerror], [onmouseover], [style*=url]").count() == 0
        shown.hover()
    assert HOSTILE[0] in tab.inner_text("#feed")
    assert tab.evaluate("typeof window.hacked") == "undefined"
    assert tab.evaluate("location.href").startswith("file:")


def test_a_script_that_gets_in_all_the_same_is_stopped(browser: Browser, page: Path) -> None:
    tab = browser.new_page()
    tab.goto(page.as_uri())
    tab.evaluate("document.body.append(Object.assign(document.createElement('div'), {id: 'hole'}))")
    write = "document.getElementById('hole').innerHTML = '<img src=x onerror=window.hacked=1>'"
    with pytest.raises(sync.Error, match="TrustedHTML"):
        tab.evaluate(write)
    assert tab.evaluate("document.getElementById('hole').childElementCount") == 0
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_in_light_and_in_the_dark(browser: Browser, page: Path, scheme: Any) -> None:
    tab = browser.new_page(color_scheme=scheme)
    tab.goto(page.as_uri())
    for number in (3, 7):
        tab.click(f"#row-{number} [data-toggle]")
    assert tab.evaluate(CONTRAST) == []
    tab.close()


def test_a_phone_shows_the_page_without_scrolling_sideways(browser: Browser, page: Path) -> None:
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    tab.goto(page.as_uri())
    tab.click("#row-3 [data-toggle]")
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert not tab.locator("#filters").get_attribute("open")
    tab.evaluate("document.querySelector('#pages button:last-child').click()")
    tab.click("#row-120 [data-toggle]")
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    tab.close()


def test_two_systems_stand_side_by_side_and_their_changes_can_be_found(browser: Browser, tmp_path: Path) -> None:
    rows = [row(i) for i in range(4)]
    for i, right in enumerate((True, True, False, False)):
        rows[i]["other"] = {"name": "cot", "emotions": [{"label": "fear"}], "right": right, "explanation": "otherwise"}
        rows[i]["right"] = i % 2 == 0
    path = write_page(tmp_path / "p.html", "two", [], rows, About(arm="direct"))
    tab = browser.new_page()
    tab.goto(path.as_uri())
    assert "direct" in tab.inner_text("#row-0 header")
    assert "cot" in tab.inner_text("#row-0 header")
    tab.select_option("select[name=change]", "only cot right")
    assert ids(tab) == ["row-1"]
    tab.select_option("select[name=change]", "only direct right")
    assert ids(tab) == ["row-2"]
    tab.click("#row-2 [data-toggle]")
    assert tab.locator("#row-2 h3").all_inner_texts()[:2] == ["direct", "cot"]
    assert "otherwise" in tab.inner_text("#row-2")
    tab.close()


def test_without_scripts_the_summary_stands_and_says_where_the_rows_are(browser: Browser, page: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(page.as_uri())
    assert tab.locator(".block").count() == len(BLOCKS)
    assert "explanations.jsonl" in tab.inner_text("noscript")
    assert not tab.locator("#tools").is_visible()
    context.close()


def test_a_page_without_rows_has_no_error(browser: Browser, tmp_path: Path) -> None:
    tab = browser.new_page()
    wrong, _ = watch(tab)
    tab.goto(write_page(tmp_path / "p.html", "none", BLOCKS, []).as_uri())
    assert "There are no rows." in tab.inner_text("#rows")
    assert wrong == []
    tab.close()
