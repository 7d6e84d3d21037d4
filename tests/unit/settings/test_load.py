from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy.errors import InputError
from deploy.settings.inventory import INVENTORIES
from deploy.settings.load import load_inventory
from deploy.settings.section import SecretReference
from tests.unit.settings.folders import DEFAULTS, HOST, inventory_in, write_inventory


def told(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load_inventory(str(folder))
    assert caught.value.exit_code == 2
    return caught.value


# What loads


def test_the_lab_loads_and_is_one() -> None:
    lab = load_inventory("lab")
    assert lab.lab is not None
    host = lab.hosts["cal1"]
    assert (host.ssh.address, host.domain) == ("127.88.0.1", "cal1.calstack.test")
    assert {host.images.web.pull, host.images.database.pull, host.images.proxy.pull} == {"never"}


def test_a_copied_lab_host_works(tmp_path: Path) -> None:
    shutil.copytree(INVENTORIES / "lab", tmp_path / "lab", ignore=shutil.ignore_patterns("lab-state"))
    first = (tmp_path / "lab/hosts/cal1.yaml").read_text()
    second = first.replace("127.88.0.1", "127.88.0.2").replace("cal1", "cal2")
    (tmp_path / "lab/hosts/cal2.yaml").write_text(second)
    assert list(load_inventory(str(tmp_path / "lab")).hosts) == ["cal1", "cal2"]


def test_the_example_needs_four_values(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(INVENTORIES / "example", folder)
    text = str(told(folder))
    for name in ("ssh.address", "domain", "smtp.url", "admin.email"):
        assert name in text
    assert text.count("still says") == 4

    fill(folder / "hosts/cal1.yaml", ["203.0.113.5", "cal.example.org"])
    fill(folder / "defaults.yaml", ["ada@example.org", "smtp://mail@example.org@mx.example.org:587"])

    host = load_inventory(str(folder)).hosts["cal1"]
    assert (host.ssh.address, host.domain) == ("203.0.113.5", "cal.example.org")
    assert host.admin.email == "ada@example.org"
    assert host.smtp is not None
    assert host.smtp.password == SecretReference(secret="smtp_password")
    assert "@sha256:ace3bb1219fb" in host.images.web.for_architecture("amd64")
    assert "@sha256:4b0fa72eec13" in host.images.web.for_architecture("arm64")


def fill(file: Path, values: list[str]) -> None:
    """Replace the values, not the comments, that say CHANGE-ME, as a user would with an editor."""
    text = file.read_text()
    for value in values:
        text = text.replace(": CHANGE-ME\n", f": {value}\n", 1)
    file.write_text(text)


def test_a_host_is_laid_over_the_defaults_key_by_key(tmp_path: Path) -> None:
    write_inventory(
        tmp_path, hosts=2, defaults=DEFAULTS + "base: {packages: [vim, git]}\nproxy: {memory_mb: 99}\n"
    )
    with (tmp_path / "hosts/cal2.yaml").open("a") as file:
        file.write("base: {packages: [nano]}\nproxy: {inner_port: 9000}\n")
    hosts = load_inventory(str(tmp_path)).hosts
    assert hosts["cal1"].base.packages == ["vim", "git"]
    assert hosts["cal2"].base.packages == ["nano"]
    assert (hosts["cal2"].proxy.memory_mb, hosts["cal2"].proxy.inner_port) == (99, 9000)


def test_a_host_can_do_without_a_section_of_the_defaults(tmp_path: Path) -> None:
    write_inventory(tmp_path, defaults=DEFAULTS + "smtp: {host: mx.example.org}\n", more="smtp: null\n")
    assert load_inventory(str(tmp_path)).hosts["cal1"].smtp is None


def test_defaults_are_not_needed(tmp_path: Path) -> None:
    write_inventory(tmp_path, more=DEFAULTS)
    (tmp_path / "defaults.yaml").unlink()
    assert load_inventory(str(tmp_path)).hosts["cal1"].images.proxy.reference == "haproxy:3.2.4"


def test_aliases_work(tmp_path: Path) -> None:
    more = "app: {memory_mb: &m 1500}\ndatabase: {memory_mb: *m}\n"
    assert inventory_in(tmp_path, more=more).hosts["cal1"].database.memory_mb == 1500


def test_a_name_is_an_inventory_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_inventory("lab").path == INVENTORIES / "lab"
    write_inventory(tmp_path / "own")
    assert load_inventory("own").path == tmp_path / "own"
    assert load_inventory("./own").name == "own"


def test_paths_with_spaces_and_links_work(tmp_path: Path) -> None:
    write_inventory(tmp_path / "my servers")
    (tmp_path / "link").symlink_to(tmp_path / "my servers")
    assert load_inventory(str(tmp_path / "link")).path == tmp_path / "my servers"


# What does not, and how that is told


def test_all_problems_of_all_files_come_at_once_with_their_places(tmp_path: Path) -> None:
    write_inventory(tmp_path, hosts=2, defaults=DEFAULTS + "tls:\n  mode: acne\nprxoy: {}\n")
    with (tmp_path / "hosts/cal2.yaml").open("a") as file:
        file.write("app:\n  version: 6.0.1\n")
    places = [(p.file.name, p.line, p.key) for p in told(tmp_path).problems]
    assert places == [
        ("defaults.yaml", 9, "tls.mode"),  # once, though both hosts have it
        ("defaults.yaml", 10, "prxoy"),
        ("cal2.yaml", 7, "app.version"),
    ]


def test_what_is_missing_is_named_with_its_meaning(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    (tmp_path / "hosts/cal1.yaml").write_text("ssh:\n  port: 22\n")
    problems = {p.key: p for p in told(tmp_path).problems}
    assert set(problems) == {"ssh.address", "domain", "admin"}
    assert problems["ssh.address"].line == 1
    assert problems["domain"].file.name == "cal1.yaml"
    assert "Public name" in (problems["domain"].fix or "")


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("", None, "is empty"),
        ("# nothing but a comment\n", None, "is empty"),
        ("just text\n", 1, "is not a mapping"),
        ("- a\n- b\n", 1, "is not a mapping"),
        ("ssh:\n\taddress: x\n", 2, "indented by a tab"),
        ("ssh: {address: x\ndomain: y\n", 2, "not readable as YAML (column"),
        ("ssh: [\n", 2, "not readable as YAML"),
        ("a: b: c\n", 1, "not readable as YAML"),
        ("domain: 'x\n", 2, "not readable as YAML"),
        ("a: 1\n---\na: 2\n", 2, "not readable as YAML"),
        ("domain: a.example\nssh: {}\ndomain: b.example\n", 3, "stands there twice, first in line 1"),
        ("ssh: {address: a, address: b}\n", 1, "stands there twice"),
        ("1: x\n", 1, "a key that is not text"),
        ("? [a]\n: x\n", 1, "a key that is not a plain word"),
        ("domain: !env NAME\n", 1, "carries the tag !env"),
        ("smtp: {password: !secret [a]}\n", 1, "write !secret NAME"),
        ("x: &x [*x]\n", 1, "unfolds to too much"),
        ("<<: {domain: x}\n", 1, "merge key"),
        ('domain: "\\ud800\\udc00"\n', 1, "invalid Unicode character escape"),
        ('smtp: {password: !secret "\\udfff"}\n', 1, "invalid Unicode character escape"),
        ('"\\udfff": x\n', 1, "invalid Unicode character escape"),
        ("lab: {}\n", 1, "belongs into defaults.yaml"),
    ],
)
def test_broken_files_are_told_with_their_line(
    tmp_path: Path, content: str, line: int | None, says: str
) -> None:
    write_inventory(tmp_path)
    (tmp_path / "hosts/cal1.yaml").write_text(content)
    problem = next(p for p in told(tmp_path).problems if says in str(p))
    assert problem.file.name == "cal1.yaml"
    assert problem.line == line


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    write_inventory(tmp_path)
    (tmp_path / "hosts/cal1.yaml").write_text("\n".join(lines))
    assert "unfolds to too much" in str(told(tmp_path))


def test_binary_files_are_told(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    (tmp_path / "hosts/cal1.yaml").write_bytes(b"ssh:\n  address: \xff\xfe\n")
    assert "cal1.yaml:2: is not UTF-8 text" in str(told(tmp_path))


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    (tmp_path / "hosts/cal1.yaml").write_bytes(b"\xef\xbb\xbf" + HOST.format(number=1).encode())
    assert load_inventory(str(tmp_path)).hosts


def test_folders_in_place_of_files_are_told(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    (tmp_path / "hosts/cal2.yaml").mkdir()
    assert "cal2.yaml: cannot be read" in str(told(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files_are_told(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    (tmp_path / "hosts/cal1.yaml").chmod(0)
    assert "cannot be read: Permission denied" in str(told(tmp_path))


@pytest.mark.parametrize("name", ["nope", "a/b", "", "\0", "x" * 5000, "~no-such-user/x", "/nonexistent"])
def test_an_inventory_that_is_not_there(name: str) -> None:
    with pytest.raises(InputError) as caught:
        load_inventory(name)
    assert "nope" not in name or "there are: example, lab" in str(caught.value)


def test_an_inventory_without_hosts(tmp_path: Path) -> None:
    assert "has no hosts" in str(told(tmp_path))
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts/README.md").write_text("x")
    assert "has no hosts" in str(told(tmp_path))


def test_file_names_of_hosts(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    for name in ("Cal2.yaml", "cal 3.yaml", "cal4.yml", ".cal5.yaml", "cal6.yaml~"):
        (tmp_path / "hosts" / name).write_text(HOST.format(number=9))
    text = str(told(tmp_path))
    assert "Cal2.yaml: is not the name of a host" in text
    assert "cal 3.yaml: is not the name of a host" in text
    assert "cal4.yml: ends in .yml" in text
    assert "cal5" not in text
    assert "cal6" not in text


def test_an_api_s_own_name_is_nobody_else_s(tmp_path: Path) -> None:
    images = "images: {api: {reference: 'calcom-api:6.2.0'}, cache: {reference: 'redis:7.4.6'}}\n"
    write_inventory(tmp_path, hosts=2)
    (tmp_path / "hosts/cal2.yaml").write_text(
        HOST.format(number=2) + images + "api: {own_host: cal1.example.org}\n"
    )
    (problem,) = told(tmp_path).problems
    assert problem.key == "api.own_host"
    assert "name of the host cal1 as well" in problem.what


def test_two_hosts_must_differ(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    (tmp_path / "hosts/cal2.yaml").write_text(HOST.format(number=1))
    problems = {p.key: str(p) for p in told(tmp_path).problems}
    assert set(problems) == {"ssh.address", "domain"}
    assert "cal2.yaml:2" in problems["ssh.address"]
    assert "of the host cal1 as well" in problems["domain"]


def test_two_hosts_may_share_an_address_at_two_ports(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    second = HOST.format(number=2).replace("203.0.113.2", "203.0.113.1\n  port: 2222")
    (tmp_path / "hosts/cal2.yaml").write_text(second)
    assert len(load_inventory(str(tmp_path)).hosts) == 2


def test_named_files_must_be_there(tmp_path: Path) -> None:
    write_inventory(tmp_path, defaults=DEFAULTS + "app:\n  ca_file: tls/ca.pem\n", hosts=2)
    assert "defaults.yaml:9: app.ca_file: names a file that is not there" in str(told(tmp_path))
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/ca.pem").write_text("x")
    assert load_inventory(str(tmp_path)).hosts


def test_the_labs_files_are_made_later(tmp_path: Path) -> None:
    write_inventory(tmp_path, defaults=DEFAULTS + "lab:\nssh: {key_file: made-later}\n")
    assert load_inventory(str(tmp_path)).lab is not None


def test_a_placeholder_is_told_once(tmp_path: Path) -> None:
    write_inventory(tmp_path)
    host = tmp_path / "hosts/cal1.yaml"
    host.write_text(host.read_text().replace("cal1.example.org", "CHANGE-ME"))
    problems = told(tmp_path).problems
    assert [(p.key, p.what) for p in problems] == [("domain", "still says CHANGE-ME")]


# Whatever stands in the files, nobody sees a traceback

# fmt: off
PIECES = (
    "ssh", "address", "domain", "app", "env", "smtp", "tls", "lab", "images", ": ", ":", "\n", "  ", "- ",
    "{", "}", "[", "]", ", ", "!secret ", "!x ", "&a ", "*a", "<<", "? ", "|", ">", "'", '"', "#", "%", "@",
    "null", "true", "1", "1e999", "0x", "0o9", "-", ".inf", "2001-99-99", "1_0", "---\n", "...\n", "\t",
    "%YAML 9.9\n", "%TAG ! x\n", "!!python/object:os.system ", "!!binary ", "\x85", "\u2028", "é", "𝕏",
)
# fmt: on
yaml_like = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(yaml_like, st.text(max_size=60)))
@example("x: &x {y: *x}")
@example("- " * 3000)
@example("a: !!int 'x'")
@example("a: !!float ''")
@example("a: !!timestamp 2001-99-99")
@example("app: {env: {str: {SecretReference: 1}}}")
@example("%YAML 3.0\n--- x")
@example('domain: "A\\ud800\\udc00"')
@example("a: " + "9" * 5000)
def test_any_text_gives_settings_or_an_input_error(tmp_path: Path, text: str) -> None:
    write_inventory(tmp_path)
    for file in ("defaults.yaml", "hosts/cal1.yaml"):
        kept = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            load_inventory(str(tmp_path))
        except InputError as error:
            assert str(error)  # noqa: PT017 - any other exception fails the test
        (tmp_path / file).write_bytes(kept)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["ssh", "domain", "app", "env", "smtp", "url", "tls", "images", "web", "secret", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_gives_settings_or_an_input_error(tmp_path: Path, document: object) -> None:
    write_inventory(tmp_path)
    (tmp_path / "hosts/cal1.yaml").write_text(json.dumps(document))
    try:
        load_inventory(str(tmp_path))
    except InputError as error:
        assert "Input should" not in str(error)  # noqa: PT017
