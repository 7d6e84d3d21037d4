from __future__ import annotations

import datetime as dt
import gc
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.errors import CalstackError, InputError, Problem
from deploy.seed.manifest import load_manifest, manifest_files
from tests.unit.seed.manifests import FULL, SECRETS, manifest

REPOSITORY = Path(__file__).resolve().parents[3]

EVENT_TYPE = """\
event_types:
  - slug: intro
    title: Intro
    length_minutes: 15
    locations: [{type: attendee_phone}]
"""


def problems(tmp_path: Path, text: str) -> list[Problem]:
    with pytest.raises(InputError) as caught:
        manifest(tmp_path, text)
    assert caught.value.exit_code == 2
    return list(caught.value.problems)


def told(tmp_path: Path, text: str) -> list[tuple[int | None, str, str, str | None]]:
    return [(item.line, item.key, item.what, item.fix) for item in problems(tmp_path, text)]


class TestSound:
    def test_hours_are_in_order(self, tmp_path: Path) -> None:
        hours = manifest(tmp_path).schedules[0].fields.availability
        assert hours is not None
        assert [str(item) for item in hours["monday"]] == ["09:00-12:30", "13:30-17:00"]

    def test_a_date_without_times_is_a_day_off(self, tmp_path: Path) -> None:
        overrides = manifest(tmp_path).schedules[0].fields.overrides
        assert overrides is not None
        assert (overrides[1].date, overrides[1].ranges) == (dt.date(2026, 12, 25), ())

    def test_what_is_left_out_is_not_managed(self, tmp_path: Path) -> None:
        fields = manifest(tmp_path).event_types[0].fields
        assert fields.model_fields_set == {"slug", "title", "length_minutes", "locations"}

    def test_null_is_managed(self, tmp_path: Path) -> None:
        assert "booking_limits" in manifest(tmp_path).event_types[1].fields.model_fields_set

    def test_secrets_are_resolved_and_not_shown(self, tmp_path: Path) -> None:
        loaded = manifest(tmp_path)
        assert loaded.webhooks[0].fields.secret == SECRETS["crm"]
        assert SECRETS["crm"] not in repr(loaded)

    def test_several_files_are_one(self, tmp_path: Path) -> None:
        first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
        first.write_text("schedules: [{name: Mornings, time_zone: UTC}]\n")
        second.write_text(EVENT_TYPE + "    schedule: Mornings\n")
        loaded = load_manifest([first, second], SECRETS.__getitem__)
        assert loaded.event_types[0].schedule == loaded.schedules[0].name

    def test_two_files_that_say_the_same_thing_twice_are_named_both(self, tmp_path: Path) -> None:
        first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
        first.write_text(EVENT_TYPE)
        second.write_text("# twice\n" + EVENT_TYPE)
        with pytest.raises(InputError) as caught:
            load_manifest([first, second], SECRETS.__getitem__)
        (problem,) = caught.value.problems
        assert (problem.file, problem.line) == (second, 3)
        assert problem.what == f"stands there twice, first in {first}:2"

    def test_the_parts_beside_the_manifest_count_in_their_order(self, tmp_path: Path) -> None:
        (tmp_path / "seed.d").mkdir()
        for name in ("seed.yaml", "seed.d/20-b.yaml", "seed.d/10-a.yaml", "seed.d/.hidden"):
            (tmp_path / name).touch()
        names = [file.name for file in manifest_files(tmp_path / "seed.yaml")]
        assert names == ["seed.yaml", "10-a.yaml", "20-b.yaml"]

    def test_a_part_that_would_be_passed_over_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "seed.d").mkdir()
        (tmp_path / "seed.d" / "more.yml").touch()
        with pytest.raises(InputError, match=r"does not end in \.yaml"):
            manifest_files(tmp_path / "seed.yaml")

    def test_an_inventory_without_a_manifest(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no manifest"):
            manifest_files(tmp_path / "seed.yaml")

    def test_values_from_the_environment(self, tmp_path: Path) -> None:
        file = tmp_path / "seed.yaml"
        file.write_text(
            "webhooks: [{url: !env HOOK, triggers: [BOOKING_CREATED], secret: !env HOOK_SECRET}]\n"
        )
        loaded = load_manifest(
            file, SECRETS.__getitem__, {"HOOK": "https://a.example.test/", "HOOK_SECRET": "of-the-shell"}
        )
        assert loaded.webhooks[0].url == "https://a.example.test/"
        assert loaded.webhooks[0].fields.secret == "of-the-shell"
        assert "of-the-shell" not in repr(loaded)

    def test_what_the_environment_lacks_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "seed.yaml"
        file.write_text(
            "webhooks:\n  - url: https://a.example.test/\n    triggers: [BOOKING_CREATED]\n"
            "    secret: !env NO_HOOK\n"
        )
        with pytest.raises(InputError) as caught:
            load_manifest(file, SECRETS.__getitem__, {})
        (problem,) = caught.value.problems
        assert (problem.line, problem.key) == (4, "webhooks[0].secret")
        assert problem.what == "the environment has no variable NO_HOOK"

    def test_users_have_things_of_their_own(self, tmp_path: Path) -> None:
        text = EVENT_TYPE + (
            "users:\n"
            "  - user: Ada@example.test\n"
            "    schedules: [{name: Evenings, time_zone: UTC}]\n"
            "    event_types:\n"
            "      - {slug: intro, title: Ada, length_minutes: 5, schedule: Evenings,"
            " locations: [{type: attendee_phone}]}\n"
        )
        loaded = manifest(tmp_path, text)
        ada = loaded.users["ada@example.test"]
        assert [item.slug for item in loaded.event_types] == ["intro"]
        assert (ada.event_types[0].fields.title, ada.event_types[0].schedule) == ("Ada", "Evenings")
        assert ada.kinds == {"schedule", "event type"}

    def test_users_do_not_see_each_others_things(self, tmp_path: Path) -> None:
        text = EVENT_TYPE + (
            "users:\n  - user: ada\n    webhooks:\n"
            "      - {url: 'https://a.example.test/', triggers: [BOOKING_CREATED], event_type: intro}\n"
        )
        ((line, key, what, _),) = told(tmp_path, text)
        assert (line, key) == (9, "users[0].webhooks[0].event_type")
        assert what == "there is no event type 'intro' in the manifest"

    def test_a_thousand_event_types_are_no_bomb(self, tmp_path: Path) -> None:
        one = EVENT_TYPE.partition("\n")[2]
        text = "event_types:\n" + "".join(one.replace("slug: intro", f"slug: t-{n}") for n in range(1000))
        assert len(manifest(tmp_path, text).event_types) == 1000

    def test_an_empty_mapping_is_fine(self, tmp_path: Path) -> None:
        assert manifest(tmp_path, "schedules: []\n").schedules == ()

    @pytest.mark.parametrize("inventory", ["lab", "example"])
    def test_the_inventories_of_the_repository(self, inventory: str) -> None:
        loaded = load_manifest(REPOSITORY / "inventories" / inventory / "seed.yaml", lambda name: name)
        assert loaded.event_types

    def test_ranges_may_touch(self, tmp_path: Path) -> None:
        overrides = manifest(tmp_path, FULL.replace("[10:00-12:00]", "[09:00-12:00, 12:00-13:00]"))
        assert overrides.schedules[0].fields.overrides


class TestRefused:
    def test_all_at_once_with_file_and_line(self, tmp_path: Path) -> None:
        found = told(
            tmp_path,
            "schedules:\n"
            "  - name: Office\n"
            "    time_zone: Europe/Berln\n"
            "event_types:\n"
            "  - slug: intro\n"
            "    title: Intro\n"
            "    lenght_minutes: 15\n"
            "    locations: [{type: attendee_phone}]\n",
        )
        assert found == [
            (3, "schedules[0].time_zone", "is not an IANA time zone", "did you mean Europe/Berlin?"),
            (5, "event_types[0].length_minutes", "is missing", found[1][3]),
            (
                7,
                "event_types[0].lenght_minutes",
                "is not a setting",
                "did you mean event_types[0].length_minutes?",
            ),
        ]

    def test_slug_says_how_to_write_it(self, tmp_path: Path) -> None:
        ((line, key, _, fix),) = told(tmp_path, EVENT_TYPE.replace("intro", "Has Space & Sign", 1))
        assert (line, key, fix) == (2, "event_types[0].slug", "write it like has-space-sign")

    def test_the_same_slug_twice(self, tmp_path: Path) -> None:
        twice = EVENT_TYPE + EVENT_TYPE.removeprefix("event_types:\n")
        ((line, key, what, _),) = told(tmp_path, twice)
        assert (line, key) == (6, "event_types[1].slug")
        assert what == f"stands there twice, first in {tmp_path}/seed.yaml:2"

    def test_the_same_key_twice(self, tmp_path: Path) -> None:
        ((line, key, _, _),) = told(tmp_path, EVENT_TYPE + "    title: Again\n")
        assert (line, key) == (6, "event_types[0].title")

    def test_one_url_in_two_scopes_is_fine(self, tmp_path: Path) -> None:
        assert len(manifest(tmp_path).webhooks) == 2

    def test_a_secret_in_clear(self, tmp_path: Path) -> None:
        ((line, key, what, fix),) = told(tmp_path, FULL.replace("!secret crm", "hunter2"))
        assert (key, what) == ("webhooks[0].secret", "is a secret in clear")
        assert fix is not None
        assert "!secret NAME" in fix
        assert "hunter2" not in what + fix
        assert line == FULL.splitlines().index("    secret: !secret crm") + 1

    def test_a_secret_that_is_not_there(self, tmp_path: Path) -> None:
        def resolve(name: str) -> str:
            raise CalstackError(f"{name} was never made")

        file = tmp_path / "seed.yaml"
        file.write_text(FULL)
        with pytest.raises(InputError, match="the secret crm is not to be had: crm was never made"):
            load_manifest(file, resolve)

    def test_a_password_in_a_url(self, tmp_path: Path) -> None:
        text = FULL.replace("https://crm.example.test", "https://me:pw@crm.example.test", 1)
        ((_, key, what, _),) = told(tmp_path, text)
        assert (key, what) == ("webhooks[0].url", "carries a user or password in clear")

    @pytest.mark.parametrize(
        "url", ["crm.example.test/hook", "ftp://crm.example.test", "https://", "https://a b"]
    )
    def test_no_url(self, tmp_path: Path, url: str) -> None:
        ((_, key, what, _),) = told(tmp_path, FULL.replace("https://crm.example.test/hook", url, 1))
        assert (key, what) == ("webhooks[0].url", "is not an http or https URL")

    def test_a_trigger_that_does_not_exist(self, tmp_path: Path) -> None:
        ((_, key, what, fix),) = told(tmp_path, FULL.replace("BOOKING_CREATED", "BOOKING_CREATE"))
        assert (key, what) == ("webhooks[0].triggers[0]", "BOOKING_CREATE is not a trigger")
        assert fix == "did you mean BOOKING_CREATED?"

    def test_a_delayed_trigger_needs_its_delay(self, tmp_path: Path) -> None:
        found = told(tmp_path, FULL.replace("MEETING_ENDED", "AFTER_HOSTS_CAL_VIDEO_NO_SHOW"))
        assert [(key, what) for _, key, what, _ in found] == [
            ("webhooks[1].time", "is missing"),
            ("webhooks[1].time_unit", "is missing"),
        ]

    def test_a_trigger_that_event_types_never_get(self, tmp_path: Path) -> None:
        ((_, key, what, _),) = told(tmp_path, FULL.replace("MEETING_ENDED", "OOO_CREATED"))
        assert (key, what) == ("webhooks[1].triggers", "OOO_CREATED does not concern an event type")

    @pytest.mark.parametrize(
        ("times", "what"),
        [
            ("[9:00-17:00]", "is not a time range HH:MM-HH:MM"),
            ("[09:00-24:00]", "is not a time range HH:MM-HH:MM"),
            ("[17:00-09:00]", "ends at 09:00, not after its start at 17:00"),
            ("[09:00-12:00, 11:59-13:00]", "overlap: 09:00-12:00 and 11:59-13:00"),
        ],
    )
    def test_times(self, tmp_path: Path, times: str, what: str) -> None:
        assert [item.what for item in problems(tmp_path, FULL.replace("[10:00-12:00]", times))] == [what]

    def test_hours_of_one_day_in_two_entries_overlap(self, tmp_path: Path) -> None:
        again = (
            "      - days: [friday]\n        times: [16:00-18:00]\n    overrides:\n      - date: 2026-12-24"
        )
        ((_, key, what, _),) = told(tmp_path, FULL.replace("    overrides:\n      - date: 2026-12-24", again))
        assert key == "schedules[0].availability"
        assert what == "friday has overlapping hours: 13:30-17:00 and 16:00-18:00"

    def test_names_must_refer_to_something(self, tmp_path: Path) -> None:
        text = FULL.replace("schedule: Mornings", "schedule: Morning").replace(
            "event_type: consultation", "event_type: consulting"
        )
        assert [(key, what, fix) for _, key, what, fix in told(tmp_path, text)] == [
            (
                "event_types[1].schedule",
                "there is no schedule 'Morning' in the manifest",
                "did you mean Mornings?",
            ),
            (
                "webhooks[1].event_type",
                "there is no event type 'consulting' in the manifest",
                "did you mean consultation?",
            ),
        ]

    def test_a_name_of_an_unsound_thing_is_a_name(self, tmp_path: Path) -> None:
        text = FULL.replace("time_zone: UTC", "time_zone: Nowhere/Land")
        assert [item.key for item in problems(tmp_path, text)] == ["schedules[1].time_zone"]

    @pytest.mark.parametrize("name", ["docs", "Metrics", "haproxy", "calstack"])
    def test_a_user_whose_pages_the_proxy_refuses(self, tmp_path: Path, name: str) -> None:
        ((line, key, what, _),) = told(tmp_path, f"users:\n  - user: {name}\n")
        assert (line, key) == (2, "users[0].user")
        assert f"nobody could book at /{name.lower()}" in what

    def test_two_defaults(self, tmp_path: Path) -> None:
        ((_, key, what, _),) = told(
            tmp_path, FULL.replace("time_zone: UTC", "time_zone: UTC\n    default: true")
        )
        first = tmp_path / "seed.yaml"
        assert (key, what) == (
            "schedules[1].default",
            f"'Working hours' is the default already, in {first}:4",
        )

    def test_locations_have_their_own_field(self, tmp_path: Path) -> None:
        text = EVENT_TYPE.replace("{type: attendee_phone}", "{type: link, address: Here}")
        assert [(item.key, item.what) for item in problems(tmp_path, text)] == [
            ("event_types[0].locations[0].address", "does not belong to a location of the type link"),
            ("event_types[0].locations[0].link", "is missing"),
        ]

    def test_an_event_type_without_a_location(self, tmp_path: Path) -> None:
        ((_, key, what, _),) = told(tmp_path, EVENT_TYPE.replace("[{type: attendee_phone}]", "[]"))
        assert (key, what) == ("event_types[0].locations", "is empty")

    def test_seats_with_confirmation(self, tmp_path: Path) -> None:
        text = EVENT_TYPE + "    seats: {per_slot: 3}\n    requires_confirmation: true\n"
        assert [item.key for item in problems(tmp_path, text)] == ["event_types[0].seats"]

    @pytest.mark.parametrize(
        "text", ["", "- a\n", "hello\n", "schedules: [\n", "\tschedules:\n", "schedules: 5\n"]
    )
    def test_no_manifest_at_all(self, tmp_path: Path, text: str) -> None:
        assert problems(tmp_path, text)

    def test_the_garbage_collector_works_on_afterwards(self, tmp_path: Path) -> None:
        assert problems(tmp_path, "schedules: 5\n")
        assert gc.isenabled()

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read"):
            load_manifest(tmp_path / "none.yaml", SECRETS.__getitem__)


KEYS = [
    "name",
    "time_zone",
    "availability",
    "days",
    "times",
    "slug",
    "title",
    "locations",
    "type",
    "length_minutes",
    "seats",
    "url",
    "triggers",
    "secret",
    "event_type",
    "schedule",
    "color",
]

YAML_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["intro", "UTC", "link"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["schedules", "event_types", "webhooks", "users"]), YAML_VALUES, min_size=1
    )
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_there_is_a_manifest_or_an_input_error(tmp_path: Path, content: object) -> None:
    refused: InputError | None = None
    try:
        manifest(tmp_path, json.dumps(content))
    except InputError as error:
        refused = error
    assert refused is None or refused.problems
