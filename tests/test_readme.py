"""The README against the code; `python -m tests.test_readme` rewrites its generated parts."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic_settings import BaseSettings

from bot.settings import SlackSettings
from retrieval.cli import whimbrel
from retrieval.index.building import update_index
from retrieval.index.generation import load_index
from retrieval.settings import Settings
from tests.retrieval.word_embedder import WordEmbedder
from training.settings import LearnSettings

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


KINDS: tuple[tuple[type[BaseSettings], str], ...] = (
    (Settings, "WHIMBREL_"),
    (LearnSettings, "WHIMBREL_LEARN_"),
    (SlackSettings, "SLACK_"),
)


def settings_table() -> str:
    """Every setting with its default and what it is for."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for model, prefix in KINDS:
        lines += [
            f"| `{prefix}{name.upper()}` | {default(model, name)} | {field.description} |"
            for name, field in model.model_fields.items()
        ]
    return "\n".join(lines)


def default(model: type[BaseSettings], name: str) -> str:
    value = model.model_fields[name].get_default(call_default_factory=True)
    if value is None or value in ({}, ()):
        return ""
    return f"`{value}`"


def file_list() -> str:
    """Every module with the first sentence of its docstring."""
    modules = {}
    for package in ("retrieval", "bot", "training"):
        for path in sorted((ROOT / package).rglob("*.py")):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            assert docstring, f"{path} does not say what it is for"
            name = path.relative_to(ROOT).as_posix().replace("__init__.py", "")
            first = re.split(r"\n\n|(?<=\.)\s", docstring, maxsplit=1)[0]
            modules[name] = first.replace("\n", " ")
    width = max(map(len, modules)) + 2
    lines = [f"{name:<{width}}{first}" for name, first in modules.items()]
    return "\n".join(["```text", *lines, "```"])


GENERATED = {"settings": settings_table, "files": file_list}


def between_marks(name: str, text: str) -> str:
    found = re.search(f"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", text, re.DOTALL)
    assert found, f"README.md has no part {name}"
    return found[1]


@pytest.mark.parametrize("text", [README, ROOT / "examples" / "ratings" / "README.md"])
def test_what_a_reader_is_told_to_index_holds_what_the_example_ratings_are_about(
    text: Path, tmp_path: Path
) -> None:
    commands = r"whimbrel index (examples/\S+)\n *whimbrel import-ratings (examples/\S+)"
    found = re.search(commands, text.read_text(encoding="utf-8"))
    assert found, "the walk-through names the folder of documents before that of the ratings"
    settings = Settings(home=tmp_path)
    update_index([ROOT / found[1]], settings, WordEmbedder())
    passages = load_index(settings.index_folder, WordEmbedder()).passages
    indexed = "\n".join("".join(passage.text.split()) for passage in passages)
    ratings = (ROOT / found[2] / "ratings.jsonl").read_text(encoding="utf-8")
    rows = map(json.loads, ratings.rstrip("\n").split("\n"))
    about = {"".join(row["passage"]["text"].split()) for row in rows if "passage" in row}
    assert about
    assert not [passage for passage in about if passage not in indexed]


@pytest.mark.parametrize("name", GENERATED)
def test_the_generated_parts_of_the_readme_are_up_to_date(name: str) -> None:
    assert between_marks(name, README.read_text(encoding="utf-8")) == GENERATED[name]()


def test_every_command_that_the_readme_names_exists() -> None:
    commands = CliRunner().invoke(whimbrel, ["--help"]).output
    named = set(re.findall(r"(?<!/)\bwhimbrel ([a-z]+)\b", README.read_text(encoding="utf-8")))
    assert named
    assert [name for name in named if not re.search(rf"^  {name}\b", commands, re.MULTILINE)] == []


def test_every_command_tells_its_help() -> None:
    with whimbrel.make_context("whimbrel", [], resilient_parsing=True) as context:
        for name in whimbrel.list_commands(context):
            result = CliRunner().invoke(whimbrel, [name, "--help"])
            assert (result.exit_code, bool(result.output)) == (0, True)


def test_every_file_that_the_readme_links_exists() -> None:
    links = re.findall(r"\]\(((?!http)[^)#]+)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def main() -> None:
    text = README.read_text(encoding="utf-8")
    for name, make in GENERATED.items():
        part = f"<!-- {name} -->\n{make()}\n<!-- /{name} -->"
        text = re.sub(
            f"<!-- {name} -->.*?<!-- /{name} -->", part.replace("\\", r"\\"), text, flags=re.DOTALL
        )
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
