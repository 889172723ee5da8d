"""Laws of the configuration, tried on what hypothesis makes up: what is written is read back, or is one sentence."""

import tempfile
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from calm import config
from calm.errors import UserError
from calm.flags import flags_of, recorded
from calm.flags.flag import Flag
from calm.flags.values import boolean

few = settings(max_examples=40, deadline=None)
FLAGS = [flag for flag in flags_of("main").values() if not flag.many]
NUMBERS = st.one_of(st.integers(0, 99), st.floats(0, 1), st.floats(0, 1e30), st.integers(-3, 2**70), st.just("none"))
WORDS = st.one_of(
    st.text(max_size=12), st.sampled_from(["001", "1e3", "no", "null", "~", "0x10", "1:30", "[1]", "&a", "# b"])
)


def parsed(words: list[str]) -> dict | None:
    """The record of a command line; None if it is refused, which takes one sentence."""
    try:
        return recorded(config.parse(words, "main"))
    except UserError as error:
        sentence = str(error)
    assert "\n" not in sentence
    return None


def words_for(flag: Flag) -> st.SearchStrategy[str]:
    """A flag with a value of its kind, or with any word."""
    if flag.type is boolean:
        values = st.sampled_from(["True", "no", "1"])
    else:
        values = st.sampled_from(flag.choices) if flag.choices else WORDS if flag.type is str else NUMBERS
    return values.map(lambda value: f"--{flag.name}={value}")


@settings(max_examples=20, deadline=None)
@given(words=st.lists(st.sampled_from(FLAGS).flatmap(words_for), max_size=4))
def test_what_is_written_is_read_back(words):
    record = parsed(words)
    if record is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(record), encoding="utf-8")
        assert config.read_yaml(path, "main", source="x") == record


@few
@given(
    text=st.one_of(
        st.text(max_size=60),
        st.text(alphabet="lrsed:0123.-[]{}&*!|>'\" \n\t#", max_size=40),
        st.lists(st.tuples(st.sampled_from(FLAGS).map(lambda flag: flag.name), WORDS), max_size=3).map(
            lambda lines: "\n".join(f"{name}: {word}" for name, word in lines)
        ),
    )
)
def test_any_text_of_a_file_is_read_or_refused_in_one_sentence(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.yaml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        record = parsed([f"--config={path}"])
        assert record is None or set(record) == set(recorded(config.parse([], "main")))


@few
@given(flag=st.sampled_from(FLAGS), word=WORDS)
def test_any_word_of_a_command_line_is_a_value_or_one_sentence(flag, word):
    record = parsed([f"--{flag.name}={word}"])
    if record is not None and flag.type is str and flag.name != "experiment_name":
        assert record[flag.name] == word
