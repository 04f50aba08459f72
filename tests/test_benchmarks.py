"""The arithmetic and the record of ``make bench``; its times are the machine's."""

import json
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from alexnet_lab.data import cifar10
from alexnet_lab.environment import FAST_CPU
from alexnet_lab.training import History
from alexnet_lab.training.evaluation import Score
from benchmarks import __main__ as bench
from benchmarks import accuracy, measure, recipes
from benchmarks.accuracy import GOALS
from benchmarks.measure import in_another_process, interleaved, quarters
from benchmarks.picture import draw, table

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
RECORDS = sorted(RESULTS.rglob("bench.json"))
CPU = torch.device("cpu")


def test_recipes_take_turns_and_the_first_rounds_do_not_count(monkeypatch):
    clock, order, shares = [0.0], [], []
    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock[0])

    def recipe(name, cost):
        def run(count):
            order.append(name)
            warming = order.count(name) <= measure.WARM_UP
            clock[0] += count * (100 if warming else cost)

        return run

    timed = {"plain": recipe("plain", 6.0), "ours": recipe("ours", 2.0)}
    seconds = interleaved(timed, 3, {"plain": 1, "ours": 5}, shares.append)
    assert seconds == {"plain": [6.0] * 3, "ours": [2.0] * 3}
    assert order == ["plain", "ours"] * (measure.WARM_UP + 3)
    assert shares == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])


def test_quarters():
    assert quarters([5.0, 1.0, 3.0, 2.0, 4.0]) == [2.0, 3.0, 4.0]


def test_a_bar_is_one_line_that_is_rewritten(capsys, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(measure.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    bar = measure.Bar("LeNet-5, seed 1 of 5")
    clock[0] += 30
    bar.at(0.75)
    bar.at(0.76)  # too soon
    bar.end("31.0 s")
    _, shown, last = capsys.readouterr().out.split("\r")
    assert "[###############     ]  75%, 10 s to go" in shown
    assert last.split() == ["LeNet-5,", "seed", "1", "of", "5", "31.0", "s"]
    assert last.endswith("\n") and len(last) > len(shown)  # covers the bar


def _writes_its_settings(path):
    def step():
        found = [name in os.environ for name in FAST_CPU]
        path.write_text(json.dumps([*found, os.getpid()]), encoding="utf-8")

    return step


def test_the_textbooks_process_lacks_our_settings(tmp_path, monkeypatch):
    for name, value in FAST_CPU.items():
        monkeypatch.setenv(name, value)
    with in_another_process(_writes_its_settings, tmp_path / "there") as run:
        run(1)
    *settings, process = json.loads((tmp_path / "there").read_text(encoding="utf-8"))
    assert not any(settings) and process != os.getpid()
    assert all(name in os.environ for name in FAST_CPU)


def test_textbook_alexnet_is_the_books():
    net = recipes.textbook_alexnet()
    assert sum(p.numel() for p in net.parameters()) == 46_764_746
    # forward 938,146,176 multiply-accumulates, conv1 54·54·96·11·11 of them
    assert recipes.flops("AlexNet", 224) == 2 * (3 * 938_146_176 - 33_872_256)
    assert [recipes.map_side(n) for n in (129, 160, 192, 193, 224)] == [3, 3, 4, 5, 5]


def test_a_grown_alexnet_computes_what_it_did():
    torch.manual_seed(0)
    net = recipes.our_alexnet(129)
    tail = net[13:]
    maps = torch.rand(2, 256, 5, 5)
    with torch.no_grad():
        before = tail(nn.functional.adaptive_avg_pool2d(maps, 3))
        recipes.grow(net, 193)
        after = tail(maps)
        torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)
        recipes.grow(net, 224)  # also 5×5
        torch.testing.assert_close(tail(maps), after)
        assert net(torch.zeros(1, 1, 224, 224)).shape == (1, 10)
    book = recipes.textbook_alexnet().state_dict()
    assert {k: v.shape for k, v in net.state_dict().items()} == {
        k: v.shape for k, v in book.items()
    }
    assert net.fc6.in_features == 6400


@pytest.mark.parametrize("goal", GOALS.values(), ids=GOALS)
def test_a_goal_has_images_enough_and_ends_at_the_networks_maps(goal):
    network = recipes.NETS[goal.network]
    assert sum(images for _, images in goal.stages) <= network.images
    last = goal.stages[-1][0]
    if goal.network == "AlexNet":
        assert recipes.map_side(last) == recipes.map_side(224)
    else:
        assert last == network.shape[-1]


def test_stages_serve_new_images_by_one_cycle(monkeypatch):
    served, rates = [], []

    def fit(net, part, schedule, **options):
        served.append((part.image_size, part.count, net.fc6.in_features))
        served.append({bytes(image.flatten().tolist()) for image in part.images})
        rates.append([schedule(p) for p in (0.0, 0.5, 1.0)])
        return History(interrupted=len(served) > 4)

    goal = GOALS["AlexNet to 88.3 %"]._replace(stages=((129, 300), (193, 100)))
    monkeypatch.setitem(GOALS, "tiny", goal)
    monkeypatch.setattr(accuracy, "fit", fit)
    monkeypatch.setattr(accuracy, "evaluate", lambda *a, **k: Score(1.0, 0.9, 9, 10))
    assert accuracy.train("tiny", 0, CPU)[0] == 0.9
    (size, count, width), first, (size2, count2, width2), second = served
    assert (size, count, width) == (129, 300, 256 * 9)
    assert (size2, count2, width2) == (193, 100, 256 * 25)
    assert not first & second  # pictures, so that none comes twice
    assert rates[0] == pytest.approx([0.04, 0.625 / 0.9, 0.25 / 0.9])
    with pytest.raises(KeyboardInterrupt):  # half a training is no result
        accuracy.train("tiny", 0, CPU)
    # a new optimizer warms up; then the cycle goes on where it was, down to 0
    assert rates[1] == pytest.approx([0.1 * 0.25 / 0.9, 0.125 / 0.9, 0.0])


def test_a_tiny_run_learns_from_cifar(monkeypatch):
    goal = GOALS["80sec to 26 % error"]._replace(stages=((32, 1280),), epochs=2)
    monkeypatch.setitem(GOALS, "tiny", goal)
    score, seconds = accuracy.train("tiny", 0, CPU)
    assert score > 0.15 and seconds > 0


@pytest.fixture
def small_pictures(monkeypatch):
    """CIFAR-10 with 256 training images, all that the textbook's recipe then has."""
    few = recipes.NETS["80sec"]._replace(
        data=lambda *a, **k: cifar10(*a, **({"train_images": 256} | k)), images=256
    )
    monkeypatch.setitem(recipes.NETS, "80sec", few)
    monkeypatch.setattr(recipes, "EPOCHS", 2)
    return few


def test_the_textbooks_recipe_on_cifar(small_pictures, monkeypatch):
    assert small_pictures.steps == 4
    loader = recipes.one_by_one(small_pictures)
    image, label = (one[0] for one in loader.collate_fn([0]))
    assert len(loader) == 2
    assert image.shape == (3, 32, 32) and image.min() >= 0 and image.max() <= 1
    data = cifar10(train_images=256, held_out=0).train
    torch.testing.assert_close(image, data.images[0] / 255)
    assert label == data.labels[0]
    steps, before = [], recipes.steps

    def counted(plain, name, where, net):
        weights = [p.clone() for p in net.parameters() if p.dim() > 1]
        step = before(plain, name, where, net)
        after = [p for p in net.parameters() if p.dim() > 1]  # by Xavier
        assert not any(map(torch.equal, weights, after))
        return lambda: (step(), steps.append(1))

    def scored(net, test):
        images, _ = next(iter(test))
        assert images.min() >= 0 and images.max() <= 1  # not standardised, as trained
        return Score(1.0, 0.3, 3, 10)

    monkeypatch.setattr(recipes, "steps", counted)
    monkeypatch.setattr(accuracy, "evaluate", scored)
    assert accuracy.textbook("80sec", CPU) == 0.3 and len(steps) == 4


@pytest.mark.parametrize("name", recipes.NETS)
def test_pictures_are_what_the_network_reads(name):
    if name != "AlexNet":  # its first step takes seconds
        recipes.steps(True, name, CPU)()
        recipes.steps(False, name, CPU)()
    images, labels = next(iter(recipes.one_by_one(recipes.NETS[name])))
    assert images.shape == (128, *recipes.NETS[name].shape) and labels.shape == (128,)


def _reached(name, accuracies):
    return {
        "network": GOALS[name].network,
        "published": "A book",
        "seconds": [2.0, 4.0],
        "accuracies": accuracies,
        "reached": min(accuracies) >= GOALS[name].accuracy,
        "flops": 2e13,
        "textbook_flops": 3e14,
        "textbook_seconds": 60.0,
        "gain": 20.0,
    }


def test_reach_compares_with_the_textbooks_ten_epochs(monkeypatch):
    runs = iter([(0.80, 2.0), (0.75, 3.0), (0.76, 4.0), (0.74, 3.0), (0.75, 3.0)])
    monkeypatch.setattr(accuracy, "train", lambda *a: next(runs))
    result = accuracy.reach("80sec to 26 % error", CPU, plain_step=0.1)
    assert result["reached"] and result["accuracies"] == [0.80, 0.75, 0.76, 0.74, 0.75]
    assert result["textbook_seconds"] == pytest.approx(0.1 * 10 * 391)
    assert result["gain"] == pytest.approx(391 / 3)
    image = 2 * (3 * 12_354_176 - 2_457_600)
    assert result["flops"] == 4 * 50_000 * image
    assert result["textbook_flops"] == 10 * 50_000 * image
    runs = iter([(0.80, 2.0)] * 4 + [(0.7399, 2.0)])
    assert not accuracy.reach("80sec to 26 % error", CPU, 0.1)["reached"]


def test_what_is_left_out_keeps_its_record(tmp_path, monkeypatch, capsys):
    step = {"plain_seconds": 5.0, "our_seconds": 2.0, "gain": 2.5, "of_ceiling": 0.9}
    done = []
    monkeypatch.setattr(bench, "steps", lambda name, *a: done.append(name) or step)
    monkeypatch.setattr(bench, "reach", lambda name, *a: _reached(name, [0.76, 0.78]))
    monkeypatch.setattr(bench, "textbook", lambda name, *a: 0.651)
    bench.main(["--only", "80sec", "--out", str(tmp_path)])
    bench.main(
        ["--only", "LeNet-5", "80sec", "--skip", "textbook"] + ["--out", str(tmp_path)]
    )
    bench.main(["--only", "AlexNet", "--skip", "goals"] + ["--out", str(tmp_path)])
    record = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert done == ["80sec", "LeNet-5", "80sec", "AlexNet"]
    assert list(record["steps"]) == ["80sec", "LeNet-5", "AlexNet"]
    assert list(record["textbook"]) == ["80sec"]
    assert record["textbook"]["80sec"]["accuracy"] == 0.651
    assert record["goals"]["LeNet-5 to 72.8 %"]["command"].endswith("--only LeNet-5")
    told = capsys.readouterr().out
    goal = "| 80sec to 26 % error (A book) | 60.0 s; ends at 34.9 %; 300 TFLOP | "
    assert goal + "3.0 ± 1.4 s; 2 seeds, 24.0–22.0 %; 20 TFLOP | 20× |" in told
    assert "2 seeds, 76.0–78.0 % (not reached)" in told  # LeNet-5 to 77.9 %
    assert (tmp_path / "bench.png").stat().st_size > 10_000


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.parent.name)
def test_picture_says_what_was_not_reached(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    figure = draw(record)
    (ax,) = figure.axes
    texts = [text.get_text() for text in ax.texts]
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    told = dict(zip(labels, texts, strict=True))
    for name, run in record["goals"].items():
        assert name in GOALS and f"{name}, textbook" in told
        assert run["reached"] == (min(run["accuracies"]) >= run["wanted"])
        assert ("not reached" in told[f"{name}, ours"]) is not run["reached"]
    width = figure.dpi * figure.get_figwidth()
    figure.canvas.draw()
    assert all(text.get_window_extent().x1 <= width for text in ax.texts)
    plt.close(figure)


def test_readme_tells_the_record():
    readme = (RESULTS.parents[1] / "README.md").read_text(encoding="utf-8")
    record = (RESULTS / "with_bfloat16" / "bench.json").read_text(encoding="utf-8")
    for line in table(json.loads(record)):
        assert line in readme.splitlines(), line
