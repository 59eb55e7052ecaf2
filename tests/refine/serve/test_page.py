"""The page in a real browser: keys in, CSV on disk out."""

import pytest

CTRL = 2
pytestmark = pytest.mark.slow


def decided(run, name="batch-0001.ana.csv"):
    return {row["id"]: (row["verdict"], row["correction"]) for row in run.rows(name)}


def at_row(browser, number, count):
    browser.wait(f"document.getElementById('place').textContent === '{number} / {count}'")


@pytest.fixture
def page(run, serve, browser):
    """Three Urdu rows on a page."""
    third = run.conversation("third", "ur", run.good_question, ("Red.", "Red."))
    run.translated(run.left, run.lost, third)
    run.refine()
    with serve(run.csv_path()) as server:
        browser.open(server.url)
        yield browser


def test_a_batch_is_reviewed_by_keyboard_alone(run, page):
    assert page.eval("document.getElementById('translation').dir") == "rtl"
    assert page.eval("getComputedStyle(document.getElementById('translation')).direction") == "rtl"
    assert page.eval("location.search") == ""
    page.wait("document.getElementById('image').naturalWidth === 320")
    at_row(page, 1, 3)
    page.key("f")
    page.eval("document.activeElement.select()")
    page.type("دو۔")
    page.key("Enter", modifiers=CTRL)
    at_row(page, 2, 3)
    page.key("a")
    at_row(page, 3, 3)
    page.key("e")
    page.key("d")  # the fourth: untranslated
    page.key("n")
    page.type("left as it was")
    page.key("Escape")
    page.key("r")
    page.wait("document.getElementById('decided').textContent === 'all decided'")
    assert decided(run) == {
        "t1.left": ("fix", "دو۔"),
        "t0.lost": ("accept", ""),
        "t1.third": ("reject", ""),
    }
    row = run.rows("batch-0001.ana.csv")[2]
    assert (row["error_type"], row["note"], row["reviewer"]) == (
        "untranslated",
        "left as it was",
        "Ana",
    )
    assert page.logged == []
    intake = run.refine().intake
    assert (intake.taken, intake.problems) == (3, ())


def test_what_was_typed_outlives_going_on_and_reloading(run, page):
    page.key("f")
    page.eval("document.activeElement.select()")
    page.type("دو")
    page.key("Escape")
    page.key("j")
    at_row(page, 2, 3)
    page.key("k")
    at_row(page, 1, 3)
    assert page.eval("document.getElementById('correction').value") == "دو"
    page.wait("waiting.size === 0")
    page.eval("document.body.dataset.ready = ''")
    page.call("Page.reload")
    page.wait("document.body && document.body.dataset.ready === 'yes'")
    assert page.eval("document.getElementById('correction').value") == "دو"
    assert not run.csv_path("batch-0001.ana.csv").exists()


def test_a_correction_that_cannot_stand_is_named_and_nothing_goes_on(run, page):
    page.key("f")
    page.type(" indeed")
    page.key("Enter", modifiers=CTRL)
    page.wait("!document.getElementById('problem').hidden")
    assert "script" in page.eval("document.getElementById('problem').textContent")
    at_row(page, 1, 3)
    assert not run.csv_path("batch-0001.ana.csv").exists()


def test_keys_work_by_place_under_an_urdu_layout_and_next_undecided_skips(run, page):
    page.key("j")
    at_row(page, 2, 3)
    page.key("ا", code="KeyA")
    at_row(page, 3, 3)
    assert decided(run) == {"t0.lost": ("accept", "")}
    page.key("u")
    at_row(page, 1, 3)
    page.key("u")
    at_row(page, 3, 3)


def test_text_is_text_and_nothing_else(run, serve, browser):
    evil = "<img src=x onerror=alert(1)><b>Two.</b>"
    run.translated(run.conversation("evil", "ur", run.good_question, ("Two.", evil)))
    run.refine()
    with serve(run.csv_path()) as server:
        browser.open(server.url)
        assert browser.eval("document.getElementById('translation').textContent") == evil
        assert browser.eval("document.getElementById('translation').children.length") == 0


def test_what_the_server_does_not_hear_is_said_kept_and_sent_again(run, page):
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.call("Network.enable")
    page.call("Network.emulateNetworkConditions", {"offline": True, **offline})
    page.key("f")
    page.eval("document.activeElement.select()")
    page.type("دو۔")
    page.wait("document.getElementById('saved').textContent === 'not saved'")
    assert page.eval("document.getElementById('correction').value") == "دو۔"
    page.call("Network.emulateNetworkConditions", {"offline": False, **offline})
    page.wait("waiting.size === 0")
    page.key("Enter", modifiers=CTRL)
    at_row(page, 2, 3)
    assert decided(run) == {"t1.left": ("fix", "دو۔")}
