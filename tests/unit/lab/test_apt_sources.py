from __future__ import annotations

from pathlib import Path

from deploy.lab.apt_sources import (
    Mirror,
    Source,
    choose_mirror,
    machine_mirror,
    parse_deb822,
    parse_one_line,
)

MIRROR, SECURITY, OTHER = (
    "http://mirror.test/debian",
    "http://mirror.test/debian-security",
    "https://third.test/apt",
)

DEB822 = f"""\
# made by the installer
Types: deb deb-src
URIs: {MIRROR}
# a comment between the fields
Suites: bookworm
 bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://disabled.test/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://sources.test/debian
Suites: bookworm
Components: main
"""

ONE_LINE = f"""\
# deb http://commented.test/debian bookworm main
deb-src {MIRROR} bookworm main
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] {OTHER} bookworm main
deb {MIRROR}/ bookworm main contrib # the archive
deb {SECURITY} bookworm-security main
"""


def test_deb822_entries_are_read_with_continued_lines_and_without_disabled_ones() -> None:
    assert parse_deb822(DEB822) == [Source((MIRROR,), ("bookworm", "bookworm-updates"), ("main", "contrib"))]


def test_one_line_entries_are_read_without_options_and_comments() -> None:
    assert parse_one_line(ONE_LINE)[1:] == [
        Source((OTHER,), ("bookworm",), ("main",)),
        Source((MIRROR + "/",), ("bookworm",), ("main", "contrib")),
        Source((SECURITY,), ("bookworm-security",), ("main",)),
    ]


def test_the_archive_is_told_from_others_that_publish_under_the_same_code_name() -> None:
    assert choose_mirror(parse_one_line(ONE_LINE), "bookworm") == Mirror(MIRROR + "/", SECURITY)
    third = Source((OTHER,), ("bookworm",), ("main",))
    odd = [
        Source(("http://x.test/d",), ("bookworm",), ("main",)),
        Source(("http://x.test/d",), ("bookworm-updates",), ("main",)),
    ]
    assert choose_mirror([third, *odd], "bookworm") == Mirror("http://x.test/d", None)


def test_a_machine_without_the_archive_has_no_mirror() -> None:
    assert choose_mirror(parse_deb822(DEB822), "trixie") is None
    assert choose_mirror([], "bookworm") is None


def test_a_server_gets_the_release_its_updates_and_its_security_updates() -> None:
    assert Mirror(MIRROR, SECURITY).sources_list("bookworm") == (
        f"deb {MIRROR} bookworm main\ndeb {MIRROR} bookworm-updates main\n"
        f"deb {SECURITY} bookworm-security main\n"
    )
    assert "security" not in Mirror(MIRROR, None).sources_list("bookworm")


def machine(etc: Path, identity: str, sources: str) -> Path:
    (etc / "apt" / "sources.list.d").mkdir(parents=True)
    (etc / "os-release").write_text(f'ID={identity}\nVERSION_CODENAME="bookworm"\n')
    (etc / "apt" / "sources.list.d" / "debian.sources").write_text(sources)
    return etc


def test_the_mirror_is_read_from_the_files_of_a_debian_machine(tmp_path: Path) -> None:
    assert machine_mirror(machine(tmp_path, "debian", DEB822)) == Mirror(MIRROR, None)


def test_a_machine_that_is_no_debian_has_no_mirror(tmp_path: Path) -> None:
    assert machine_mirror(machine(tmp_path, "ubuntu", DEB822)) is None


def test_a_list_of_mirrors_as_cloud_images_have_it_is_followed(tmp_path: Path) -> None:
    listed = tmp_path / "mirrors.list"
    listed.write_text(f"# nearest first\n{MIRROR}\thttp://second.test/debian\n")
    etc = machine(tmp_path / "etc", "debian", DEB822.replace(MIRROR, f"mirror+file:{listed}"))
    assert machine_mirror(etc) == Mirror(MIRROR, None)
