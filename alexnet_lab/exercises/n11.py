"""The exercises of notebook 11: leaks, a new last layer, scores, all of AlexNet."""

from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from alexnet_lab.arithmetic import as_sequential, ledger
from alexnet_lab.arithmetic.layers import times
from alexnet_lab.arithmetic.rules import Row
from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.exercises.running import Diagnosis
from alexnet_lab.models import alexnet_2012
from alexnet_lab.models.modern import changed

Count = Callable[[Tensor, Tensor], Any]
IMAGE = (3, 227, 227)
CLASSES = 7
# 11.4: the pictures that the network from the forum shall read.
HIGH, WIDE = 48, 64


# -------------------------------------------------------------------------- 11.1: leaks
def leaks(train: Tensor, test: Tensor) -> int:
    """Test pictures that are training pictures, too, as they are or mirrored."""
    known = {picture.numpy().tobytes() for picture in torch.cat([train, train.flip(3)])}
    return sum(picture.numpy().tobytes() in known for picture in test)


def pairs(train: Tensor, test: Tensor) -> int:
    """Pairs of equal pictures, of which there are more where training repeats one."""
    both = torch.cat([train, train.flip(3)])
    return int((test[:, None] == both).flatten(2).all(dim=2).sum())


def plain_leaks(train: Tensor, test: Tensor) -> int:
    """The mirrored ones forgotten."""
    known = {picture.numpy().tobytes() for picture in train}
    return sum(picture.numpy().tobytes() in known for picture in test)


def upside_down(train: Tensor, test: Tensor) -> int:
    """Flipped along the height."""
    known = {picture.numpy().tobytes() for picture in torch.cat([train, train.flip(2)])}
    return sum(picture.numpy().tobytes() in known for picture in test)


def distinct(train: Tensor, test: Tensor) -> int:
    """A picture that stands twice in the test set counted once."""
    known = {picture.numpy().tobytes() for picture in torch.cat([train, train.flip(3)])}
    return len(known & {picture.numpy().tobytes() for picture in test})


def share(train: Tensor, test: Tensor) -> float:
    """The share instead of the number."""
    return leaks(train, test) / len(test)


def on_two_folders(count: Count) -> tuple[Any, ...]:
    """What it counts in two small sets of pictures, higher than wide and wider."""
    return tuple(count(*drawn(*sides)) for sides in ((5, 3), (4, 6)))


def drawn(high: int, wide: int) -> tuple[Tensor, Tensor]:
    """Training and test pictures that share some, in every way that matters."""
    train = torch.randint(256, (6, 3, high, wide)).byte()
    test = torch.randint(256, (9, 3, high, wide)).byte()
    train[3] = train[2]  # training holds one twice
    test[0] = test[1] = train[2]  # the test set, too
    test[3], test[4] = train[4].flip(2), train[1].flip(1)  # mirrored, upside down
    if wide > high:
        test[8] = train[5].flip(2)
    test[5] = train[0]
    test[5, 0, 0, 0] ^= 1  # nearly
    return train, test


# ------------------------------------------------------------ 11.2: five lines in order
def what_learns(order: str) -> str:
    """What a program in this order trains, or where it stops."""
    letters = "".join(letter for letter in order.upper() if letter.isalpha())
    if sorted(letters) != sorted("ABCDE"):
        raise Diagnosis('Use each of the five letters once, as in "ABCDE".')
    if letters[0] != "C":
        return "there is no network yet"
    if letters.index("A") < letters.index("E"):
        return "the weights do not fit"
    frozen: dict[str, bool] = dict.fromkeys(("rest", "old fc8"), False)
    optimised: list[str] = []
    for letter in letters:
        if letter == "A":
            del frozen["old fc8"]
            frozen["new fc8"] = False
        elif letter == "B":
            frozen = dict.fromkeys(frozen, True)
        elif letter == "D":
            optimised = [name for name, fixed in frozen.items() if not fixed]
            if not optimised:
                return "the optimizer gets nothing"
    if all(frozen.values()):
        return "backward stops"
    learns = [name for name in optimised if name in frozen and not frozen[name]]
    return f"learns: {', '.join(learns) or 'nothing'}"


# -------------------------------------------------------------- 11.3: every class alike
def balanced(predicted: Tensor, labels: Tensor) -> float:
    """The mean of each class's recognised share."""
    shares = [(predicted[labels == c] == c).float().mean() for c in labels.unique()]
    return torch.stack(shares).mean().item()


def plain_accuracy(predicted: Tensor, labels: Tensor) -> float:
    """All pictures alike."""
    return (predicted == labels).float().mean().item()


def precision(predicted: Tensor, labels: Tensor) -> float:
    """The share of a class's *answers* that is right."""
    shares = [(labels[predicted == c] == c).float().mean() for c in predicted.unique()]
    return torch.stack(shares).mean().item()


def absent_as_zero(predicted: Tensor, labels: Tensor) -> float:
    """A class without a test picture counted as one that is never recognised."""
    return (
        balanced(predicted, labels) * len(labels.unique()) / (labels.max() + 1).item()
    )


def summed(predicted: Tensor, labels: Tensor) -> float:
    """The sum of the shares."""
    return balanced(predicted, labels) * len(labels.unique())


def worst(predicted: Tensor, labels: Tensor) -> float:
    """The least of the shares."""
    shares = [(predicted[labels == c] == c).float().mean() for c in labels.unique()]
    return torch.stack(shares).min().item()


def on_lopsided_tests(score: Count) -> tuple[Any, ...]:
    """What it gives on two lopsided sets; in the first, class 2 has no picture."""
    results = []
    for counts in ((40, 7, 0, 3), (5, 60, 11)):
        labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        labels = labels[torch.randperm(len(labels))]
        noise = torch.randint(len(counts), labels.shape)
        kept = torch.rand(labels.shape) < 0.5
        predicted = torch.where(kept | (labels == labels[0]), labels, noise)
        results.append(score(predicted, labels))
    return tuple(results)


# ----------------------------------------------------------------- 11.4: from the forum
def forum(high: int, wide: int, convolutions: bool = True, pools: int = 2) -> int:
    """The numbers that reach the forum's first linear layer."""
    size = 5 if convolutions else 1
    layers: list[nn.Module] = []
    for number, (channels, maps) in enumerate(((3, 16), (16, 32))):
        layers += [nn.Conv2d(channels, maps, size), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if number < pools else []
    net = nn.Sequential(*layers, nn.Flatten())
    return ledger(net, (3, high, wide)).rows[-1].output_shape[0]


# ----------------------------------------------------------------- 11.5: all of AlexNet
@cache
def paper() -> tuple[Row, ...]:
    """The rows of AlexNet for a few classes; no weight is made."""
    with torch.device("meta"):
        return ledger(alexnet_2012(num_classes=CLASSES), IMAGE).rows


def layer_by_layer(build: Any) -> list[tuple[Any, ...]] | None:
    """What each layer is and gives; a `Diagnosis` names the first that differs."""
    if isinstance(build, nn.Module):
        raise Diagnosis("That is a network. Give the function that builds it.")
    with torch.device("meta"):
        net = build(CLASSES)
    if net is None:
        return None
    if not isinstance(net, nn.Sequential):
        net = as_sequential(net, IMAGE)
    layers = [module for module in net.modules() if not any(module.children())]
    if layers == [net]:
        raise Diagnosis("The network holds no layer yet.")
    done = []
    for layer, row in zip(layers, paper(), strict=False):
        if what := difference(layer, row):
            raise Diagnosis(f"{_right(done)}Layer {len(done) + 1}, {row.name}: {what}.")
        done.append((row.layer, row.output_shape, row.parameters))
    if len(layers) != len(paper()):
        more = "one more follows" if len(layers) > len(done) else "more is due"
        raise Diagnosis(f"{_right(done)}After them {more}.")
    return done


def _right(done: list[Any]) -> str:
    if len(done) < 2:
        return "The first layer is right. " if done else ""
    return f"The first {len(done)} layers are right. "


def difference(layer: nn.Module, row: Row) -> str:
    """How a layer differs from the paper's in its place; empty if it doesn't."""
    kinds = nn.LocalResponseNorm if "Norm" in row.layer else type(row.module)
    if not isinstance(layer, kinds):
        kind = type(layer).__name__
        return f"yours is {_article(kind)} {kind}, where a different kind is due"
    try:
        own = ledger(layer, row.input_shape).rows[0]
    except ValueError as error:
        return str(error).split("\n")[0].rstrip(".")
    if own.output_shape != row.output_shape:
        due = times(*row.output_shape)
        return f"it gives {times(*own.output_shape)}, where {due} is due"
    if own.parameters != row.parameters:
        return f"{own.parameters:,} parameters, where {row.parameters:,} are due"
    same = own.layer.split(" ", 1)[1:] == row.layer.split(" ", 1)[1:]
    if not same or _constants(layer) != _constants(row.module):
        return "size and parameters are right, but not all of its settings"
    return ""


def _article(noun: str) -> str:
    return "an" if noun[0] in "AEIOL" and noun[:3] != "Lin" else "a"


def _constants(layer: nn.Module) -> list[Any]:
    return [getattr(layer, name, None) for name in ("p", "alpha", "beta", "k")]


def with_changes(**edits: Callable[[], Any] | None) -> Callable[[], Any]:
    """A builder of AlexNet with some layers left out or exchanged, for a wrong one."""

    def build(num_classes: int) -> nn.Sequential:
        made = {name: make() if make else None for name, make in edits.items()}
        return changed(alexnet_2012(num_classes=num_classes), **made)

    return lambda: build


def _drop_before() -> dict[str, nn.Module]:
    return OrderedDict(flatten=nn.Flatten(), drop=nn.Dropout())


def _more(last: nn.Module) -> Callable[[], dict[str, nn.Module]]:
    return lambda: OrderedDict(fc8=nn.Linear(4096, CLASSES), last=last)


EXERCISES = (
    Exercise(
        number="11.1",
        form="a function of (train, test)",
        probe=on_two_folders,
        answer=lambda: leaks,
        right="Each of these would have been scored as something new, though the "
        "network has learned it by heart.",
        hint="Go through the test pictures one by one: is this one among the training "
        "pictures, or among their mirror images?",
        more_hints=(
            "A picture's bytes, `picture.numpy().tobytes()`, can be kept in a set. Put "
            "those of `train` and of `train.flip(-1)` into one.",
            "known = {…}; return sum(picture.numpy().tobytes() in known for picture in "
            "test)",
        ),
        wrong=(
            Wrong(
                lambda: pairs,
                "You count pairs. A training picture that stands there twice makes "
                "no second leak of one test picture.",
            ),
            Wrong(lambda: plain_leaks, "The mirrored ones are missing."),
            Wrong(
                lambda: upside_down,
                "You turn pictures upside down. Which dimension of N×3×H×W runs from "
                "left to right?",
            ),
            Wrong(
                lambda: distinct,
                "You count different pictures. One that stands twice among the test "
                "pictures is scored twice.",
            ),
            Wrong(lambda: share, "That is the share. The number is asked for."),
        ),
    ),
    Exercise(
        number="11.2",
        form='five letters, as in "ABCDE"',
        probe=what_learns,
        answer=lambda: "CEBAD",
        right="A new layer is trainable, so it comes after the freezing; and the "
        "optimizer comes last, for it keeps what it is given.",
        hint="Go through your order line by line. Which layers exist, which are "
        "frozen, and which does the optimizer hold?",
        more_hints=(
            "The recorded weights have seven rows in fc8, so they fit only the network "
            "as it was.",
            "Build, load, freeze: these three come first.",
        ),
        wrong=(
            Wrong(
                lambda: "ECBAD",
                "Your first line speaks of a network that isn't built yet.",
            ),
            Wrong(
                lambda: "CAEBD",
                "load_state_dict stops: the weights of seven classes do not fit a "
                "layer of three.",
            ),
            Wrong(
                lambda: "CEABD",
                "The optimizer gets an empty list: at that moment every layer is "
                "frozen.",
            ),
            Wrong(
                lambda: "CEDBA",
                "It runs, and learns nothing: the optimizer holds the old last layer.",
            ),
            Wrong(
                lambda: "CEADB",
                "backward() stops: the new layer was frozen with all the others.",
            ),
        ),
    ),
    Exercise(
        number="11.3",
        form="a function of (predicted, labels)",
        probe=on_lopsided_tests,
        answer=lambda: balanced,
        right="A class of three pictures now counts as much as one of three hundred.",
        hint="One class at a time: of its pictures, which share was recognised? Then "
        "the mean of these shares.",
        more_hints=(
            "`labels.unique()` has the classes that occur; `predicted[labels == c]` "
            "are the answers to the pictures of class c.",
            "torch.stack([(predicted[labels == c] == c).float().mean() for c in …])"
            ".mean().item()",
        ),
        wrong=(
            Wrong(
                lambda: plain_accuracy,
                "That is plain accuracy: each picture counts the same, so the largest "
                "class decides.",
            ),
            Wrong(
                lambda: precision,
                "You went through the *answers* of each class. Go through its "
                "pictures.",
            ),
            Wrong(
                lambda: absent_as_zero,
                "A class without any test picture has no share. Leave it out of the "
                "mean.",
            ),
            Wrong(lambda: summed, "That is the sum of the shares, not their mean."),
            Wrong(lambda: worst, "That is the worst class alone."),
        ),
    ),
    Exercise(
        number="11.4",
        form="an integer",
        answer=lambda: forum(HIGH, WIDE),
        right="Height and width go down the same ladder, each by itself.",
        hint="Height first, then width: what is left after a 5×5 convolution, a pool "
        "of 2, and both once more? Then times the maps.",
        more_hints=(
            "A 5×5 convolution without padding takes 4 away; a pool of 2 halves.",
            "48 becomes 44, 22, 18, 9. Do the same with 64.",
        ),
        wrong=(
            Wrong(
                lambda: forum(32, 32),
                "That is the number for 32×32, which stands there already.",
            ),
            Wrong(
                lambda: forum(HIGH, WIDE) // 32,
                "Those are the positions of one map. How many maps are there?",
            ),
            Wrong(
                lambda: forum(HIGH, WIDE) // 2,
                "The maps are those of the first convolution.",
            ),
            Wrong(
                lambda: forum(HIGH, WIDE, convolutions=False),
                "You halved twice. The convolutions have no padding: they take "
                "something away as well.",
            ),
            Wrong(
                lambda: forum(HIGH, WIDE, pools=1),
                "You forgot the second pool: self.pool is called twice.",
            ),
            Wrong(
                lambda: forum(HIGH, HIGH),
                "That is a square. These pictures are wider than high.",
            ),
        ),
    ),
    Exercise(
        number="11.5",
        form="a function of num_classes",
        probe=layer_by_layer,
        answer=lambda: with_changes()(),
        right="Twenty-three layers, from a blank cell. That is AlexNet.",
        hint="Print ledger(alexnet(10), (3, 227, 227)) as you write, one layer after "
        "the other.",
        more_hints=(
            "The order: conv, relu, norm, pool, twice; conv, relu, three times; pool, "
            "flatten; linear, relu, dropout, twice; linear.",
            "Convolutions as (maps, kernel, stride, padding, groups): 96, 11, 4, 0, 1; "
            "256, 5, 1, 2, 2; 384, 3, 1, 1, 1; 384, 3, 1, 1, 2; 256, 3, 1, 1, 2. "
            "Pools: 3, stride 2. Linear: 9216 to 4096, 4096 to 4096, 4096 to classes.",
        ),
        wrong=(
            Wrong(
                with_changes(
                    conv2=lambda: nn.Conv2d(96, 256, kernel_size=5, padding=2)
                ),
                "The first four layers are right. Your conv2 reads all 96 "
                "maps; a card of 2012 reads its own half.",
            ),
            Wrong(
                with_changes(conv2=lambda: nn.Conv2d(96, 256, kernel_size=5, groups=2)),
                "Your conv2 has no padding: 27 shrinks to 23.",
            ),
            Wrong(
                with_changes(norm1=None),
                "A pool stands where the paper normalises, right after relu1.",
            ),
            Wrong(
                with_changes(norm1=lambda: nn.LocalResponseNorm(5, 1e-4, 0.75)),
                "Your normalisation lacks one of the paper's constants. PyTorch's own "
                "k is 1.",
            ),
            Wrong(
                with_changes(pool1=lambda: nn.MaxPool2d(2)),
                "Your pool1 gives the right size, but its windows don't overlap.",
            ),
            Wrong(
                with_changes(conv3=lambda: nn.Conv2d(256, 384, 3, padding=1, groups=2)),
                "Your conv3 is split. It is the one convolution after conv1 that reads "
                "both halves.",
            ),
            Wrong(
                with_changes(flatten=_drop_before, drop6=None),
                "You drop before fc6, as torchvision does; the paper drops what fc6 "
                "gives.",
            ),
            Wrong(
                with_changes(drop6=None, drop7=None),
                "After relu6 a dropout is due, and after relu7.",
            ),
            Wrong(
                with_changes(fc8=_more(nn.Softmax(dim=1))),
                "All 23 layers are right, but one more follows. Logits leave the "
                "network; the loss does the rest.",
            ),
            Wrong(
                lambda: lambda num_classes: alexnet_2012(),
                "All is right up to fc8, which has 1,000 outputs whatever num_classes "
                "says.",
            ),
        ),
    ),
)
