import pytest
from typer import Exit

from bundle.extras import install_command
from rn.failing import INTERRUPTED, CommandError, fail, one_line, reporting


def test_an_error_is_one_line_with_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exit) as caught, reporting("adapt"):
        fail("two\n lines")
    assert caught.value.exit_code == 1
    assert capsys.readouterr() == ("", "rn adapt: two lines\n")


def test_the_status_is_that_of_the_error_or_of_the_command() -> None:
    with pytest.raises(Exit) as caught, reporting("diff", status=2):
        fail("no bundle")
    assert caught.value.exit_code == 2
    with pytest.raises(Exit) as caught, reporting("diff", status=2):
        raise CommandError("interrupted", INTERRUPTED)
    assert caught.value.exit_code == 130


def test_expected_exceptions_become_one_line() -> None:
    with pytest.raises(CommandError, match=r"^no file$"), one_line(OSError, ValueError):
        raise FileNotFoundError("no\nfile")
    with pytest.raises(KeyError), one_line(OSError, ValueError):
        raise KeyError("a bug")


def test_a_missing_package_names_its_extra(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exit) as caught, reporting("adapt", ("train",)):
        raise ModuleNotFoundError("No module named 'torch'", name="torch.nn")
    assert caught.value.exit_code == 1
    line = f"rn adapt needs torch: {install_command('train')}\n"
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("name", ["rn_model.absent", "service", "absent", None])
def test_a_module_that_no_extra_brings_is_a_bug(name: str | None) -> None:
    with pytest.raises(ModuleNotFoundError), reporting("adapt", ("train",)):
        raise ModuleNotFoundError("a bug", name=name)
