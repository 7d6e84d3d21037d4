"""What is made of lego's words; they were said by lego 4.35 in front of Pebble 2.10."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.onhost.certificate import lego
from deploy.onhost.certificate.settings import Acme

POST = 'Post "https://ca.test/order": POST https://ca.test/order giving up after 1 attempt(s): acme: error: '
PROBLEM = "urn:ietf:params:acme:error:"
AUTHORIZATION = (
    "2026/11/24 10:16:53 Could not obtain certificates:\n\terror: one or more domains had a problem:\n"
    f"[cal.example.test] invalid authorization: acme: error: 400 :: {PROBLEM}"
)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            "2026/11/24 10:15:55 Could not create client: get directory at 'https://ca.test/dir': GET "
            "https://ca.test/dir giving up after 6 attempt(s): dial tcp: lookup ca.test: no such host",
            "the CA cannot be reached: Could not create client: get directory at",
        ),
        (
            "2026/11/24 10:17:37 Could not create client: get directory at 'https://ca.test/dir': tls: "
            "failed to verify certificate: x509: certificate signed by unknown authority",
            "the ACME server's own certificate is not trusted: set tls.acme.directory_ca_file",
        ),
        (
            f'{AUTHORIZATION}connection :: Get "http://cal.example.test:80/.well-known/acme-challenge/x": '
            "dial tcp 192.0.2.4:80: connect: connection refused",
            'the CA could not check that the name is ours (connection): Get "http://cal.example.test:80',
        ),
        (
            f"{AUTHORIZATION}dns :: DNS problem: NXDOMAIN looking up A for cal.example.test",
            "the CA could not check that the name is ours (dns): DNS problem: NXDOMAIN",
        ),
        (
            "2026/11/24 10:15:23 [INFO] [cal.example.test] acme: Obtaining bundled SAN certificate\n"
            f"2026/11/24 10:15:23 [WARN] retry: acme: error: 429 :: {PROBLEM}rateLimited :: too many\n"
            f"2026/11/24 10:15:23 Could not obtain certificates:\n\t{POST}429 :: {PROBLEM}rateLimited :: "
            "too many certificates (5) already issued, retry after 2026-11-25 09:00:00 UTC",
            "the CA refuses for now, by its rate limit: too many certificates (5) already issued, retry "
            "after 2026-11-25 09:00:00 UTC",
        ),
        (
            f"2026/11/24 10:15:23 Could not obtain certificates:\n\t{POST}400 :: {PROBLEM}badNonce :: no",
            "the CA kept rejecting our requests as repeated (nonces): no",
        ),
        (
            f"2026/11/24 10:15:23 Could not obtain certificates:\n\t{POST}400 :: {PROBLEM}invalidProfile :: "
            'Order includes unrecognized profile name "nope"',
            "the CA has no such profile: mend tls.acme.profile: Order includes unrecognized profile name "
            '"nope"',
        ),
        (
            f"2026/11/24 10:15:23 Could not obtain certificates:\n\t{POST}400 :: {PROBLEM}badCSR :: weak",
            "the CA refuses (badCSR): weak",
        ),
        (
            "2026/11/24 10:17:39 Server requires External Account Binding. Use --eab with --kid and --hmac.",
            "the CA wants an external account binding: set tls.acme.eab_key_id and eab_hmac: Server requires",
        ),
        (
            "2026/11/24 10:17:41 write /lego/accounts/ca.test/a@b/account.json: no space left on device",
            "the disk is full: write /lego/accounts",
        ),
        (
            "2026/11/24 10:17:41 cloudflare: some credentials information are missing: CF_DNS_API_TOKEN",
            "the DNS provider lacks variables: mend tls.acme.dns_env: cloudflare: some credentials",
        ),
        (
            "docker: Error response from daemon: No such image: lego:4.",
            "the image of lego is not on this host",
        ),
        ("", "lego failed: without a word"),
    ],
)
def test_one_line_says_why(said: str, why: str) -> None:
    line = lego.why(said)
    assert line.startswith(why)
    assert "\n" not in line


def test_no_secret_stands_in_the_command_or_comes_out_of_lego(tmp_path: Path) -> None:
    file = tmp_path / "acme.env"
    file.write_text(
        "# made by\nLEGO_SERVER=https://ca.test/dir\nLEGO_EAB_HMAC=hmac-of-ours\nCF_TOKEN=s3same\n"
    )
    acme = Acme(
        image="lego:4",
        pull="never",
        container="calcom-acme",
        network="calcom_front",
        user=65532,
        folder=tmp_path,
        environment_file=file,
        authorities=None,
        options=("--accept-tos", "--domains", "cal.example.test"),
        profile="shortlived",
        wanted="x",
        record=tmp_path / "record.json",
    )
    command = lego.command(acme, ["run"])
    assert command[-3:] == ["run", "--profile", "shortlived"]
    assert not [word for word in command if "s3same" in word or "hmac-of-ours" in word]
    for option in ("--read-only", "--rm"):
        assert option in command
    assert command[command.index("--cap-drop") + 1] == "ALL"
    hide = lego._hider(file)
    assert (
        hide("https://ca.test/dir refuses s3same and hmac-of-ours")
        == "https://ca.test/dir refuses *** and ***"
    )
