"""Plots of notebook 08: they draw what they are given, and change none of it."""

from __future__ import annotations

import pytest
import torch

from alexnet_lab import plots
from alexnet_lab.plots.style import cut_off, overlapping

NAMES = ["T-shirt/top", "Ankle boot", "Trouser", "Bag"]


def pictures(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def drawn(figure) -> list:
    """Every picture in the figure, as the array that is shown."""
    return [ax.images[0].get_array() for ax in figure.axes if ax.images]


def test_rows_of_every_kind_fit_their_names() -> None:
    rows = {
        "query": pictures(4, 1, 28, 28),
        "gradient × input, trained": pictures(4, 22, 22),
        "photograph": torch.zeros(4, 3, 40, 60, dtype=torch.uint8),
    }
    before = {name: images.clone() for name, images in rows.items()}
    frames = {"query": torch.tensor([True, False, False, True])}
    figure = plots.labelled_rows(rows, NAMES, title="Rows", frames=frames)
    assert overlapping(figure) == [] and cut_off(figure) == []
    assert len(drawn(figure)) == 12
    framed = [ax.spines["left"].get_visible() for ax in figure.axes[:4]]
    assert framed == [True, False, False, True]
    assert all(torch.equal(rows[name], before[name]) for name in rows)


def test_each_picture_has_its_own_range_unless_shared() -> None:
    images = torch.stack([torch.eye(3), 10 * torch.eye(3)])
    own = drawn(plots.labelled_rows({"a": images}))
    assert [picture.max() for picture in own] == [1, 1]
    shared = drawn(plots.labelled_rows({"a": images}, share=True))
    assert [round(float(p.max()), 3) for p in shared] == [0.1, 1]
    grey = drawn(plots.labelled_rows({"a": torch.full((1, 3, 3), 51).byte()}))
    assert float(grey[0].max()) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("rows", "titles", "message"),
    [
        ({}, None, "no rows"),
        ({"a": torch.ones(2, 3, 3), "b": torch.ones(1, 3, 3)}, None, "equally long"),
        ({"a": torch.ones(2, 5, 3, 3)}, None, "N×1×H×W"),
        ({"a": torch.full((1, 3, 3), float("nan"))}, None, "NaN"),
        ({"a": torch.ones(2, 3, 3)}, ["one"], "1 titles for 2 columns"),
    ],
)
def test_rows_say_what_is_wrong(rows, titles, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.labelled_rows(rows, titles)


def test_layers_show_the_strongest_maps_first() -> None:
    maps = torch.zeros(1, 12, 5, 5)
    maps[0, 7], maps[0, 3, 0, 0] = 2.0, 5.0
    layers = {"relu1": maps, "relu7": pictures(1, 128), "fc8": pictures(1, 10)}
    figure = plots.through_layers(pictures(3, 64, 64), layers, maps=8)
    assert overlapping(figure) == [] and cut_off(figure) == []
    places = [(ax.get_title(loc="left"), ax.get_title()) for ax in figure.axes]
    shown = [left or centre for left, centre in places if left or centre]
    assert shown[:2] == ["7", "3"] and len(shown) == 8
    assert len(drawn(figure)) == 1 + 8 + 2


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({}, "empty"),
        ({"fc8": torch.ones(2, 10)}, "fc8 must be"),
        ({"conv1": torch.ones(3, 5, 5)}, "conv1 must be"),
    ],
)
def test_layers_say_what_is_wrong(layers, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.through_layers(torch.ones(1, 8, 8), layers)
