"""Augmentation: what it does, to each image by itself, and seeded; photographs."""

from __future__ import annotations

import pytest
import torch

from alexnet_lab.data import (
    ColourNoise,
    RandomCrop,
    RandomFlip,
    RandomShift,
    compose,
    fashion_mnist,
    photos,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def coordinates(count: int, size: int, channels: int = 1) -> torch.Tensor:
    """Images whose every pixel says where it stood: row · size + column."""
    image = torch.arange(size * size, dtype=torch.float32).view(1, 1, size, size)
    return image.repeat(count, channels, 1, 1)


AUGMENTATIONS = [
    RandomCrop(5),
    RandomFlip(),
    RandomShift(2),
    ColourNoise(torch.eye(3), torch.ones(3), torch.zeros(3)),
    compose(RandomShift(1), RandomFlip(), RandomCrop(6)),
]
each = pytest.mark.parametrize("step", AUGMENTATIONS, ids=lambda s: type(s).__name__)


# ------------------------------------------------------------------ all augmentations
@each
def test_the_same_generator_state_gives_the_same_images(step):
    images = torch.rand(16, 3, 8, 8)
    first, again = step(images, seeded(1)), step(images, seeded(1))
    assert torch.equal(first, again)
    assert not torch.equal(first, step(images, seeded(2)))


@each
def test_what_comes_in_is_not_changed(step):
    images = torch.rand(16, 3, 8, 8)
    before = images.clone()
    result = step(images, seeded())
    result.sub_(1).div_(2)  # as Batches does afterwards
    assert torch.equal(images, before)


@each
def test_the_global_generator_is_left_alone(step):
    torch.manual_seed(5)
    step(torch.ones(4, 3, 8, 8), seeded())
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))


@each
def test_it_works_without_a_generator(step):
    torch.manual_seed(3)
    first = step(torch.ones(4, 3, 8, 8))
    torch.manual_seed(3)
    assert torch.equal(first, step(torch.ones(4, 3, 8, 8)))


@each
def test_an_empty_batch_and_one_image(step):
    assert len(step(torch.rand(0, 3, 8, 8), seeded())) == 0
    with pytest.raises(ValueError, match=r"not 3-D; write image\[None\]"):
        step(torch.rand(3, 8, 8), seeded())


@each
def test_batches_take_it(step):
    if isinstance(step, ColourNoise):
        pytest.skip("grey images have no colour")
    train = fashion_mnist(train_images=64, batch_size=32, augment=step).train
    first = [images for images, _ in train]
    train.set_epoch(0)
    assert all(torch.equal(a, b) for a, (b, _) in zip(first, train, strict=True))


# ---------------------------------------------------------------------- crop and shift
@pytest.mark.parametrize("channels", [1, 3])
def test_crops_are_whole_windows_each_at_its_own_place(channels):
    images = coordinates(400, 10, channels)
    cut = RandomCrop(7)(images, seeded())
    assert cut.shape == (400, channels, 7, 7)
    corner = cut[:, :1, :1, :1]  # which pixel of the image came to the corner
    window = coordinates(1, 10)[..., :7, :7]
    assert torch.equal(cut, (window + corner).expand_as(cut))
    offsets = {divmod(int(c), 10) for c in corner.flatten()}
    assert offsets == {(y, x) for y in range(4) for x in range(4)}  # 0 to 3, no more


def test_crops_of_a_picture_that_is_not_square():
    image = torch.arange(12.0).view(1, 1, 3, 4).repeat(200, 1, 1, 1)
    cut = RandomCrop(3)(image, seeded())
    assert {int(c) for c in cut[:, 0, 0, 0]} == {0, 1}


def test_a_crop_of_the_whole_image_and_of_bytes():
    images = torch.arange(192, dtype=torch.uint8).view(1, 3, 8, 8)
    assert torch.equal(RandomCrop(8)(images, seeded()), images)


def test_the_code_of_2012_has_more_views_than_the_paper():
    images = coordinates(20_000, 36)  # the 33 offsets of 224 in 256, on a small scale
    corner = RandomCrop(4)(images, seeded())[:, 0, 0, 0]
    assert len(corner.unique()) == 33 * 33


def test_shifts_bring_in_black_and_reach_all_places():
    image = torch.zeros(1, 1, 9, 9)
    image[..., 4, 4] = 1
    moved = RandomShift(2)(image.repeat(500, 1, 1, 1), seeded())
    assert torch.equal(moved.sum(dim=(1, 2, 3)), torch.ones(500))
    places = {tuple(p) for p in (moved[:, 0] == 1).nonzero()[:, 1:].tolist()}
    assert places == {(y, x) for y in range(2, 7) for x in range(2, 7)}
    assert torch.equal(RandomShift(0)(image, seeded()), image)


# -------------------------------------------------------------------------------- flip
def test_a_flip_mirrors_left_to_right_half_of_the_images():
    images = coordinates(1_000, 5)
    flipped = RandomFlip()(images, seeded())
    mirrored = (flipped == images.flip(-1)).flatten(1).all(dim=1)
    same = (flipped == images).flatten(1).all(dim=1)
    assert torch.equal(mirrored, ~same)
    assert 440 < mirrored.sum() < 560  # 500 ± 4 standard deviations


# ------------------------------------------------------------------------ colour noise
def test_axes_are_those_of_the_covariance():
    generator = seeded()
    pixels = torch.randn(3, 50_000, generator=generator).double()
    mix = torch.tensor([[0.2, 0.1, 0.0], [0.1, 0.1, 0.05], [0.0, 0.02, 0.1]]).double()
    images = (255 * ((mix @ pixels).view(3, 250, 200) + 0.5).clamp(0, 1)).byte()
    noise = ColourNoise.fit([images[:, :100], images[:, 100:]])
    expected = torch.cov(images.flatten(1).double() / 255, correction=0).float()
    axes, variances = noise.axes, noise.deviations**2
    assert torch.allclose(axes @ torch.diag(variances) @ axes.T, expected, atol=1e-6)
    assert torch.allclose(axes.T @ axes, torch.eye(3), atol=1e-6)
    assert variances[0] > variances[1] > variances[2] > 0
    assert torch.allclose(noise.mean, images.float().mean(dim=(1, 2)) / 255, atol=1e-5)
    assert (axes.gather(0, axes.abs().argmax(dim=0)[None]) > 0).all()


def test_pictures_of_any_size_have_their_axes_found():
    noise = ColourNoise.fit(photos().values())
    assert torch.allclose(noise.axes.T @ noise.axes, torch.eye(3), atol=1e-6)


def test_each_image_is_shifted_by_one_colour():
    images = torch.rand(6, 3, 5, 5)
    noise = ColourNoise.fit(photos(32).values())
    difference = noise(images, seeded()) - images
    one_colour = difference[:, :, :1, :1].expand_as(difference)
    assert torch.allclose(difference, one_colour, atol=1e-6)
    assert len(difference[:, 0, 0, 0].unique()) == 6


def test_the_spread_along_each_axis_is_a_tenth_of_the_deviation():
    noise = ColourNoise(torch.eye(3), torch.tensor([0.5, 0.2, 0.1]), torch.zeros(3))
    shifted = noise(torch.zeros(20_000, 3, 1, 1), seeded()).flatten(1)
    assert torch.allclose(shifted.std(dim=0), 0.1 * noise.deviations, rtol=0.03)
    assert shifted.mean(dim=0).abs().max() < 0.003


# ----------------------------------------------------------------------------- compose
def test_compose_runs_in_order_from_one_generator():
    images = torch.rand(8, 1, 9, 9)
    generator = seeded()
    expected = RandomFlip()(RandomCrop(6)(images, generator), generator)
    chain = compose(RandomCrop(6), RandomFlip())
    assert torch.equal(chain(images, seeded()), expected)


# ------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda: RandomCrop(0), "size=0"),
        (lambda: RandomCrop(2.5), "whole number"),
        (lambda: RandomCrop(9)(torch.rand(1, 1, 8, 8)), "9×9 does not fit .* 8×8"),
        (lambda: RandomShift(-1), "pixels=-1"),
        (lambda: RandomShift(1)(torch.rand(1, 1, 8, 9)), "square images, not 8×9"),
        (
            lambda: ColourNoise.fit(torch.rand(2, 1, 8, 8)),
            r"uint8 \(3, H, W\).*float32, 3, 1",
        ),
        (lambda: ColourNoise.fit([]), "channels nothing"),
        (lambda: AUGMENTATIONS[3](torch.rand(1, 1, 8, 8)), r"these are \(1, 1, 8, 8\)"),
        (lambda: AUGMENTATIONS[3](torch.ones(1, 3, 8, 8).byte()), "float images"),
    ],
)
def test_bad_input_is_explained(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()


@pytest.mark.parametrize("step", [None, RandomFlip])
def test_compose_wants_augmentations(step):
    with pytest.raises(TypeError, match=r"such as RandomFlip\(\)"):
        compose(RandomCrop(3), step)


# ------------------------------------------------------------------------------- photos
def test_photos_are_colour_pictures():
    pictures = photos()
    assert 8 <= len(pictures) <= 12 and list(pictures) == sorted(pictures)
    for name, photo in pictures.items():
        assert photo.dtype == torch.uint8 and photo.dim() == 3, name
        assert len(photo) == 3 and min(photo.shape[1:]) >= 256, name
        assert (photo[0] != photo[2]).any(), f"{name} is grey"


def test_photos_as_squares_are_a_batch():
    batch = torch.stack(list(photos(64).values()))
    assert batch.shape[1:] == (3, 64, 64)


def test_every_photo_has_its_licence_written_down():
    from alexnet_lab.data import data_folder

    text = (data_folder() / "README.md").read_text(encoding="utf-8")
    shipped = sorted(p.name for p in (data_folder() / "photos").iterdir())
    assert shipped == [f"{name}.jpg" for name in photos()]
    for name in shipped:
        line = next(line for line in text.splitlines() if f"`{name}`" in line)
        assert any(f in line for f in ("CC0", "public domain", "CC BY 2.0")), name
    size = sum(p.stat().st_size for p in (data_folder() / "photos").iterdir())
    assert size < 3_000_000


def test_a_missing_photo_says_how_to_get_it_back(tmp_path, monkeypatch):
    from alexnet_lab.data import DataFileError

    monkeypatch.setenv("ALEXNET_LAB_DATA", str(tmp_path))
    with pytest.raises(DataFileError, match="astronaut.jpg cannot be read"):
        photos()
    with pytest.raises(ValueError, match="size=0"):
        photos(0)
