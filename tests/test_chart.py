"""The Helm chart, rendered by Helm itself: what Kubernetes would be told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import SlackSettings
from tests.test_deploy import DOCKERFILE, known_settings

helm = pytest.importorskip("helm_python", reason="it has no wheel for this machine")
kubernetes = pytest.importorskip("kubernetes_validate")

HELM = Path(__file__).parent.parent / "deploy" / "helm"
CHART = HELM / "whimbrel"
EXAMPLES = {"defaults": {}} | {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted(HELM.glob("examples/*.yaml"))
}
OLDEST = re.search(r"kubeVersion: .>=(\d+\.\d+)", (CHART / "Chart.yaml").read_text())

Values = dict[str, Any]


def rendered(values: Values) -> list[Any]:
    """The objects that the chart makes of values."""
    with helm.Chart.load(CHART) as chart:
        texts = chart.render(values, name="whimbrel", namespace="default")
    return [each for text in texts.values() for each in yaml.safe_load_all(text) if each]


def pods(values: Values) -> Iterator[tuple[str, Any]]:
    """The kind of each object that runs something, and its pod."""
    for found in rendered(values):
        spec = found.get("spec", {})
        if found["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            yield found["kind"], spec["template"]["spec"]


def own(values: Values) -> list[tuple[str, Any, Any]]:
    """Kind, pod and container of what runs our image."""
    return [
        (kind, pod, pod["containers"][0])
        for kind, pod in pods(values)
        if pod["containers"][0]["name"] == "whimbrel"
    ]


def paths(values: Values) -> Iterator[tuple[str, ...]]:
    """Where each single value stands."""
    for name, value in values.items():
        if isinstance(value, dict) and value and name not in ("resources", "settings"):
            yield from ((name, *path) for path in paths(value))
        else:
            yield (name,)


def changed(values: Values, path: tuple[str, ...]) -> Values:
    """The values with another one in a place."""
    values = deepcopy(values)
    table = values
    for name in path[:-1]:
        table = table.setdefault(name, {})
    value = table.get(path[-1])
    if isinstance(value, bool):
        table[path[-1]] = not value
    elif isinstance(value, int):
        table[path[-1]] = value + 1
    elif isinstance(value, list):
        table[path[-1]] = [*value, "other"]
    else:
        table[path[-1]] = {"other": "1"} if isinstance(value, dict) else "ReadOnlyMany"
    return values


def test_helm_finds_nothing_wrong() -> None:
    found = helm.lint(CHART)
    assert found["errors"] == []
    assert [message for message in found["messages"] if message["severity"] > 1] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_kubernetes_takes_every_part(name: str) -> None:
    assert OLDEST is not None
    for found in rendered(EXAMPLES[name]):
        for version in (OLDEST[1], kubernetes.latest_version()):
            kubernetes.validate(found, version, strict=True)


@pytest.mark.slow
def test_every_value_changes_something() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for part in ("postgres", "vllm", "tei", "service", "api"):
        values[part]["enabled"] = True
    for job in values["jobs"].values():
        job |= {"schedule": "0 * * * *"} | ({"claim": "claim"} if "claim" in job else {})
    values["data"]["accessMode"] = "ReadWriteMany"
    before = rendered(values)
    unused = [path for path in paths(values) if rendered(changed(values, path)) == before]
    assert unused == []


@pytest.mark.parametrize(
    "values", [{"replica": 2}, {"jobs": {"syncs": {}}}, {"api": True}, {"health": {"port": "http"}}]
)
def test_a_value_that_means_nothing_is_refused(values: Values) -> None:
    with pytest.raises(helm.HelmError, match=next(iter(values))):
        rendered(values)


def test_the_api_is_reached_where_it_listens() -> None:
    values = {"api": {"enabled": True, "port": 9000}, "service": {"enabled": True}}
    ((_, _, container),) = own(values)
    named = {variable["name"]: variable.get("value") for variable in container["env"]}
    (service,) = (found for found in rendered(values) if found["kind"] == "Service")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert named["WHIMBREL_API_LISTEN_HOST"] == named["SLACK_HEALTH_HOST"]
    assert named["WHIMBREL_API_LISTEN_PORT"] == str(ports["api"]) == "9000"
    assert {"name": "api", "port": 9000, "targetPort": "api"} in service["spec"]["ports"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_only_settings_that_exist_are_set(name: str) -> None:
    for _, _, container in own(EXAMPLES[name]):
        named = {variable["name"] for variable in container["env"]}
        assert {n for n in named if n.startswith(("WHIMBREL_", "SLACK_"))} <= known_settings()
        assert {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} <= named


@pytest.mark.parametrize("name", EXAMPLES)
def test_whatever_runs_our_image_is_its_user_who_can_change_nothing_else(name: str) -> None:
    user = re.search(r"--uid (\d+)", DOCKERFILE)
    assert user is not None
    for _, pod, container in own(EXAMPLES[name]):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == int(user[1])
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_pod_may_gain_rights_or_ask_the_cluster(name: str) -> None:
    for _, pod in pods(EXAMPLES[name]):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
            assert container["resources"]["requests"]


def test_probes_ask_what_the_bot_serves() -> None:
    ((_, _, container),) = own({})
    asked = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "startup")}
    assert asked == {"/livez"}
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["health"] == SlackSettings.model_fields["health_port"].default


def test_jobs_hold_no_token_of_slack() -> None:
    values = EXAMPLES["scheduled"] | {"secret": "tokens-of-slack"}
    held = {
        kind: {source["secretRef"]["name"] for source in container["envFrom"]}
        for kind, _, container in own(values)
    }
    assert held["CronJob"] == {"whimbrel-keys"}
    assert held["Deployment"] == {"tokens-of-slack", "whimbrel-keys"}


@pytest.mark.parametrize(
    "values", [{}, {"postgres": {"enabled": True}}, {"data": {"accessMode": "ReadWriteMany"}}]
)
def test_several_workers_need_all_that_they_share(values: Values) -> None:
    with pytest.raises(helm.HelmError, match="more than one needs"):
        rendered(values | {"replicas": 2})


@pytest.mark.parametrize("name", EXAMPLES)
def test_images_are_named_without_a_registry_unless_one_is_given(name: str) -> None:
    def images(values: Values) -> list[str]:
        return [each["image"] for _, pod in pods(values) for each in pod["containers"]]

    plain = images(EXAMPLES[name])
    assert all(re.fullmatch(r"[\w-]+(/[\w-]+)?:[\w.-]+", image) for image in plain)
    assert images(EXAMPLES[name] | {"registry": "images.example/hub/"}) == [
        f"images.example/hub/{image}" for image in plain
    ]
