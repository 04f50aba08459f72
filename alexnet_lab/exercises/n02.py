"""The exercises of notebook 02: LeNet-5, its loop, its accounts, its original."""

import math
from typing import Any

import torch
from torch import nn

from alexnet_lab.arithmetic.accounting import ledger
from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.models import lenet5_1998

# 02.4: correct images and images of three batches, the last one short.
CORRECT, SIZES = (96, 100, 37), (128, 128, 40)


def unpadded(features: int = 16 * 4 * 4) -> nn.Sequential:
    """LeNet-5 for 28×28 without padding."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(features, 120),
        nn.Linear(120, 84),
        nn.Linear(84, 10),
    )


def count(net: nn.Module) -> int:
    """Its parameters."""
    return sum(p.numel() for p in net.parameters())


def two_steps(train_step: Any) -> tuple[list[float], bool, bool] | None:
    """What two calls of a training step do to a tiny network.

    Returns:
        the weights; whether they moved, or have gradients at least; and whether a
        number came back (asked only where the weights are right). None where the
        function did not even call the network: nothing is written yet.
    """
    weight, gradients, called, result = _after_two_calls(train_step)
    if not called and not gradients and result is None:
        return None
    right = torch.allclose(weight, _after_two_calls(reference_step)[0], atol=1e-5)
    return weight.flatten().tolist(), gradients, _is_number(result) or not right


def _after_two_calls(train_step: Any) -> tuple[torch.Tensor, bool, bool, Any]:
    net, called = nn.Sequential(nn.Linear(3, 3)), []
    net.register_forward_hook(lambda *_: called.append(True))
    with torch.no_grad():
        net[0].weight.copy_(torch.arange(9.0).view(3, 3) / 10)
        net[0].bias.zero_()
    before = net[0].weight.detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    images = torch.tensor([[1.0, 0, 2], [0, -1, 1]])
    labels = torch.tensor([0, 2])
    for _ in range(2):
        result = train_step(net, optimizer, images, labels)
    weight = net[0].weight.detach()
    moved = not torch.equal(weight, before)
    return weight, moved or net[0].weight.grad is not None, bool(called), result


def _is_number(result: Any) -> bool:
    if isinstance(result, torch.Tensor):
        return result.numel() == 1
    return isinstance(result, float)


def reference_step(net, optimizer, images, labels):
    """The five lines of a training step."""
    logits = net(images)
    loss = nn.functional.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def nothing_returned(net, optimizer, images, labels):
    """A step whose loss nobody hears of."""
    reference_step(net, optimizer, images, labels)


def never_zeroed(net, optimizer, images, labels):
    """Gradients of all batches pile up."""
    loss = nn.functional.cross_entropy(net(images), labels)
    loss.backward()
    optimizer.step()
    return loss


def never_stepped(net, optimizer, images, labels):
    """The weights are never changed."""
    loss = nn.functional.cross_entropy(net(images), labels)
    optimizer.zero_grad()
    loss.backward()
    return loss


def no_gradients(net, optimizer, images, labels):
    """The step has nothing to go by."""
    loss = nn.functional.cross_entropy(net(images), labels)
    optimizer.zero_grad()
    optimizer.step()
    return loss


def softmax_twice(net, optimizer, images, labels):
    """Probabilities where the loss expects logits."""
    loss = nn.functional.cross_entropy(net(images).softmax(dim=1), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def summed_loss(net, optimizer, images, labels):
    """A step that grows with the batch."""
    loss = nn.functional.cross_entropy(net(images), labels, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


EXERCISES = (
    Exercise(
        number="02.1",
        form="an integer",
        answer=lambda: ledger(unpadded(), (1, 28, 28)).total_parameters,
        right="16·4·4 = 256 features enter the first linear layer instead of 400; "
        "nothing else changes.",
        hint="Go down the ladder: 28 → 24 → 12 → 8 → 4. Which single layer notices?",
        wrong=(
            Wrong(
                lambda: count(unpadded(400)),
                "That is the padded network. How many numbers reach the first linear "
                "layer now?",
            ),
            Wrong(
                lambda: count(unpadded()) - sum((6, 16, 120, 84, 10)),
                "You forgot the biases.",
            ),
            Wrong(
                lambda: count(unpadded(16 * 8 * 8)),
                "You forgot the second pool.",
            ),
            Wrong(
                lambda: 256 * 120 + 120,
                "That is the first linear layer alone. The question is the whole "
                "network.",
            ),
        ),
    ),
    Exercise(
        number="02.2",
        form="a number",
        tolerance=5e-4,
        answer=lambda: math.log(10),
        right="Ten equal probabilities give −ln(1/10) = ln 10. A first loss far "
        "from it is a bug.",
        hint="What probability does a network that knows nothing give the right class? "
        "The loss is minus its natural logarithm.",
        wrong=(
            Wrong(
                lambda: math.log10(10),
                "That is the logarithm to base 10. PyTorch's loss uses the natural "
                "logarithm.",
            ),
            Wrong(
                lambda: math.log2(10),
                "That is in bits. PyTorch's loss uses the natural logarithm.",
            ),
            Wrong(
                lambda: 2.31,
                "That is what this fresh network happened to have. Its probabilities "
                "are not quite equal.",
            ),
            Wrong(lambda: 0.1, "That is the probability, not the loss."),
            Wrong(lambda: 0.9, "That is the error rate, not the loss."),
            Wrong(
                lambda: math.log(0.1),
                "The sign: the loss is *minus* the logarithm.",
            ),
        ),
    ),
    Exercise(
        number="02.3",
        form="a function of (net, optimizer, images, labels)",
        probe=two_steps,
        tolerance=1e-4,
        answer=lambda: reference_step,
        right="Forward, loss, gradients from zero, backward, step.",
        hint="The weights move, but not as they should. Compare with the five steps: "
        "forward, loss, zero the gradients, backward, step.",
        wrong=(
            Wrong(
                lambda: nothing_returned,
                "Your step works, but the loss does not come back: whoever calls "
                "your function wants to know it.",
            ),
            Wrong(
                lambda: never_zeroed,
                "The second step goes wrong: PyTorch *adds* new gradients to the old "
                "ones. Who clears them?",
            ),
            Wrong(
                lambda: never_stepped,
                "There are gradients, but the weights never change.",
            ),
            Wrong(
                lambda: no_gradients,
                "When the optimizer steps there are no gradients: they were never "
                "computed, or cleared just before.",
            ),
            Wrong(
                lambda: softmax_twice,
                "cross_entropy applies the softmax itself: give it the logits.",
            ),
            Wrong(
                lambda: summed_loss,
                "Your loss is a sum over the batch. The mean keeps the step size "
                "independent of the batch size.",
            ),
        ),
    ),
    Exercise(
        number="02.4",
        form="a number between 0 and 1",
        tolerance=1e-6,
        answer=lambda: sum(CORRECT) / sum(SIZES),
        right="Every image counts once, whichever batch it came in.",
        hint="How many images are there in all, and how many are correct?",
        wrong=(
            Wrong(
                lambda: (
                    sum(c / n for c, n in zip(CORRECT, SIZES, strict=True)) / len(SIZES)
                ),
                "You averaged the batches' accuracies. Then an image of the short "
                "batch weighs more than three others.",
            ),
            Wrong(
                lambda: sum(CORRECT) / (len(SIZES) * SIZES[0]),
                "You counted the last batch as if it were full.",
            ),
            Wrong(
                lambda: 100 * sum(CORRECT) / sum(SIZES),
                "Right, but in per cent. Give a fraction of 1.",
            ),
        ),
    ),
    Exercise(
        number="02.5",
        form="an integer",
        answer=lambda: ledger(lenet5_1998(), (1, 32, 32))["c3"].parameters,
        right="60 kernels of 25 weights, and a bias for each of the 16 maps.",
        hint="Add up the table's columns: how many 5×5 kernels are there? And how many "
        "biases?",
        wrong=(
            Wrong(
                lambda: (25 * 6 + 1) * 16,
                "That is the dense layer, where every map reads all six. Count only "
                "the connections in the table.",
            ),
            Wrong(lambda: 25 * 60, "You forgot the biases."),
            Wrong(
                lambda: 26 * 60,
                "You gave every kernel a bias. Each output *map* has one.",
            ),
            Wrong(lambda: 60 + 16, "A kernel has 5·5 weights, not one."),
        ),
    ),
    Exercise(
        number="02.6",
        form="an integer",
        answer=lambda: ledger(lenet5_1998(), (1, 32, 32))["s2"].connections,
        right="6·14·14 units, each with four inputs and a bias; yet only 12 numbers "
        "are trained, since all units of a map share theirs.",
        hint="How many units are in S2? And how many lines lead into each?",
        wrong=(
            Wrong(lambda: 6 * 14 * 14 * 4, "You forgot the bias of each unit."),
            Wrong(
                lambda: 6 * 14 * 14,
                "That is the number of units. How many lines lead into each?",
            ),
            Wrong(
                lambda: 6 * 2,
                "That is the number of trainable parameters. Shared or not, every "
                "line is a connection.",
            ),
            Wrong(
                lambda: 14 * 14 * 5,
                "That is one map. There are six.",
            ),
        ),
    ),
)
