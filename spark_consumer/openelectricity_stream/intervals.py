"""Where an interval of OpenElectricity's begins and ends: on the clock of the network, which knows no summer time."""

from datetime import datetime, timedelta

from apis.openelectricity import OFFSETS, Network

EVEN = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}
MONTHS = {"1M": 1, "3M": 3, "1y": 12}
A_SUNDAY = datetime(1970, 1, 4)  # noqa: DTZ001 - on the network's clock; the API's weeks begin on Sundays


def beginning(instant: datetime, interval: str, network: Network) -> datetime:
    """When the interval began that the instant is in, aware."""
    local = instant.astimezone(OFFSETS[network]).replace(tzinfo=None)
    if interval in EVEN:
        local -= (local - A_SUNDAY) % EVEN[interval]
    else:
        month = (local.month - 1) // MONTHS[interval] * MONTHS[interval] + 1
        local = datetime(local.year, month, 1)  # noqa: DTZ001
    return local.replace(tzinfo=OFFSETS[network])


def end(begun: datetime, interval: str, network: Network) -> datetime:
    """When the interval ends that began then, aware: the next one's beginning."""
    if interval in EVEN:
        return begun + EVEN[interval]
    return beginning(begun + timedelta(days=31 * MONTHS[interval]), interval, network)
