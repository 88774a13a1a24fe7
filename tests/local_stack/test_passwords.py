"""Passwords: made once, at random, for the owner's eyes only, beside what the user wrote."""

import stat
from pathlib import Path

import pytest

from local_stack.console import make_console
from local_stack.down import down
from local_stack.layout import Layout
from local_stack.passwords import DOCKER_NAMES, NAMES, ensure_passwords, forget_passwords
from readings.errors import ConfigError
from readings.settings import Settings, load_settings

USERS = "OPENWEATHERMAP_DAILY_CALLS=500   # mine\n"


@pytest.fixture(autouse=True)
def none_yet(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name.upper())


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return tmp_path / "env"


def test_the_first_time_each_server_gets_its_own_password(env: Path) -> None:
    settings, made = ensure_passwords()
    passwords = {getattr(settings, name).get_secret_value() for name in NAMES}
    assert made == [name.upper() for name in NAMES]
    assert len(passwords) == len(NAMES)
    assert all(len(password) >= 24 for password in passwords)
    assert stat.S_IMODE(env.stat().st_mode) == 0o600


def test_the_second_time_nothing_is_made(env: Path) -> None:
    first, _ = ensure_passwords()
    before = env.read_bytes()
    second, made = ensure_passwords()
    assert made == []
    assert second == first
    assert env.read_bytes() == before


@pytest.mark.parametrize("users", [USERS, USERS.rstrip("\n"), USERS + "LOCAL_KAFKA_PASSWORD=\n"])
def test_what_the_user_wrote_stays_as_it_is(env: Path, users: str) -> None:
    env.write_text(users)
    settings, _ = ensure_passwords()
    assert env.read_text().startswith(users)
    assert settings.openweathermap_daily_calls == 500
    assert settings.local_kafka_password.get_secret_value()


def test_a_file_that_others_could_read_is_closed(env: Path) -> None:
    ensure_passwords()
    env.chmod(0o644)
    ensure_passwords()
    assert stat.S_IMODE(env.stat().st_mode) == 0o600


def test_a_password_of_the_environment_is_kept_to(env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_KAFKA_PASSWORD", "of-the-environment")
    settings, made = ensure_passwords()
    assert settings.local_kafka_password.get_secret_value() == "of-the-environment"
    assert "LOCAL_KAFKA_PASSWORD" not in made
    assert "of-the-environment" not in env.read_text()


def test_a_password_that_would_break_a_servers_file_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_MONGODB_PASSWORD", 'with "quotes"')
    with pytest.raises(ConfigError, match="LOCAL_MONGODB_PASSWORD") as refused:
        ensure_passwords()
    assert "quotes" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        (
            "DOCKER_KIBANA_KEY",
            "shorter-than-that",
            "read 17 characters, .* expected 32 to 200 letters, digits, - and _;",
        ),
        (
            "DOCKER_MONGODB_KEY",
            "not_of-base64",
            "read 13 characters, .* expected 6 to 1024 letters, digits, [+], / and =;",
        ),
    ],
)
def test_a_key_that_its_server_would_not_start_with_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, key: str, expected: str
) -> None:
    monkeypatch.setenv(name, key)
    with pytest.raises(ConfigError, match=f"^{name}: {expected} leave it out") as refused:
        ensure_passwords(DOCKER_NAMES)
    assert key not in str(refused.value)


def test_keys_that_their_servers_take_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_KIBANA_KEY", "k" * 32)
    monkeypatch.setenv("DOCKER_MONGODB_KEY", "of/base64+with=")
    _, made = ensure_passwords(DOCKER_NAMES)
    assert not {"DOCKER_KIBANA_KEY", "DOCKER_MONGODB_KEY"} & set(made)


def test_forgetting_leaves_what_the_user_wrote(env: Path) -> None:
    env.write_text(USERS)
    ensure_passwords()
    forget_passwords()
    assert env.read_text() == USERS


def test_forgetting_removes_a_file_that_held_nothing_else(env: Path) -> None:
    ensure_passwords()
    forget_passwords()
    assert not env.exists()


def test_taking_down_the_local_stack_with_its_data_forgets_its_passwords(env: Path, layout: Layout) -> None:
    env.write_text(USERS)
    ensure_passwords()
    down(make_console(), load_settings(), data=True)
    assert not layout.root.exists()
    assert env.read_text() == USERS


def test_it_keeps_them_where_a_stack_on_docker_has_them_too(
    env: Path, layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    """MongoDB and Elasticsearch read theirs at their first start alone, and their volumes stay."""
    settings, _ = ensure_passwords(DOCKER_NAMES)
    before = env.read_text()
    down(make_console(), load_settings(), data=True)
    assert not layout.root.exists()
    assert env.read_text() == before
    assert "passwords in .env stay" in capsys.readouterr().out
    assert ensure_passwords() == (settings, []), "the next local stack has them too"
