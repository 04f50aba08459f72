"""The exercises of notebook 02: LeNet-5, its activations, its loop, its original."""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from alexnet_lab.arithmetic.accounting import ledger
from alexnet_lab.exercises.checking import Exercise, Wrong
from alexnet_lab.models import lenet5_1998

# ----------------------------------------------------------------- 02.1: LeNet-5

# channels, height, width: grey squares, and pictures in colour that are no squares
PICTURES = ((1, 28, 28), (3, 36, 20))


def answers_of(write_net: Any) -> tuple | None:
    """Parameters and logits of the network for each size, all of the same weights."""
    found = []
    for channels, height, width in PICTURES:
        net = write_net(channels, height, width)
        if net is None or net is ...:
            return None
        generator = torch.Generator().manual_seed(0)
        pictures = torch.rand(3, channels, height, width, generator=generator)
        net(pictures)  # lazy layers get their sizes
        with torch.no_grad():
            for weight in net.parameters():
                fresh = torch.randn(weight.shape, generator=generator)
                weight.copy_(fresh * 2 / weight[0].numel() ** 0.5)
            found.append((sum(p.numel() for p in net.parameters()), net(pictures)))
    return tuple(found)


def reference_net(channels, height, width):
    """LeNet-5 with sigmoid and average pooling, for any picture."""
    features = 16 * ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
    return nn.Sequential(
        nn.Conv2d(channels, 6, kernel_size=5, padding=2),
        nn.Sigmoid(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, kernel_size=5),
        nn.Sigmoid(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(features, 120),
        nn.Sigmoid(),
        nn.Linear(120, 84),
        nn.Sigmoid(),
        nn.Linear(84, 10),
    )


def net_with(**layers: nn.Module | None) -> Any:
    """A wrong network: the right one with some layers exchanged, or left out (None).

    ``at6=nn.Identity()`` exchanges layer 6, ``sigmoid=nn.ReLU()`` all of that kind.
    """

    def write_net(channels, height, width):
        kinds = {nn.Sigmoid: "sigmoid", nn.AvgPool2d: "pool"}
        chosen = []
        for number, layer in enumerate(reference_net(channels, height, width)):
            name = kinds.get(type(layer), "")
            chosen.append(layers.get(f"at{number}", layers.get(name, layer)))
        return nn.Sequential(*[layer for layer in chosen if layer is not None])

    return write_net


def unpadded(channels, height, width):
    """28 → 24 → 12 → 8 → 4."""
    net = reference_net(channels, height - 4, width - 4)
    net[0] = nn.Conv2d(channels, 6, kernel_size=5)
    return net


def only_for_28(channels, height, width):
    """400 numbers, whatever the picture."""
    net = reference_net(channels, height, width)
    net[7] = nn.Linear(16 * 5 * 5, 120)
    return net


def height_twice(channels, height, width):
    """A square, whatever the picture."""
    return reference_net(channels, height, height)


def one_channel(channels, height, width):
    """Grey, whatever the picture."""
    return reference_net(1, height, width)


def pools_first(channels, height, width):
    """Activation after the pool: not the same, if the pool takes averages."""
    net = list(reference_net(channels, height, width))
    net[1], net[2], net[4], net[5] = net[2], net[1], net[5], net[4]
    return nn.Sequential(*net)


# ---------------------------------------------------- 02.2: two linear layers in one


def merges(merge: Any) -> tuple | None:
    """What the merged layer answers to four inputs, and whether it is one layer."""
    generator = torch.Generator().manual_seed(0)
    first, second = nn.Linear(5, 3), nn.Linear(3, 7)
    with torch.no_grad():
        for weight in (*first.parameters(), *second.parameters()):
            weight.copy_(torch.randn(weight.shape, generator=generator))
    one = merge(first, second)
    if one is None or one is ...:
        return None
    answers = one(torch.randn(4, 5, generator=generator))
    return isinstance(one, nn.Linear), answers


def merged(first, second):
    """The layer x → W₂(W₁x + b₁) + b₂."""
    one = nn.Linear(first.in_features, second.out_features)
    with torch.no_grad():
        one.weight.copy_(second.weight @ first.weight)
        one.bias.copy_(second.weight @ first.bias + second.bias)
    return one


def both(first, second):
    return nn.Sequential(first, second)


def first_bias_lost(first, second):
    one = merged(first, second)
    one.bias.data = second.bias.data
    return one


def no_bias(first, second):
    one = merged(first, second)
    one.bias.data.zero_()
    return one


def own_weights(first, second):
    return nn.Linear(first.in_features, second.out_features)


def biases_added(first, second):
    one = merged(first, second)
    one.bias.data = first.bias.data + second.bias.data
    return one


def wrong_way_round(first, second):
    one = nn.Linear(first.in_features, second.out_features)
    one.weight.data = first.weight.data @ second.weight.data
    return one


# --------------------------------------------------------- 02.3: lines in their order

LINES = {
    "A": "loss.backward()",
    "B": "for images, labels in batches:",
    "C": "net = lenet5()",
    "D": "optimizer.step()",
    "E": "for epoch in range(2):",
    "F": "loss = cross_entropy(net(images), labels)",
    "G": "optimizer = SGD(net.parameters(), lr=0.1)",
    "H": "optimizer.zero_grad()",
}


def trains(order: Any) -> Any:
    """The weights after running the lines in this order, on a tiny network.

    What stands below a loop's line stands inside the loop.
    """
    letters = "".join(c for c in "".join(order).upper() if c.isalnum())
    if sorted(letters) != sorted(LINES):
        return "not every letter once"
    program, depth = [], 0
    for letter in letters:
        program.append("    " * depth + LINES[letter])
        depth += LINES[letter].startswith("for ")
    names: dict[str, Any] = {
        "batches": tiny_batches(),
        "cross_entropy": cross_entropy,
        "lenet5": tiny_net,
        "SGD": torch.optim.SGD,
    }
    try:
        exec("\n".join(program), names)
    except SyntaxError:
        return "a loop without a body"
    return names["net"][1].weight


# ------------------------------------------------------------- 02.4: one pass, written


def tiny_batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Three, three and one picture of 2×3 pixels."""
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randn(7, 1, 2, 3, generator=generator)
    labels = torch.tensor([0, 3, 1, 2, 2, 0, 0])
    return list(zip(pictures.split(3), labels.split(3), strict=True))


def tiny_net() -> nn.Sequential:
    """A linear model of four classes, its weights always the same."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 4))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in net.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return net


def two_passes(one_pass: Any) -> tuple | None:
    """What two passes do to a tiny network.

    Returns:
        the weights; whether they moved, or have gradients at least; and the accuracies
        that came back (looked at only where the weights are right). None where the
        function did not even call the network: nothing is written yet.
    """
    weights, gradients, called, results = _after_two_passes(one_pass)
    if not called and not gradients and results == (None, None):
        return None
    right = torch.allclose(weights, _after_two_passes(reference_pass)[0], atol=1e-5)
    return weights, gradients, results if right else "not looked at"


def _after_two_passes(one_pass: Any) -> tuple[torch.Tensor, bool, bool, tuple]:
    net, called = tiny_net(), []
    net.register_forward_hook(lambda *_: called.append(True))
    before = net[1].weight.detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    results = tuple(one_pass(net, optimizer, tiny_batches()) for _ in range(2))
    weights = net[1].weight.detach()
    moved = not torch.equal(weights, before)
    return weights, moved or net[1].weight.grad is not None, bool(called), results


def steps(net, optimizer, batches, without="", softmax=False, reduction="mean"):
    """The steps of a pass, one left out; yields logits, labels and loss."""
    for images, labels in batches:
        logits = net(images)
        answers = logits.softmax(dim=1) if softmax else logits
        loss = cross_entropy(answers, labels, reduction=reduction)
        if without != "zero":
            optimizer.zero_grad()
        if without != "backward":
            loss.backward()
        if without != "step":
            optimizer.step()
        yield logits, labels, loss


def hits(logits, labels):
    return (logits.argmax(dim=1) == labels).sum().item()


def reference_pass(net, optimizer, batches, **changes):
    """Five steps for each batch, and a fair count."""
    correct = seen = 0
    for logits, labels, _ in steps(net, optimizer, batches, **changes):
        correct += hits(logits, labels)
        seen += len(labels)
    return correct / seen


def pass_with(**changes):
    """A pass with a mistake in its steps."""

    def one_pass(net, optimizer, batches):
        return reference_pass(net, optimizer, batches, **changes)

    return one_pass


def nothing_returned(net, optimizer, batches):
    reference_pass(net, optimizer, batches)


def mean_of_batches(net, optimizer, batches):
    shares = [
        hits(logits, labels) / len(labels)
        for logits, labels, _ in steps(net, optimizer, batches)
    ]
    return sum(shares) / len(shares)


def counts_only(net, optimizer, batches):
    return sum(hits(*rest) for *rest, _ in steps(net, optimizer, batches))


def per_cent(net, optimizer, batches):
    return 100 * reference_pass(net, optimizer, batches)


def full_batches(net, optimizer, batches):
    correct = counts_only(net, optimizer, batches)
    return correct / (len(batches) * len(batches[0][1]))


def last_batch_only(net, optimizer, batches):
    for logits, labels, _ in steps(net, optimizer, batches):
        share = hits(logits, labels) / len(labels)
    return share


def first_batch_only(net, optimizer, batches):
    for logits, labels, _ in steps(net, optimizer, batches):
        return hits(logits, labels) / len(labels)
    return None


def one_step_a_pass(net, optimizer, batches):
    correct = seen = 0
    for images, labels in batches:
        logits = net(images)
        loss = cross_entropy(logits, labels)
        correct, seen = correct + hits(logits, labels), seen + len(labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return correct / seen


def asked_again(net, optimizer, batches):
    correct = seen = 0
    for images, labels in batches:
        list(steps(net, optimizer, [(images, labels)]))
        correct, seen = correct + hits(net(images), labels), seen + len(labels)
    return correct / seen


def mean_loss(net, optimizer, batches):
    losses = [loss.item() for *_, loss in steps(net, optimizer, batches)]
    return sum(losses) / len(losses)


# ------------------------------------------------ 02.6: MNIST's digits, how centred

# height, width, and where ink begins: nothing runs over an edge, whatever is moved
PAPERS = ((31, 24, 4, 9), (26, 37, 13, 5), (28, 28, 8, 12))


def moves(centre: Any) -> tuple:
    """Three papers after the move, each with a hook that is heavier at one end."""
    generator, moved = torch.Generator().manual_seed(0), []
    for height, width, top, left in PAPERS:
        paper = torch.zeros(height, width)
        hook = torch.rand(9, 8, generator=generator) + 0.1
        hook[3:, :-1] = 0  # three rows, and a column that goes on below them
        hook[0] *= 9
        paper[top : top + 9, left : left + 8] = hook
        moved.append(centre(paper))
    return tuple(moved)


def centred(middle=0.0, weighs=True, sign=1, by=round, ways=(0, 1), turned=False):
    """The move, or one that is wrong: `middle` is taken from half the size."""

    def centre(picture):
        steps = []
        for way in (0, 1):
            ink = picture if weighs else (picture > 0).float()
            line, places = ink.sum(dim=1 - way), torch.arange(picture.shape[way])
            mean = (line * places).sum() / line.sum()
            step = picture.shape[way] / 2 - middle - mean
            steps.append(sign * by(step.item()) * (way in ways))
        return picture.roll(tuple(steps[::-1] if turned else steps), (0, 1))

    return centre


def box_centred(picture):
    """The middle of the box around the ink, not its centre of mass."""
    rows, columns = picture.nonzero().T
    ends = [(places.min() + places.max()).item() / 2 for places in (rows, columns)]
    steps = [
        round(size / 2 - end) for size, end in zip(picture.shape, ends, strict=True)
    ]
    return picture.roll(tuple(steps), (0, 1))


EXERCISES = (
    Exercise(
        number="02.1",
        form="a function of (channels, height, width)",
        probe=answers_of,
        tolerance=1e-4,
        answer=lambda: reference_net,
        right="Layer by layer the outputs are LeNet-5's, on pictures that are no "
        "squares, too.",
        hint="Go down the ladder with a picture of 36 rows and 20 columns: rows and "
        "columns go through the same formula, each for itself.",
        more_hints=(
            "A convolution 5×5 with padding 2 keeps height and width, a pool halves "
            "them, a convolution 5×5 without padding takes 4 away.",
            "After the two pools there are 16 maps of ((height // 2 - 4) // 2) rows. "
            "Multiply by the columns, and you have what the first linear layer reads.",
        ),
        wrong=(
            Wrong(
                lambda: only_for_28,
                "Right for 28×28 alone: you wrote the size of the first linear layer "
                "as a fixed number. Compute it from height and width.",
            ),
            Wrong(
                lambda: height_twice,
                "You used the height for the width, too; these pictures are no "
                "squares.",
            ),
            Wrong(
                lambda: one_channel,
                "Your first convolution reads one map; pictures in colour have three.",
            ),
            Wrong(
                lambda: unpadded,
                "Your first convolution shrinks the picture. Which padding keeps its "
                "size under a 5×5 window?",
            ),
            Wrong(
                lambda: net_with(at6=None),
                "A linear layer reads a row of numbers, but gets maps. What stands "
                "between them?",
            ),
            Wrong(
                lambda: net_with(sigmoid=None),
                "There is no activation anywhere.",
            ),
            Wrong(
                lambda: net_with(at8=None, at10=None),
                "The linear layers have no activation between them.",
            ),
            Wrong(
                lambda: net_with(at1=None, at4=None),
                "The convolutions have no activation behind them.",
            ),
            Wrong(
                lambda: net_with(sigmoid=nn.ReLU()),
                "All is right except the activation: the sigmoid was asked for.",
            ),
            Wrong(
                lambda: net_with(pool=nn.MaxPool2d(2)),
                "All is right except the pools: they should take averages.",
            ),
            Wrong(
                lambda: pools_first,
                "Your pools stand before the activations. The average of bent numbers "
                "is not the bent average.",
            ),
            Wrong(
                lambda: net_with(at11=nn.Sequential(nn.Linear(84, 10), nn.Softmax(1))),
                "The softmax at the end is too much: the last layer gives logits, and "
                "the loss makes probabilities of them.",
            ),
            Wrong(
                lambda: net_with(at11=nn.Sequential(nn.Linear(84, 10), nn.Sigmoid())),
                "There is an activation behind the last layer: logits are not bent.",
            ),
        ),
    ),
    Exercise(
        number="02.2",
        form="a function of two linear layers",
        probe=merges,
        tolerance=1e-4,
        answer=lambda: merged,
        right="One matrix and one bias do all that the two layers did.",
        hint="Write on paper what the second layer makes of the first one's output, "
        "and multiply out.",
        more_hints=(
            "y = W₂(W₁x + b₁) + b₂. What stands before the x, and what is left "
            "without it?",
            "second.weight @ first.weight is the weight; the bias has two parts. Copy "
            "both in under torch.no_grad(), with one.weight.copy_(…).",
        ),
        wrong=(
            Wrong(
                lambda: both,
                "It gives the right answers, but is still two layers. Make one "
                "nn.Linear.",
            ),
            Wrong(
                lambda: own_weights,
                "The sizes are right; the weights are fresh random numbers. They have "
                "to come from the two layers.",
            ),
            Wrong(
                lambda: first_bias_lost,
                "The first layer's bias is lost. The second layer sees it, too.",
            ),
            Wrong(lambda: no_bias, "The weights are right. Where are the biases?"),
            Wrong(
                lambda: biases_added,
                "Three numbers cannot be added to seven: the first bias goes through "
                "the second layer.",
            ),
            Wrong(
                lambda: wrong_way_round,
                "The matrices stand the wrong way round: the one applied first stands "
                "next to x.",
            ),
        ),
    ),
    Exercise(
        number="02.3",
        form="a text of eight letters",
        probe=trains,
        tolerance=1e-4,
        answer=lambda: "CGEBFHAD",
        right="The network and its optimizer are made once; everything else is done "
        "for each batch of each pass.",
        hint="The program runs, but the weights are not those of training. What is "
        "made once, what in each pass, and what for each batch?",
        more_hints=(
            "First the network, then the optimizer that moves its weights, then the "
            "two loops.",
            "Inside both loops: forward and loss, zero, backward, step.",
        ),
        wrong=(
            Wrong(
                lambda: "CGEBFAHD",
                "In this order no weight ever moves: when the optimizer steps, the "
                "gradients were just cleared, or are not there yet.",
            ),
            Wrong(
                lambda: "CGEHBFAD",
                "Cleared once a pass, the gradients of all batches so far pile up: "
                "PyTorch adds new ones to the old.",
            ),
            Wrong(
                lambda: "CGHEBFAD",
                "Cleared once before all training, the gradients of every batch pile "
                "up.",
            ),
            Wrong(
                lambda: "ECGBFHAD",
                "Each pass would begin with a fresh network: only the last pass "
                "counts.",
            ),
            Wrong(
                lambda: "EBCGFHAD",
                "Each batch would get a fresh network: only the last batch counts.",
            ),
            Wrong(
                lambda: "CGBEFHAD",
                "The loops are exchanged: each batch is seen several times in a row, "
                "and then never again.",
            ),
            Wrong(
                lambda: "CGEBDFHA",
                "Each step uses the gradients of the batch before, and the last ones "
                "are never used.",
            ),
            Wrong(
                lambda: "GCEBFHAD",
                "This stops with an error: a line uses the network before there is "
                "one.",
            ),
            Wrong(
                lambda: "CGEBAFHD",
                "This stops with an error: there is no loss yet to go backward from.",
            ),
            Wrong(
                lambda: "CHGEBFAD",
                "This stops with an error: a line uses the optimizer before there is "
                "one.",
            ),
            Wrong(
                lambda: "CGFEBHAD",
                "This stops with an error: a line uses pictures before a batch has "
                "come.",
            ),
            Wrong(
                lambda: "CGFHADEB",
                "Python wants at least one line inside a loop. Which lines are done "
                "for every batch?",
            ),
            Wrong(
                lambda: "CGEBFAD",
                "Use each of the letters A to H once.",
            ),
        ),
    ),
    Exercise(
        number="02.4",
        form="a function of (net, optimizer, batches)",
        probe=two_passes,
        tolerance=1e-4,
        answer=lambda: reference_pass,
        right="Five steps for each batch, and every picture counts once.",
        hint="Compare with the five steps: forward, loss, zero the gradients, "
        "backward, step, for each batch. Then with the count: pictures, not batches.",
        more_hints=(
            "Begin with correct = seen = 0. In the loop, after the five steps, add "
            "(logits.argmax(dim=1) == labels).sum().item() to one and len(labels) to "
            "the other.",
            "logits = net(images); loss = cross_entropy(logits, labels); "
            "optimizer.zero_grad(); loss.backward(); optimizer.step(). After the loop: "
            "return correct / seen.",
        ),
        wrong=(
            Wrong(
                lambda: nothing_returned,
                "It trains, but no accuracy comes back: return it. Printing is not "
                "returning.",
            ),
            Wrong(
                lambda: pass_with(without="zero"),
                "From the second batch on it goes wrong: PyTorch *adds* new gradients "
                "to the old ones. Who clears them?",
            ),
            Wrong(
                lambda: pass_with(without="step"),
                "There are gradients, but the weights never change.",
            ),
            Wrong(
                lambda: pass_with(without="backward"),
                "When the optimizer steps there are no gradients: they were never "
                "computed, or cleared just before.",
            ),
            Wrong(
                lambda: pass_with(softmax=True),
                "cross_entropy applies the softmax itself: give it the logits.",
            ),
            Wrong(
                lambda: pass_with(reduction="sum"),
                "Your loss is a sum over the batch. The mean keeps the step size "
                "independent of the batch size.",
            ),
            Wrong(
                lambda: one_step_a_pass,
                "You step once a pass, after the loop, and so train on the last batch "
                "alone.",
            ),
            Wrong(
                lambda: first_batch_only,
                "Your function returns during the first batch: return stands inside "
                "the loop.",
            ),
            Wrong(
                lambda: mean_of_batches,
                "It trains, but you averaged the batches' accuracies. Then the one "
                "picture of the short batch weighs as much as three others.",
            ),
            Wrong(
                lambda: full_batches,
                "It trains, but you counted the last batch as if it were full.",
            ),
            Wrong(
                lambda: last_batch_only,
                "It trains, but the accuracy is that of the last batch alone.",
            ),
            Wrong(
                lambda: counts_only,
                "It trains. You return how many are right: divide by how many "
                "pictures there were.",
            ),
            Wrong(
                lambda: per_cent,
                "It trains. Return a fraction of 1, not per cent.",
            ),
            Wrong(
                lambda: asked_again,
                "It trains, but you asked the network a second time, after the step. "
                "Count with the logits that you have: it costs nothing.",
            ),
            Wrong(
                lambda: mean_loss,
                "It trains, but what you return is the mean loss, not the accuracy.",
            ),
        ),
    ),
    Exercise(
        number="02.5",
        form="an integer",
        answer=lambda: ledger(lenet5_1998(), (1, 32, 32))["c3"].connections,
        right="Sixty kernels of 25 weights and 16 biases, at 10·10 places each.",
        hint="How many 5×5 kernels does the table show, how many biases are there, and "
        "at how many places does each stand?",
        more_hints=(
            "Each row of the table has ten crosses, and each cross is 25 weights. Each "
            "column has one bias.",
            "((the number of crosses)·25 + (the number of maps in C3))·10·10.",
        ),
        wrong=(
            Wrong(
                lambda: 25 * 60 + 16,
                "Those are the trainable parameters. Each of them makes a connection "
                "at every place of its map.",
            ),
            Wrong(lambda: 25 * 60 * 100, "You forgot the biases."),
            Wrong(
                lambda: (25 * 6 + 1) * 16 * 100,
                "That is the dense layer, where every map reads all six. Count only "
                "the kernels in the table.",
            ),
            Wrong(
                lambda: 26 * 60 * 100,
                "You gave every kernel a bias. Each unit of C3 has one.",
            ),
            Wrong(
                lambda: (25 * 60 + 16) * 16 * 100,
                "You counted the maps twice: the table's crosses are those of all 16.",
            ),
            Wrong(
                lambda: 16 * 100,
                "That is the number of units. How many lines lead into each?",
            ),
        ),
    ),
    Exercise(
        number="02.6",
        form="a function of a picture",
        probe=moves,
        answer=centred,
        right="So a digit stands in the same place, wherever it was written.",
        hint="Where is the centre of mass? For the rows: the sum of row number times "
        "ink, over the sum of all ink. How far is that from the middle?",
        more_hints=(
            "picture.sum(dim=1) is the ink of each row; times torch.arange(height), "
            "summed, over picture.sum(). The columns alike, with dim=0.",
            "The step down is round(height / 2 - the mean row); then "
            "picture.roll((down, across), (0, 1)).",
        ),
        wrong=(
            Wrong(
                lambda: box_centred,
                "You centred the box around the ink. Its centre of mass lies where "
                "much ink is.",
            ),
            Wrong(
                lambda: centred(weighs=False),
                "You counted every inked pixel alike. Weigh each by its ink.",
            ),
            Wrong(
                lambda: centred(middle=0.5),
                "Half a pixel off: (height − 1)/2 is the middle, but MNIST's digits "
                "lie at height/2.",
            ),
            Wrong(
                lambda: centred(sign=-1),
                "You moved away from the middle: the step is the middle less the mean.",
            ),
            Wrong(
                lambda: centred(turned=True),
                "You exchanged down and across.",
            ),
            Wrong(
                lambda: centred(by=int),
                "int cuts off; the nearest whole step is found by round.",
            ),
            Wrong(lambda: centred(ways=(0,)), "Only the rows are centred."),
            Wrong(lambda: centred(ways=(1,)), "Only the columns are centred."),
        ),
    ),
)
