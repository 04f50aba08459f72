"""Plots: what they say equals the arithmetic, nothing overlaps, nothing is changed."""

import re
import subprocess
import sys
from base64 import b64decode

import numpy as np
import pytest
import torch
from figure_checks import assert_sound, cut_off, overlapping
from matplotlib.figure import Figure
from torch import nn

from alexnet_lab import output_size, plots
from alexnet_lab.arithmetic.sizes import Sweep, size_formula
from alexnet_lab.plots.windows import Sliding
from alexnet_lab.training.history import EpochRecord, History

WORDS = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat"]
WORDS += ["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


def texts(figure: Figure) -> list[str]:
    """Every text in a figure that isn't empty."""
    from matplotlib.text import Text

    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]


def history(epochs: int, final: float, validation: bool = True) -> History:
    """A run whose training accuracy ends one percent above its validation accuracy."""
    record = History()
    for epoch in range(1, epochs + 1):
        done = epoch / epochs
        loss, accuracy = 2.3 - 2 * done, final * done
        record.epochs.append(
            EpochRecord(
                epoch=epoch,
                images=55_000,
                train_loss=loss,
                train_accuracy=accuracy + 0.01,
                validation_loss=loss + 0.1 if validation else None,
                validation_accuracy=accuracy if validation else None,
                learning_rate=0.1,
                seconds=5.0,
            )
        )
    return record


def floor_and_ceil(*numbers: int) -> Figure:
    """The same windows twice, rounded down above, and rounded up below."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    for ax, ceil_mode in zip(figure.subplots(2, sharex=True), (0, 1), strict=True):
        plots.draw_windows(*numbers, ceil_mode=bool(ceil_mode), ax=ax)
    return figure


def every_plot() -> dict[str, Figure]:
    """One figure of each function, and the awkward cases."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (10, 28, 28), dtype=torch.uint8)
    labels = torch.arange(1000) % 10
    pairs = [f"{a} → {b}" for a, b in zip(WORDS, WORDS[::-1], strict=True)]
    return {
        "windows 224": plots.draw_windows(224, 11, 4),
        "windows 224 ceil": plots.draw_windows(224, 11, 4, ceil_mode=True),
        "windows 224 padding 1": plots.draw_windows(224, 11, 4, padding=1),
        "windows 28": plots.draw_windows(28, 5, padding=2),
        "windows dilation": plots.draw_windows(12, 3, 2, 1, dilation=2),
        "windows gaps": plots.draw_windows(14, 2, 5),
        "windows 1": plots.draw_windows(1, 1),
        "windows 2": plots.draw_windows(2, 1, 2),
        "windows dropped": plots.draw_windows(5, 1, 5, ceil_mode=True),
        "windows 1000": plots.draw_windows(1000, 100, 7, 3),
        "floor and ceil 224": floor_and_ceil(224, 11, 4),
        "floor and ceil 6": floor_and_ceil(6, 3, 2),
        "images": plots.image_grid(images, pairs, columns=5),
        "one image": plots.image_grid(images[:1], ["a rather long title for it"]),
        "filters": plots.image_grid(torch.randn(96, 3, 11, 11), columns=16),
        "rows": plots.labelled_rows(dict.fromkeys(WORDS[:3], images), WORDS, "Rows"),
        "confusion": plots.confusion_matrix(labels.roll(1), labels, WORDS),
        "confusion 2": plots.confusion_matrix(labels % 2, labels % 2, ["cat", "dog"]),
        "curves": plots.curves(history(10, 0.9)),
        "curves 1": plots.curves(history(1, 0.9)),
        "curves train": plots.curves(history(40, 0.9, validation=False)),
        "effects": plots.draw_effects(
            {name: [0.1, 0.4 + n, 0.2] for n, name in enumerate(WORDS[:5])},
            "Five changes",
            published={WORDS[1]: -1.4},
        ),
        "compare": plots.compare_curves(
            {n: history(10, 0.9 + i / 1000) for i, n in enumerate(WORDS[:6])}
        ),
    }


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return every_plot()


def test_every_text_can_be_read(figures):
    for figure in figures.values():
        assert_sound(figure)


def test_every_figure_has_a_title_and_axes_have_labels(figures):
    pictures = {"images", "one image", "filters", "rows"}
    for name, figure in figures.items():
        titles = [figure.get_suptitle(), *(ax.get_title("left") for ax in figure.axes)]
        assert any(titles), name
        for ax in figure.axes:
            assert ax.get_xlabel() or ax.get_ylabel() or name in pictures, name


def test_the_overlap_check_finds_an_overlap_and_a_cut():
    figure = plots.draw_windows(28, 5)
    figure.axes[0].text(3, 0.5, "one")
    figure.axes[0].text(3, 0.5, "two")
    assert ("one", "two") in overlapping(figure)
    figure.axes[0].text(-50, 0.5, "outside", in_layout=False)
    assert "outside" in cut_off(figure)


# Windows -------------------------------------------------------------------------


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [(227, 11, 4, 0), (224, 11, 4, 0), (224, 11, 4, 2), (28, 5, 1, 2), (6, 3, 2, 0)],
)
def test_windows_say_what_the_arithmetic_says(size, kernel, stride, padding, ceil_mode):
    numbers = (size, kernel, stride, padding, 1, ceil_mode)
    figure = plots.draw_windows(size, kernel, stride, padding, ceil_mode=ceil_mode)
    (ax,) = figure.axes
    assert size_formula(*numbers) in ax.get_title("left")
    outputs = [int(t.get_text()) for t in ax.get_yticklabels()]
    assert outputs[0] == 0
    assert outputs[-1] == output_size(*numbers) - 1
    said = " ".join(texts(figure))
    sweep = Sweep(*numbers)
    assert ("left over" in said) == (sweep.leftover > 0)
    assert (f"{sweep.overhang} over the edge" in said) == (sweep.overhang > 0)


def test_the_right_edge_of_224_shows_the_pixel_that_no_window_reads():
    figure = plots.draw_windows(224, 11, 4)
    said = texts(figure)
    assert "212 … 222" in said  # the last of 54 windows
    assert "left over: 1 pixel" in said
    assert "223" in said
    assert "⋮   50 more   ⋮" in said


def test_left_over_tells_pixels_from_zeros():
    assert Sliding(224, 11, 4, 1).rest == "left over: 2 pixels, 1 zero"
    assert Sliding(224, 11, 4, 2).rest == "left over: 1 zero"


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation", "ceil_mode"),
    [
        (14, 2, 5, 0, 1, False),
        (12, 3, 2, 1, 2, False),
        (17, 4, 3, 2, 1, True),
        (9, 3, 4, 1, 2, False),
    ],
)
def test_cells_marked_as_read_are_those_torch_reads(
    size, kernel, stride, padding, dilation, ceil_mode
):
    sliding = Sliding(size, kernel, stride, padding, dilation, ceil_mode)
    if ceil_mode:
        layer = nn.AvgPool1d(kernel, stride, padding, ceil_mode=True)
    else:
        layer = nn.Conv1d(1, 1, kernel, stride, padding, dilation)
        nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, size, requires_grad=True)
    layer(x).sum().backward()
    read = (x.grad.flatten() != 0).tolist()
    assert [i in sliding.read for i in range(size)] == read


def test_floor_and_ceiling_stand_one_above_the_other():
    figure = floor_and_ceil(224, 11, 4)
    floor, ceiling = figure.axes
    assert floor.get_title("left").endswith("= 54")
    assert ceiling.get_title("left").endswith("= 55")
    wholes = [{p.get_x() for p in ax.patches if p.get_y() == 0} for ax in figure.axes]
    assert wholes[0] < wholes[1]  # the same cells, so that the eye can compare
    assert "3 over the edge" in texts(figure)


def test_windows_that_do_not_fit_raise_the_error_that_teaches():
    with pytest.raises(ValueError, match="does not fit"):
        plots.draw_windows(3, 5)


def test_a_short_row_makes_a_narrow_figure():
    long, short = plots.draw_windows(28, 5), plots.draw_windows(7, 3)
    assert short.get_figwidth() < 0.7 * long.get_figwidth()
    assert_sound(short)


def test_windows_draw_in_given_axes():
    figure = Figure()
    ax = figure.subplots()
    assert plots.draw_windows(6, 3, 2, ax=ax) is figure


# Images, filters, maps, confusion ----------------------------------------------------


def test_drawing_leaves_tensors_alone():
    layer = nn.Conv2d(3, 8, 5)
    weight, images = layer.weight.detach().clone(), torch.randn(4, 3, 8, 8)
    before = images.clone()
    plots.image_grid(layer.weight)
    plots.image_grid(images)
    plots.labelled_rows({"row": images})
    assert torch.equal(layer.weight, weight)
    assert torch.equal(images, before)
    assert layer.weight.requires_grad


EYES = torch.stack([torch.eye(3), 10 * torch.eye(3)])


def shown(figure: Figure) -> list[np.ndarray]:
    """The pictures in a figure, as arrays."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def test_floats_are_scaled_by_the_range_of_the_whole_grid():
    images = torch.tensor([[[-1.0, 0.0]], [[1.0, 3.0]]])[:, None]
    first, second = shown(plots.image_grid(images))
    np.testing.assert_allclose(first, [[0, 0.25]])
    np.testing.assert_allclose(second, [[0.5, 1]])


def test_pictures_of_a_row_have_each_its_own_range_and_may_be_framed():
    figure = plots.labelled_rows({"a": EYES}, frames={"a": torch.tensor([True, False])})
    assert [picture.max() for picture in shown(figure)] == [1, 1]
    assert len(figure.axes[0].patches) == 1


def test_bytes_are_shown_as_they_are():
    (only,) = shown(plots.image_grid(torch.full((1, 1, 2, 2), 51, dtype=torch.uint8)))
    np.testing.assert_allclose(only, 0.2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int64])
def test_grids_take_other_types(dtype):
    assert len(shown(plots.image_grid(torch.ones(3, 3, 4, 4, dtype=dtype)))) == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.image_grid(torch.zeros(2, 5, 4, 4)), "2×5×4×4"),
        (lambda: plots.image_grid(torch.zeros(0, 1, 4, 4)), "at least one"),
        (lambda: plots.image_grid(torch.zeros(2, 4, 4), ["one"]), "1 titles for 2"),
        (lambda: plots.image_grid(torch.full((1, 2, 2), torch.nan)), "NaN"),
        (lambda: plots.image_grid(torch.zeros(10, 84)), "10×84"),
        (lambda: plots.labelled_rows({}), "not none"),
        (lambda: plots.labelled_rows({"a": EYES, "b": EYES[:1]}), "equally long"),
        (lambda: plots.labelled_rows({"a": torch.ones(2, 5, 3, 3)}), "row 'a' must be"),
        (lambda: plots.labelled_rows({"a": EYES}, ["one"]), "1 titles for 2 columns"),
        (lambda: plots.confusion_matrix([0, 2], [0, 1], ["a", "b"]), "0 to 2"),
        (lambda: plots.confusion_matrix([0], [0, 1], ["a", "b"]), "N class numbers"),
        (lambda: plots.curves(History()), "no finished epoch"),
        (lambda: plots.compare_curves({"a": history(2, 0.5)}, "speed"), "choose one"),
        (lambda: plots.compare_curves({}), "0 runs"),
        (
            lambda: plots.compare_curves({"a": history(2, 0.5, validation=False)}),
            "'a' has recorded no validation_accuracy",
        ),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_confusion_matrix_counts_rows_as_true_and_columns_as_predicted():
    predicted, labels = torch.tensor([0, 1, 1, 2, 2]), torch.tensor([0, 0, 1, 2, 2])
    figure = plots.confusion_matrix(predicted, labels, ["a", "b", "c"])
    (ax,) = figure.axes
    places = {
        (round(t.get_position()[1]), round(t.get_position()[0])): t for t in ax.texts
    }
    assert places[0, 1].get_text() == "1"  # the one "a" that was taken for "b"
    assert (1, 0) not in places
    assert "4 of 5 correct (80.00 %)" in ax.get_title("left")
    assert "50.0 %" in texts(figure)  # half of the "a"


# Curves ------------------------------------------------------------------------------


def names(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_curves_say_their_last_values():
    figure = plots.curves(history(10, 0.9))
    loss, accuracy = figure.axes
    assert names(loss) == ["validation 0.4", "train 0.3"]
    assert names(accuracy) == ["validation 90.0 %", "train 91.0 %"]
    styles = [line.get_linestyle() for line in accuracy.lines]
    assert styles == ["-", "--"]


def test_curves_skip_what_is_not_finite():
    record = history(3, 0.9)
    record.epochs[-1].train_loss = float("nan")
    (loss, _) = plots.curves(record).axes
    assert len(loss.lines[1].get_xdata()) == 2


def test_compared_curves_differ_in_more_than_colour():
    figure = plots.compare_curves({n: history(5, 0.8) for n in WORDS[:6]})
    lines = figure.axes[0].lines
    assert len({line.get_marker() for line in lines}) == 6
    assert len({str(line._dash_pattern) for line in lines}) == 6


# show, and the package ----------------------------------------------------------------


@pytest.fixture
def displayed(monkeypatch):
    """What `show` hands to IPython, as it would in a notebook."""
    IPython = pytest.importorskip("IPython")
    from IPython import display as module

    calls = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(module, "display", lambda *a, **k: calls.append((a, k)))
    return calls


def test_show_displays_picture_and_words_as_html(displayed):
    figure = plots.draw_windows(28, 5)
    assert plots.show(figure, 'Two windows,\n  1 < 2 "pixels".', "A & B") is None
    ((data,), options), *others = displayed
    assert not others and options == {"raw": True}
    assert data["text/plain"] == 'Two windows, 1 < 2 "pixels".\nA & B'
    (image,), (caption,) = (
        re.findall(pattern, data["text/html"])
        for pattern in (r"<img [^>]*>", r"<figcaption>.*</figcaption>")
    )
    assert 'alt="Two windows, 1 &lt; 2 &quot;pixels&quot;."' in image
    assert 900 < int(re.search(r'width="(\d+)"', image)[1]) < 1100
    png = re.search(r'src="data:image/png;base64,(.*)"', image)[1]
    assert b64decode(png, validate=True).startswith(b"\x89PNG")
    assert caption == "<figcaption><small>A &amp; B</small></figcaption>"


def test_no_caption_no_figcaption(displayed):
    plots.show(plots.draw_windows(6, 3, 2), "Two windows.")
    ((data,), _), *_ = displayed
    assert "figcaption" not in data["text/html"]
    assert data["text/plain"] == "Two windows."


def test_the_same_figure_gives_the_same_bytes(displayed):
    for _ in range(2):
        plots.show(plots.draw_windows(6, 3, 2), "alt")
    (one, _), (two, _) = displayed
    assert one == two


def test_show_closes_a_pyplot_figure():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, _ = plt.subplots()
    number = figure.number
    assert number in plt.get_fignums()
    plots.show(figure, "An empty plot.")
    assert number not in plt.get_fignums()


def test_show_is_silent_outside_ipython(capsys):
    plots.show(plots.draw_windows(6, 3, 2), "Two windows.")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("alt", ["", "  \n", None])
def test_show_wants_alternative_text(alt):
    with pytest.raises(ValueError, match="alt"):
        plots.show(plots.draw_windows(6, 3, 2), alt)


def test_a_figure_can_be_the_last_value_of_a_cell():
    figure = plots.draw_windows(28, 5)
    data = figure._repr_png_()
    assert data.startswith(b"\x89PNG")
    assert 900 < int.from_bytes(data[16:20], "big") < 1100  # pixels wide


def test_settings_stay_unless_use_style_is_called():
    code = """if True:
        import sys
        from alexnet_lab import plots
        assert callable(plots.show) and callable(plots.curves)
        assert not {"matplotlib", "IPython"} & set(sys.modules)
        import matplotlib
        before = matplotlib.rcParams.copy()
        plots.show(plots.draw_windows(6, 3, 2), "Two windows.")
        assert matplotlib.rcParams.copy() == before
        assert "matplotlib.pyplot" not in sys.modules
        plots.use_style()
        assert matplotlib.rcParams["axes.titlelocation"] == "left"
        assert len(matplotlib.rcParams["axes.prop_cycle"]) == 6
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=1800)
