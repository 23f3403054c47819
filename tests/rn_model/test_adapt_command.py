import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import typer
from rich.console import Console
from typer.testing import CliRunner

from bench.digits import summary_table
from rn_model.checkpoint import Run, load_run
from rn_model.cli import adapt
from rn_model.digits import experiment
from rn_model.digits.data import PREPROCESSING, target_images
from rn_model.digits.experiment import Data, ExperimentConfig, Outcome, load_data, run_experiment
from rn_model.domain_norm import domain_norms, set_branch
from rn_model.evaluation import accuracy, predict
from rn_model.images import Images, to_input
from rn_model.results import Row

runner = CliRunner()
app = typer.Typer()
app.command()(adapt)

COUNT = 100


def _small() -> ExperimentConfig:
    config = ExperimentConfig(source_count=COUNT, validation_count=30)
    return replace(
        config,
        training=replace(config.training, steps=4, batch_size=16),
        source_training=replace(config.source_training, steps=8, batch_size=16),
    )


def _few_images(config: ExperimentConfig) -> Data:
    data = load_data(_small())
    target = data.target
    return replace(data, target=Images(target.pixels[:COUNT], target.labels[:COUNT]))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "load_data", _few_images)
        return run_experiment(_small())


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    path = tmp_path_factory.mktemp("adapt") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "load_data", _few_images)
        arguments = ["digits", "--out", str(path), "--steps", "3", "--source-steps", "3"]
        result = runner.invoke(app, [*arguments, "--objective", "mcc+cdan"])
    assert result.exit_code == 0, result.output
    return result.output, path


def test_every_model_is_a_row(outcome: Outcome) -> None:
    names = [row.name for row in outcome.rows]
    expected = ["source only", "AdaBN", "RN", "RN + mcc", "RN + mcc+cdan"]
    assert names == expected == list(outcome.models)
    assert outcome.chosen in names


def test_a_models_target_branch_is_its_row(outcome: Outcome) -> None:
    target = outcome.data.target
    inputs = to_input(target.pixels, PREPROCESSING)
    for row in outcome.rows:
        probability = predict(outcome.models[row.name], inputs)
        measured = accuracy(probability, torch.from_numpy(target.labels))
        assert measured == row.oracle_target_accuracy


def test_source_only_knows_no_target_image(outcome: Outcome) -> None:
    for _, layer in domain_norms(outcome.models["source only"]):
        assert torch.equal(layer.running("source").mean, layer.running("target").mean)
        assert torch.equal(layer.running("source").variance, layer.running("target").variance)
        assert (int(layer.num_images_source), int(layer.num_images_target)) == (COUNT, 0)


def test_adabn_changes_statistics_alone(outcome: Outcome) -> None:
    source_only, adabn = outcome.models["source only"], outcome.models["AdaBN"]
    for name, parameter in source_only.named_parameters():
        assert torch.equal(parameter, adabn.get_parameter(name))
    for _, layer in domain_norms(adabn):
        assert int(layer.num_images_target) == COUNT
        assert not torch.equal(layer.running("source").mean, layer.running("target").mean)


def test_target_labels_change_nothing_but_the_report(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = outcome.data.target
    last = outcome.models["RN + mcc"]
    predicted = predict(last, to_input(target.pixels, PREPROCESSING)).argmax(dim=1).numpy()
    relabelled = replace(outcome.data, target=Images(target.pixels, predicted))
    monkeypatch.setattr(experiment, "load_data", lambda config: relabelled)
    other = run_experiment(_small())
    assert other.chosen == outcome.chosen
    for name, model in outcome.models.items():
        for key, value in model.state_dict().items():
            assert torch.equal(value, other.models[name].state_dict()[key])
    assert other.rows[-1].oracle_target_accuracy == 1 > outcome.rows[-1].oracle_target_accuracy


def test_the_command_saves_what_it_chose(command: tuple[str, Path]) -> None:
    output, path = command
    run: Run = load_run(path)
    assert f"* Chosen: {run.record.model}," in output
    assert run.classes == [str(digit) for digit in range(10)]
    assert run.preprocessing == PREPROCESSING
    assert run.config["objectives"] == ["mcc+cdan"]
    assert set(load_run(path / "source_only").record.fingerprints) == {"source"}
    set_branch(run.model, "target")
    inputs = to_input(target_images().pixels[:COUNT], PREPROCESSING)
    labels = torch.from_numpy(target_images().labels[:COUNT])
    assert accuracy(predict(run.model, inputs), labels) == run.metrics.oracle_target_accuracy


def test_the_command_prints_an_honest_table(command: tuple[str, Path]) -> None:
    output, path = command
    # The table keeps to 80 columns: no title is broken into lines.
    for name in ("source only", "AdaBN", "RN", "RN + mcc+cdan", "target accuracy"):
        assert name in " ".join(output.split())
    assert "labels were used to report it, and for nothing else" in output
    assert str(path) in output


def test_a_directory_with_other_things_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    result = runner.invoke(app, ["--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "is not the directory of a run" in result.output
    assert "Training" not in result.output


def test_the_command_itself_imports_neither_torch_nor_the_data() -> None:
    code = (
        "import sys, types; sys.modules['rn_model'] = package = types.ModuleType('rn_model');"
        f"package.__path__ = [{str(Path(experiment.__file__).parents[1])!r}];"
        "import rn_model.cli; heavy = {'torch', 'sklearn', 'matplotlib'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_bench_gives_mean_deviation_and_the_least() -> None:
    def row(accuracy: float) -> Row:
        return Row(
            name="RN",
            oracle_target_accuracy=accuracy,
            source_accuracy=1,
            information=0.5,
            nuclear_norm=0.5,
            seconds=2,
        )

    console = Console(width=120)
    with console.capture() as capture:
        console.print(summary_table([[row(0.8)], [row(0.9)]]))
    assert "85.0 +- 7.1" in capture.get() and "80.0" in capture.get()
