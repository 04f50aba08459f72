"""The living network, in Chromium: it computes as PyTorch does, and serves all."""

from __future__ import annotations

import copy
import random
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import page_in_chromium, serious, started
from torch import Tensor, nn

from alexnet_lab import inside, ledger
from alexnet_lab.data import Batches, cifar10, data_folder, mnist
from alexnet_lab.models import (
    C3_TABLE,
    MapNorm,
    krizhevsky_80sec,
    lenet5,
    lenet5_1998,
)
from alexnet_lab.plots import page as pages
from alexnet_lab.studies.variants import lenet5_cifar
from alexnet_lab.training import load

RUNS = data_folder() / "runs"
CLOSE = 1e-4  # of logits


def recorded(build: Any, path: str, images: Batches) -> tuple[nn.Sequential, Batches]:
    net = build()
    net.load_state_dict(load(RUNS / path))
    images.mean, images.deviation = images.mean.cpu(), images.deviation.cpu()
    return net.eval(), images


@pytest.fixture(scope="module")
def nets() -> dict[str, tuple[nn.Sequential, Batches]]:
    """Trained networks with the pictures that they know, all on the CPU."""
    digits = mnist(padding=2, value_range=(-0.1, 1.175), device="cpu").test
    photos = cifar10(device="cpu").test
    quick = "krizhevsky_quick/80sec.pt"
    return {
        "1998": recorded(lenet5_1998, "lenet5_1998_mnist/weights.pt", digits),
        "lenet5": recorded(lenet5_cifar, "alexnet_cifar/lenet5.pt", photos),
        "80sec": recorded(krizhevsky_80sec, quick, photos),
    }


@pytest.fixture(scope="module")
def documents(nets) -> dict[str, str]:
    return {name: inside.live(*pair).document for name, pair in nets.items()}


@pytest.fixture(scope="module")
def chromium():
    with started() as browser:
        yield browser


@pytest.fixture
def digits(chromium, documents):
    with page_in_chromium(chromium, documents["1998"], height=1000) as page:
        yield page


def in_16_bits(net: nn.Sequential) -> nn.Sequential:
    """A copy whose weights are rounded as the page's are, and float32 again."""
    return copy.deepcopy(net).half().float()


# ------------------------------------------------------------------ the arithmetic
@pytest.mark.parametrize("name", ["1998", "lenet5", "80sec"])
def test_it_answers_as_pytorch_does_and_soon(chromium, nets, documents, name):
    net, images = nets[name]
    hundred = images.images[:100]
    with page_in_chromium(chromium, documents[name]) as page:
        logits = page.evaluate(
            "(all) => all.map((pixels) => [...run(prepare(pixels)).at(-1)])",
            hundred.flatten(1).tolist(),
        )
        took = page.evaluate(
            "() => { const start = performance.now();"
            " for (let n = 0; n < 50; n++) run(prepare(state.pixels));"
            " return (performance.now() - start) / 50; }"
        )
    print(f"{name}: {took:.1f} ms a picture")  # 20 are wanted; no test fails by time
    with torch.inference_mode():
        wanted = in_16_bits(net)(images.prepare(hundred))
    assert (torch.tensor(logits) - wanted).abs().max() <= CLOSE
    assert (wanted.argmax(1) == images.labels[:100]).float().mean() > 0.6


def random_net(rng: random.Random) -> tuple[nn.Sequential, tuple[int, int, int]]:
    """Each kind of layer that the page runs, with settings of all sorts."""
    channels = rng.choice((1, 3))
    groups = rng.choice((1, channels))
    conv = nn.Conv2d(channels, 6, (3, 2), (1, 2), (1, 0), (2, 1), groups)
    ceil = rng.random() < 0.5
    average = nn.AvgPool2d(
        (3, 2),
        2,
        1,
        ceil_mode=ceil,
        count_include_pad=rng.random() < 0.5,
        divisor_override=rng.choice((None, 5)),
    )
    layers = OrderedDict(
        conv1=conv,
        tanh=rng.choice((nn.Tanh(), nn.Sigmoid(), nn.Identity())),
        norm=MapNorm(3, 0.5, 0.75),
        max=nn.MaxPool2d(3, 2, 1, rng.choice((1, 2)), ceil_mode=ceil),
        conv2=nn.Conv2d(6, 4, 3, padding="same", bias=False),
        relu=nn.ReLU(),
        average=average,
        drop=nn.Dropout(),
        flatten=nn.Flatten(),
    )
    shape = (channels, rng.randint(12, 19), rng.randint(12, 19))
    features = ledger(nn.Sequential(layers), shape).rows[-1].output_shape[0]
    layers["last"] = nn.Linear(features, 3, bias=rng.random() < 0.5)
    return nn.Sequential(layers), shape


@pytest.mark.parametrize("seed", range(6))
def test_every_layer_gives_what_pytorch_s_gives(chromium, seed):
    torch.manual_seed(seed)
    net, (channels, *size) = random_net(random.Random(seed))
    pictures = torch.randint(0, 256, (3, channels, *size), dtype=torch.uint8)
    normalise: Any = ((0.4,) * channels, (0.3,) * channels)
    options: dict[str, Any] = {"normalise": normalise, "device": "cpu"}
    images = Batches(pictures, torch.arange(3), ("a", "b", "c"), **options)
    document = inside.live(net, images, draw=False).document
    with page_in_chromium(chromium, document) as page:
        found = page.evaluate(
            "(pixels) => run(prepare(pixels)).map((numbers) => [...numbers])",
            pictures[2].flatten().tolist(),
        )
    made = inside.activations(in_16_bits(net), images.prepare(pictures[2:]))
    for (name, wanted), numbers in zip(made.items(), found[1:], strict=True):
        assert torch.allclose(torch.tensor(numbers), wanted.flatten(), atol=1e-5), name


def images_of(*size: int, **options: Any) -> Batches:
    pictures = torch.zeros(3, *size, dtype=torch.uint8)
    return Batches(pictures, torch.arange(3), ("a", "b", "c"), device="cpu", **options)


def big() -> nn.Sequential:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    net[1].weight.data[:] = 1e6
    return net


@pytest.mark.parametrize(
    ("net", "images", "message"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU(), nn.Flatten(), nn.Linear(72, 3)),
         images_of(1, 8, 8), "1 is a GELU, which the page cannot run. It runs Conv2d"),
        (nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"),
                       nn.Flatten(), nn.Linear(128, 3)),
         images_of(1, 8, 8), r"0 \(Conv2d 3×3 p1.*\): pads by circular"),
        (nn.Sequential(nn.Conv2d(1, 3, 3)), images_of(1, 8, 8), "a row of logits"),
        (lenet5(), images_of(1, 28, 28), "10 outputs for 3 classes"),
        (big(), images_of(1, 8, 8), "1.weight has weights that 16 bits cannot hold"),
        (lenet5(num_classes=3), images_of(1, 8, 8, image_size=28), "stored.*8×8"),
    ],
)  # fmt: skip
def test_what_it_cannot_run_is_named(net, images, message):
    with pytest.raises(ValueError, match=message):
        inside.live(net, images)


def test_the_net_stays_as_it_is(nets):
    net, images = nets["1998"]
    before = copy.deepcopy(net.state_dict())
    net.train()
    inside.live(net, images)
    assert net.training and all(module.training for module in net.modules())
    after = net.eval().state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_it_is_small(documents):
    assert len(documents["1998"].encode()) <= 400_000
    assert len(documents["80sec"].encode()) <= 600_000
    digits = mnist(device="cpu").test
    lenet = inside.live(lenet5("relu", "max"), digits)
    assert len(lenet._repr_html_().encode()) <= 400_000  # with the still picture
    scripts = Path(pages.__file__).with_name("pages").glob("*.js")
    assert sum(len(path.read_text("utf-8").splitlines()) for path in scripts) <= 900


# ------------------------------------------------------------------ drawn by a mouse
# One list of strokes a digit: points across and down the paper, both from 0 to 1.
STROKES = [
    [[(0.55, 0.15), (0.4, 0.2), (0.32, 0.38), (0.32, 0.6), (0.4, 0.8), (0.54, 0.84),
      (0.66, 0.72), (0.7, 0.5), (0.67, 0.28), (0.55, 0.15)]],
    [[(0.55, 0.15), (0.52, 0.4), (0.48, 0.62), (0.46, 0.85)]],
    [[(0.3, 0.32), (0.35, 0.2), (0.5, 0.14), (0.65, 0.2), (0.68, 0.35), (0.6, 0.52),
      (0.45, 0.68), (0.3, 0.83), (0.5, 0.83), (0.74, 0.82)]],
    [[(0.3, 0.2), (0.45, 0.13), (0.62, 0.18), (0.65, 0.32), (0.57, 0.43), (0.45, 0.47),
      (0.6, 0.53), (0.68, 0.66), (0.62, 0.8), (0.45, 0.86), (0.3, 0.8)]],
    [[(0.38, 0.15), (0.33, 0.35), (0.28, 0.52), (0.5, 0.52), (0.73, 0.5)],
     [(0.64, 0.15), (0.62, 0.4), (0.59, 0.65), (0.57, 0.88)]],
    [[(0.7, 0.15), (0.4, 0.16), (0.36, 0.45), (0.52, 0.43), (0.66, 0.53), (0.67, 0.68),
      (0.57, 0.82), (0.42, 0.85), (0.3, 0.78)]],
    [[(0.6, 0.13), (0.46, 0.27), (0.37, 0.45), (0.34, 0.65), (0.4, 0.81), (0.53, 0.86),
      (0.65, 0.77), (0.65, 0.63), (0.53, 0.56), (0.4, 0.63), (0.36, 0.7)]],
    [[(0.28, 0.18), (0.5, 0.18), (0.71, 0.17), (0.6, 0.42), (0.52, 0.65), (0.46, 0.9)]],
    [[(0.63, 0.24), (0.5, 0.14), (0.37, 0.23), (0.42, 0.4), (0.57, 0.55), (0.65, 0.7),
      (0.56, 0.84), (0.42, 0.84), (0.35, 0.7), (0.44, 0.54), (0.58, 0.4), (0.6, 0.2)]],
    [[(0.64, 0.3), (0.55, 0.17), (0.4, 0.19), (0.35, 0.34), (0.44, 0.46), (0.58, 0.42),
      (0.65, 0.28), (0.63, 0.5), (0.6, 0.7), (0.56, 0.88)]],
]  # fmt: skip


Strokes = list[list[tuple[float, float]]]


def draw(page: Any, strokes: Strokes, shift: float = 0) -> None:
    """Draw as a hand does, on clean paper, moved to the right by part of its width."""
    page.get_by_role("button", name="clean paper").click()
    box = page.locator("#paper").bounding_box()
    for stroke in strokes:
        for number, (x, y) in enumerate(stroke):
            place = box["x"] + (x + shift) * box["width"], box["y"] + y * box["height"]
            page.mouse.move(*place, steps=4)
            if number == 0:
                page.mouse.down()
        page.mouse.up()


def answer(page: Any) -> str:
    return page.locator("tr.best th").inner_text()


def test_it_names_what_a_mouse_draws(digits):
    named = []
    for strokes in STROKES:
        draw(digits, strokes)
        named.append(answer(digits))
    right = [name == str(digit) for digit, name in enumerate(named)]
    assert sum(right) >= 9, named
    status = digits.get_by_role("status")
    status.get_by_text(f"It answers {named[9]}.").wait_for()


def shown(page: Any) -> list[float]:
    return page.evaluate("[...state.outputs[0]]")


def test_a_frame_makes_a_shift_harmless(digits):
    draw(digits, STROKES[4])
    framed = shown(digits)
    assert answer(digits) == "4"
    draw(digits, STROKES[4], shift=0.25)
    assert answer(digits) == "4"
    near = sum(abs(a - b) for a, b in zip(shown(digits), framed, strict=True))
    digits.get_by_label("frame it, as MNIST was").uncheck()
    far = sum(abs(a - b) for a, b in zip(shown(digits), framed, strict=True))
    assert near < far / 5
    assert digits.locator(".box").count() == 0


def test_the_frame_is_mnist_s_own(digits, nets):
    """It leaves a picture of MNIST as it is: that one was framed like this."""
    _, images = nets["1998"]
    pictures = images.images[:200].flatten(1).tolist()
    found = digits.evaluate(
        "(all) => all.map((pixels) => [...framed(Float32Array.from(pixels)).pixels])",
        pictures,
    )
    assert found == pictures


def test_what_is_rubbed_out_turns_the_answer(digits):
    draw(digits, STROKES[8])
    assert answer(digits) == "8"
    digits.get_by_label("rub out").check()
    box = digits.locator("#paper").bounding_box()
    for y in (0.2, 0.35, 0.62, 0.75):  # the left sides of both loops
        digits.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + y * box["height"])
        digits.mouse.down()
        digits.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + y * box["height"])
        digits.mouse.up()
    assert answer(digits) != "8"


# ------------------------------------------------------------------ units, by keyboard
def test_a_unit_shows_what_it_reads_and_sees(digits, nets):
    net, _ = nets["1998"]
    row = ledger(net, (1, 32, 32))["c3"]
    digits.get_by_role("application", name="c3, 16×10×10").focus()
    digits.keyboard.press("Tab")
    digits.keyboard.press("Shift+Tab")  # a keyboard's focus
    for key in ("PageDown", "ArrowUp", "ArrowRight", "ArrowRight"):
        digits.keyboard.press(key)
    unit = digits.evaluate("state.unit")
    assert unit[1:] == [1, 4, 7]
    top, left, height, width = row.sees(4, 7)
    rows = f"rows {top} to {top + height - 1} and columns {left} to {left + width - 1}"
    said = digits.locator("#unit")
    said.get_by_text(rows).wait_for()
    assert "c3, map 1, row 4, column 7: " in said.inner_text()
    connected = len(C3_TABLE[1])  # of S2's six maps
    assert f"It reads 5×5 in {connected} of 6 maps" in said.inner_text()
    assert digits.locator(".window").count() == connected
    field = digits.locator(".field").bounding_box()
    read = digits.locator("#read").bounding_box()
    assert field["width"] == pytest.approx(width * read["width"] / 32, abs=0.1)
    assert field["y"] - read["y"] == pytest.approx(top * read["height"] / 32, abs=0.1)


def test_the_first_layer_s_sum_is_written_out(digits, nets):
    net, images = nets["1998"]
    digits.evaluate("showUnit([0, 2, 9, 11])")
    cells = digits.locator("#sum td").all_inner_texts()
    products = [[float(v.replace("−", "-")) for v in cell.split("·")] for cell in cells]
    assert len(products) == 25
    value = digits.evaluate("state.outputs[1][2 * 28 * 28 + 9 * 28 + 11]")
    bias = net.c1.bias[2].item()
    assert sum(a * b for a, b in products) + bias == pytest.approx(value, abs=0.05)
    text = digits.locator("#sum p").inner_text()
    assert text.endswith(f"{value:.3g}".replace("-", "−"))


def test_one_can_draw_and_choose_by_the_keyboard_alone(digits):
    digits.get_by_role("button", name="clean paper").focus()
    digits.keyboard.press("Enter")
    for _ in range(20):
        digits.keyboard.press("Shift+Tab")
        if digits.evaluate("document.activeElement.id") == "paper":
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert digits.evaluate(outline) != "none"
    for key in ["ArrowUp"] * 9 + [" "] + ["ArrowDown"] * 18:
        digits.keyboard.press(key)
    digits.locator("#pen").get_by_text("Pen down, row 23, column 14").wait_for()
    assert answer(digits) == "1"
    digits.locator("[name=picture]").first.focus()
    digits.keyboard.press("ArrowRight")
    assert digits.locator("[name=picture]:checked").count() == 1
    digits.get_by_role("status").get_by_text("The label says 1.").wait_for()


def test_pictures_stand_by_what_a_map_likes(chromium, nets, documents):
    net, images = nets["80sec"]
    with page_in_chromium(chromium, documents["80sec"]) as page:
        page.evaluate(
            "showUnit([LAYERS.findIndex((l) => l.name === 'conv3'), 5, 0, 0])"
        )
        page.get_by_role("button", name="sort the pictures").click()
        order = page.locator("#gallery label").all_inner_texts()
        numbers = page.evaluate("PICTURES.map((picture) => picture.most)")
        assert numbers == sorted(numbers, reverse=True) and len(order) == 20
        pixels = page.evaluate("[...PICTURES[0].pixels]")
    best = torch.tensor(pixels, dtype=torch.uint8).view(1, 3, 32, 32)
    maps = inside.activations(in_16_bits(net), images.prepare(best), ["conv3"])["conv3"]
    assert maps[0, 5].max().item() == pytest.approx(numbers[0], abs=1e-4)


# ------------------------------------------------------------------- for everybody
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["1998", "80sec"])
def test_axe_finds_nothing_serious(chromium, documents, name, scheme):
    with page_in_chromium(chromium, documents[name], color_scheme=scheme) as page:
        page.locator("tr.best").wait_for()
        assert serious(page) == []


@pytest.mark.parametrize("name", ["1998", "80sec"])
@pytest.mark.parametrize("width", [360, 450])  # a telephone; 900 pixels at 200 %
def test_it_fits_where_there_is_little_room(chromium, documents, name, width):
    with page_in_chromium(chromium, documents[name], width=width) as page:
        page.locator("tr.best").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_moves_for_those_who_want_it_still(chromium, documents):
    with page_in_chromium(chromium, documents["1998"], reduced_motion="reduce") as page:
        bar = "getComputedStyle(document.querySelector('tr.best i')).transitionDuration"
        assert page.evaluate(bar) == "0s"


THEMES = ['<body data-jp-theme-light="{}">', '<html data-theme="{}"><body>']


@pytest.mark.parametrize("body", THEMES)
@pytest.mark.parametrize("dark", [True, False])
def test_a_cell_follows_the_theme_around_it(chromium, nets, body, dark):
    html = inside.live(*nets["1998"])._repr_html_()
    name = str(not dark).lower() if "jp" in body else ("dark" if dark else "light")
    paper = "getComputedStyle(document.body).backgroundColor"
    options = {"color_scheme": "light" if dark else "dark"}  # the other one
    with page_in_chromium(chromium, body.format(name) + html, **options) as page:
        inner = page.frame_locator("iframe").locator("body")
        inner.locator("tr.best").wait_for()
        wanted = "rgb(24, 24, 24)" if dark else "rgb(255, 255, 255)"
        page.wait_for_function(f"frames[0].eval('{paper}') === '{wanted}'")
        assert page.locator("figure").is_hidden()
        inside_it = "frames[0].document.body.scrollHeight"
        frame = "document.querySelector('iframe').offsetHeight"
        page.wait_for_function(f"{frame} >= {inside_it}")
        page.emulate_media(media="print")
        assert page.locator("figure").is_visible()
        assert page.locator("iframe").is_hidden()


def test_without_scripts_a_still_picture_stands_there(chromium, nets):
    html = inside.live(*nets["1998"])._repr_html_()
    with page_in_chromium(chromium, html, java_script_enabled=False) as page:
        assert "answers: " in page.locator("img").get_attribute("alt")
        assert "run this cell, or trust the notebook" in page.inner_text("figcaption")
        assert page.locator("iframe").count() == 0


def test_what_it_sees_first_is_one_picture_of_each_class(nets) -> None:
    _, images = nets["80sec"]
    from alexnet_lab.inside.live import _spread

    first: Tensor = images.labels[_spread(images.labels, 10)]
    assert first.tolist() == list(range(10))
