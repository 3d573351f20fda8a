"""The image table: what it says and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.node.images import Image, ImageTable, ImageTableError, how_to_add, parse_images

TABLE = """
- image: registry.cn-hangzhou.aliyuncs.com/knative-sample/helloworld-go:*
  command: [python3, -m, hello, --python, "{python}"]
  env: {DELAY: 10ms, COUNT: 3, DEBUG: true}
- {image: "*/worker", command: ./worker --name 'a b', workingDir: src}
- {image: "*", command: [echo, python3, "{samples}/x"]}
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "registry.cn-hangzhou.aliyuncs.com/knative-sample/helloworld-go:160e4dc8",
            ("/py", "-m", "hello", "--python", "/py"),
        ),
        ("example.com/deep/path/worker", ("./worker", "--name", "a b")),
        ("anything", ("echo", "python3", "/s/x")),
    ],
)
def test_the_first_glob_that_matches_the_whole_name_counts(name: str, words: tuple[str, ...]) -> None:
    """* matches slashes; python3 stands for the interpreter as the first word only, {words} anywhere."""
    image = parse_images({"images.yaml": TABLE}).find(name)
    assert image is not None
    assert image.command_for({"python": "/py", "samples": "/s"}) == words


def test_values_of_env_are_texts() -> None:
    """Numbers and truths are written as YAML has them."""
    image = parse_images({"images.yaml": TABLE}).images[0]
    assert dict(image.env) == {"DELAY": "10ms", "COUNT": "3", "DEBUG": "true"}


@pytest.mark.parametrize("data", [{}, {"images.yaml": ""}, {"_example": "- x"}])
def test_no_table_is_an_empty_table(data: dict[str, str]) -> None:
    """A missing key means that no image is known."""
    assert parse_images(data) == ImageTable()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image: a", "images.yaml must be a list"),
        ("- a", "images.yaml[0] must be a mapping"),
        ("- {command: [a]}", "images.yaml[0].image must be"),
        ("- {image: a, command: [b]}\n- {image: c}", "images.yaml[1].command must be"),
        ("- {image: a, command: []}", "images.yaml[0].command must be"),
        ("- {image: a, command: 'b \"c'}", "images.yaml[0].command can't be split"),
        ("- {image: a, command: [b], envv: {}}", "images.yaml[0] has the unknown key 'envv'"),
        ("- {image: a, command: [b], env: [A]}", "images.yaml[0].env must map"),
        ("- {image: [", "images.yaml is no YAML"),
    ],
)
def test_a_mistake_names_its_place(text: str, told: str) -> None:
    """The error says which entry and what is wrong with it."""
    with pytest.raises(ImageTableError) as caught:
        parse_images({"images.yaml": text})
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="abc/:.-*?", min_size=1, max_size=12))
def test_a_name_without_wildcards_matches_itself(name: str) -> None:
    """An entry for an exact name finds it."""
    table = ImageTable((Image(name, ("x",)),))
    plain = name.replace("*", "").replace("?", "a")
    assert (table.find(plain) is not None) or "*" not in name
    assert ImageTable((Image(plain, ("x",)),)).find(plain) is not None


def test_the_remedy_can_be_pasted() -> None:
    """The example in the message is an entry that the parser takes."""
    text = how_to_add("me/app:1", "zerogate-system")
    entry = text[text.index("- {") : text.rindex("}") + 1]
    assert parse_images({"images.yaml": entry}).find("me/app:1") is not None
