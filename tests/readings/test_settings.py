from pathlib import Path

import pytest

from readings.config import ROOT
from readings.connections import connect_elasticsearch, connect_mongodb, kafka_options, mqtt_client
from readings.errors import ConfigError
from readings.logs import secrets_of
from readings.mongodb import IS_AWAY
from readings.settings import Settings, load_settings, load_what_is_right


@pytest.fixture(autouse=True)
def _no_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKYWATT_ENV_FILE", str(tmp_path / "none"))
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SKYWATT_KAFKA_PORT", "banana", "SKYWATT_KAFKA_PORT"),
        ("SKYWATT_KAFKA_PORT", "70000", "read '70000'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka", "expected host:port"),
        ("KAFKA_SECURITY_PROTOCOL", "TLS", "KAFKA_SECURITY_PROTOCOL"),
        ("ELASTICSEARCH_URL", "localhost:9200", "expected an address that begins with http"),
        ("SKYWATT_NAMESPACE", "Demo-1", "SKYWATT_NAMESPACE"),
        ("OPENWEATHERMAP_DAILY_CALLS", "0", "OPENWEATHERMAP_DAILY_CALLS"),
        ("CASSANDRA_HOSTS", "host:port", "expected host:9042"),
        ("CASSANDRA_KEYSPACE", "Ind-320", "CASSANDRA_KEYSPACE"),
        ("ASTRA_SECURE_BUNDLE_PATH", "/nowhere/secure.zip", "expected the path of Astra's secure-connect zip"),
        ("KAFKA_BOOTSTRAP_SERVERS", "SASL_SSL://kafka:9092", "expected host:port"),
        ("MONGODB_URI", "mongodb://db.example:port/", "expected mongodb://user:password@host:27017/"),
        ("MONGODB_URI", "mongodb://db/?tls=true&tlsCAFile=/nowhere", "tlsCAFile does, cannot be read: No such file"),
        ("MONGODB_URI", "mongodb+srv://db.example/?tlsCAFile=/nowhere", "cannot be read: No such file"),
        ("ELASTICSEARCH_URL", "http://search.example", "expected its port as well: https://host:9200"),
        ("ELASTICSEARCH_URL", "http://", "expected an address with a host"),
        ("ELASTICSEARCH_URL", "http://:9200", "expected an address with a host"),
        ("ELASTICSEARCH_URL", "http://search.example:99999", "a port from 1 to 65535, read 'http://search"),
        ("ELASTICSEARCH_URL", "http://search.example:port", "a port from 1 to 65535"),
        ("ELASTICSEARCH_URL", "http://search..example:9200", "expected an address with a host"),
        ("ELASTICSEARCH_URL", "http://se arch:9200", "expected an address with a host"),
        ("FORECASTER_URL", "http://forecaster:0", "a port from 1 to 65535"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert name in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("METER_MAX_KW=20kW", "unable to parse string as a number, read '20kW'"),
        ("spark_driver_memory=2gb", "read '2gb'"),
        ("KAFKA_BOOTSTRAP_SERVERS=one:9092,two", "KAFKA_BOOTSTRAP_SERVERS: read 'two', expected host:port"),
    ],
)
def test_of_a_wrong_setting_in_the_env_file_what_was_read_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "env").write_text(f"{line}\n")
    monkeypatch.setenv("SKYWATT_ENV_FILE", str(tmp_path / "env"))
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert said in str(refused.value)
    assert str(refused.value).count("read '") == 1


def test_what_is_right_is_read_beside_what_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "none").write_text("METER_MAX_KW=20kW\nSKYWATT_KAFKA_PORT=29092\nASTRA_SECURE_BUNDLE_PATH=/gone\n")
    monkeypatch.setenv("SPARK_DRIVER_MEMORY", "2gb")
    settings, wrong = load_what_is_right()
    assert (settings.skywatt_kafka_port, settings.meter_max_kw) == (29092, None)
    assert wrong.keys() == {"METER_MAX_KW", "SPARK_DRIVER_MEMORY", "ASTRA_SECURE_BUNDLE_PATH"}
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert str(refused.value).splitlines() == list(wrong.values())


def test_for_data_elsewhere_the_default_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `down --data` would remove there is another stack's."""
    monkeypatch.setenv("METER_MAX_KW", "20kW")
    monkeypatch.setenv("SKYWATT_DATA", "~nobody-of-this-name/it")
    with pytest.raises(ConfigError, match=r"(?s)SKYWATT_DATA: .*METER_MAX_KW: "):
        load_what_is_right()


def test_of_a_value_that_a_quotation_mark_takes_over_several_lines_the_first_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "env").write_text('METER_MAX_KW="20\nLOCAL_KAFKA_PASSWORD=hunter22\nSLACK_CHANNEL="#sky"\n')
    monkeypatch.setenv("SKYWATT_ENV_FILE", str(tmp_path / "env"))
    with pytest.raises(ConfigError, match=r"METER_MAX_KW: .*, read '20…'$"):
        load_settings()


def test_an_env_file_that_is_not_utf8_is_told_by_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "env").write_bytes("# Fjøsanger\nSLACK_CHANNEL=#énergie\n# caf".encode() + b"\xe9\n")
    monkeypatch.setenv("SKYWATT_ENV_FILE", str(tmp_path / "env"))
    with pytest.raises(ConfigError, match=r"/env: line 3: read the byte 0xe9, expected UTF-8: save it as"):
        load_settings()


@pytest.mark.parametrize(
    "name", [name for name, field in Settings.model_fields.items() if "Path" in str(field.annotation)]
)
def test_in_every_path_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "it").touch()
    (tmp_path / "env").write_text(f"{name.upper()}=~/it\n")
    monkeypatch.setenv("SKYWATT_ENV_FILE", str(tmp_path / "env"))
    assert getattr(load_settings(), name) == tmp_path / "it"
    (tmp_path / "env").write_text(f"{name.upper()}=~nobody-of-this-name/it\n")
    with pytest.raises(ConfigError, match=f"{name.upper()}: ~nobody-of-this-name/it"):
        load_settings()


@pytest.mark.parametrize("url", ["https://search.example:443", "http://[::1]:9200/behind/", "http://search_1:9200"])
def test_an_elasticsearch_with_its_port_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("ELASTICSEARCH_URL", url)
    connect_elasticsearch(load_settings()).close()


def test_there_is_one_cassandra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not load_settings().cassandra_is_on
    monkeypatch.setenv("CASSANDRA_HOSTS", "one,two:9142")
    assert load_settings().cassandra_is_on
    (tmp_path / "secure.zip").touch()
    monkeypatch.setenv("ASTRA_SECURE_BUNDLE_PATH", str(tmp_path / "secure.zip"))
    with pytest.raises(ConfigError, match="ASTRA_SECURE_BUNDLE_PATH: expected this or CASSANDRA_HOSTS"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URI", "http://me:hunter22@host"),
        ("MONGODB_URI", "mongodb://me:hunter22/more@host"),
        ("MONGODB_URI", "mongodb://me:a@b/hunter22@host:27017/"),
        ("MONGODB_URI", "mongodb+srv://me:100%hunter22@host/?w=majority"),
        ("ELASTICSEARCH_URL", "http://me:hunter22@host:9200"),
        ("CASSANDRA_HOSTS", "cassandra:hunter22@db:9042"),
        ("KAFKA_BOOTSTRAP_SERVERS", "SASL_SSL://me:hunter22@host"),
        ("KAFKA_BOOTSTRAP_SERVERS", "me:hunter22@host:9092"),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_refusal_shows_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, *, in_file: bool
) -> None:
    if in_file:
        (tmp_path / "none").write_text(f"{name}={value}\n")
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        load_settings()
    assert name in str(refused.value)
    assert "hunter22" not in str(refused.value)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("SKYWATT_KAFKA_PORT=1111\nSKYWATT_MONGODB_PORT=2222\n")
    monkeypatch.setenv("SKYWATT_ENV_FILE", str(tmp_path / "env"))
    monkeypatch.setenv("SKYWATT_KAFKA_PORT", "3333")
    settings = load_settings()
    assert (settings.kafka_address, settings.skywatt_mongodb_port) == ("127.0.0.1:3333", 2222)


def test_an_outside_server_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://me:secret@db.example/?appName=x")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "a:1,b:2")
    settings = load_settings()
    assert settings.mongodb_address.get_secret_value() == "mongodb://me:secret@db.example/?appName=x"
    assert settings.kafka_address == "a:1,b:2"


def test_without_a_stack_a_client_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SKYWATT_ENV_FILE", str(tmp_path / "none"))
    for name in ("MONGODB", "KAFKA", "ELASTICSEARCH", "MQTT"):
        monkeypatch.delenv(f"LOCAL_{name}_PASSWORD", raising=False)
    monkeypatch.setenv("MQTT_URL", "local")
    settings = load_settings()
    for connect in (connect_mongodb, kafka_options, connect_elasticsearch, mqtt_client):
        with pytest.raises(ConfigError, match=r"_PASSWORD: there is no stack here yet. `bash run.sh` makes one"):
            connect(settings)
    monkeypatch.setenv("MONGODB_URI", "mongodb://db.example")
    connect_mongodb(load_settings()).client.close()


@pytest.mark.parametrize("name", ["OPENELECTRICITY_API_KEY", "SLACK_BOT_TOKEN", "SLACK_WEBHOOK_URL"])
@pytest.mark.parametrize("key", ["hunter22-…", "“hunter22”", "hunt\ner22", "hunter22\n", "hunter 22"])
def test_a_key_with_a_character_that_none_has_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, name: str, key: str
) -> None:
    monkeypatch.setenv(name, key)
    with pytest.raises(ConfigError, match=f"^{name}: holds a character that none has") as refused:
        load_settings()
    assert key not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_dns_is_asked_only_when_mongodb_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb+srv://me:secret@db.invalid/?retryWrites=true&srvServiceName=mongodb")
    database = connect_mongodb(load_settings())
    with pytest.raises(IS_AWAY):
        database["readings"].find_one()
    database.client.close()


def test_the_example_names_every_variable() -> None:
    example = (ROOT / ".env.example").read_text()
    assert [name.upper() for name in Settings.model_fields if name.upper() not in example] == []


def test_no_secret_is_in_the_settings_own_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-not-a-real-one")
    monkeypatch.setenv("OPENWEATHERMAP_API_KEY", "0123456789abcdef")
    settings = load_settings()
    assert set(secrets_of(settings)) == {"xoxb-not-a-real-one", "0123456789abcdef"}
    assert not [secret for secret in secrets_of(settings) if secret in repr(settings)]


def test_a_namespace_sets_database_and_prefix_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (load_settings().prefix, load_settings().database) == ("", "skywatt")
    monkeypatch.setenv("SKYWATT_NAMESPACE", "demo")
    assert (load_settings().prefix, load_settings().database) == ("demo-", "skywatt_demo")
