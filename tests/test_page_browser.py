"""The report's page in a real browser, without a network: it draws, answers, and asks for nothing."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ltjax.analysis.results import Study
from ltjax.plots.saving import save
from ltjax.studies import FIGURES, Drawn

from .made_up import made_up
from .test_page import EVIL, SHORT, render

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
wait = pytest.importorskip("selenium.webdriver.support.wait", reason="selenium is not installed")
TimeoutException = pytest.importorskip("selenium.common.exceptions").TimeoutException
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.rendered,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with its chromedriver was found"),
]

PLOT = "document.getElementById('plot')"
TRACES = f"return {PLOT}.data.map(t => [t.meta.kind, t.meta.arm, t.meta.round])"
TICKET = f"{PLOT}.data.findIndex(t => t.meta.kind === 'mean' && t.meta.arm === 'ticket')"
FIRST = f"return {PLOT}.data[{TICKET}].y"
SEVERE = ("SEVERE", "WARNING")


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--window-size=1280,900", "--host-resolver-rules=MAP * ~NOTFOUND"):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def course():
    """Tickets are the better the later the round; reinits are all alike."""
    return lambda arm, round, trial, repeat: (
        {"final_test_accuracy": 0.97 + 0.002 * round + 0.001 * trial} if arm == "ticket" else {}
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory, course) -> Path:
    """A page of two runs, the second with names that could break it."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    other = replace(SHORT, name=EVIL, trials=1, arms={"ticket": 1, EVIL: 1})
    second = made_up(other, lambda *_: {})
    elsewhere = replace(second, folder=Path("elsewhere"))
    elsewhere.__dict__["curves"] = second.curves
    path.write_text(render([made_up(SHORT, course), elsewhere]))
    return path


@pytest.fixture
def opened(browser, file):
    """The page, freshly opened; afterwards it must have logged no error and asked for no other file."""
    browser.get_log("browser"), browser.get_log("performance")  # what came before is no concern of this test
    browser.get(file.as_uri())
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] in SEVERE] == []
    assert requests(browser) <= {file.as_uri()}


def requests(browser) -> set[str]:
    """Everything the browser fetched, or tried to, that does not lie in the page itself."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return {url.split("#")[0] for url in urls if not url.startswith(("data:", "blob:"))}


def click(browser, selector: str) -> None:
    element = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    element.click()


def traces(browser) -> set[tuple[str, str, int]]:
    return {tuple(each) for each in browser.execute_script(TRACES)}


def test_the_plot_is_drawn_with_lines_and_bands(opened):
    found = traces(opened)
    assert {kind for kind, _, _ in found} == {"mean", "low", "high"}
    assert {arm for _, arm, _ in found} == {"ticket", "reinit"}
    drawn = opened.find_elements("css selector", "#plot .scatterlayer path.js-line")
    assert len(drawn) == len(found) and all(path.get_attribute("d") for path in drawn)


def test_unticking_an_arm_or_a_round_removes_its_lines_and_ticking_restores_them(opened):
    before = traces(opened)
    click(opened, "input[name=arm][value=reinit]")
    assert traces(opened) == {each for each in before if each[1] != "reinit"}
    click(opened, "input[name=arm][value=reinit]")
    click(opened, "input[name=round][value='3']")
    assert traces(opened) == {each for each in before if each[2] != 3}
    click(opened, "input[name=round][value='3']")
    assert traces(opened) == before
    click(opened, "button[data-rounds=none]")
    assert traces(opened) == set()
    click(opened, "button[data-rounds=all]")
    assert {round for _, _, round in traces(opened)} == {0, 1, 2, 3}
    click(opened, "input[name=band]")
    assert {kind for kind, _, _ in traces(opened)} == {"mean"}


def test_split_and_metric_change_the_values_and_the_axes(opened, course):
    curves = made_up(SHORT, course).curves.query("arm == 'ticket' and round == 0")
    for split in ("train", "validation", "test"):
        click(opened, f"input[name=split][value={split}]")
        for metric, factor in (("loss", 1), ("accuracy", 100)):
            click(opened, f"input[name=metric][value={metric}]")
            expected = factor * curves[curves["split"] == split].groupby("step")[metric].mean()
            assert opened.execute_script(FIRST) == pytest.approx(expected.tolist(), rel=1e-3, abs=0.006)
            title = opened.find_element("css selector", "#plot .ytitle").text
            assert title.startswith(f"{split} {metric}")
    click(opened, "input[name=log]")
    assert opened.execute_script("return document.getElementById('plot').layout.xaxis.type") == "log"


def test_hovering_shows_arm_round_step_and_value(opened):
    point = f"[{{curveNumber: {TICKET}, pointNumber: 50}}]"
    opened.execute_script(f"Plotly.Fx.hover({PLOT}, {point})")
    text = opened.find_element("css selector", "#plot .hoverlayer").text
    for expected in ("ticket, round 0, 100.0% left", "step 50,000: 97.05% (97.00–97.10)"):
        assert expected in text


def test_another_run_is_chosen_and_its_names_cannot_break_the_page(opened):
    select = opened.find_element("css selector", "select[name=run]")
    assert select.is_displayed() and EVIL in select.text
    opened.execute_script(
        "arguments[0].value = 1; arguments[0].dispatchEvent(new Event('change', {bubbles: true}))", select
    )
    assert {arm for _, arm, _ in traces(opened)} == {"ticket", EVIL}
    assert "alert('x')" in opened.find_element("css selector", "#arms").text


def test_the_plot_is_worked_by_keyboard(opened):
    box = opened.find_element("css selector", "input[name=arm][value=reinit]")
    opened.execute_script("arguments[0].focus()", box)
    box.send_keys(" ")
    assert {arm for _, arm, _ in traces(opened)} == {"ticket"}


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_sticks_out_of_the_window(opened, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 800}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    opened.refresh()
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_printing_unfolds_what_is_folded(opened):
    def unfolded(opened):
        opened.execute_script("dispatchEvent(new Event('beforeprint'))")
        return opened.execute_script("return document.querySelectorAll('details:not([open])').length") == 0

    wait.WebDriverWait(opened, 60).until(unfolded)  # it may have just been loaded


@pytest.fixture(scope="module")
def pictured(tmp_path_factory) -> Path:
    """A page with the wide figure that answers its run, and another."""
    folder, run = tmp_path_factory.mktemp("pictured"), made_up(SHORT, lambda *_: {})
    drawn = []
    for name in ("4a", "4b"):
        save(FIGURES[name].draw(Study([run])), folder / f"figure_{name}")
        drawn.append(Drawn(name, "What is seen", f"figure_{name}"))
    path = folder / "report.html"
    path.write_text(render([run], (drawn, folder)))
    return path


@pytest.fixture(params=["desktop", "phone"])
def screen(browser, pictured, request) -> Iterator[tuple[str, int, int]]:
    """The page with figures on a screen of its kind: which, how wide, how high."""
    width, height = {"desktop": (1280, 800), "phone": (390, 844)}[request.param]
    with emulated(browser, width, height, phone=request.param == "phone"):
        browser.get(pictured.as_uri())
        yield request.param, width, height


@contextmanager
def emulated(browser, width: int, height: int, *, phone: bool) -> Iterator[None]:
    """A window of that size; of a phone it is touched."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": phone})
    yield
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def box(browser, selector: str) -> dict[str, float]:
    """Where an element is in the window, once all images are laid out."""
    loaded = "return [...document.images].every(each => !each.src || each.complete)"
    wait.WebDriverWait(browser, 60).until(lambda browser: browser.execute_script(loaded))
    script = "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()"
    return browser.execute_script(script, selector)


def test_the_first_screen_has_title_sentence_and_picture(browser, screen):
    _, width, height = screen
    title, sentence, picture = (box(browser, each) for each in ("h1", ".lead", "#result img"))
    assert 0 <= title["top"] < title["bottom"] <= sentence["top"] < sentence["bottom"] <= picture["top"]
    assert picture["top"] + 200 <= height and picture["width"] > width / 2


def test_every_figure_is_legible_where_it_stands_and_the_page_does_not_scroll_sideways(browser, screen):
    kind, width, _ = screen
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    inches = "parseFloat(getComputedStyle(each.closest('figure')).getPropertyValue('--inches'))"
    box(browser, "#result img")
    scales = browser.execute_script(
        f"return [...document.querySelectorAll('figure img')].map(each => each.width / {inches})"
    )
    assert len(scales) == 2 and min(scales) >= (96 if kind == "phone" else 80), "pixels per drawn inch"


def test_a_figure_wider_than_a_phone_is_moved_sideways_in_its_own_box(browser, pictured):
    with emulated(browser, 390, 844, phone=True):
        browser.get(pictured.as_uri())
        place = box(browser, "#result .enlarge")
        swipe(browser, place, x=-200)
        assert moved(browser, "return document.querySelector('#result .enlarge').scrollLeft", 100)
        assert browser.execute_script("return scrollX") == 0


@pytest.mark.parametrize("place", ["#plot", "#plot .nsewdrag", "#result img"])
def test_a_swipe_scrolls_the_page_wherever_it_begins(browser, pictured, place):
    with emulated(browser, 390, 844, phone=True):
        browser.get(pictured.as_uri())
        script = "document.querySelector(arguments[0]).scrollIntoView({block: 'center', behavior: 'instant'})"
        browser.execute_script(script, place)
        before = browser.execute_script("return scrollY"), browser.execute_script(RANGES)
        swipe(browser, box(browser, place), y=-200)
        assert moved(browser, "return scrollY", before[0] + 100)
        assert browser.execute_script(RANGES) == before[1], "the plot was dragged"


RANGES = f"return [{PLOT}.layout.xaxis.range, {PLOT}.layout.yaxis.range]"


def swipe(browser, place: dict[str, float], x: int = 0, y: int = 0) -> None:
    """A finger that moves from the middle of what is seen of a place."""
    seen = min(place["right"], 390), min(place["bottom"], 844)
    left, top = (max(place["left"], 0) + seen[0]) / 2, (max(place["top"], 0) + seen[1]) / 2
    for at in range(11):
        finger = {"x": left + x * at / 10, "y": top + y * at / 10}
        event = {"type": "touchMove" if at else "touchStart", "touchPoints": [finger]}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def moved(browser, script: str, least: float) -> bool:
    """Whether what a script returns gets above ``least`` within a while."""
    try:
        return wait.WebDriverWait(browser, 5, 0.05).until(lambda _: browser.execute_script(script) > least)
    except TimeoutException:
        return False


def test_a_figure_is_larger_where_it_is_enlarged_and_is_closed_again(browser, screen):
    _, width, height = screen
    for figure in ("#result", "#figures"):
        before = box(browser, f"{figure} img")["width"]
        click(browser, f"{figure} .enlarge")
        dialog, large = box(browser, "#large"), box(browser, "#large img")
        assert large["width"] >= 1.25 * before
        assert (
            dialog["left"] >= 0
            and dialog["right"] <= width
            and 0 <= dialog["top"] < dialog["bottom"] <= height
        )
        reach = "const each = document.querySelector('#large .scroll'); each.scrollTo(9999, 9999); return "
        right, bottom = browser.execute_script(
            reach + "[each.scrollLeft + each.clientWidth, each.scrollTop + each.clientHeight]"
        )
        assert right >= large["width"] - 1 and bottom >= large["height"] - 1, "a part cannot be reached"
        browser.find_element("css selector", "#large button").click()
        assert not browser.find_element("css selector", "#large img").is_displayed()
