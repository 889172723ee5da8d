"""Exit codes and whole files."""

import pytest

import atomic
import errors


def test_a_user_error_is_one_line_and_code_2(capsys):
    def main():
        raise errors.UserError("--lr is missing")

    assert errors.run(main) == 2
    assert capsys.readouterr().err == "error: --lr is missing\n"


def test_success_is_0_and_other_errors_are_not_hidden():
    assert errors.run(lambda: None) == 0
    with pytest.raises(ZeroDivisionError):
        errors.run(lambda: 1 // 0)


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "deep" / "a.json"
    atomic.write_text(path, "old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
