"""The exercises of notebook 06: views, flips, ten views, colour noise, mean image."""

from functools import partial
from typing import Any

import torch

from alexnet_lab.exercises.checking import Exercise, Wrong

# 06.1: crops of this size out of squares of that.
CROP, SQUARE = 227, 256
# 06.4: what a network says to three views of one image.
LOGITS = ((8.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 2.0, 0.0))
# 06.5: the variance along an axis for pixels in 0..1, and the strength of the noise.
VARIANCE, STRENGTH = 0.04, 0.1


def offsets() -> int:
    """Places of a crop along one side."""
    return SQUARE - CROP + 1


def on_pictures(flip: Any) -> torch.Tensor:
    """What a flip makes of four small pictures, the second and third to be mirrored."""
    images = torch.arange(48.0).view(4, 1, 3, 4)
    return flip(images.clone(), torch.tensor([False, True, True, False]))


def reference_flip(images: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Mirror only the chosen images, left to right."""
    return torch.where(mirrored[:, None, None, None], images.flip(-1), images)


def of_some_views(ten_views: Any) -> torch.Tensor:
    """The ten views of a batch of three that is wider than high, the room odd."""
    images = torch.arange(3 * 2 * 8 * 11.0).view(3, 2, 8, 11)
    return ten_views(images, 5, 7)


def reference_views(
    images: torch.Tensor, height: int, width: int, order: str = "mirrored last"
) -> torch.Tensor:
    """Four corners, the centre, and their mirror images; or in a wrong order."""
    down, right = images.shape[2] - height, images.shape[3] - width
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    five = [images[:, :, y : y + height, x : x + width] for y, x in corners]
    if order == "pairs":
        return torch.stack([one for v in five for one in (v, v.flip(-1))])
    axis = {"mirrored last": -1, "upside down": -2}[order]
    return torch.stack([*five, *(view.flip(axis) for view in five)])


def levels(power: float, unit: float) -> float:
    """The noise's deviation in grey levels: strength · λ^power, unit for unit."""
    return STRENGTH * VARIANCE**power * unit


def centred(subtract_mean: Any) -> torch.Tensor:
    """What is left of two test images, for given training images."""
    train = torch.arange(36.0).view(3, 2, 2, 3) ** 2
    return subtract_mean(train, torch.arange(24.0).view(2, 2, 2, 3))


def reference_mean(train: torch.Tensor, test: torch.Tensor) -> torch.Tensor:
    """The mean image of the training set, off the test images."""
    return test - train.mean(dim=0)


def average(of: str) -> list[float]:
    """Three views into one answer."""
    logits = torch.tensor(LOGITS, dtype=torch.float64)
    if of == "probabilities":
        return logits.softmax(dim=1).mean(dim=0).tolist()
    return logits.mean(dim=0).softmax(dim=0).tolist()


EXERCISES = (
    Exercise(
        number="06.1",
        form="an integer",
        answer=lambda: offsets() ** 2 * 2,
        right="30 places down, 30 across, and each view mirrored too.",
        hint="Count the places along one side first, the last one included. Then both "
        "sides, then the mirror.",
        more_hints=(
            "The first place of a crop of 3 in a row of 5 is 0, the last one is 2: "
            "that makes three. How many are there for 227 in 256?",
        ),
        wrong=(
            Wrong(
                lambda: (offsets() - 1) ** 2 * 2,
                "You counted the steps, as the paper did. The crop in its first "
                "position is a place too.",
            ),
            Wrong(lambda: offsets() ** 2, "You forgot the mirror images."),
            Wrong(
                lambda: offsets() * 2,
                "You moved the crop along one side only.",
            ),
            Wrong(
                lambda: offsets() ** 2 * 4,
                "You mirrored twice. Upside down is not one of the paper's views.",
            ),
            Wrong(
                lambda: (256 - 224 + 1) ** 2 * 2,
                "That is the answer for crops of 224. These are larger.",
            ),
        ),
    ),
    Exercise(
        number="06.2",
        form="a function of (images, mirrored)",
        probe=on_pictures,
        answer=lambda: reference_flip,
        right="Only the chosen images are mirrored, and only left to right.",
        hint="Compare the first row of a picture before and after, by hand: which "
        "pictures should change, and along which dimension?",
        more_hints=(
            "`images.flip(-1)` mirrors them all. `torch.where(condition, a, b)` takes"
            " a where the condition is True.",
            "The condition must go with B×C×H×W: give `mirrored` three more "
            "dimensions of size 1, by indexing with None.",
        ),
        wrong=(
            Wrong(
                lambda: lambda images, mirrored: images.flip(-1),
                "You mirrored all images, whatever `mirrored` says.",
            ),
            Wrong(
                lambda: lambda images, mirrored: images,
                "You mirrored none. flip gives a new tensor; it changes nothing in "
                "place.",
            ),
            Wrong(
                lambda: lambda images, mirrored: reference_flip(images, ~mirrored),
                "You mirrored the wrong half: those where `mirrored` is False.",
            ),
            Wrong(
                lambda: (
                    lambda images, mirrored: torch.where(
                        mirrored[:, None, None, None], images.flip(-2), images
                    )
                ),
                "Your pictures stand on their heads. The columns are the last "
                "dimension of B×C×H×W.",
            ),
            Wrong(
                lambda: (
                    lambda images, mirrored: torch.where(
                        mirrored[:, None, None, None], images.flip(0), images
                    )
                ),
                "You turned the batch round, not the pictures: dimension 0 counts "
                "images.",
            ),
            Wrong(
                lambda: lambda images, mirrored: images[mirrored].flip(-1),
                "You gave back only the mirrored images. The others belong to the "
                "batch too, in their places.",
            ),
        ),
    ),
    Exercise(
        number="06.3",
        form="a function of (images, height, width)",
        probe=of_some_views,
        answer=lambda: reference_views,
        right="Ten views in the order of torchvision's `ten_crop`, of any height and "
        "width.",
        hint="How much room is left below and to the right of a window in the corner?",
        more_hints=(
            "Each view is images[:, :, y : y + height, x : x + width]. Which five "
            "pairs (y, x) are there? In the centre y is half the room, rounded down.",
            "Collect the five, then five more with .flip(-1), and torch.stack all ten.",
        ),
        wrong=(
            Wrong(
                lambda: partial(reference_views, order="pairs"),
                "Each view is followed by its mirror image. The five come first, then "
                "the five mirrored.",
            ),
            Wrong(
                lambda: partial(reference_views, order="upside down"),
                "The last five stand on their heads: columns are the last dimension.",
            ),
            Wrong(
                lambda: lambda x, height, width: reference_views(x, width, height),
                "Height and width are exchanged: rows are dimension 2, columns 3.",
            ),
            Wrong(
                lambda: lambda *of: reference_views(*of).transpose(0, 1),
                "Right views, but the images stand first: dimension 0 is to count the "
                "ten views.",
            ),
            Wrong(
                lambda: lambda *of: reference_views(*of)[:5],
                "Those are the five without their mirror images.",
            ),
        ),
    ),
    Exercise(
        number="06.4",
        form="three probabilities",
        tolerance=1e-3,
        answer=lambda: average("probabilities"),
        right="Class 1 wins by two views to one. Averaged logits would have let the "
        "one view that is surest decide.",
        hint="Make each row of logits into probabilities first (they add up to 1), "
        "then take the mean of the three rows.",
        more_hints=(
            "`logits.softmax(dim=1)` makes each row into probabilities.",
            "Then `.mean(dim=0)`: down the views, class by class.",
        ),
        wrong=(
            Wrong(
                lambda: average("logits"),
                "You averaged the logits and took the softmax afterwards. The paper "
                "averages the predictions.",
            ),
            Wrong(
                lambda: torch.tensor(LOGITS).mean(dim=0).tolist(),
                "Those are mean logits: they are no probabilities and do not add up "
                "to 1.",
            ),
            Wrong(
                lambda: torch.tensor(LOGITS).softmax(dim=1).sum(dim=0).tolist(),
                "You added and did not divide: these add up to the number of views.",
            ),
            Wrong(
                lambda: torch.tensor(LOGITS).softmax(dim=0).mean(dim=1).tolist(),
                "Your softmax runs down the views. It belongs along the classes, one "
                "view at a time.",
            ),
            Wrong(
                lambda: [1 / 3, 2 / 3, 0.0],
                "You let the views vote. An average of probabilities keeps how sure "
                "each one was.",
            ),
        ),
    ),
    Exercise(
        number="06.5",
        form="a pair of numbers (with √λ, with λ)",
        tolerance=1e-3,
        answer=lambda: (levels(0.5, 255), levels(1, 255**2)),
        right="With √λ the noise is the same 2 % of the range in any unit. With λ it "
        "would fill the range and more.",
        hint="A standard deviation is measured in grey levels, so it grows by 255 when "
        "pixels do. In what is a variance measured?",
        more_hints=(
            "√0.04 = 0.2 for pixels in 0…1. Times 255 for grey levels, times the "
            "strength 0.1.",
            "For the second number the variance grows by 255·255; the strength is the"
            " same.",
        ),
        wrong=(
            Wrong(
                lambda: (levels(0.5, 255), levels(1, 255)),
                "A variance is a mean of *squares*: with pixels 255 times larger it "
                "grows by more than 255.",
            ),
            Wrong(
                lambda: (levels(1, 255**2), levels(0.5, 255)),
                "Right numbers in the wrong order: √λ comes first.",
            ),
            Wrong(
                lambda: (levels(0.5, 1), levels(1, 1)),
                "Those are for pixels in 0…1. The question is about 0…255.",
            ),
            Wrong(
                lambda: (levels(0.5, 255), levels(1, 1)),
                "The second number is for pixels in 0…1. Noise of size λ changes with "
                "the unit, too.",
            ),
            Wrong(
                lambda: (levels(0.5, 255) * 10, levels(1, 255**2) * 10),
                "You left out the strength of the noise, 0.1.",
            ),
            Wrong(
                lambda: (levels(1, 255), levels(1, 255**2)),
                "The first number is to come from the standard deviation. What is the "
                "square root of the variance?",
            ),
        ),
    ),
    Exercise(
        number="06.6",
        form="a function of (train, test)",
        probe=centred,
        answer=lambda: reference_mean,
        right="One mean for each pixel, found on the training images alone.",
        hint="Two questions: over which dimension is the mean taken, and of which "
        "images?",
        more_hints=(
            "The mean over dimension 0, the images, leaves an image: C×H×W.",
            "It is that of `train`, and it is subtracted from `test`.",
        ),
        wrong=(
            Wrong(
                lambda: lambda train, test: test - test.mean(dim=0),
                "You used the test images' own mean. The network was trained with "
                "another zero, and of one test image alone nothing would be left.",
            ),
            Wrong(
                lambda: lambda train, test: test - train.mean(),
                "You subtracted one number. The paper's mean is an image: a number "
                "for each pixel.",
            ),
            Wrong(
                lambda: lambda train, test: test - torch.cat([train, test]).mean(dim=0),
                "You let the test images into the mean. What is learned, is learned "
                "from training images only.",
            ),
            Wrong(
                lambda: (
                    lambda train, test: test - train.mean(dim=(0, 2, 3), keepdim=True)
                ),
                "You took a mean for each channel. Many networks do; the paper's has "
                "height and width too.",
            ),
            Wrong(
                lambda: lambda train, test: train - train.mean(dim=0),
                "You centred the training images. The test images were asked for.",
            ),
        ),
    ),
)
