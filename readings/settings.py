"""Addresses, secrets and switches, from the environment and ``.env`` (the environment wins).

A server whose address is set is an outside server: it is used as it is and never started here.
Without, the local one of `local_stack` is meant, with the password that the first ``run.sh`` made.
"""

from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote_plus, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri, split_options

from readings import env_file
from readings.config import ROOT
from readings.errors import ConfigError

LOCAL = "local"
"""MQTT_URL for the broker that ``run.sh`` starts, with the user and the password that it made."""


class Settings(BaseSettings):
    """Every variable Skywatt reads, each under its upper-case name. An empty variable counts as not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    skywatt_config: Path = Field(ROOT / "skywatt.yml", description="the file that describes the streams")
    skywatt_namespace: str = Field(
        "",
        pattern=r"^([a-z][a-z0-9_]{0,30})?$",
        description="set apart: prefix of topics, indices and the database",
    )
    skywatt_data: Path = Field(ROOT / ".skywatt", description="local servers' data, checkpoints and logs")
    skywatt_home: Path = Field(Path("~/.cache/skywatt"), description="downloaded servers and jars")
    skywatt_log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    skywatt_logs: Path | None = Field(None, description="a folder where each part writes its log as well, for Logstash")
    skywatt_accept_data_loss: bool = Field(
        False, description="go on where Kafka deleted messages before they were read"
    )

    kafka_bootstrap_servers: str | None = Field(None, description="an outside Kafka: host:port,host:port")
    kafka_security_protocol: str = Field("PLAINTEXT", pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$")
    kafka_sasl_mechanism: str = Field("PLAIN", pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$")
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_ca_file: Path | None = None

    mongodb_uri: SecretStr | None = Field(None, description="an outside MongoDB, with its user and password")
    mongodb_db: str = Field("skywatt", pattern=r"^[a-zA-Z0-9_-]{1,30}$")

    elasticsearch_url: str | None = Field(None, description="an outside Elasticsearch: https://host:9200")
    elasticsearch_username: str | None = None
    elasticsearch_password: SecretStr | None = None
    elasticsearch_api_key: SecretStr | None = None
    elasticsearch_ca_file: Path | None = None

    kibana_url: str | None = Field(
        None, description="a Kibana to put the dashboards into, and that messages lead to: http://host:5601"
    )
    dashboard_url: str | None = Field(
        None, description="the dashboard's address as those who read messages reach it: https://host"
    )

    forecaster_url: str | None = Field(None, description="an outside forecaster: http://host:8000")

    skywatt_kafka_port: int = Field(9092, ge=1, le=65535)
    skywatt_kafka_controller_port: int = Field(9093, ge=1, le=65535)
    skywatt_mongodb_port: int = Field(27017, ge=1, le=65535)
    skywatt_elasticsearch_port: int = Field(9200, ge=1, le=65535)
    skywatt_elasticsearch_transport_port: int = Field(9300, ge=1, le=65535)
    skywatt_forecaster_port: int = Field(8000, ge=1, le=65535)
    skywatt_mqtt_port: int = Field(1883, ge=1, le=65535)
    skywatt_dashboard_port: int = Field(8501, ge=1, le=65535)
    local_kafka_password: SecretStr = SecretStr("")
    local_mongodb_password: SecretStr = SecretStr("")
    local_elasticsearch_password: SecretStr = SecretStr("")
    local_mqtt_password: SecretStr = SecretStr("")
    skywatt_kibana_port: int = Field(5601, ge=1, le=65535)
    docker_writer_password: SecretStr = SecretStr("")
    docker_reader_password: SecretStr = SecretStr("")
    docker_logstash_password: SecretStr = SecretStr("")
    docker_keeper_password: SecretStr = SecretStr("")
    docker_elastic_password: SecretStr = SecretStr("")
    docker_kibana_system_password: SecretStr = SecretStr("")
    docker_kibana_key: SecretStr = SecretStr("")
    docker_mongodb_key: SecretStr = SecretStr("")

    spark_master: str = Field("local[*]", description="where Spark runs: local[*] or spark://host:7077")
    spark_driver_memory: str = Field("1g", pattern=r"^\d+[mg]$")
    spark_executor_memory: str = Field("1g", pattern=r"^\d+[mg]$", description="of each executor of a cluster")
    spark_shuffle_partitions: int = Field(
        1, ge=1, le=10_000, description="cores that count the meters at most, beside the ingest"
    )

    cassandra_hosts: str | None = Field(
        None, description="a Cassandra: host:9042,host:9042; set, production goes there"
    )
    cassandra_keyspace: str = Field("ind320", pattern=r"^[a-z][a-z0-9_]{0,30}$")
    astra_secure_bundle_path: Path | None = Field(None, description="Astra's secure-connect zip, instead of hosts")
    astra_client_id: str | None = Field(None, description="the client id, or the user of CASSANDRA_HOSTS")
    astra_client_secret: SecretStr | None = None

    delta_path: str | None = Field(None, description="a folder; set, readings are appended to Delta tables in it")
    delta_streams: str | None = Field(None, description="which streams go to Delta, with commas between; else all")

    openweathermap_api_key: SecretStr | None = None
    openweathermap_base_url: str = "https://api.openweathermap.org"
    openweathermap_daily_calls: int = Field(1000, ge=1, description="calls a day that the key may make")

    elhub_api_base: str | None = Field(None, description="the Energy Data API; set, production is live")
    elhub_api_token: SecretStr | None = None

    open_meteo_base_url: str | None = Field(None, description="the forecast API; set, weather is live")
    open_meteo_archive_url: str = "https://archive-api.open-meteo.com"

    openelectricity_api_key: SecretStr | None = None
    openelectricity_base_url: str = "https://api.openelectricity.org.au"
    openelectricity_daily_calls: int = Field(500, ge=1, description="calls a day that the key's plan allows")

    meters_file: Path | None = Field(None, description="a CSV that grows; set, meters are live")
    meter_max_kw: float | None = Field(None, gt=0, description="the greatest power that a meter can have measured")
    meter_tariff_file: Path | None = Field(None, description="what a kilowatt hour costs, instead of Lisbon's tariff")

    mqtt_url: str | None = Field(
        None, description="mqtt://host:1883, mqtts://host:8883, or local for the broker that run.sh starts"
    )
    mqtt_username: str | None = None
    mqtt_password: SecretStr | None = None
    mqtt_ca_file: Path | None = None
    mqtt_topic: str = Field("skywatt/nem", pattern=r"^[^\x00#+]{1,200}$", description="where NEM events are")

    slack_bot_token: SecretStr | None = None
    slack_channel: str | None = None
    slack_webhook_url: SecretStr | None = None
    slack_base_url: str = "https://slack.com/api/"

    @field_validator("*")
    @classmethod
    def _of_home(cls, value: object) -> object:
        """In every path ``~`` is the home: in ``.env`` no shell says so."""
        if not isinstance(value, Path):
            return value
        try:
            return value.expanduser()
        except RuntimeError as error:
            raise ValueError(f"{value}: {error}") from error

    @field_validator("astra_secure_bundle_path")
    @classmethod
    def _one_cassandra(cls, bundle: Path | None, info: ValidationInfo) -> Path | None:
        if bundle is not None and info.data.get("cassandra_hosts"):
            raise ValueError("expected this or CASSANDRA_HOSTS, read both")
        if bundle is not None and not bundle.is_file():
            raise ValueError("expected the path of Astra's secure-connect zip")
        return bundle

    @field_validator("cassandra_hosts")
    @classmethod
    def _hosts(cls, hosts: str | None) -> str | None:
        for host in hosts.split(",") if hosts else []:
            name, _, port = host.strip().rpartition(":")
            if not (name or port) or (name and not port.isdigit()) or "@" in host or "/" in host:
                raise ValueError(f"{_read(host)}expected host:9042, or several with commas between")
        return hosts

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _host_and_port(cls, servers: str | None) -> str | None:
        for server in servers.split(",") if servers else []:
            host, _, port = server.rpartition(":")
            if not host or not port.isdigit() or "/" in server or "@" in server:
                raise ValueError(f"{_read(server)}expected host:port, or several with commas between")
        return servers

    @field_validator(
        "elasticsearch_url",
        "kibana_url",
        "dashboard_url",
        "forecaster_url",
        "openweathermap_base_url",
        "elhub_api_base",
        "open_meteo_base_url",
        "open_meteo_archive_url",
        "openelectricity_base_url",
        "slack_base_url",
    )
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("expected an address that begins with http:// or https://")
        if url is not None and "@" in url:
            raise ValueError("expected an address without user and password: they have variables of their own")
        if url is not None and not _is_reachable(url):
            raise ValueError("expected an address with a host and, where there is one, a port from 1 to 65535")
        return url

    @field_validator("elasticsearch_url")
    @classmethod
    def _with_port(cls, url: str | None) -> str | None:
        """Its client takes none for granted."""
        if url is not None and urlsplit(url).port is None:
            raise ValueError("expected its port as well: https://host:9200, or :443 where a browser needs none")
        return url

    @field_validator("mqtt_url")
    @classmethod
    def _mqtt(cls, url: str | None) -> str | None:
        if url is None or url == LOCAL:
            return url
        try:
            parts = urlsplit(url)
            known = (
                parts.scheme in ("mqtt", "mqtts") and parts.hostname and parts.port != 0 and not parts.path.strip("/")
            )
        except ValueError:
            known = False
        if not known:
            raise ValueError("expected mqtt://host:1883, mqtts://host:8883 or local")
        if parts.username or parts.password:
            raise ValueError("expected an address without user and password: they have variables of their own")
        return url

    @field_validator("mongodb_uri")
    @classmethod
    def _mongodb(cls, uri: SecretStr | None) -> SecretStr | None:
        if uri is None:
            return None
        address = uri.get_secret_value()
        scheme, _, rest = address.partition("://")
        if scheme not in ("mongodb", "mongodb+srv"):
            raise ValueError("expected an address that begins with mongodb:// or mongodb+srv://")
        hosts, _, options = rest.partition("?")
        try:
            there = address if scheme == "mongodb" else f"mongodb://{hosts}"  # DNS is asked later
            parse_uri(there, warn=True)
            if scheme == "mongodb+srv" and options:
                split_options(options, warn=True)
        except OSError as error:
            raise ValueError(
                f"a file that its options name, as tlsCAFile does, cannot be read: {error.strerror}"
            ) from None
        except (PyMongoError, ValueError):
            raise ValueError(
                "expected mongodb://user:password@host:27017/ with :/?#[]@% in user and password as %3A, %2F, and so on"
            ) from None
        return uri

    @field_validator(
        "elasticsearch_api_key",
        "elhub_api_token",
        "openelectricity_api_key",
        "openweathermap_api_key",
        "slack_bot_token",
        "slack_webhook_url",
    )
    @classmethod
    def _key(cls, key: SecretStr | None) -> SecretStr | None:
        """What is sent in a header or as an address holds no other characters."""
        if key is not None and not all("!" <= character <= "~" for character in key.get_secret_value()):
            raise ValueError(
                "holds a character that none has (a space, a line break, a quotation mark, …): copy it anew"
            )
        return key

    @property
    def prefix(self) -> str:
        """What topics' and indices' names begin with: nothing, or the namespace and a dash."""
        return f"{self.skywatt_namespace}-" if self.skywatt_namespace else ""

    @property
    def database(self) -> str:
        """The MongoDB database."""
        return f"{self.mongodb_db}_{self.skywatt_namespace}" if self.skywatt_namespace else self.mongodb_db

    @property
    def cassandra_is_on(self) -> bool:
        """Whether there is a Cassandra that production goes to."""
        return bool(self.cassandra_hosts or self.astra_secure_bundle_path)

    @property
    def cassandra_keyspace_name(self) -> str:
        """The keyspace in Cassandra, the namespace's own where there is one."""
        return "_".join(filter(None, [self.cassandra_keyspace, self.skywatt_namespace]))

    @property
    def kafka_address(self) -> str:
        """Where Kafka is, outside or local."""
        return self.kafka_bootstrap_servers or f"127.0.0.1:{self.skywatt_kafka_port}"

    @property
    def mongodb_address(self) -> SecretStr:
        """MongoDB's connection string, outside or local, with its password. Raises ConfigError where it has none."""
        if self.mongodb_uri:
            return self.mongodb_uri
        password = quote_plus(self.local_password("mongodb").get_secret_value())
        options = "authSource=admin&directConnection=true"  # on Docker its replica set is known by a name of its own
        return SecretStr(f"mongodb://skywatt:{password}@127.0.0.1:{self.skywatt_mongodb_port}/?{options}")

    def local_password(self, server: Literal["kafka", "mongodb", "elasticsearch", "mqtt"]) -> SecretStr:
        """The password of a server of the local stack. Raises ConfigError where it was not made yet."""
        variable = f"local_{server}_password"
        password: SecretStr = getattr(self, variable)
        if not password.get_secret_value():
            raise ConfigError(
                f"read no {variable.upper()}: there is no stack here yet. `bash run.sh` makes one with its passwords;"
                " servers of your own are named in .env (.env.example shows how)"
            )
        return password

    @property
    def elasticsearch_address(self) -> str:
        """Where Elasticsearch is, outside or local."""
        return self.elasticsearch_url or f"http://127.0.0.1:{self.skywatt_elasticsearch_port}"

    @property
    def mqtt_address(self) -> tuple[str, int, bool]:
        """Where the MQTT broker is, outside or local: its host, its port, and whether it speaks TLS."""
        if self.mqtt_url in (None, LOCAL):
            return "127.0.0.1", self.skywatt_mqtt_port, False
        parts = urlsplit(self.mqtt_url)
        secure = parts.scheme == "mqtts"
        return str(parts.hostname), parts.port or (8883 if secure else 1883), secure

    @property
    def forecaster_address(self) -> str:
        """Where the forecaster is, outside or local, without a slash at the end."""
        return (self.forecaster_url or f"http://127.0.0.1:{self.skywatt_forecaster_port}").rstrip("/")

    @property
    def dashboard_address(self) -> str:
        """Where the dashboard is, as a browser on this machine reaches it."""
        return f"http://127.0.0.1:{self.skywatt_dashboard_port}"


def _is_reachable(url: str) -> bool:
    """Whether it names a host that can be one, and no port that can be none."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        return bool(host) and b" " not in host and parts.port != 0
    except ValueError:
        return False


def _read(part: str) -> str:
    """Of an address; it may hold a password."""
    return "" if "@" in part else f"read {part!r}, "


def load_settings() -> Settings:
    """The settings of this process. Raises ConfigError naming each wrong variable, never showing a secret."""
    settings, wrong = load_what_is_right()
    if wrong:
        raise ConfigError("\n".join(wrong.values()))
    return settings


def load_what_is_right() -> tuple[Settings, dict[str, str]]:
    """The settings with each wrong one at its default, and of those, by variable, what is wrong.

    For what ends a stack or tells where it is: no other setting keeps it from that. Raises ConfigError where
    SKYWATT_DATA is wrong, for another stack is at its default, and where ``.env`` is no text.
    """
    wrong: dict[str, str] = {}
    defaults: dict[str, Any] = {}
    try:
        return Settings(_env_file=env_file.path()), wrong
    except UnicodeDecodeError as error:
        raise ConfigError(f"{env_file.problem()}: {env_file.MEND}") from error
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0])
            wrong[name.upper()] = _problem(problem)
            if name != "skywatt_data":
                defaults[name] = Settings.model_fields[name].default
    try:
        return Settings(_env_file=env_file.path(), **defaults), wrong
    except ValidationError as error:
        raise ConfigError("\n".join(wrong.values())) from error


def _problem(problem: ErrorDetails) -> str:
    name, message = str(problem["loc"][0]), problem["msg"].removeprefix("Value error, ")
    value = str(problem["input"])
    secret = "SecretStr" in str(Settings.model_fields[name].annotation) or "@" in value  # an address may hold one
    if secret or message.startswith("read "):
        return f"{name.upper()}: {message}"
    first, *others = value.split("\n")  # a quotation mark that is not closed takes in further lines, with their secrets
    return f"{name.upper()}: {message}, read {first + '…' if others else first!r}"
