"""The page in a real browser: what it draws and says is what Python computes from the network's output."""

import base64
import io
import json
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from calm.attribution import output_attribution
from calm.explanation import gallery
from calm.explanation.cells import Cells
from calm.explanation.encode import EXACT_CELLS, STATED_BOUND
from calm.explanation.interactions import Interactions
from calm.explanation.kinds import sentence
from calm.explanation.maps import Explanation, Question
from calm.explanation.page import render
from calm.pictures.palettes import DIVERGING, SEQUENTIAL
from tests.browser import browser
from tests.explained import made_up, made_up_picture

SIDE = 448  # of the page's canvas
TEXT_BOXES = """
return [...document.querySelectorAll("#ticks span")].filter((s) => getComputedStyle(s).visibility === "visible")
  .map((span) => { const range = document.createRange(); range.selectNodeContents(span);
    const { left, right } = range.getBoundingClientRect(); return { left, right }; });
"""
"""Where the visible numbers under the colour bar stand."""


def true_map(explanation: Explanation, kind: str, question: Question) -> np.ndarray:
    """The map [h,w] that a page should draw, from the output itself."""
    asked = Explanation(**{**vars_of(explanation), "question": question})
    return asked.maps[kind].astype(np.float64)


def vars_of(explanation: Explanation) -> dict:
    return {name: getattr(explanation, name) for name in explanation.__dataclass_fields__}


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def show(driver, tmp_path):
    """Open a text as a page from disk."""

    def opened(text: str, name: str = "index.html"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        driver.get((tmp_path / name).as_uri())
        return driver

    return opened


def drawn(driver) -> np.ndarray:
    """The pixels of the map's canvas, [S,S,4] uint8."""
    uri = driver.execute_script("return document.getElementById('map').toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def values(driver) -> np.ndarray:
    return np.array(driver.execute_script("return Array.from(page.map())"))


def click(driver, css: str) -> None:
    driver.execute_script("document.querySelector(arguments[0]).click()", css)


def enter(driver, identifier: str, value: object) -> None:
    """Give a control a value, as its user would."""
    script = "const [c, v] = arguments; c.value = v; c.dispatchEvent(new Event('input'))"
    driver.execute_script(script, driver.find_element("id", identifier), str(value))


def ticks(driver) -> list[float]:
    """The numbers under the colour bar."""
    return [float(tick.text.replace("−", "-")) for tick in driver.find_elements("css selector", "#ticks span")]


def links(driver) -> list[str]:
    """The pages that the gallery shows."""
    return [card.get_attribute("href").rsplit("/", 1)[1] for card in driver.find_elements("css selector", ".card")]


def text(driver, identifier: str) -> str:
    return driver.find_element("id", identifier).text


def no_complaint(driver) -> None:
    assert [entry["message"] for entry in driver.get_log("browser")] == []


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("method", ["CALM_EM", "CAM"])
def test_choosing_classes_and_maps_draws_python_s_maps(show, method, exact, monkeypatch):
    if not exact:
        monkeypatch.setattr("calm.explanation.page.EXACT_CELLS", 0)
    explanation = made_up(method)
    driver = show(render(explanation))
    click(driver, "#target-4")
    click(driver, "#versus-1")
    click(driver, "#take-none")
    for k in (2, 4, 5):
        click(driver, f"#subset-{k}")
    question = Question(4, 1, (2, 4, 5))
    for index, (kind, look) in enumerate(explanation.kinds.items()):
        click(driver, f"#tabs button:nth-child({index + 1})")
        expected = true_map(explanation, kind, question)
        largest = np.abs(expected).max()
        if kind == "counterfactual" and not exact:  # a difference: the bound is that of its two maps
            name = explanation.attribution
            largest = max(np.abs(true_map(explanation, name, Question(k, 0, (k,)))).max() for k in (4, 1))
        bound = 1e-5 if exact else STATED_BOUND
        assert np.abs(values(driver).reshape(7, 7) - expected).max() <= bound * largest, kind
        names = {"target": "Scarlet Tanager", "versus": "Indigo Bunting"}
        peak = expected.flat[np.abs(expected).argmax() if look.signed else expected.argmax()]
        subset = ["Lazuli Bunting", "Scarlet Tanager", "Sooty <Tern>"]
        assert text(driver, "sentence") == sentence(look, peak, **names, subset=subset, total=6)
    no_complaint(driver)


def at_pixels(maps: torch.Tensor, cells: Cells, smooth: bool) -> torch.Tensor:
    """[1,h,w] -> [1,S,S], each pixel between the cells whose centres lie around it, or as the nearest of them."""
    places = (((np.arange(SIDE) + 0.5) / SIDE - cells.first) / cells.step).clip(0, maps.shape[-1] - 1)
    if not smooth:
        places = np.floor(places + 0.5)
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(maps.shape[-1])))
    return torch.from_numpy(weights @ maps[0].numpy() @ weights.T)[None]


@pytest.mark.parametrize("kind", ["joint", "counterfactual"])
@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("layout", [None, lambda: Cells(1 / 8, 0.02)])
def test_the_pixels_are_the_palette_at_the_resized_map(show, kind, smooth, layout):
    explanation = replace(made_up(side=8), layout=layout)
    driver = show(render(explanation))
    driver.execute_script("page.change({kind: arguments[0], opacity: 1, smooth: arguments[1]})", kind, smooth)
    true = torch.from_numpy(true_map(explanation, kind, explanation.question))[None]
    enlarged = at_pixels(true, explanation.cells, smooth)
    signed = kind == "counterfactual"
    palette = (DIVERGING if signed else SEQUENTIAL).astype(int)
    high = float(true.abs().max())
    low = -high if signed else 0.0
    position = (enlarged[0].numpy() - low) / (high - low) * (len(palette) - 1)
    expected = palette[position.round().astype(int)]
    pixels = drawn(driver).astype(int)
    assert (pixels[..., 3] == 255).all()
    step = np.abs(np.diff(palette, axis=0)).max()  # the table's rounding may move a pixel to the next colour
    assert np.abs(pixels[..., :3] - expected).max() <= step
    assert (pixels[..., :3] == expected).all(axis=2).mean() > 0.9


def test_scale_opacity_and_superset(show):
    explanation = made_up()
    driver = show(render(explanation))
    joint = explanation.output.log_joint.exp()[0].numpy()
    assert ticks(driver)[-1] == pytest.approx(joint[0].max(), rel=0.01)
    click(driver, "input[name=scale][value=classes]")
    assert ticks(driver)[-1] == pytest.approx(joint.max(), rel=0.01)
    click(driver, "input[name=scale][value=absolute]")
    assert ticks(driver)[-1] == 1
    enter(driver, "opacity", 0)
    assert drawn(driver)[..., 3].max() == 0
    click(driver, "#target-1")
    click(driver, "#take-superset")
    assert driver.execute_script("return [...page.state.subset].sort()") == [0, 1, 2]
    assert float(text(driver, "chosen-subset-p")) == pytest.approx(explanation.p_y[:3].sum(), rel=0.01)
    click(driver, "#take-all")
    click(driver, "#tabs button[data-kind=subset]")
    np.testing.assert_allclose(values(driver), explanation.maps["saliency"].ravel(), rtol=1e-3)
    no_complaint(driver)


def test_a_cell_under_the_pointer_tells_its_prior_and_top_classes(show):
    from selenium.webdriver import ActionChains

    explanation = made_up()
    driver = show(render(explanation))
    picture = driver.find_element("id", "picture")
    box, row, column = picture.rect, 2, 5
    x, y = (column + 0.5) / 7 * box["width"] - box["width"] / 2, (row + 0.5) / 7 * box["height"] - box["height"] / 2
    ActionChains(driver).move_to_element_with_offset(picture, round(x), round(y)).click().perform()
    assert text(driver, "cell-place").startswith("Row 3, column 6 of 7 × 7")
    prior = float(explanation.maps["saliency"][row, column])
    assert float(text(driver, "cell-prior")) == pytest.approx(prior, rel=0.01)
    conditional = explanation.output.log_p_y_given_xz.exp()[0, :, row, column].numpy()
    rows = driver.find_elements("css selector", "#cell-top li")
    order = np.argsort(-conditional)[:5]
    assert [item.find_element("css selector", "button").text for item in rows] == [explanation.names[k] for k in order]
    top = float(rows[0].find_element("css selector", "output").text)
    assert top == pytest.approx(conditional.max(), rel=0.01)
    rows[1].find_element("css selector", "button").click()
    assert driver.execute_script("return page.state.target") == order[1]


def test_search_and_keyboard(show):
    from selenium.webdriver import ActionChains, Keys

    explanation = made_up(num_classes=300, side=4)
    driver = show(render(explanation))
    rows = driver.find_elements("css selector", "#class-rows label")
    assert [row.text for row in rows[:3]] == [explanation.names[k] for k in explanation.ranking[:3]]
    assert 200 <= len(rows) < 300 and "of 300" in text(driver, "class-note")
    keys = ActionChains(driver)
    keys.send_keys("/").send_keys("bunting").perform()
    found = [row.text for row in driver.find_elements("css selector", "#class-rows label")]
    assert sorted(found) == ["Indigo Bunting", "Lazuli Bunting", "Painted Bunting"]
    keys.reset_actions()
    keys.send_keys(Keys.ARROW_DOWN).send_keys(Keys.SPACE).send_keys(Keys.ARROW_DOWN).perform()
    assert explanation.names[driver.execute_script("return page.state.target")] == found[1]
    keys.reset_actions()
    keys.send_keys("4").perform()
    assert driver.execute_script("return page.state.kind") == "saliency"
    driver.execute_script("document.getElementById('picture').focus()")
    keys.reset_actions()
    keys.send_keys(Keys.ARROW_UP * 4, Keys.ARROW_LEFT * 4, Keys.ARROW_DOWN).perform()
    assert text(driver, "cell-place").startswith("Row 2, column 1 of 4 × 4")
    keys.reset_actions()
    keys.send_keys(Keys.ESCAPE).perform()
    assert "peak" in text(driver, "cell-place")


def test_a_thousand_classes_fit_and_nothing_is_fetched(show):
    explanation = made_up(num_classes=1000, side=28, picture=made_up_picture(900, 900))
    page = render(explanation)
    assert len(page.encode()) < 3_000_000
    assert set(re.findall(r"""(?:src|href)=["'](?!data:)[^"']*""", page)) == set()
    driver = show(page)
    driver.get_log("performance")
    driver.refresh()
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    urls = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert {url.split(":")[0] for url in urls} <= {"file", "data"} and urls
    stored = np.array(driver.execute_script("return Array.from(page.model.table)")).reshape(1000, 784)
    true = explanation.output.log_p_y_given_xz[0].double().flatten(1).exp().numpy()
    joint, prior = output_attribution("joint"), explanation.maps["saliency"].ravel().astype(np.float64)
    assert (np.abs(stored - true).max(axis=1) <= STATED_BOUND * true.max(axis=1)).all()
    targets = torch.tensor([7])
    expected = joint(explanation.output, targets)[0].flatten().double().numpy()
    assert np.abs(stored[7] * prior - expected).max() <= STATED_BOUND * expected.max()
    no_complaint(driver)


def test_the_largest_exact_table_fits_too():
    explanation = made_up(num_classes=EXACT_CELLS // 28**2, side=28, picture=made_up_picture(900, 900))
    assert '"values":' in (page := render(explanation)) and len(page.encode()) < 3_000_000


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(driver, tmp_path, dark):
    (tmp_path / "index.html").write_text(render(made_up()), encoding="utf-8")
    scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    try:
        driver.get((tmp_path / "index.html").as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") == 390
        words = driver.execute_script(TEXT_BOXES)
        assert len(words) == 3
        assert all(b["left"] - a["right"] >= 4 for a, b in pairwise(words)), "numbers of the bar run together"
        paper = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        level = sum(map(int, re.findall(r"\d+", paper)[:3]))
        assert level < 120 if dark else level > 700
        click(driver, "#theme")
        assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") != paper
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        size |= {"width": 1280, "height": 900}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def test_the_gallery_links_searches_and_sorts(show):
    cards = [gallery.card(made_up(seed=seed, question=Question(seed, 5, (0,))), f"{seed}.html") for seed in range(3)]
    driver = show(gallery.render(cards, "CALM"))
    assert links(driver) == ["0.html", "1.html", "2.html"]
    enter(driver, "sort", "high")
    assert links(driver) == [card.page for card in sorted(cards, key=lambda card: -card.p_y)]
    enter(driver, "search", "indigo")
    assert set(links(driver)) == {card.page for card in cards if "Indigo" in card.target + card.predicted}
    enter(driver, "search", "no such bird")
    assert links(driver) == []
    no_complaint(driver)
    right = gallery.card(made_up(seed=0), "0.html", label=cards[0].predicted)
    wrong = gallery.card(made_up(seed=1), "1.html", label="Another Bird")
    driver = show(gallery.render([right, wrong, cards[2]], "CALM"))
    enter(driver, "sort", "wrong")
    assert links(driver)[0] == "1.html"
    marks = driver.execute_script("return [...document.querySelectorAll('.label')].map((mark) => mark.textContent)")
    assert marks == ["wrong: labelled Another Bird", "", ""]
    assert "1 of 2 labelled images are predicted wrong" in text(driver, "count")


def test_a_hostile_class_name_stays_text():
    explanation = made_up()
    page = render(Explanation(**{**vars_of(explanation), "class_names": ["</script><b>{{image}}"] * 6}))
    assert "</script><b>" not in page
    assert page.count("bunting.jpg") == 3


def test_the_page_tells_which_cells_act_together(show):
    table = np.random.default_rng(0).random((49, 49)).astype(np.float32)
    table += table.T
    np.fill_diagonal(table, 9.0)  # of a cell with itself: not shown
    driver = show(render(replace(made_up(), interactions=Interactions(0, table))))
    pairs = table - 9.0 * np.eye(49)
    for cell in (0, 23, 48):
        found = driver.execute_script("return Array.from(page.partners.map(arguments[0]))", cell)
        np.testing.assert_allclose(found, pairs[cell] / pairs.max(), atol=1e-5)
    driver.execute_script("page.partners.draw(23)")
    best = int(pairs[23].argmax())
    lines = [line.text for line in driver.find_elements("css selector", "#partners li")]
    share = 100 * pairs[23, best] / pairs.max()
    assert len(lines) == 3 and lines[0].startswith(f"Row {best // 7 + 1}, column {best % 7 + 1}: ")
    assert float(lines[0].split()[-2]) == pytest.approx(share, abs=0.06)
    no_complaint(driver)
    assert not show(render(made_up())).find_element("id", "partners").is_displayed()
