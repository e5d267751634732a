"""The files in deploy/: settings and commands that exist, one token, one shared data folder."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.main import get_command

from vecaf.commands import app
from vecaf.settings import Settings

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
FILES = sorted(DEPLOY.rglob("*.yaml"))
HOME = "/data"
OF_RAY = {"RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED"}


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def compose() -> dict[str, Any]:
    return documents(DEPLOY / "compose" / "compose.yaml")[0]


def pods() -> dict[str, dict[str, Any]]:
    """Return the pod templates of the Kubernetes manifests by name."""
    (_, cluster), (studio, _) = (
        documents(DEPLOY / "kuberay" / name) for name in ("raycluster.yaml", "studio.yaml")
    )
    groups = cluster["spec"]["workerGroupSpecs"]
    return {
        "head": cluster["spec"]["headGroupSpec"]["template"]["spec"],
        **{group["groupName"]: group["template"]["spec"] for group in groups},
        "studio": studio["spec"]["template"]["spec"],
    }


def containers() -> list[dict[str, Any]]:
    return [one for pod in pods().values() for one in pod["containers"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_settings_are_known(path: Path) -> None:
    names = set(re.findall(r"\b(?:VECAF|RAY)_[A-Z_]+\b", path.read_text()))
    known = {*Settings.from_environment({}).as_environment(), "VECAF_ENGINE", *OF_RAY}
    assert names - known - {"RAY_HEAD_IP"} == set()  # Ray's launcher sets RAY_HEAD_IP


def test_commands_of_the_studio_exist() -> None:
    named = set(re.findall(r'"-m", "vecaf", "(\w+)"', "".join(p.read_text() for p in FILES)))
    named |= set(re.findall(r"-m vecaf (\w+)", (DEPLOY / "README.md").read_text()))
    assert named == {"worker", "doctor", "user"}
    assert named <= set(get_command(app).commands)  # type: ignore[attr-defined]


def test_compose_shares_folder_and_token() -> None:
    services = compose()["services"]
    of_studio = {name: one for name, one in services.items() if name != "postgres"}
    assert set(of_studio) == {"head", "node", "studio", "worker"}
    for name, service in of_studio.items():
        environment = service["environment"]
        assert environment["VECAF_HOME"] == HOME, name
        assert f"data:{HOME}" in service["volumes"], name
        assert environment["RAY_AUTH_MODE"] == "token", name
        assert environment["RAY_AUTH_TOKEN"].startswith("${RAY_AUTH_TOKEN:?"), name
        assert environment["RAY_ADDRESS"] == "http://head:8265", name
    published = [port for one in services.values() for port in one.get("ports", [])]
    assert published == ["127.0.0.1:7860:7860"]  # neither Ray nor PostgreSQL


def test_pods_share_folder_token_and_user() -> None:
    for name, pod in pods().items():
        assert pod["securityContext"] == {"runAsUser": 10001, "fsGroup": 10001}, name
        (volume,) = pod["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == "vecaf-data", name
    for container in containers():
        values = {one["name"]: one for one in container["env"]}
        assert values["VECAF_HOME"]["value"] == HOME, container["name"]
        assert container["volumeMounts"] == [{"name": "data", "mountPath": HOME}]
        if "RAY_ADDRESS" in values:
            assert values["RAY_AUTH_MODE"]["value"] == "token"
            token = values["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]
            assert token == {"name": "vecaf", "key": "auth_token"}
    cluster = documents(DEPLOY / "kuberay" / "raycluster.yaml")[1]
    assert cluster["spec"]["authOptions"] == {"mode": "token", "secretName": "vecaf"}


def test_versions_of_ray_are_the_tested_one() -> None:
    cluster = documents(DEPLOY / "kuberay" / "raycluster.yaml")[1]
    constraints = (DEPLOY.parent / "constraints.txt").read_text()
    assert f"\nray=={cluster['spec']['rayVersion']}\n" in constraints


def test_image_installs_what_a_cluster_needs() -> None:
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    assert "ARG CLUSTER" in dockerfile and "${CLUSTER:+-r requirements-cluster.txt}" in dockerfile
    assert compose()["x-container"]["build"]["args"] == {"CLUSTER": "1"}
    assert "--build-arg CLUSTER=1" in (DEPLOY / "README.md").read_text()


def test_launcher_file_fits_the_schema_of_ray() -> None:
    schema = resources.files("ray.autoscaler").joinpath("ray-schema.json").read_text()
    (config,) = documents(DEPLOY / "launcher" / "cluster.yaml")
    jsonschema.validate(config, json.loads(schema))
    started = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    starts = [command for command in started if "ray start" in command]
    assert len(starts) == 2 and all("RAY_AUTH_MODE=token" in command for command in starts)
