"""Augmentation and test crops: what they do, to each image by itself, and seeded."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from alexnet_lab.data import fashion_mnist, photos
from alexnet_lab.data.augment import (
    ColourNoise,
    RandomCrop,
    RandomFlip,
    RandomShift,
    SubtractMean,
    compose,
)
from alexnet_lab.data.crops import (
    centre_crop,
    evaluate_crops,
    five_crop,
    predict_crops,
    ten_crop,
)
from alexnet_lab.training import evaluate


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
def test_it_works_without_a_generator_and_can_be_pickled(step):
    step = pickle.loads(pickle.dumps(step))
    torch.manual_seed(3)
    first = step(torch.ones(4, 3, 8, 8))
    torch.manual_seed(3)
    assert torch.equal(first, step(torch.ones(4, 3, 8, 8)))


@each
def test_an_empty_batch_and_one_image(step):
    assert len(step(torch.rand(0, 3, 8, 8), seeded())) == 0
    with pytest.raises(ValueError, match=r"B×C×H×W, got 3×8×8; write image\[None\]"):
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
    filled = RandomShift(2, fill=0.5)(torch.ones(64, 1, 4, 4), seeded())
    assert set(filled.unique().tolist()) == {0.5, 1.0}
    assert torch.equal(RandomShift(0)(image, seeded()), image)


# -------------------------------------------------------------------------------- flip
def test_a_flip_mirrors_left_to_right_half_of_the_images():
    images = coordinates(1_000, 5)
    flipped = RandomFlip()(images, seeded())
    mirrored = (flipped == images.flip(-1)).flatten(1).all(dim=1)
    same = (flipped == images).flatten(1).all(dim=1)
    assert torch.equal(mirrored, ~same)
    assert 440 < mirrored.sum() < 560  # 500 ± 4 standard deviations


@pytest.mark.parametrize("probability", [0, 1])
def test_flips_can_be_sure(probability):
    images = coordinates(50, 4)
    expected = images.flip(-1) if probability else images
    assert torch.equal(RandomFlip(probability)(images, seeded()), expected)


# ------------------------------------------------------------------------ colour noise
def test_axes_are_those_of_the_covariance():
    generator = seeded()
    pixels = torch.randn(3, 50_000, generator=generator).double()
    mix = torch.tensor([[0.2, 0.1, 0.0], [0.1, 0.1, 0.05], [0.0, 0.02, 0.1]]).double()
    images = ((mix @ pixels).view(3, 250, 200) + 0.5).float()
    noise = ColourNoise.fit([images[:, :100], images[:, 100:]])
    expected = torch.cov(images.flatten(1).double(), correction=0).float()
    axes, variances = noise.axes, noise.variances
    assert torch.allclose(axes @ torch.diag(variances) @ axes.T, expected, atol=1e-6)
    assert torch.allclose(axes.T @ axes, torch.eye(3), atol=1e-6)
    assert variances[0] > variances[1] > variances[2] > 0
    assert torch.allclose(noise.mean, images.mean(dim=(1, 2)), atol=1e-5)
    assert (axes.gather(0, axes.abs().argmax(dim=0)[None]) > 0).all()


def test_bytes_and_floats_have_the_same_axes():
    images = photos(64)
    floats = [image.float() / 255 for image in images.values()]
    first, second = ColourNoise.fit(images.values()), ColourNoise.fit(floats)
    assert torch.allclose(first.axes, second.axes)
    assert torch.allclose(first.variances, second.variances)


def test_each_image_is_shifted_by_one_colour():
    images = torch.rand(6, 3, 5, 5)
    noise = ColourNoise.fit(photos(32).values())
    difference = noise(images, seeded()) - images
    one_colour = difference[:, :, :1, :1].expand_as(difference)
    assert torch.allclose(difference, one_colour, atol=1e-6)
    assert len(difference[:, 0, 0, 0].unique()) == 6


@pytest.mark.parametrize("scale, power", [("deviations", 1), ("eigenvalues", 2)])
def test_the_spread_is_the_code_s_or_the_paper_s(scale, power):
    variances = torch.tensor([0.25, 0.04, 0.01])
    noise = ColourNoise(torch.eye(3), variances, torch.zeros(3), scale=scale)
    shifted = noise(torch.zeros(20_000, 3, 1, 1), seeded()).flatten(1)
    expected = 0.1 * variances.sqrt() ** power
    assert torch.allclose(shifted.std(dim=0), expected, rtol=0.03)
    assert shifted.mean(dim=0).abs().max() < 0.003


def test_the_code_s_noise_does_not_depend_on_the_unit_and_the_paper_s_does():
    images = [image.float() for image in photos(32).values()]  # 0..255
    alphas = torch.tensor([[0.1, -0.1, 0.05]])
    for scale, factor in (("deviations", 255), ("eigenvalues", 255**2)):
        large = ColourNoise.fit(images, scale=scale).shifts(alphas)
        small = ColourNoise.fit([i / 255 for i in images], scale=scale).shifts(alphas)
        assert torch.allclose(large, small * factor, rtol=1e-3)


# ------------------------------------------------------------------------ mean, compose
def test_the_mean_image_is_subtracted_pixel_by_pixel():
    images = torch.randint(256, (2_500, 1, 6, 6), generator=seeded()).byte()
    layer = SubtractMean.fit(images)
    scaled = images.float() / 255
    assert layer(scaled).mean(dim=0).abs().max() < 1e-6
    assert torch.allclose(layer(scaled), scaled - scaled.mean(dim=0), atol=1e-6)


def test_crops_get_the_centre_of_the_mean_image():
    mean = coordinates(1, 6)[0]
    crop = torch.zeros(2, 1, 4, 4)
    assert torch.equal(-SubtractMean(mean)(crop)[0], mean[:, 1:5, 1:5])


def test_the_mean_is_saved_with_the_network_and_is_no_parameter():
    net = nn.Sequential(SubtractMean(torch.rand(1, 4, 4)), nn.Flatten())
    other = nn.Sequential(SubtractMean(torch.zeros(1, 4, 4)), nn.Flatten())
    other.load_state_dict(net.state_dict())
    images = torch.rand(3, 1, 4, 4)
    assert torch.equal(net(images), other(images))
    assert not list(net.parameters())


def test_compose_runs_in_order_from_one_generator():
    images = torch.rand(8, 1, 9, 9)
    generator = seeded()
    expected = RandomFlip()(RandomCrop(6)(images, generator), generator)
    chain = compose(RandomCrop(6), RandomFlip())
    assert torch.equal(chain(images, seeded()), expected)
    assert "RandomCrop(size=6), RandomFlip(probability=0.5)" in repr(chain)


# ------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda: RandomCrop(0), "size=0"),
        (lambda: RandomCrop(2.5), "whole number"),
        (lambda: RandomCrop(9)(torch.rand(1, 1, 8, 8)), "9×9 does not fit .* 8×8"),
        (lambda: RandomShift(-1), "pixels=-1"),
        (lambda: RandomShift(1)(torch.rand(1, 1, 8, 9)), "square images, not 8×9"),
        (lambda: RandomFlip(1.5), "probability=1.5"),
        (lambda: ColourNoise.fit(torch.rand(2, 1, 8, 8)), "3×H×W, not 1×8×8"),
        (lambda: ColourNoise.fit([]), "at least two pixels"),
        (lambda: ColourNoise.fit(torch.rand(1, 3, 8, 8), scale="std"), "scale='std'"),
        (lambda: ColourNoise.fit(torch.rand(1, 3, 8, 8), -1), "strength=-1"),
        (lambda: AUGMENTATIONS[3](torch.rand(1, 1, 8, 8)), "have 1"),
        (lambda: AUGMENTATIONS[3](torch.ones(1, 3, 8, 8).byte()), "float images"),
        (lambda: SubtractMean(torch.rand(4, 4)), "C×H×W, not 4×4"),
        (lambda: SubtractMean(torch.rand(1, 4, 4))(torch.rand(1, 1, 5, 5)), "larger"),
        (lambda: SubtractMean.fit(torch.rand(0, 1, 4, 4)), "at least one image"),
        (lambda: five_crop(torch.rand(1, 1, 8, 8), 9), "does not fit"),
        (lambda: predict_crops(nn.Linear(1, 1), [], 4, views=3), "views=3"),
        (lambda: predict_crops(nn.Linear(1, 1), [], 4), "no images"),
    ],
)
def test_bad_input_is_explained(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()


@pytest.mark.parametrize("step", [None, RandomFlip])
def test_compose_wants_augmentations(step):
    with pytest.raises(TypeError, match=r"such as RandomFlip\(\)"):
        compose(RandomCrop(3), step)


# ------------------------------------------------------------------------- ten crops
def test_five_crops_are_the_corners_and_the_centre():
    cut = five_crop(coordinates(2, 10, 3), 4)
    assert cut.shape == (5, 2, 3, 4, 4)
    assert cut[:, 0, 0, 0, 0].tolist() == [0, 6, 60, 66, 33]


def test_ten_crops_are_the_five_and_their_mirror_images():
    images = torch.rand(2, 3, 8, 9)
    ten = ten_crop(images, 5)
    assert torch.equal(ten[:5], five_crop(images, 5))
    assert torch.equal(ten[5:], five_crop(images, 5).flip(-1))


def test_torchvision_cuts_the_same_ten():
    from torchvision.transforms.v2 import functional

    images = torch.rand(2, 3, 12, 10)
    ours = {tuple(view.flatten().tolist()) for view in ten_crop(images, 6)}
    theirs = functional.ten_crop(images, [6, 6])
    assert ours == {tuple(view.flatten().tolist()) for view in theirs}


@pytest.mark.parametrize("size, first", [(4, 3), (5, 2), (10, 0)])
def test_the_centre_lies_in_the_middle(size, first):
    cut = centre_crop(coordinates(1, 10), size)
    assert divmod(int(cut[0, 0, 0, 0]), 10) == (first, first)


@pytest.fixture
def small():
    """A network for 6×6 with dropout, and batches of 8×8, the last one shorter."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(36, 4))
    images, labels = torch.rand(10, 1, 8, 8), torch.randint(4, (10,))
    return net, [(images[:7], labels[:7]), (images[7:], labels[7:])]


def test_probabilities_are_averaged_not_logits(small):
    net, batches = small
    net[2].weight.data *= 20  # sure of itself, so that the two averages differ
    found = predict_crops(net, batches, 6)
    net.eval()
    images = torch.cat([images for images, _ in batches])
    logits = torch.stack([net(view) for view in ten_crop(images, 6)]).detach()
    assert torch.allclose(found.probabilities, logits.softmax(-1).mean(0), atol=1e-6)
    assert not torch.allclose(found.probabilities, logits.mean(0).softmax(-1), atol=0.1)
    assert torch.allclose(found.probabilities.sum(dim=1), torch.ones(10))


@pytest.mark.parametrize("views", [1, 2, 5, 10])
def test_fewer_views(small, views):
    net, batches = small
    found = predict_crops(net, batches, 6, views=views)
    net.eval()
    images = torch.cat([images for images, _ in batches])
    chosen = {1: [4], 2: [4, 9], 5: range(5), 10: range(10)}[views]
    each = [net(ten_crop(images, 6)[v]).detach().softmax(-1) for v in chosen]
    assert torch.allclose(found.probabilities, torch.stack(each).mean(0), atol=1e-6)


def test_one_view_is_plain_evaluation_and_the_mode_is_kept(small):
    net, batches = small
    ours = evaluate_crops(net, batches, 6, views=1)
    plain = evaluate(net, [(centre_crop(i, 6), t) for i, t in batches])
    assert ours.correct == plain.correct and ours.images == 10
    assert ours.loss == pytest.approx(plain.loss, abs=1e-5)
    assert net.training and net[1].training


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


def test_a_missing_photo_says_how_to_get_it_back(tmp_path):
    from alexnet_lab.data import DataFileError

    with pytest.raises(DataFileError, match="astronaut.jpg cannot be read"):
        photos(root=tmp_path)
    with pytest.raises(ValueError, match="size=0"):
        photos(0)
