"""Documents as a program has them: what it names is one name, or several."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval import Documents, Settings

pytestmark = pytest.mark.slow


def test_a_text_names_one_label_and_one_beginning(models_home: Path, tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to(models_home / "models")
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "leave.md").write_text("# Leave\n\nThere are 26 days of leave.")
    (folder / "salary.md").write_text(
        "---\naudience: hr\n---\n# Salaries\n\nThe bands of the salaries are secret."
    )
    documents = Documents(Settings(home=tmp_path, generator="none"))
    documents.index(folder)

    def found(**within: str) -> set[str]:
        hits = documents.search("salaries", k=9, **within)
        return {hit.passage.source.id for hit in hits}

    assert found() == {"docs/leave.md"}
    assert found(audience="hr") == {"docs/leave.md", "docs/salary.md"}
    assert found(sources="docs/salary") == set()
    assert found(audience="hr", sources="docs/salary") == {"docs/salary.md"}
