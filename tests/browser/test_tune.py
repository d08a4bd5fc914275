"""The Tune page in a real browser: a rehearsal is chosen and started, a sweep applied, two compared, small screens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
Visiting = Callable[..., Visit]


def assert_well(page: Page) -> None:
    assert page.locator("[data-testid=stException]").count() == 0


def wait_for(visit: Visit, action: str) -> list[str]:
    for _ in range(60):
        found = [c for c in visit.site.commands() if c[0] == action]
        if found:
            return found[-1]
        visit.page.wait_for_timeout(250)
    raise AssertionError(f"{action} never reached the service: {visit.site.commands()}")


def test_a_rehearsal_is_chosen_started_and_followed(visit: Visiting) -> None:
    """From the card of a preset to the running sweep in three clicks; the link is that sweep's."""
    there = visit("full", fresh=True)
    page = there.go("tune")
    page.get_by_text("Rehearsal: practice servers and their laws").click()
    card = page.locator("[data-testid=stVerticalBlock]").filter(has_text="Too little memory").last
    card.get_by_role("button", name="Rehearse on it").first.click()
    expect(page.get_by_text("simulated: nothing is charged").first).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="Start the sweep").click()
    sent = wait_for(there, "sweep")
    assert "kv-limited" in sent
    expect(page).to_have_url(re.compile("sweep=sweep-live"), timeout=15_000)
    expect(page.get_by_text("limits measured").first).to_be_visible(timeout=15_000)
    assert_well(page)


def test_the_knee_is_applied_with_one_click(visit: Visiting) -> None:
    """The chart, the sentence, the button, the command."""
    there = visit("full", fresh=True)
    page = there.go("tune?sweep=sweep-done")
    expect(page.locator(".js-plotly-plot")).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="Use 116 as the limit").click()
    assert wait_for(there, "apply")[1:3] == ["sweep-done", "116"]
    assert_well(page)


def test_two_sweeps_are_laid_over_each_other(visit: Visiting) -> None:
    """Both names stand in the legend, and a table compares them."""
    page = visit("full").go("tune?sweep=sweep-done")
    page.get_by_role("combobox", name="Compare with").click()
    page.get_by_role("option", name="gpu-2").click()
    expect(page.locator(".legend").get_by_text("gpu-2")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Comparison")).to_be_visible()
    assert_well(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_wider_than_a_small_screen(visit: Visiting, theme: str) -> None:
    """420 pixels, in Korean."""
    page = visit("full", width=420, theme=theme, locale="ko-KR").go("tune?sweep=sweep-done")
    expect(page.locator(".js-plotly-plot")).to_be_visible(timeout=15_000)
    wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert wide <= 420
    assert_well(page)
