"""What is deployed against the program, its settings and its image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import SlackSettings
from retrieval.settings import Settings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FILES = ("whimbrel.service", "compose.yaml", "kubernetes.yaml")


def deployment() -> Any:
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    (found,) = (each for each in documents if each["kind"] == "Deployment")
    return found["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", FILES)
def test_only_settings_that_exist_are_named(name: str) -> None:
    known = {f"WHIMBREL_{field}".upper() for field in Settings.model_fields}
    known |= {f"SLACK_{field}".upper() for field in SlackSettings.model_fields}
    known.add("WHIMBREL_DOCUMENTS")  # of the compose file alone
    named = set(re.findall(r"\b(?:WHIMBREL|SLACK)_[A-Z_]+", (DEPLOY / name).read_text()))
    assert named - known == set()
    assert named


def test_containers_run_as_the_user_of_the_image_who_can_change_nothing_else() -> None:
    pod = deployment()
    (container,) = pod["containers"]
    user = re.search(r"--uid (\d+)", DOCKERFILE)
    assert user is not None
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(user[1])
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["whimbrel"]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_probes_ask_what_the_bot_serves() -> None:
    (container,) = deployment()["containers"]
    paths = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "startup")}
    assert paths == {"/livez"}
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["health"] == SlackSettings.model_fields["health_port"].default


@pytest.mark.parametrize("name", ["whimbrel.service", "kubernetes.yaml"])
def test_the_threads_of_the_models_wait_as_in_the_image(name: str) -> None:
    for variable in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        assert variable in DOCKERFILE
        assert variable in (DEPLOY / name).read_text()


def test_images_are_named_without_a_registry() -> None:
    text = "".join((DEPLOY / name).read_text() for name in FILES)
    assert set(re.findall(r"image: (.+)", text)) == {"whimbrel"}
