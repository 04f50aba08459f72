"""The window explorer, in Chromium: it counts as the package does, and serves all."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from browser import page_in_chromium, serious, started
from torch import nn

from alexnet_lab import ledger, output_size, plots
from alexnet_lab.arithmetic.accounting import LedgerError
from alexnet_lab.plots.windows import Sliding

RIDDLE = (224, 11, 4)


@pytest.fixture(scope="module")
def chromium():
    with started() as browser:
        yield browser


@pytest.fixture
def riddle(chromium):
    document = plots.explore_windows(*RIDDLE).document
    with page_in_chromium(chromium, document) as page:
        yield page


# ------------------------------------------------------------------ the arithmetic
def drawn(rng: random.Random) -> list[Any]:
    """A layer: most of them fit, some are nonsense."""
    layer = [rng.randint(1, 13), rng.randint(1, 8), rng.randint(0, 6)]
    layer += [rng.choice((1, 1, 2, 3)), rng.random() < 0.4]
    return layer


def by_package(size: Any, *layer: Any) -> list[Any]:
    try:
        way = Sliding(size, *layer)
    except (ValueError, TypeError) as error:
        return [str(error)]
    assert way.positions == output_size(size, *layer)
    unread = [i for i in range(size) if i not in way.read]
    return [way.positions, way.leftover, way.overhang, way.working, unread]


def test_a_thousand_settings_give_what_the_package_gives(riddle):
    rng = random.Random(0)
    settings = []
    for _ in range(1000):
        setting = [rng.randint(1, 80), *drawn(rng)]
        if rng.random() < 0.15:
            wrong = (0, -1, 2.5, "")  # the page reads "" from an empty field
            place = rng.randrange(5)
            setting[place] = -1 if place == 3 else rng.choice(wrong)
        settings.append(setting)
    page_says = riddle.evaluate(
        """(settings) => settings.map(([size, ...numbers]) => {
          const [kernel, stride, padding, dilation, ceil] = numbers;
          const layer = { kernel, stride, padding, dilation, ceil };
          const { rows: [row], error } = stack(size, [layer]);
          if (error) return [error];
          const { positions, leftover, overhang, working } = row;
          return [positions, leftover, overhang, working, mapsOf([row])[0].unread];
        })""",
        settings,
    )
    package_says = [by_package(*setting) for setting in settings]
    assert page_says == package_says
    errors = [said[0] for said in package_says if len(said) == 1]
    for part in ("does not fit", "at least", "whole number", "spans", "padded to"):
        assert any(part in error for error in errors), part
    assert 100 < len(errors) < 500
    assert any("dropped" in said[3] for said in package_says if len(said) > 1)


def module(kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> Any:
    if ceil:
        return nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=True)
    return nn.Conv2d(1, 1, kernel, stride, padding, dilation)


def test_a_thousand_stacks_give_what_the_ledger_gives(riddle):
    rng = random.Random(1)
    stacks = []
    for _ in range(1000):
        layers = [drawn(rng) for _ in range(rng.randint(1, 3))]
        for layer in layers:
            layer[2] = min(layer[2], layer[0] // 2)  # a pool may pad no more
        stacks.append([rng.randint(1, 300), layers])
    page_says = riddle.evaluate(
        """(stacks) => stacks.map(([size, layers]) => {
          const { rows, error } = stack(size, layers.map(
            ([kernel, stride, padding, dilation, ceil]) =>
              ({ kernel, stride, padding, dilation, ceil })));
          return error || rows.map((row) => [row.positions, row.field.size,
            row.field.jump, row.field.offset, row.leftover, row.working]);
        })""",
        stacks,
    )
    failed = 0
    for (size, layers), said in zip(stacks, page_says, strict=True):
        with torch.device("meta"):
            net = nn.Sequential(*(module(*layer) for layer in layers))
        try:
            rows = ledger(net, (1, size, size)).rows
        except LedgerError as error:
            failed += 1
            assert said in str(error)
            continue
        assert said == [
            [row.output_shape[1], row.receptive_field, row.jump, row.sees(0, 0)[0],
             row.leftover, row.formula]
            for row in rows
        ]  # fmt: skip
    assert 100 < failed < 700


# ------------------------------------------------------------------ to play with
def setting(page: Any, key: str, layer: int = 1) -> tuple[Any, Any]:
    """The number and the slider of a layer's setting."""
    inputs = page.locator(".layer").nth(layer - 1).locator(f"[data-key={key}]")
    return inputs.nth(0), inputs.nth(1)


def test_it_starts_as_the_cell_says(riddle):
    line = riddle.locator(".line").first.inner_text()
    assert line == (
        "⌊(224 − 11 + 2·0)/4⌋ + 1 = 54 · left over: 1 pixel · field 11, jump 4"
    )
    reading = "Unit 53 reads 11 pixels, from 212 to 222"
    assert riddle.locator("#reading").inner_text() == reading
    assert riddle.get_by_role("img", name=reading).count() == 1
    assert riddle.locator(".unread").count() == 2  # in the whole row, and enlarged
    assert riddle.locator(".layer").nth(1).is_hidden()


def test_all_of_it_goes_by_the_keyboard(riddle):
    number, slider = setting(riddle, "stride")
    slider.focus()
    riddle.keyboard.press("ArrowLeft")
    assert number.input_value() == "3"
    assert riddle.locator(".unread").count() == 0
    number.focus()
    riddle.keyboard.press("ControlOrMeta+A")
    riddle.keyboard.type("5")
    assert slider.input_value() == "5"
    assert "left over: 3 pixels" in riddle.get_by_role("status").inner_text()
    riddle.get_by_label("round up").first.press("Space")
    assert "2 over the edge" in riddle.locator(".line").first.inner_text()
    seen = riddle.evaluate(
        "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
    )
    assert seen
    riddle.get_by_label("two dimensions").press("Space")
    assert riddle.locator(".dots, .frame").count() >= 1
    assert "row" in riddle.locator("#reading").inner_text()


def test_what_does_not_fit_says_so_in_the_package_s_words(riddle):
    number, _ = setting(riddle, "kernel")
    number.fill("300")
    with pytest.raises(ValueError) as error:
        output_size(224, kernel_size=300, stride=4)
    assert riddle.locator(".line").first.inner_text() == str(error.value)
    assert str(error.value) in riddle.get_by_role("status").inner_text()
    assert riddle.locator("#picture svg").count() == 0
    number.fill("")
    empty = "kernel_size must be a whole number, but is ''."
    assert riddle.locator(".line").first.inner_text() == empty
    number.fill("11")
    assert riddle.locator("#picture svg").count() == 2


def test_a_stack_shows_its_field(riddle):
    riddle.get_by_label("Layers").select_option("3")
    line = riddle.locator(".line").nth(2).inner_text()
    net = nn.Sequential(nn.Conv2d(1, 1, 11, 4), nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3))
    last = ledger(net, (1, 224, 224)).rows[-1]
    assert f"field {last.receptive_field}, jump {last.jump}" in line
    assert riddle.locator("#picture text").filter(has_text="map 3: 50").count() >= 1


# ------------------------------------------------------------------- for everybody
STACK = plots.explore_windows(28, 5, 2, 2, then=[(2, 2), (3, 1, 1, 2)], square=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", [plots.explore_windows(*RIDDLE), STACK], ids=repr)
def test_axe_finds_nothing_serious(chromium, page, scheme):
    with page_in_chromium(chromium, page.document, color_scheme=scheme) as tab:
        assert serious(tab) == []


@pytest.mark.parametrize("square", [False, True])
def test_it_fits_a_telephone(chromium, square):
    page = plots.explore_windows(*RIDDLE, then=[(3, 2), (5,)], square=square)
    with page_in_chromium(chromium, page.document, width=360) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        assert tab.locator("#picture svg").first.bounding_box()["width"] <= 360


def test_a_cell_comes_to_life_and_is_a_picture_where_scripts_do_not_run(chromium):
    html = plots.explore_windows(*RIDDLE)._repr_html_()
    with page_in_chromium(chromium, html) as tab:
        line = tab.frame_locator("iframe").locator(".line").first
        assert "= 54" in line.inner_text()
        assert tab.get_by_role("img", name="left over").count() == 0
    with page_in_chromium(chromium, html, java_script_enabled=False) as tab:
        assert "left over: 1 pixel" in tab.locator("img").get_attribute("alt")
        assert tab.locator("iframe").count() == 0


# ---------------------------------------------------------------- without a browser
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.explore_windows(3, 5), "does not fit"),
        (lambda: plots.explore_windows(9, 3, then=[(3,)] * 3), "up to 3 layers, not 4"),
        (lambda: plots.explore_windows(9, 3, padding=(0, 3)), r"not \(0, 3\)"),
        (lambda: plots.explore_windows(9, 3, then=[(9,)]), "A window of 9"),
    ],
)
def test_settings_that_cannot_be_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
