"""The dashboard in a real browser: links, hostile text, commands, languages, themes, small screens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
Visiting = Callable[..., Visit]
PAGES = {
    "run": "Run",
    "results": "Results",
    "models": "Models",
    "performance": "Performance",
    "costs": "Costs",
    "tune": "Tune",
}


def assert_well(page: Page) -> None:
    assert page.locator("[data-testid=stException]").count() == 0
    assert "Page not found" not in page.inner_text("body")


def commands(visit: Visit) -> list[list[str]]:
    return [c for c in visit.site.commands() if c[0] in ("start", "control", "resume")]


def wait_for_command(visit: Visit, action: str, before: int = 0) -> list[str]:
    for _ in range(60):
        found = [c for c in commands(visit)[before:] if action in c]
        if found:
            return found[-1]
        visit.page.wait_for_timeout(250)
    raise AssertionError(f"{action} never reached the service: {commands(visit)}")


def tick(page: Page, row: int) -> None:
    """Tick the box of a row (1 is the first); the table is drawn on a canvas, so by its place."""
    items = page.get_by_role("region", name="Items", exact=True)
    items.wait_for()
    page.wait_for_timeout(800)
    items.click(position={"x": 16, "y": 17 + 35 * row})


@pytest.mark.parametrize("path", PAGES)
def test_a_link_to_a_page_opens_it_as_the_first_request_of_a_process(visit: Visiting, path: str) -> None:
    page = visit("full", fresh=True).go(path)
    assert_well(page)
    expect(page.locator("h1")).to_have_text(PAGES[path])
    links = page.locator("[data-testid=stSidebarNavLink]")
    assert [link.inner_text().split()[-1] for link in links.all()] == list(PAGES.values())


def test_the_bare_address_leads_to_run(visit: Visiting) -> None:
    page = visit("full").go("")
    expect(page).to_have_url(re.compile(r"/run\b"))
    assert_well(page)


@pytest.mark.parametrize(
    "path", [*(f"{p}?run=run-done" for p in PAGES), "run?run=run-paused", "run?run=run-crash", "run"]
)
def test_hostile_text_stays_text(visit: Visiting, path: str) -> None:
    made = visit("hostile")
    page = made.go(path)
    page.on("dialog", lambda dialog: pytest.fail(f"a payload opened a dialog: {dialog.message}"))
    page.wait_for_timeout(2500)
    assert_well(page)
    main = page.locator("[data-testid=stMain]")
    for tag in ("script", "iframe", "img[src*='evil']", "a[href*='evil']", "svg[onload]"):
        assert main.locator(tag).count() == 0, tag
    assert made.strayed == []


def test_the_payloads_are_really_on_the_page(visit: Visiting) -> None:
    text = visit("hostile").go("results?run=run-done").inner_text("[data-testid=stMain]")
    assert "<script src='https://evil.example/x.js'></script>" in text
    assert "[click me](https://evil.example/phish)" in text


def test_pause_resume_and_stop_reach_the_service(visit: Visiting) -> None:
    made = visit("full", fresh=True)
    page = made.go("run?run=run-live")
    page.get_by_role("button", name="Pause").click()
    assert wait_for_command(made, "pause")[1] == "run-live"
    page.get_by_role("button", name="Resume").click()
    wait_for_command(made, "resume")
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("button", name="Stop this run").click()
    wait_for_command(made, "cancel")
    expect(page.get_by_text("Stopped for good")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


def test_a_double_click_starts_one_run(visit: Visiting) -> None:
    made = visit("full", fresh=True)
    page = made.go("run?run=run-live")
    page.get_by_role("button", name="New run").click()
    page.get_by_role("button", name="Start with 240 items").dblclick()
    wait_for_command(made, "start")
    expect(page).to_have_url(re.compile(r"run=run-new-7"))
    page.wait_for_timeout(1500)
    assert len([c for c in commands(made) if c[0] == "start"]) == 1


def test_ticked_rows_are_kept_over_pages_and_started(visit: Visiting) -> None:
    made = visit("full", fresh=True)
    page = made.go("run?run=run-live")
    page.get_by_role("button", name="New run").click()
    page.get_by_text("Ticked rows").click()
    expect(page.get_by_text("Tick rows in the table")).to_be_visible()
    for row in (1, 2):
        tick(page, row)
        expect(page.get_by_text(f"{row} chosen")).to_be_visible()
    page.get_by_role("button", name="Page 2", exact=True).click()
    expect(page.get_by_role("button", name="Page 2", exact=True)).to_have_attribute("aria-current", "page")
    page.wait_for_timeout(1500)
    tick(page, 1)
    page.get_by_role("button", name="Start with 3 items").click()
    sent = wait_for_command(made, "start")
    assert sent[2].count("r0") == 3


def test_sliders_act_on_the_running_run(visit: Visiting) -> None:
    made = visit("full", fresh=True)
    page = made.go("run?run=run-live")
    thumb = page.get_by_role("slider").first
    thumb.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Apply").click()
    assert wait_for_command(made, "llm_limit")[3] == "20"
    expect(page.get_by_text("of 20 in flight")).to_be_visible(timeout=10_000)


def test_the_live_part_moves_by_itself(visit: Visiting) -> None:
    page = visit("full").go("run?run=run-live")
    first = page.locator("[data-testid=stProgress]").first.inner_text()
    page.wait_for_timeout(4000)
    assert page.locator("[data-testid=stProgress]").first.inner_text() != first
    assert_well(page)


@pytest.mark.parametrize("path", ["performance", "costs"])
def test_a_measuring_page_follows_a_running_run(visit: Visiting, path: str) -> None:
    page = visit("full").go(f"{path}?run=run-live")
    first = page.locator("[data-testid=stMetricValue]").first
    before = first.inner_text()
    expect(first).not_to_have_text(before, timeout=15_000)
    assert_well(page)


def test_a_chosen_result_stays_chosen_while_the_page_follows_the_run(visit: Visiting) -> None:
    page = visit("full").go("results?run=run-live")
    page.locator("[data-testid=stDataFrame]").first.click(position={"x": 100, "y": 17 + 35 * 3})
    expect(page).to_have_url(re.compile("item=r0002"))
    page.wait_for_timeout(7000)
    expect(page).to_have_url(re.compile("item=r0002"))
    expect(page.get_by_text("r0002 · ")).to_be_visible()
    assert_well(page)


def test_a_budget_is_raised_with_one_run_for_a_double_click(visit: Visiting) -> None:
    made = visit("full", fresh=True)
    page = made.go("run?run=run-budget")
    page.get_by_role("button", name="Raise the budget").click()
    page.get_by_role("button", name="Resume with 1.01 USD").dblclick()
    assert "1.01" in wait_for_command(made, "resume")[3]
    page.wait_for_timeout(1500)
    assert len(commands(made)) == 1


def test_all_page_numbers_of_a_short_list_are_shown(visit: Visiting) -> None:
    page = visit("full", fresh=True).go("run?run=run-live")
    page.get_by_role("button", name="New run").click()
    page.get_by_placeholder("Search name, id, city").fill("kitchen")
    page.keyboard.press("Enter")
    expect(page.get_by_text("22 found")).to_be_visible()
    for number in (1, 2):
        expect(page.get_by_role("button", name=f"Page {number}", exact=True)).to_be_visible()


def test_the_browsers_language_is_taken_and_the_switch_is_kept(visit: Visiting) -> None:
    page = visit("full", locale="ko-KR").go("costs?run=run-done")
    expect(page.locator("h1")).to_have_text("비용")
    page.get_by_role("radio", name="English").or_(page.get_by_text("English", exact=True)).first.click()
    expect(page.locator("h1")).to_have_text("Costs")
    expect(page).to_have_url(re.compile("lang=en"))
    page.reload()
    expect(page.locator("h1")).to_have_text("Costs")
    page.get_by_role("link", name="Results").click()
    expect(page.locator("h1")).to_have_text("Results")
    expect(page).to_have_url(re.compile("run=run-done"))


def test_a_chosen_row_shows_its_result_and_is_in_the_link(visit: Visiting) -> None:
    page = visit("full").go("results?run=run-done")
    page.locator("[data-testid=stDataFrame]").first.click(position={"x": 100, "y": 17 + 35 * 3})
    expect(page).to_have_url(re.compile("item=r0002"))
    link = page.url
    page.goto(link)
    page.wait_for_selector("h1")
    expect(page.get_by_text("r0002 · ")).to_be_visible()


def test_a_download_is_made_when_it_is_asked_for(visit: Visiting) -> None:
    made = visit("full", fresh=True)
    page = made.go("results?run=run-done")
    assert not [c for c in made.site.commands() if c[0] == "export"]
    assert page.get_by_role("button", name="Download as CSV").count() == 0
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    assert download.value.suggested_filename == "run-done.csv"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_wider_than_a_small_screen(visit: Visiting, path: str, theme: str) -> None:
    page = visit("full", width=420, theme=theme).go(f"{path}?run=run-done&lang=ko")
    assert_well(page)
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("e => e.scrollWidth <= e.clientWidth + 1")


@pytest.mark.parametrize("path", PAGES)
def test_no_page_logs_an_error_of_its_own(visit: Visiting, path: str) -> None:
    made = visit("full")
    errors: list[str] = []
    made.page.on("pageerror", lambda error: errors.append(str(error)))
    made.go(f"{path}?run=run-done")
    assert errors == []
