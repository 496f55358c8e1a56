"""The report's page in a real browser, without a network: it draws, answers, and asks for nothing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from .made_up import made_up
from .test_page import EVIL, SHORT, render

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
wait = pytest.importorskip("selenium.webdriver.support.wait", reason="selenium is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium with its chromedriver was found"
)

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


def test_a_figure_is_enlarged_and_closed_again(browser, tmp_path):
    from ltjax.analysis.results import Study
    from ltjax.studies import draw

    run = made_up(SHORT, lambda *_: {})
    drawn = [each for each in draw(Study([run]), tmp_path) if each.stem][:1]
    (tmp_path / "report.html").write_text(render([run], (drawn, tmp_path)))
    browser.get((tmp_path / "report.html").as_uri())
    click(browser, ".enlarge")
    large = browser.find_element("css selector", "#large img")
    assert large.is_displayed() and int(large.get_property("naturalWidth")) > 0
    click(browser, "#large button")
    assert not large.is_displayed()
