"""The exercises of notebook 04: AlexNet's sizes, counts, blocks, towers, rounding."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from alexnet_lab.arithmetic.accounting import ledger
from alexnet_lab.arithmetic.rules import Row
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


def conv2() -> Row:
    """A row of AlexNet's ledger; on the meta device, so that no weight is made."""
    with torch.device("meta"):
        return ledger(alexnet_2012(), (3, 227, 227))["conv2"]


def counts(depth: int = 48, kernels: int = 256, places: int = 27 * 27, bias: int = 1,
           factor: int = 1) -> tuple[int, int]:  # fmt: skip
    """Parameters and work of conv2, with a change for a wrong answer."""
    weights = 5 * 5 * depth
    return (weights + bias) * kernels, factor * places * kernels * weights


# ------------------------------------------------------------------- blocks 1 and 2
def normalise(**changed: float) -> nn.LocalResponseNorm:
    """The paper's normalisation, with a change for a wrong answer."""
    return nn.LocalResponseNorm(
        **{"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2} | changed
    )


def blocks(
    block: str = "conv relu norm pool",
    pool: Callable[[], nn.Module] = lambda: nn.MaxPool2d(kernel_size=3, stride=2),
    k: float = 2,
    padding: int = 2,
    groups: int = 2,
) -> list[nn.Module]:
    """Blocks 1 and 2, with a change for a wrong answer."""
    convolutions = (
        nn.Conv2d(3, 96, kernel_size=11, stride=4),
        nn.Conv2d(96, 256, kernel_size=5, padding=padding, groups=groups),
    )
    kinds = {"relu": nn.ReLU, "norm": lambda: normalise(k=k), "pool": pool}
    return [
        convolution if kind == "conv" else kinds[kind]()
        for convolution in convolutions
        for kind in block.split()
    ]


def accounts(layers: Any) -> tuple[Any, ...]:
    """What each layer is and does on 3×227×291; a list or an nn.Sequential."""
    net = layers if isinstance(layers, nn.Sequential) else nn.Sequential(*layers)
    rows = ledger(net, (3, 227, 291)).rows
    constants = [
        (layer.size, layer.alpha, layer.beta, layer.k)
        for layer in net
        if isinstance(layer, nn.LocalResponseNorm)
    ]
    return [(r.layer, r.output_shape, r.parameters) for r in rows], constants


# ----------------------------------------------------------------------- two towers
def whole_numbers(*shape: int) -> Tensor:
    """Small whole numbers: their products and sums are exact in any order."""
    return torch.randint(-4, 5, shape).float()


def results(function: Any, *settings: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """The shapes and values that a function gives; None if it gives nothing."""
    outs = [function(*setting) for setting in settings]
    if all(out is None for out in outs):
        return None
    return tuple((tuple(out.shape), out.flatten()) for out in outs)


def on_lopsided_maps(split: Any) -> tuple[Any, ...] | None:
    """A split convolution: height, width, kernel, stride and padding all differ."""
    settings = [(6, 10, (3, 5), (2, 1), (0, 2)), (4, 6, (5, 3), (1, 3), (2, 1))]
    return results(
        split,
        *(
            (
                whole_numbers(3, channels, 9, 11),
                whole_numbers(kernels, channels // 2, *kernel_size),
                whole_numbers(kernels),
                stride,
                padding,
            )
            for channels, kernels, kernel_size, stride, padding in settings
        ),
    )


def two_towers(maps, weight, bias, stride, padding):
    """Each tower's maps, with each tower's kernels and biases."""
    towers = zip(maps.chunk(2, dim=1), weight.chunk(2), bias.chunk(2), strict=True)
    outs = [F.conv2d(m, w, b, stride, padding) for m, w, b in towers]
    return torch.cat(outs, dim=1)


def unpadded(maps, weight, bias, stride, padding):
    return two_towers(maps, weight, bias, stride, 0)


def unstrided(maps, weight, bias, stride, padding):
    return two_towers(maps, weight, bias, 1, padding)


def plain(maps, weight, bias, stride, padding):
    return two_towers(maps, weight, bias, 1, 0)


def unbiased(maps, weight, bias, stride, padding):
    return two_towers(maps, weight, torch.zeros_like(bias), stride, padding)


def crossed(maps, weight, bias, stride, padding):
    return two_towers(maps.roll(maps.shape[1] // 2, 1), weight, bias, stride, padding)


def both_read_the_first(maps, weight, bias, stride, padding):
    first = maps[:, : maps.shape[1] // 2].repeat(1, 2, 1, 1)
    return two_towers(first, weight, bias, stride, padding)


def first_kernels_twice(maps, weight, bias, stride, padding):
    weight, bias = (torch.cat([t[: len(t) // 2]] * 2) for t in (weight, bias))
    return two_towers(maps, weight, bias, stride, padding)


def every_other_channel(maps, weight, bias, stride, padding):
    maps = torch.cat([maps[:, 0::2], maps[:, 1::2]], dim=1)
    return two_towers(maps, weight, bias, stride, padding)


def added(maps, weight, bias, stride, padding):
    return sum(two_towers(maps, weight, bias, stride, padding).chunk(2, dim=1))


def stacked(maps, weight, bias, stride, padding):
    return torch.cat(two_towers(maps, weight, bias, stride, padding).chunk(2, dim=1))


def depth_halved(maps, weight, bias, stride, padding):
    halves = zip(maps.chunk(2, 1), weight.chunk(2, 1), bias.chunk(2), strict=True)
    return torch.cat([F.conv2d(m, w, b, stride, padding) for m, w, b in halves], dim=1)


def all_maps_to_each(maps, weight, bias, stride, padding):
    towers = zip(weight.chunk(2), bias.chunk(2), strict=True)
    outs = [F.conv2d(maps, w, b, stride, padding) for w, b in towers]
    return torch.cat(outs, dim=1)


def conv4_only(maps, weight, bias, stride, padding):
    first = F.conv2d(maps[:, :192], weight[:192], bias[:192], stride, padding)
    second = F.conv2d(maps[:, 192:], weight[192:], bias[192:], stride, padding)
    return torch.cat([first, second], dim=1)


# --------------------------------------------------------------------- rounding up
def on_lopsided_pictures(convolution: Any) -> tuple[Any, ...] | None:
    """A convolution that rounds up, where it has to in one direction, both, or none."""
    sizes = [(14, 18, 4), (15, 10, 3), (11, 13, 4), (12, 15, 2)]
    return results(
        convolution,
        *(
            (whole_numbers(3, 2, height, width), whole_numbers(4, 2, 3, 5), stride)
            for height, width, stride in sizes
        ),
    )


def left_over(pictures, kernels, stride):
    """What a floor leaves unread, (height, width)."""
    down, across = pictures.shape[2:]
    high, wide = kernels.shape[2:]
    return (down - high) % stride, (across - wide) % stride


def rounding_up(pictures, kernels, stride):
    """A convolution whose last window may hang over the edge, onto zeros."""
    last = stride - 1  # zeros for the longest rest; the floor takes what is too many
    return F.conv2d(F.pad(pictures, (0, last, 0, last)), kernels, stride=stride)


def rounding_down(pictures, kernels, stride):
    return F.conv2d(pictures, kernels, stride=stride)


def zeros_before(pictures, kernels, stride):
    down, right = (-rest % stride for rest in left_over(pictures, kernels, stride))
    return F.conv2d(F.pad(pictures, (right, 0, down, 0)), kernels, stride=stride)


def height_first(pictures, kernels, stride):
    down, right = (-rest % stride for rest in left_over(pictures, kernels, stride))
    return F.conv2d(F.pad(pictures, (0, down, 0, right)), kernels, stride=stride)


def rest_as_zeros(pictures, kernels, stride):
    down, right = left_over(pictures, kernels, stride)
    return F.conv2d(F.pad(pictures, (0, right, 0, down)), kernels, stride=stride)


def always_one_more(pictures, kernels, stride):
    return rounding_down(F.pad(pictures, (0, stride, 0, stride)), kernels, stride)


def always_three(pictures, kernels, stride):
    return rounding_down(F.pad(pictures, (0, 3, 0, 3)), kernels, stride)


def all_around(pictures, kernels, stride):
    return F.conv2d(pictures, kernels, stride=stride, padding=stride - 1)


EXERCISES = (
    Exercise(
        number="04.1",
        form="a pair of integers (height after conv1, features)",
        answer=lambda: height_and_features(224),
        right="A floor loses one row and one column at every stage, and fc6 would have "
        "to be built for fewer features.",
        hint="Take it one line at a time: conv1, then the three pools, each rounded "
        "down; the convolutions between them keep the size. Then channels times "
        "height times width.",
        more_hints=(
            "output_size(224, kernel_size=11, stride=4) is the height after conv1. "
            "Feed it to output_size(…, kernel_size=3, stride=2), once for each pool.",
            "pool3 gives 256 maps; the features are 256 times its height, squared.",
        ),
        wrong=(
            Wrong(
                lambda: height_and_features(227),
                "Those are the paper's numbers. PyTorch floors; which input makes the "
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
        form="a pair of integers (parameters, multiply-accumulates)",
        answer=lambda: (conv2().parameters, conv2().macs),
        right="256 kernels have 5·5·48 weights and a bias each, and the weights are "
        "used at 27·27 positions.",
        hint="One kernel first: height times width times depth, plus its bias. How "
        "many kernels are there? And at how many positions of conv2's map is "
        "each weight used?",
        more_hints=(
            "The table of section 1 has the depth: a kernel is 5×5×48. Each of the 256 "
            "has one bias, which is added and not multiplied.",
            "The ladder has conv2's map: 27 by 27. So: (5 * 5 * depth + 1) * kernels, "
            "and 27 * 27 * kernels * 5 * 5 * depth.",
        ),
        wrong=(
            Wrong(
                lambda: counts(depth=96),
                "Your kernels read all 96 channels. How deep are the paper's?",
            ),
            Wrong(
                lambda: counts(depth=96, bias=0),
                "Your kernels read all 96 channels, and you forgot the biases.",
            ),
            Wrong(
                lambda: counts(bias=0),
                "The work is right. Among the parameters you forgot the biases.",
            ),
            Wrong(
                lambda: counts(kernels=128),
                "You counted the kernels of one tower only.",
            ),
            Wrong(
                lambda: (counts()[0], conv2().connections),
                "The parameters are right. Biases are added, not multiplied: the work "
                "leaves them out.",
            ),
            Wrong(
                lambda: counts(places=1),
                "The parameters are right. At how many positions is each weight used?",
            ),
            Wrong(
                lambda: counts(places=27),
                "The parameters are right. You counted one row of the map; a map has "
                "height and width.",
            ),
            Wrong(
                lambda: counts(places=55 * 55),
                "The parameters are right. Your positions are those of conv1's map; "
                "there is a pool between.",
            ),
            Wrong(
                lambda: counts(places=23 * 23),
                "The parameters are right. You forgot the padding: which size comes "
                "out of conv2?",
            ),
            Wrong(
                lambda: counts(factor=2),
                "The parameters are right, your work is twice too much: do your "
                "kernels read both towers, or did you count additions apart?",
            ),
            Wrong(
                lambda: counts(depth=1),
                "Your kernels are flat: a kernel has a slice for each channel that it "
                "reads.",
            ),
            Wrong(
                lambda: counts()[::-1],
                "Both numbers are right, but the question asks for the parameters "
                "first.",
            ),
        ),
    ),
    Exercise(
        number="04.3",
        form="a list of layers",
        probe=accounts,
        answer=blocks,
        right="Two blocks of convolution, ReLU, normalisation, overlapping pool; each "
        "tower of conv2 reads its own channels.",
        hint="Print ledger(nn.Sequential(*blocks_04_3), (3, 227, 227)) and hold it "
        "against the tables of section 1: kinds of layers, their order, sizes, "
        "parameters.",
        more_hints=(
            "Each block is nn.Conv2d, nn.ReLU, nn.LocalResponseNorm, nn.MaxPool2d. A "
            "pool steps by its own width unless you give it a stride.",
            "conv2 is nn.Conv2d(96, 256, kernel_size=5, padding=…, groups=…): which "
            "padding keeps 27, and how many groups make the depth 48?",
        ),
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
                lambda: blocks(pool=lambda: nn.MaxPool2d(kernel_size=2, stride=2)),
                "The sizes are right, but your pools don't overlap. How large are the "
                "paper's?",
            ),
            Wrong(
                lambda: blocks(pool=lambda: nn.MaxPool2d(kernel_size=3)),
                "Your pools step by 3: without a stride, a pool steps by its own "
                "width.",
            ),
            Wrong(
                lambda: blocks(pool=lambda: nn.AvgPool2d(kernel_size=3, stride=2)),
                "Sizes and parameters are right, but your pools take the mean. The "
                "paper's take the maximum.",
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
                "The ReLUs are missing: they follow every layer except the last.",
            ),
            Wrong(
                lambda: blocks()[:4],
                "Block 1 is right. Block 2 is still missing.",
            ),
        ),
    ),
    Exercise(
        number="04.4",
        form="a function of (maps, weight, bias, stride, padding)",
        probe=on_lopsided_maps,
        answer=lambda: two_towers,
        right="Two convolutions that share nothing, side by side: that is all that "
        "groups=2 means.",
        hint="The shape or the values differ from those of groups=2. Check what each "
        "tower gets: its half of the maps, its half of the kernels, its half of "
        "the biases, and the stride and the padding as given.",
        more_hints=(
            "maps.chunk(2, dim=1) halves the channels. The kernels are counted by the "
            "first dimension of weight, as the biases are by that of bias.",
            "left = F.conv2d(maps.chunk(2, dim=1)[0], weight.chunk(2)[0], "
            "bias.chunk(2)[0], stride, padding), right alike; then torch.cat along "
            "the channels.",
        ),
        wrong=(
            Wrong(lambda: unpadded, "Your towers lost the padding."),
            Wrong(lambda: unstrided, "Your towers lost the stride."),
            Wrong(lambda: plain, "Your towers lost both the stride and the padding."),
            Wrong(lambda: unbiased, "Your towers lost the biases."),
            Wrong(lambda: crossed, "Each of your towers reads the other one's maps."),
            Wrong(
                lambda: both_read_the_first,
                "The first tower is right, but the second one reads the first one's "
                "maps.",
            ),
            Wrong(
                lambda: first_kernels_twice,
                "The first tower is right, but the second one has the first one's "
                "kernels.",
            ),
            Wrong(
                lambda: every_other_channel,
                "Your towers take turns with the channels. Each one has a half in one "
                "piece.",
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
            Wrong(
                lambda: all_maps_to_each,
                "Each of your towers gets all the maps. What does one card hold?",
            ),
            Wrong(
                lambda: conv4_only,
                "Your first convolution gets every map and every kernel. Halve both; "
                "192 is the half of conv4 only.",
            ),
        ),
    ),
    Exercise(
        number="04.5",
        form="a function of (pictures, kernels, stride)",
        probe=on_lopsided_pictures,
        answer=lambda: rounding_up,
        right="Enough zeros on the right and below, and PyTorch's floor gives what the "
        "ceiling gave in 2012.",
        hint="Your shape or values differ from those of 2012. How many pixels are left "
        "over, downwards and across, and how many zeros complete the last window?",
        more_hints=(
            "F.pad(pictures, (left, right, top, bottom)): width first. Nothing on the "
            "left and on top.",
            "At most stride - 1 zeros are missing. More than needed, as long as they "
            "are fewer than a stride, do no harm: the floor drops them.",
        ),
        wrong=(
            Wrong(
                lambda: rounding_down,
                "That rounds down, as PyTorch does: what is left over stays unread.",
            ),
            Wrong(
                lambda: zeros_before,
                "Your zeros stand on the left and on top: that shifts every window. In "
                "2012 the *last* window hung over the edge.",
            ),
            Wrong(
                lambda: all_around,
                "You put zeros all around: that shifts every window. In 2012 only the "
                "last one read zeros.",
            ),
            Wrong(
                lambda: height_first,
                "Height and width have changed places: F.pad begins with the *last* "
                "dimension.",
            ),
            Wrong(
                lambda: rest_as_zeros,
                "You add as many zeros as pixels are left over. How many does the last "
                "window lack?",
            ),
            Wrong(
                lambda: always_one_more,
                "A whole stride of zeros: where the division comes out even, that "
                "gives one window too many.",
            ),
            Wrong(
                lambda: always_three,
                "Three zeros are AlexNet's, at stride 4. How many can be missing at "
                "any other stride?",
            ),
        ),
    ),
    Exercise(
        number="04.6",
        form="an integer",
        answer=lambda: max(n for n in range(200, 300) if last_map(n) == 6),
        right="From 227 on, 32 sizes give 6×6: as many as the distance between two "
        "neighbours of pool3, measured in pixels of the image.",
        hint="Which is the smallest picture that gives 7×7? smallest() can tell.",
        more_hints=(
            "One pixel less than that picture no longer gives 7×7. What does it give?",
            "smallest(7) is the first that is too large for fc6.",
        ),
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
)
