from __future__ import annotations

import base64
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pyrage  # type: ignore[import-untyped]  # ships no types
import pytest

from deploy.age_identity import identity_path, make_identity, read_identity
from deploy.errors import InputError
from deploy.masker import Masker
from deploy.secrets import HostSecrets, SecretStore, fits_password_policy, placeholders
from deploy.settings.inventory import Inventory
from tests.unit.settings.folders import inventory_in

SMTP = "smtp: {host: mx, user: u, password: !secret smtp_password}\n"


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "elsewhere" / "identity.txt"
    monkeypatch.setenv("CALSTACK_IDENTITY", str(path))
    return path


@pytest.fixture
def inventory(tmp_path: Path, identity: Path) -> Inventory:
    assert not identity.exists()
    return inventory_in(tmp_path / "inventory", hosts=2, more=SMTP)


def told(action: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        action()
    assert caught.value.exit_code == 2
    assert caught.value.fix, "every refusal says what to do"
    return str(caught.value)


# Made once


def test_each_secret_has_the_form_that_its_reader_wants(inventory: Inventory) -> None:
    secrets = SecretStore.open(inventory).host("cal1")
    assert len(secrets.encryption_key) == 32
    assert secrets.encryption_key.isascii()
    assert len(base64.b64decode(secrets.nextauth_secret)) == 32
    assert len(bytes.fromhex(secrets.cron_api_key)) == 32
    assert len(bytes.fromhex(secrets.cron_secret)) == 32
    assert secrets.cron_api_key != secrets.cron_secret
    bytes.fromhex(secrets.database_password)
    assert len(bytes.fromhex(secrets.api_key)) == 16
    assert secrets.jwt_secret not in (secrets.cron_secret, secrets.nextauth_secret)
    assert len(secrets.admin_password) >= 20
    assert fits_password_policy(secrets.admin_password)


@pytest.mark.parametrize(
    "bad", ["Short1aB", "nodigitsnodigitsA", "nocapital1nocapital", "NOSMALL1NOSMALL1", " Abcdefghijklm1n"]
)
def test_passwords_that_cal_com_refuses(bad: str) -> None:
    assert not fits_password_policy(bad)


def test_secrets_are_made_once_and_differ_between_hosts(inventory: Inventory) -> None:
    first = SecretStore.open(inventory).host("cal1")
    written = inventory.secrets_file.read_bytes()
    again = SecretStore.open(inventory).host("cal1")
    assert again == first
    assert inventory.secrets_file.read_bytes() == written
    assert SecretStore.open(inventory).host("cal2").encryption_key != first.encryption_key


def test_no_value_lies_readable_in_the_inventory_or_in_a_traceback(inventory: Inventory) -> None:
    secrets = SecretStore.open(inventory).host("cal1")
    content = b"".join(f.read_bytes() for f in inventory.path.rglob("*") if f.is_file())
    for value in (secrets.admin_password, secrets.encryption_key, secrets.nextauth_secret):
        assert value.encode() not in content
        assert value not in repr(secrets)


def test_files_are_for_their_owner_alone(inventory: Inventory, identity: Path) -> None:
    old = os.umask(0)
    try:
        SecretStore.open(inventory).host("cal1")
    finally:
        os.umask(old)
    assert identity.stat().st_mode & 0o777 == 0o600
    assert identity.parent.stat().st_mode & 0o777 == 0o700
    assert inventory.secrets_file.stat().st_mode & 0o777 == 0o600
    assert {f.name for f in inventory.path.iterdir()} == {"defaults.yaml", "hosts", "secrets.age"}
    assert [f.name for f in identity.parent.iterdir()] == ["identity.txt"]


def test_age_itself_opens_the_file(inventory: Inventory, identity: Path) -> None:
    SecretStore.open(inventory).host("cal1")
    assert inventory.secrets_file.read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----")
    line = identity.read_text().splitlines()[-1]
    assert b'"version": 1' in pyrage.decrypt(
        inventory.secrets_file.read_bytes(), [pyrage.x25519.Identity.from_str(line)]
    )


def test_opening_alone_makes_nothing(inventory: Inventory, identity: Path) -> None:
    SecretStore.open(inventory).listing()
    assert not identity.exists()
    assert not inventory.secrets_file.exists()


def test_a_new_identity_is_told_once(inventory: Inventory, identity: Path) -> None:
    lines: list[str] = []
    store = SecretStore.open(inventory, tell=lines.append)
    store.host("cal1")
    store.host("cal2")
    SecretStore.open(inventory, tell=lines.append).host("cal1")
    assert len(lines) == 1
    assert str(identity) in lines[0]
    assert "copy" in lines[0]
    assert "AGE-SECRET" not in lines[0]


# Resolving


def test_a_hosts_own_secret_comes_before_the_inventorys(inventory: Inventory) -> None:
    store = SecretStore.open(inventory)
    store.set("smtp_password", "for all of them")
    store.set("smtp_password", "for cal2 alone", "cal2")
    store = SecretStore.open(inventory)
    assert store.host("cal1").resolve("smtp_password") == "for all of them"
    assert store.host("cal2").resolve("smtp_password") == "for cal2 alone"


def test_a_missing_secret_says_how_to_store_it(inventory: Inventory) -> None:
    secrets = SecretStore.open(inventory).host("cal1")
    assert "calstack secrets set smtp_password" in told(lambda: secrets.resolve("smtp_password"))


def test_all_missing_secrets_are_told_at_once(inventory: Inventory) -> None:
    store = SecretStore.open(inventory)
    text = told(lambda: store.check_references(["cal1", "cal2"]))
    assert "smtp_password (for cal1: smtp.password, cal2: smtp.password)" in text
    store.set("smtp_password", "geheim!", "cal1")
    assert "cal1" not in told(lambda: store.check_references(["cal1", "cal2"])).splitlines()[0]
    store.set("smtp_password", "geheim!")
    store.check_references(["cal1", "cal2"])


def test_a_webhooks_secret_is_made_when_it_is_first_needed(inventory: Inventory) -> None:
    store = SecretStore.open(inventory)
    made = store.host("cal1").resolve_or_make("crm_webhook")
    assert len(bytes.fromhex(made)) == 32
    assert SecretStore.open(inventory).host("cal1").resolve_or_make("crm_webhook") == made
    assert SecretStore.open(inventory).host("cal2").resolve_or_make("crm_webhook") != made
    store.set("given", "by the user")
    assert store.host("cal1").resolve_or_make("given") == "by the user"


def test_placeholders_need_no_store(inventory: Inventory) -> None:
    shown = placeholders("cal1")
    assert isinstance(shown, HostSecrets)
    assert shown.nextauth_secret == "<nextauth_secret>"
    assert shown.resolve("smtp_password") == "<smtp_password>"
    assert shown.resolve_or_make("crm") == "<crm>"
    assert not inventory.secrets_file.exists()


# Storing, listing, showing


@pytest.mark.parametrize(
    ("name", "value", "host", "says"),
    [
        ("Bad-Name", "x", None, "not a name of a secret"),
        ("smtp_password", " \n", None, "is empty"),
        ("smtp_password", "a\0b", None, "zero byte"),
        ("smtp_password", "x", "cal9", "no host cal9"),
        ("tls_private_key", "x", "cal1", "made by calstack"),
        ("admin_password", "Abcdefghijklm1n", None, "name the host"),
        ("admin_password", "short", "cal1", "15 characters"),
        ("encryption_key", "x" * 31, "cal1", "exactly 32"),
        ("encryption_key", "ü" * 32, "cal1", "exactly 32"),
        ("database_password", "p@ss/word", "cal1", "letters and digits alone"),
        ("api_key", "cal_" + "a" * 32, "cal1", "behind its beginning, cal_"),
        ("nextauth_secret", "with blank", "cal1", "printable ASCII"),
    ],
)
def test_values_that_cannot_work_are_not_stored(
    inventory: Inventory, name: str, value: str, host: str | None, says: str
) -> None:
    store = SecretStore.open(inventory)
    with pytest.raises(InputError) as caught:
        store.set(name, value, host)
    assert says in str(caught.value)
    assert not inventory.secrets_file.exists()


def test_an_instance_can_be_adopted_but_not_locked_out(inventory: Inventory) -> None:
    store = SecretStore.open(inventory)
    store.set("encryption_key", "k" * 32, "cal1")
    assert store.host("cal1").encryption_key == "k" * 32
    store.set("encryption_key", "k" * 32, "cal1")
    assert "lock the instance out" in told(lambda: store.set("encryption_key", "n" * 32, "cal1"))
    assert SecretStore.open(inventory).host("cal1").encryption_key == "k" * 32


def test_the_list_tells_all_but_values(inventory: Inventory) -> None:
    store = SecretStore.open(inventory)
    secrets = store.host("cal1")
    store.set("smtp_password", "geheim!", "cal1")
    store.set("unused", "something")
    listed = {(s.name, s.host): s for s in store.listing()}
    assert listed["smtp_password", "cal1"].origin == "given"
    assert listed["smtp_password", "cal1"].used_by == ("cal1: smtp.password",)
    assert listed["smtp_password", "cal1"].created is not None
    assert listed["smtp_password", None].origin == "missing"
    assert listed["smtp_password", None].used_by == ("cal2: smtp.password",)
    assert listed["encryption_key", "cal1"].origin == "generated"
    assert listed["unused", None].used_by == ()
    text = repr(store.listing())
    assert "geheim!" not in text
    assert secrets.admin_password not in text


def test_one_value_is_shown_to_who_asks_for_it(inventory: Inventory) -> None:
    store = SecretStore.open(inventory)
    password = store.host("cal1").admin_password
    store.set("smtp_password", "geheim!")
    assert store.show("admin_password", "cal1") == password
    assert store.show("smtp_password") == "geheim!"
    assert store.show("smtp_password", "cal1") == "geheim!"
    assert "belongs to a host: cal1" in told(lambda: store.show("admin_password"))
    with pytest.raises(InputError, match="no secret nope"):
        store.show("nope", "cal1")


# What can go wrong with the files, each told apart


def test_a_lost_identity(inventory: Inventory, identity: Path) -> None:
    SecretStore.open(inventory).host("cal1")
    identity.unlink()
    text = told(lambda: SecretStore.open(inventory))
    assert "not the identity that opens them" in text
    assert "copy" in text
    assert not identity.exists(), "a new one would hide the loss"


def test_another_identity(inventory: Inventory, identity: Path) -> None:
    SecretStore.open(inventory).host("cal1")
    identity.unlink()
    make_identity(identity)
    assert "does not open this file, another one made it" in told(lambda: SecretStore.open(inventory))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "header"])
def test_a_damaged_file(inventory: Inventory, damage: str) -> None:
    SecretStore.open(inventory).host("cal1")
    content = inventory.secrets_file.read_bytes()
    lines = content.splitlines(keepends=True)
    damaged = {
        "cut": content[: len(content) // 2],
        "flipped": b"".join([*lines[:-3], lines[-3].swapcase(), *lines[-2:]]),
        "empty": b"",
        "text": b"hello\n",
        "header": content.replace(b"BEGIN AGE", b"BEGIN EGA"),
    }[damage]
    inventory.secrets_file.write_bytes(damaged)
    assert "damaged" in told(lambda: SecretStore.open(inventory))
    assert inventory.secrets_file.read_bytes() == damaged


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (b"not json", "damaged"),
        (b"[]", "damaged"),
        (b'{"version": 1}', "damaged"),
        (b'{"version": 1, "inventory": {"a": "b"}, "hosts": {}}', "damaged"),
        (b'{"version": 1, "inventory": {}, "hosts": []}', "damaged"),
        (b'{"version": 2}', "newer calstack"),
    ],
)
def test_a_file_that_calstack_did_not_write(
    inventory: Inventory, identity: Path, document: bytes, says: str
) -> None:
    made = make_identity(identity)
    inventory.secrets_file.write_bytes(pyrage.encrypt(document, made.recipients))
    assert says in told(lambda: SecretStore.open(inventory))


@pytest.mark.parametrize(
    "text", ["", "# only a comment\n", "AGE-SECRET-KEY-1QQQ\n", "ssh-ed25519 AAAA\n", "ü\n"]
)
def test_a_malformed_identity(inventory: Inventory, identity: Path, text: str) -> None:
    identity.parent.mkdir()
    identity.write_text(text)
    identity.chmod(0o600)
    assert "not an age identity" in told(lambda: SecretStore.open(inventory))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_an_identity_that_others_can_read(inventory: Inventory, identity: Path, mode: int) -> None:
    make_identity(identity)
    identity.chmod(mode)
    assert f"chmod 600 {identity}" in told(lambda: SecretStore.open(inventory))


def test_a_folder_in_place_of_the_identity(inventory: Inventory, identity: Path) -> None:
    identity.mkdir(parents=True)
    assert "is not a file" in told(lambda: SecretStore.open(inventory))


def test_an_identity_inside_the_repository(inventory: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALSTACK_IDENTITY", str(inventory.path / "identity.txt"))
    assert "inside the repository" in told(lambda: SecretStore.open(inventory))
    monkeypatch.setenv("CALSTACK_IDENTITY", str(Path(__file__).parent / "identity.txt"))
    assert "inside the repository" in told(lambda: SecretStore.open(inventory))


def test_a_folder_that_cannot_be_written(inventory: Inventory, monkeypatch: pytest.MonkeyPatch) -> None:
    SecretStore.open(inventory).host("cal1")
    before = inventory.secrets_file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left on device" in told(lambda: SecretStore.open(inventory).host("cal2"))
    assert inventory.secrets_file.read_bytes() == before


def test_an_identity_that_cannot_be_written(
    inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CALSTACK_IDENTITY", str(tmp_path / "file" / "identity.txt"))
    with pytest.raises(InputError, match="identity"):
        SecretStore.open(inventory).host("cal1")


def test_what_a_killed_run_left_is_no_obstacle(inventory: Inventory) -> None:
    (inventory.path / ".secrets.age.new").write_bytes(b"half")
    SecretStore.open(inventory).host("cal1")
    assert not (inventory.path / ".secrets.age.new").exists()


# Several at once


def test_nothing_is_lost_when_two_processes_change_at_once(inventory: Inventory) -> None:
    program = textwrap.dedent(f"""
        import sys
        from deploy.settings.load import load_inventory
        from deploy.secrets import SecretStore
        store = SecretStore.open(load_inventory({str(inventory.path)!r}))
        for number in range(20):
            store.set(f"from_{{sys.argv[1]}}_{{number}}", "value")
        print(store.host("cal1").admin_password)
    """)
    root = Path(__file__).resolve().parents[2]
    running = [
        subprocess.Popen([sys.executable, "-c", program, name], cwd=root, stdout=subprocess.PIPE, text=True)
        for name in ("a", "b")
    ]
    passwords = {process.communicate(timeout=60)[0] for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(passwords) == 1, "both made the same host's secrets"
    kept = {listing.name for listing in SecretStore.open(inventory).listing()}
    assert {f"from_{name}_{number}" for name in "ab" for number in range(20)} <= kept


def test_a_store_opened_before_the_first_secret_sees_what_another_made(inventory: Inventory) -> None:
    early = SecretStore.open(inventory)
    made = SecretStore.open(inventory).host("cal1")
    assert early.host("cal1") == made


def test_two_threads_make_one_identity(identity: Path) -> None:
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.append(str(make_identity(identity).keys[0]))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    there = read_identity(identity)
    assert there is not None
    assert str(there.keys[0]) == made[0]


# Where the identity lies


def test_the_identitys_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert identity_path({}) == tmp_path / ".config/calstack/identity.txt"
    assert identity_path({"XDG_CONFIG_HOME": "/etc/x"}) == Path("/etc/x/calstack/identity.txt")
    assert identity_path({"CALSTACK_IDENTITY": "~/key", "XDG_CONFIG_HOME": "/x"}) == tmp_path / "key"


# Masking


def test_every_value_is_masked_wherever_it_comes_from(inventory: Inventory) -> None:
    store = SecretStore.open(inventory)
    secrets = store.host("cal1")
    store.set("smtp_password", "given by hand")
    made = secrets.resolve_or_make("hook")
    text = store.masker.mask(f"{secrets.nextauth_secret} {secrets.admin_password} given by hand {made}")
    assert text == "*** *** *** ***"
    fresh = SecretStore.open(inventory)
    assert secrets.database_password not in fresh.masker.mask(
        f"postgresql://c:{secrets.database_password}@db"
    )


def test_a_value_that_another_store_makes_is_masked_too(inventory: Inventory) -> None:
    mask = SecretStore.open(inventory).masker.mask  # what the console holds, before any secret is there
    made = SecretStore.open(inventory).host("cal1").admin_password
    assert mask(f"password: {made}") == "password: ***"


@pytest.mark.parametrize(
    "written",
    [
        lambda v: v,
        lambda v: quote(v, safe=""),
        lambda v: v.replace("\\", "\\\\").replace('"', '\\"'),
        repr,
        lambda v: v.replace("$", "$$"),
        lambda v: v.replace("'", "'\"'\"'"),
    ],
)
def test_a_value_is_masked_as_tools_write_it(written: Callable[[str], str]) -> None:
    value = "p$a's\"s \\w/örd+"
    masker = Masker()
    masker.register(value)
    masked = masker.mask(f"before {written(value)} after")
    assert masked.strip("'\"").replace("'***'", "***") == "before *** after"


def test_the_longest_value_wins_and_short_ones_are_left_alone() -> None:
    masker = Masker()
    for value in ("secret", "secret-and-more", "abc", ""):
        masker.register(value)
    assert masker.mask("secret-and-more secret abc") == "*** *** abc"


def test_each_line_of_a_key_file_is_masked() -> None:
    masker = Masker()
    masker.register("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\nByqGSM49AgEG\n-----END PRIVATE KEY-----\n")
    assert masker.mask("log: ByqGSM49AgEG") == "log: ***"
    assert masker.mask("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"
