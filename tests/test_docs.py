"""README and docs against the code; `python -m tests.test_docs` rewrites their generated parts."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from bot.settings import ApiSettings, SlackSettings, load_api_settings, load_slack_settings
from retrieval.cli import whimbrel
from retrieval.index.building import update_index
from retrieval.index.generation import load_index
from retrieval.models.catalogue import PACKAGED
from retrieval.settings import Settings, instead_of, load_settings
from retrieval.sources.connector import connect, sources_of
from tests.retrieval.word_embedder import WordEmbedder
from training.settings import LearnSettings, load_learn_settings

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("examples/**/*.md")])
NAMES = [
    path.relative_to(ROOT).as_posix()
    for path in PAGES
    if "handbook" not in path.relative_to(ROOT).parts
]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SHELL = re.compile(r"(?:^|/bin/|--rm )(whimbrel [a-z].*)")

KINDS: tuple[tuple[type[BaseSettings], str], ...] = (
    (Settings, "WHIMBREL_"),
    (LearnSettings, "WHIMBREL_LEARN_"),
    (SlackSettings, "SLACK_"),
    (ApiSettings, "WHIMBREL_API_"),
)


def settings_table() -> str:
    """Every setting with its default and what it is for."""
    lines = ["| setting | default | what it is |", "|---|---|---|"]
    for model, prefix in KINDS:
        lines += [
            f"| `{prefix}{name.upper()}` | {default(model, name)} | {told(field)} |"
            for name, field in model.model_fields.items()
        ]
    return "\n".join(lines)


def told(field: FieldInfo) -> str:
    instead = instead_of(field)
    return (
        f"{field.description}; will go in a later release: {instead}"
        if instead
        else str(field.description)
    )


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


GENERATED = {
    "docs/settings.md": ("settings", settings_table),
    "docs/architecture.md": ("files", file_list),
}


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def renewed(page: str) -> str:
    """The page with its generated part as it should be."""
    name, make = GENERATED[page]
    first, rest = read(page).split(f"<!-- {name} -->\n")
    return f"{first}<!-- {name} -->\n{make()}\n<!-- /{name} -->{rest.split(f'<!-- /{name} -->')[1]}"


def code(page: str) -> list[str]:
    """The lines of the page's code blocks for a shell, and its code within sentences."""
    text = read(page)
    lines = [
        line
        for language, block in FENCE.findall(text)
        if language == "sh"
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return lines + re.findall(r"`([^`\n]+)`", FENCE.sub("", text).replace("\n", " "))


def commands(page: str) -> Iterator[list[str]]:
    """What follows `whimbrel` in each command of the page, as a shell would split it."""
    for line in code(page):
        if found := SHELL.search(line):
            yield shlex.split(found[1], comments=True)[1:]


def links(text: str) -> list[str]:
    """Where a page's links and pictures lead within this repository."""
    found = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", FENCE.sub("", text))
    return [link for pair in found for link in pair if link and not link.startswith("http")]


def anchors(text: str) -> set[str]:
    """The headings of a page as GitHub names them in addresses."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", GENERATED)
def test_the_generated_parts_are_up_to_date(page: str) -> None:
    assert read(page) == renewed(page)


@pytest.mark.parametrize("page", ["docs/import-format.md", "examples/ratings/README.md"])
def test_what_a_reader_is_told_to_index_holds_what_the_example_ratings_are_about(
    page: str, tmp_path: Path
) -> None:
    walk = r"whimbrel index (examples/\S+)\n *whimbrel import-ratings (examples/\S+)"
    found = re.search(walk, read(page))
    assert found, "the walk-through names the folder of documents before that of the ratings"
    settings = Settings(home=tmp_path)
    update_index([ROOT / found[1]], settings, WordEmbedder())
    passages = load_index(settings.index_folder, WordEmbedder()).passages
    indexed = "\n".join("".join(passage.text.split()) for passage in passages)
    rows = map(json.loads, read(f"{found[2]}/ratings.jsonl").rstrip("\n").split("\n"))
    about = {"".join(row["passage"]["text"].split()) for row in rows if "passage" in row}
    assert about
    assert not [passage for passage in about if passage not in indexed]


@pytest.mark.parametrize("page", NAMES)
def test_every_command_that_is_named_exists_and_takes_the_options_given(page: str) -> None:
    for arguments in commands(page):
        command: click.Command = whimbrel
        rest = arguments
        context = click.Context(command, info_name="whimbrel")
        while isinstance(command, click.Group) and rest:
            name, found, rest = command.resolve_command(context, rest)
            assert found, arguments
            command, context = found, click.Context(found, info_name=name, parent=context)
        left = command.make_parser(context).parse_args(list(rest))[1]
        assert left == [], arguments


def test_every_command_tells_its_help() -> None:
    with whimbrel.make_context("whimbrel", [], resilient_parsing=True) as context:
        for name in whimbrel.list_commands(context):
            result = CliRunner().invoke(whimbrel, [name, "--help"])
            assert (result.exit_code, bool(result.output)) == (0, True)


@pytest.mark.parametrize("page", NAMES)
def test_every_target_of_make_that_is_named_exists(page: str) -> None:
    targets = re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE)
    assert [
        line
        for line in code(page)
        if re.match("make [a-z]", line) and line.split()[1] not in targets
    ] == []


@pytest.mark.parametrize("page", NAMES)
def test_every_module_that_a_page_runs_exists(page: str) -> None:
    named = re.findall(r"python3? -m ((?:benchmarks|examples|tests)[\w.]*)", read(page))
    assert [name for name in named if find_spec(name) is None] == []


@pytest.mark.parametrize("page", NAMES)
def test_every_file_that_is_named_exists(page: str) -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"dataset", "models"}
    paths = [path for line in code(page) for path in re.findall(r"[\w.-]+/[\w./-]+\.\w+", line)]
    named = [path for path in paths if path.split("/")[0] in folders and "PACKAGE" not in path]
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", NAMES)
def test_every_setting_that_is_named_exists(page: str) -> None:
    known = {f"{prefix}{name.upper()}" for model, prefix in KINDS for name in model.model_fields}
    names = (
        r"`(?:export )?((?:WHIMBREL(?!_SOURCE_)|SLACK)_[A-Z_]*[A-Z])\b"  # a source's has its name
    )
    named = set(re.findall(names, read(page)))
    assert named - known <= set(re.findall(r"\w+", read("deploy/compose.yaml")))


@pytest.mark.parametrize("name", PACKAGED)
def test_the_page_of_models_tells_each_ones_licence_sum_and_place_on_the_hub(name: str) -> None:
    model, rows = (
        PACKAGED[name],
        re.findall(rf"^\| `{name}` \|.*$", read("docs/models.md"), re.MULTILINE),
    )
    first, _, last = re.findall(r"`(\w+)(…)(\w+)`", rows[0])[0]
    assert f"| {model.licence} |" in rows[0]
    assert model.sha256.startswith(first)
    assert model.sha256.endswith(last)
    assert re.findall(r"`(\S+@\w+)`", rows[1])[0] == model.hub[: model.hub.index("@") + 9]


@pytest.mark.parametrize("package", ["retrieval", "bot", "training"])
def test_the_layers_of_each_package_are_told_in_their_order(package: str) -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = (
        contract["layers"] for contract in contracts if contract.get("containers") == [package]
    )
    table = read("docs/architecture.md").split(f"\n`{package}/`, top to bottom:\n\n")[1]
    rows = [row for row in table.split("\n\n")[0].splitlines() if row.startswith("| `")]
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert told == [name for layer in layers for name in layer.split(" | ")]


@pytest.mark.parametrize("page", NAMES)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    broken = []
    for link in links(read(page)):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            broken.append(link)
    assert broken == []


def test_the_pages_of_docs_lead_nowhere_else_so_that_their_site_is_whole() -> None:
    outside = [link for page in NAMES for link in links(read(page)) if page.startswith("docs/")]
    assert [link for link in outside if link.startswith("..")] == []


def test_every_page_of_docs_has_a_place_in_the_site() -> None:
    nav = yaml.safe_load(read("mkdocs.yml"))["nav"]
    pages = sorted(page for entry in nav for page in entry.values() if "/" not in page)
    assert pages == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", NAMES)
def test_every_example_of_a_settings_file_is_read(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    for language, block in FENCE.findall(read(page)):
        if language == "toml":
            Path("whimbrel.toml").write_text(block, encoding="utf-8")
            load_api_settings(), load_learn_settings(), load_slack_settings()
            for source in sources_of(load_settings()).values():
                if source.audience:  # what a secret guards says whom it is for
                    for secret in ("credentials", "secret", "token"):
                        monkeypatch.setenv(source.variable(secret), '{"type": "authorized_user"}')
                connect(source).close()


def test_the_chinese_readme_names_the_same_commands_and_links() -> None:
    english, chinese = read("README.md"), read("README.zh.md")

    def facts(text: str) -> tuple[Counter[str], Counter[str], int]:
        blocks = [block for language, block in FENCE.findall(text) if language == "sh"]
        lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
        targets = Counter(link for link in links(text) if not link.startswith("README"))
        return Counter(lines), targets, len(re.findall(r"^#+ ", FENCE.sub("", text), re.MULTILINE))

    assert facts(chinese) == facts(english)
    assert "(README.zh.md)" in english
    assert "(README.md)" in chinese


def main() -> None:
    for page in GENERATED:
        (ROOT / page).write_text(renewed(page), encoding="utf-8")


if __name__ == "__main__":
    main()
