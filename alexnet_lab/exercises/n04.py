"""The exercises of notebook 04: AlexNet's sizes, parameters, work, blocks, towers."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_lab.arithmetic.accounting import ledger
from alexnet_lab.arithmetic.sizes import output_size
from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.models import alexnet_2012


def after_the_pools(size: int, pools: int = 3) -> int:
    """What the pools of 3 at stride 2 leave; conv2 to conv5 keep the size."""
    for _ in range(pools):
        size = output_size(size, kernel_size=3, stride=2)
    return size


def last_map(size: int) -> int:
    """The height of pool3's maps for an image of this size."""
    return after_the_pools(output_size(size, kernel_size=11, stride=4))


def height_and_features(size: int) -> tuple[int, int]:
    """The height of conv1's maps, and the features that reach the Flatten."""
    return output_size(size, kernel_size=11, stride=4), 256 * last_map(size) ** 2


def row(name: str) -> Any:
    """A row of AlexNet's ledger; on the meta device, so that no weight is made."""
    with torch.device("meta"):
        return ledger(alexnet_2012(), (3, 227, 227))[name]


def normalise(**changed: float) -> nn.LocalResponseNorm:
    """The paper's normalisation, with a change for a wrong answer."""
    return nn.LocalResponseNorm(
        **{"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2} | changed
    )


def blocks(
    block: str = "conv relu norm pool",
    pool: int = 3,
    k: float = 2,
    padding: int = 2,
    groups: int = 2,
) -> list[nn.Module]:
    """Blocks 1 and 2, with a change for a wrong answer."""
    convolutions = (
        nn.Conv2d(3, 96, kernel_size=11, stride=4),
        nn.Conv2d(96, 256, kernel_size=5, padding=padding, groups=groups),
    )
    kinds = {
        "relu": nn.ReLU,
        "norm": lambda: normalise(k=k),
        "pool": lambda: nn.MaxPool2d(kernel_size=pool, stride=2),
    }
    return [
        convolution if kind == "conv" else kinds[kind]()
        for convolution in convolutions
        for kind in block.split()
    ]


def accounts(layers: Any) -> tuple[Any, ...]:
    """What each layer is and does on 3×227×227; a list or an nn.Sequential."""
    net = layers if isinstance(layers, nn.Sequential) else nn.Sequential(*layers)
    rows = ledger(net, (3, 227, 227)).rows
    constants = [
        (layer.alpha, layer.beta, layer.k)
        for layer in net
        if isinstance(layer, nn.LocalResponseNorm)
    ]
    return [(r.layer, r.output_shape, r.parameters) for r in rows], constants


def whole_numbers(*shape: int) -> Tensor:
    """Small whole numbers: their products and sums are exact in any order."""
    return torch.randint(-4, 5, shape).float()


def on_small_maps(split: Any) -> tuple[Any, ...]:
    """The shape and the values of a split convolution on maps of 3×3."""
    out = split(
        whole_numbers(1, 384, 3, 3), whole_numbers(384, 192, 3, 3), whole_numbers(384)
    )
    return None if out is None else (tuple(out.shape), out.flatten())


def two_towers(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Each tower's maps, with each tower's kernels and biases."""
    towers = zip(maps.chunk(2, dim=1), weight.chunk(2), bias.chunk(2), strict=True)
    return torch.cat([F.conv2d(m, w, b, padding=1) for m, w, b in towers], dim=1)


def unpadded(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The padding forgotten."""
    towers = zip(maps.chunk(2, dim=1), weight.chunk(2), bias.chunk(2), strict=True)
    return torch.cat([F.conv2d(m, w, b) for m, w, b in towers], dim=1)


def unbiased(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The biases forgotten."""
    return two_towers(maps, weight, torch.zeros_like(bias))


def crossed(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Each tower reads the other's maps."""
    return two_towers(maps.roll(192, dims=1), weight, bias)


def both_read_the_first(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The second tower reads the first one's maps."""
    return two_towers(maps[:, :192].repeat(1, 2, 1, 1), weight, bias)


def added(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The towers' outputs added instead of put side by side."""
    return sum(two_towers(maps, weight, bias).chunk(2, dim=1))


def stacked(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The towers' outputs put one after the other as if they were images."""
    return torch.cat(two_towers(maps, weight, bias).chunk(2, dim=1))


def depth_halved(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The weights split along their depth, which raises an error."""
    halves = zip(maps.chunk(2, 1), weight.chunk(2, 1), bias.chunk(2), strict=True)
    return torch.cat([F.conv2d(m, w, b, padding=1) for m, w, b in halves], dim=1)


EXERCISES = (
    Exercise(
        number="04.1",
        form="a pair of integers (height after conv1, features)",
        answer=lambda: height_and_features(224),
        right="The 55 is the paper's figure; a floor loses one row and column at every "
        "stage, and fc6 would have to be built for fewer features.",
        hint="Take it one line at a time: conv1, then the three pools, each rounded "
        "down; the convolutions between them keep the size. Then channels times "
        "height times width.",
        wrong=(
            Wrong(
                lambda: height_and_features(227),
                "Those are the paper's figures. PyTorch floors; which input makes the "
                "division come out even?",
            ),
            Wrong(
                lambda: (height_and_features(224)[0], height_and_features(227)[1]),
                "The height is right, but your features are those of the paper. Go "
                "down the whole ladder again, from your height.",
            ),
            Wrong(
                lambda: (height_and_features(227)[0], height_and_features(224)[1]),
                "The features are right, but your height is the paper's. It can't "
                "lead to them if every division is rounded down.",
            ),
            Wrong(
                lambda: (height_and_features(224)[0], last_map(224) ** 2),
                "The height is right. Your features are those of a single map; how "
                "many maps does pool3 hand on?",
            ),
            Wrong(
                lambda: (height_and_features(224)[0] - 1, height_and_features(224)[1]),
                "Your height counts the steps of the window. How many windows stand "
                "at the ends of them?",
            ),
            Wrong(
                lambda: (
                    height_and_features(224)[0],
                    256 * after_the_pools(output_size(224, 11, 4), pools=2) ** 2,
                ),
                "The height is right, but you forgot the last pool.",
            ),
        ),
    ),
    Exercise(
        number="04.2",
        form="an integer",
        answer=lambda: row("conv2").parameters,
        right="256 kernels, each 5·5·48 weights and a bias.",
        hint="One kernel first: height times width times depth, plus its bias. Then "
        "count the kernels.",
        wrong=(
            Wrong(
                lambda: (5 * 5 * 96 + 1) * 256,
                "Your kernels read all 96 channels. How deep are the paper's?",
            ),
            Wrong(
                lambda: 5 * 5 * 96 * 256,
                "Your kernels read all 96 channels, and you forgot the biases.",
            ),
            Wrong(lambda: 5 * 5 * 48 * 256, "You forgot the biases."),
            Wrong(
                lambda: (5 * 5 * 48 + 1) * 128,
                "You counted the kernels of one tower only.",
            ),
            Wrong(
                lambda: (5 * 5 + 1) * 48 * 256,
                "You gave every slice of a kernel its own bias; a kernel has one.",
            ),
            Wrong(
                lambda: (5 * 5 + 1) * 256,
                "Your kernels are flat: a kernel has a slice for each channel that it "
                "reads.",
            ),
        ),
    ),
    Exercise(
        number="04.3",
        form="an integer",
        answer=lambda: row("conv3").macs,
        right="13·13 positions times the layer's weights, without its biases.",
        hint="How many positions does the map that comes out have? How many kernels "
        "are there, and how many weights does each have?",
        wrong=(
            Wrong(
                lambda: row("conv3").macs // 2,
                "You gave the kernels half the depth. Is conv3 among the layers that "
                "read one tower only?",
            ),
            Wrong(
                lambda: row("conv3").macs // 13**2,
                "Those are the weights. At how many positions is each of them used?",
            ),
            Wrong(
                lambda: row("conv3").macs // 13,
                "You counted one row of the map; a map has height and width.",
            ),
            Wrong(
                lambda: row("conv3").connections,
                "You counted the biases. They are added, not multiplied.",
            ),
            Wrong(
                lambda: 2 * row("conv3").macs,
                "You counted multiplications and additions apart; together they are "
                "one multiply-accumulate.",
            ),
            Wrong(
                lambda: 13 * 13 * 384 * 3 * 3 * 384,
                "Your kernels are as deep as the output. They read the channels of "
                "the *input*.",
            ),
            Wrong(
                lambda: 11 * 11 * 384 * 3 * 3 * 256,
                "You forgot the padding: which size comes out of conv3?",
            ),
        ),
    ),
    Exercise(
        number="04.4",
        form="a list of layers",
        probe=accounts,
        answer=blocks,
        right="Two blocks of convolution, ReLU, normalisation, overlapping pool; each "
        "tower of conv2 reads its own channels.",
        hint="Print ledger(nn.Sequential(*blocks_04_4), (3, 227, 227)) and hold it "
        "against the tables of section 1: kinds of layers, their order, sizes, "
        "parameters.",
        wrong=(
            Wrong(
                lambda: blocks(groups=1),
                "Your conv2 reads every channel. The paper's kernels are 5×5×48.",
            ),
            Wrong(
                lambda: blocks(padding=0),
                "Your conv2 makes its maps smaller. What keeps 27 at 27?",
            ),
            Wrong(
                lambda: blocks(padding=0, groups=1),
                "Your conv2 makes its maps smaller and reads every channel: two "
                "settings are missing.",
            ),
            Wrong(
                lambda: blocks(pool=2),
                "The sizes are right, but your pools don't overlap. How large are the "
                "paper's?",
            ),
            Wrong(
                lambda: blocks(k=1),
                "Your normalisation has PyTorch's own k, not the paper's.",
            ),
            Wrong(
                lambda: blocks("conv norm relu pool"),
                "Sizes and parameters are right, but you normalise before the ReLU. "
                "Then negative values count as strong neighbours.",
            ),
            Wrong(
                lambda: blocks("conv relu pool norm"),
                "Sizes and parameters are right, but you normalise after the pool.",
            ),
            Wrong(
                lambda: blocks("conv relu pool"),
                "The normalisations are missing. They have no parameters and change "
                "no size, so that nothing else tells you.",
            ),
            Wrong(
                lambda: blocks("conv norm pool"),
                "The ReLUs are missing: they follow every layer but the last.",
            ),
            Wrong(
                lambda: blocks()[:4],
                "Block 1 is right. Block 2 is still missing.",
            ),
        ),
    ),
    Exercise(
        number="04.5",
        form="an integer",
        answer=lambda: max(n for n in range(200, 300) if last_map(n) == 6),
        right="From 227 on, 32 sizes give 6×6: as many as the distance between two "
        "neighbours of pool3, measured in pixels of the image.",
        hint="Which is the smallest picture that gives 7×7? smallest() can tell.",
        wrong=(
            Wrong(
                lambda: min(n for n in range(200, 300) if last_map(n) == 6),
                "That is the smallest one. How much may be left over, at every stage?",
            ),
            Wrong(
                lambda: min(n for n in range(200, 300) if last_map(n) == 7),
                "One too many: that one gives the next larger map.",
            ),
            Wrong(
                lambda: max(n for n in range(200, 300) if output_size(n, 11, 4) == 55),
                "You used what conv1 may leave over. The three pools may leave "
                "something, too.",
            ),
            Wrong(
                lambda: min(
                    n
                    for n in range(200, 300)
                    if after_the_pools(output_size(n, 11, 4), pools=2) == 14
                ),
                "You used what pool3 may leave over. The stages before it may leave "
                "something, too.",
            ),
        ),
    ),
    Exercise(
        number="04.6",
        form="a function of (maps, weight, bias)",
        probe=on_small_maps,
        answer=lambda: two_towers,
        right="Two convolutions that share nothing, side by side: that is all that "
        "groups=2 means.",
        hint="The shape or the values differ from those of groups=2. Check what each "
        "tower gets: its half of the maps, its half of the kernels, its half of "
        "the biases, and padding=1.",
        wrong=(
            Wrong(lambda: unpadded, "Your towers lost the padding."),
            Wrong(lambda: unbiased, "Your towers lost the biases."),
            Wrong(lambda: crossed, "Each of your towers reads the other one's maps."),
            Wrong(
                lambda: both_read_the_first,
                "The first tower is right, but the second one reads the first one's "
                "maps.",
            ),
            Wrong(
                lambda: added,
                "You added the towers. Their maps stand side by side, as channels.",
            ),
            Wrong(
                lambda: stacked,
                "You put the towers together along the batch. Which dimension holds "
                "the channels?",
            ),
            Wrong(
                lambda: depth_halved,
                "You split the weights along their depth. Their depth is that of one "
                "tower already; which dimension counts the kernels?",
            ),
        ),
    ),
)
