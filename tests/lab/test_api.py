"""API v2 on a deployed host: who gets in, under which names, and what becomes of a changed mind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.calcom.http import open_client
from tests.deployed_lab import DeployedLab, container_ids, results

pytestmark = pytest.mark.docker

OWN_NAME = "api1.calstack.test"
LICENCE = "app:\n  env:\n    STANDIN_LICENCE: required\n"


def ask(lab: DeployedLab, path: str, key: str | None = None, url: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with open_client(url or lab.url, ca_file=lab.ca_file, connect_to=(lab.address, 443)) as client:
        return client.get(path, headers=headers)


def own_key(lab: DeployedLab) -> str:
    return f"cal_{lab.secrets('cal1')['api_key']}"


@contextmanager
def changed(lab: DeployedLab, replaced: Mapping[str, str]) -> Iterator[None]:
    """The lab's defaults with these texts replaced, while the block lasts; deployed back at its end."""
    defaults = lab.inventory_path / "defaults.yaml"
    text = edited = defaults.read_text(encoding="utf-8")
    for before, after in replaced.items():
        assert before in edited
        edited = edited.replace(before, after)
    defaults.write_text(edited, encoding="utf-8")
    try:
        yield
    finally:
        defaults.write_text(text, encoding="utf-8")
        back = lab.calstack("deploy")
    assert back.returncode == 0, back.stderr


def test_the_key_opens_the_api_and_nothing_else_does(deployed_lab: DeployedLab) -> None:
    mine = ask(deployed_lab, "/api/v2/me", own_key(deployed_lab))
    assert mine.status_code == 200
    assert mine.json()["data"]["email"] == deployed_lab.admin_email
    assert ask(deployed_lab, "/api/v2/me").status_code == 401
    assert ask(deployed_lab, "/api/v2/me", f"cal_{'0' * 32}").status_code == 401


def test_the_key_is_not_held_up_by_the_limit_of_others(deployed_lab: DeployedLab) -> None:
    assert (
        ask(deployed_lab, "/api/v2/me", own_key(deployed_lab)).headers["x-ratelimit-limit-default"]
        == "100000"
    )


def test_the_api_counts_the_true_peer(deployed_lab: DeployedLab) -> None:
    ask(deployed_lab, "/api/v2/me?mark=peer")
    lines = deployed_lab.on_host(
        "cd /opt/calcom && docker compose logs --no-log-prefix --tail 50 proxy"
    ).splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    peer = [entry["client"] for entry in entries if entry.get("path") == "/api/v2/me"][-1]
    counted = deployed_lab.on_host("cd /opt/calcom && docker compose exec -T cache redis-cli keys '*ip_*'")
    assert hashlib.sha256(peer.encode()).hexdigest() in counted


def test_no_key_stands_in_the_api_s_log(deployed_lab: DeployedLab) -> None:
    key = own_key(deployed_lab)
    ask(deployed_lab, "/api/v2/me", key)
    log = deployed_lab.on_host("cd /opt/calcom && docker compose logs api 2>&1")
    assert key not in log
    assert "Bearer" not in log


def test_nobody_on_the_host_or_outside_reaches_the_cache(deployed_lab: DeployedLab) -> None:
    script = (
        "cd /opt/calcom; id=$(docker compose ps -q cache); "
        "address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $id); "
        'timeout 3 bash -c "exec 3<>/dev/tcp/$address/6379"; echo $?; '
        'docker inspect -f "{{.NetworkSettings.Ports}}" $id'
    )
    code, ports = deployed_lab.on_host(script).splitlines()
    assert code == "124", "the host got through to the cache"
    assert "HostPort" not in ports
    assert container_ids(deployed_lab)["cache"]


def test_an_own_name_and_limits_come_with_the_settings(deployed_lab: DeployedLab) -> None:
    api = f"api:\n  own_host: {OWN_NAME}\n"
    limits = "\nrate_limits:\n  api:\n    anonymous_limit: 77\n    keys: [{note: n8n, limit: 600}]\n\napp:\n"
    with changed(deployed_lab, {"api:\n  memory_mb": f"{api}  memory_mb", "\napp:\n": limits}):
        done = deployed_lab.calstack("deploy", "--json")
        assert done.returncode == 0, done.stderr
        assert results(done)["cal1"]["notes"] == [
            "rate_limits.api.keys names 'n8n', and no API key has that note"
        ]
        url = f"https://{OWN_NAME}"
        assert ask(deployed_lab, "/v2/me", own_key(deployed_lab), url).status_code == 200
        assert ask(deployed_lab, "/v2/me", url=url).headers["x-ratelimit-limit-default"] == "77"
        assert ask(deployed_lab, "/docs", url=url).status_code == 404
        assert ask(deployed_lab, "/api/v2/me", own_key(deployed_lab)).status_code == 200
        verified = deployed_lab.calstack("verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr


def limited_to(lab: DeployedLab, key: str) -> str:
    return ask(lab, "/api/v2/me", key).headers["x-ratelimit-limit-default"]


def test_a_manifest_limits_a_key_from_the_next_call_on(deployed_lab: DeployedLab, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"0" * 32).hexdigest()
    made = (
        """insert into "ApiKey" (id, "userId", note, "hashedKey") """  # noqa: S608 - our own text
        f"""select 'n8n', id, 'n8n | "x"', '{digest}' from users where role = 'ADMIN'"""
    )
    deployed_lab.sql(made.replace('"', r"\""))
    key, file = f"cal_{'0' * 32}", tmp_path / "limits.yaml"
    seed = ("seed", "--file", str(file))
    assert limited_to(deployed_lab, key) == "120", "and the API holds a copy of it"
    file.write_text("""api_key_limits: [{note: 'n8n | "x"', limit: 7}, {note: zapier, limit: 7}]\n""")

    planned = deployed_lab.calstack(*seed, "--plan", "--json")
    assert planned.returncode == 0, planned.stderr
    (host,) = json.loads(planned.stdout)["hosts"]
    assert [(change["kind"], change["key"]) for change in host["changes"]] == [("api_key_limit", 'n8n | "x"')]
    assert host["notes"] == ["API key limit zapier: the administrator has no API key of this note"]
    assert limited_to(deployed_lab, key) == "120"

    done = deployed_lab.calstack(*seed)
    assert done.returncode == 0, done.stderr
    assert limited_to(deployed_lab, key) == "7"
    assert "0 created, 0 updated, 1 as declared" in deployed_lab.calstack(*seed).stderr
    pulled = deployed_lab.calstack("seed", "pull").stdout
    assert """api_key_limits:\n  - note: n8n | "x"\n    limit: 7\n""" in pulled

    file.write_text("api_key_limits: []\n")
    pruned = deployed_lab.calstack(*seed, "--prune", "--yes")
    assert pruned.returncode == 0, pruned.stderr
    assert limited_to(deployed_lab, key) == "120"
    deployed_lab.sql("delete from \\\"ApiKey\\\" where id = 'n8n'")


def test_a_build_that_wants_a_licence_is_noted_and_the_instance_works_without_its_api(
    deployed_lab: DeployedLab,
) -> None:
    with changed(deployed_lab, {"app:\n": LICENCE}):
        done = deployed_lab.calstack("deploy", "--json")
        assert done.returncode == 0, done.stderr
        host = results(done)["cal1"]
        assert host["smoke_test"] == "passed"
        (note,) = host["notes"]
        assert "without a licence of Cal.com" in note
        assert deployed_lab.calstack("verify").returncode == 0


def test_an_api_that_is_given_up_is_taken_away(deployed_lab: DeployedLab) -> None:
    defaults = (deployed_lab.inventory_path / "defaults.yaml").read_text(encoding="utf-8")
    images = defaults[defaults.index("  # Both are optional") : defaults.index("api:\n  memory_mb")]
    with changed(deployed_lab, {images: "\n"}):
        done = deployed_lab.calstack("deploy", "--json")
        assert done.returncode == 0, done.stderr
        running = deployed_lab.on_host("cd /opt/calcom && docker compose ps --services").split()
        assert sorted(running) == ["db", "proxy", "web"]
        assert ask(deployed_lab, "/api/v2/me").status_code != 200
        verified = deployed_lab.calstack("verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    assert ask(deployed_lab, "/api/v2/me", own_key(deployed_lab)).status_code == 200
