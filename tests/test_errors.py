"""Exit codes, and mistakes in one line."""

import subprocess
import sys

import pytest

from calm import errors


def test_a_user_error_is_one_line_and_code_2(capsys):
    def main():
        raise errors.UserError("--lr is missing")

    assert errors.run(main) == 2
    assert capsys.readouterr().err == "error: --lr is missing\n"


def test_a_parameter_in_backticks_is_a_flag_for_the_shell(capsys):
    def main():
        raise errors.UserError("`crop_size`=300 is larger than `resize_size`=256")

    assert errors.run(main) == 2
    assert capsys.readouterr().err == "error: --crop_size=300 is larger than --resize_size=256\n"


def test_a_progress_bar_ends_before_the_message(capsys):
    def items():
        try:
            yield 1
        finally:
            print("bar erased", file=sys.stderr)

    def main():
        for _ in items():
            raise errors.UserError("a.png is missing")

    assert errors.run(main) == 2
    assert capsys.readouterr().err == "bar erased\nerror: a.png is missing\n"


def test_a_wrong_word_and_an_unreadable_file_are_one_line_too(capsys, tmp_path):
    assert errors.run(lambda: errors.Parser(prog="draw").parse_args(["--size"])) == 2
    assert capsys.readouterr().err == "error: unrecognized arguments: --size; see draw --help\n"
    assert errors.run(lambda: print(tmp_path.read_text())) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: Is a directory\n"


def test_a_script_ends_without_a_search_for_circles():
    script = "import atexit, gc; from calm import errors; atexit.register(lambda: print(gc.get_freeze_count() > 1000))"
    done = subprocess.run([sys.executable, "-c", f"{script}; errors.run(int)"], capture_output=True, check=True)
    assert done.stdout.strip() == b"True"


def test_success_is_0_and_other_errors_are_not_hidden():
    assert errors.run(lambda: None) == 0
    assert errors.run(lambda: (_ for _ in ()).throw(OSError(28, "No space left on device"))) == 2
    with pytest.raises(ZeroDivisionError):
        errors.run(lambda: 1 // 0)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_too_little_memory_is_one_sentence(error, capsys):
    def main():
        raise error

    assert errors.run(main) == 2
    assert capsys.readouterr().err.startswith("error: there is not enough memory")
    with pytest.raises(RuntimeError, match="shape"):
        errors.run(lambda: (_ for _ in ()).throw(RuntimeError("shape mismatch")))


def test_a_word_with_a_nul_is_refused():
    with pytest.raises(errors.UserError, match="NUL"):
        errors.Parser(prog="x").parse_args(["a\0b"])
