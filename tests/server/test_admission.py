"""Who keeps a connection where a quota is full."""

from dataclasses import dataclass, replace

from answerable.model.worker_limits import WorkerLimits
from answerable.server.admission import (
    AdmissionControl,
    ConnectionSlot,
    get_quota_address,
)

LIMITS = WorkerLimits(
    connections=8, connections_per_address=6, connections_per_caller=3
)  # and 4 for unix sockets


@dataclass
class Connection:
    """A client's connection; `closed` once it had to go."""

    host: str = "192.0.2.1"
    is_busy: bool = False
    closed: bool = False

    def abort(self) -> None:
        self.closed = True

    def get_extra_info(self, name: str) -> object:
        return (self.host, 1) if name == "peername" else None


def enter(
    control: AdmissionControl, connection: Connection, caller: str = ""
) -> ConnectionSlot | None:
    slot = control.admit(connection, get_quota_address(connection))
    if slot is not None and caller and not control.count_for_caller(slot, caller):
        return None
    return slot


def test_a_newcomer_takes_the_place_of_the_oldest_newcomer_of_its_address() -> None:
    control = AdmissionControl(LIMITS)
    other = Connection("192.0.2.2")
    assert enter(control, other)
    flood = [Connection() for _ in range(20)]
    assert all(enter(control, each) for each in flood)
    assert [each.closed for each in flood] == [True] * 14 + [False] * 6
    assert not other.closed
    assert control.evicted == {"new": 14}
    assert control.was_recently_full


def test_newcomers_of_many_addresses_take_no_place_of_callers() -> None:
    control = AdmissionControl(LIMITS)
    callers = [Connection() for _ in range(3)]
    assert all(enter(control, each, "ana") for each in callers)
    for number in range(50):
        assert enter(control, Connection(f"192.0.2.{number}"))
    assert not any(each.closed for each in callers)


def test_a_caller_with_too_many_loses_an_idle_one_of_its_own() -> None:
    control = AdmissionControl(LIMITS)
    ben = Connection()
    assert enter(control, ben, "ben")
    busy, idle = Connection(is_busy=True), Connection()
    for each in (busy, idle, Connection(), Connection()):
        assert enter(control, each, "ana")
    assert [each.closed for each in (idle, busy, ben)] == [True, False, False]
    assert control.evicted == {"caller": 1}


def test_a_caller_whose_connections_are_all_busy_gets_no_further_one() -> None:
    control = AdmissionControl(LIMITS)
    for _ in range(3):
        assert enter(control, Connection(is_busy=True), "ana")
    assert enter(control, Connection(), "ana") is None
    assert enter(control, Connection(), "ben")
    assert control.refused == {"caller": 1}


def test_an_address_has_no_more_than_its_share_whoever_calls_from_there() -> None:
    control = AdmissionControl(LIMITS)
    for number in range(6):
        assert enter(control, Connection(is_busy=True), f"caller-{number}")
    assert enter(control, Connection(), "another") is None
    assert enter(control, Connection("192.0.2.2"), "another")
    assert control.refused == {"address": 1}


def test_a_named_proxy_has_no_share_but_its_callers_have() -> None:
    control = AdmissionControl(LIMITS, ["192.0.2.0/24"])
    for number in range(8):
        assert enter(control, Connection(is_busy=True), f"caller-{number // 3}")
    control = AdmissionControl(LIMITS, ["192.0.2.0/24"])
    for _ in range(3):
        assert enter(control, Connection(is_busy=True), "ana")
    assert enter(control, Connection(), "ana") is None


def test_a_connection_counts_for_its_last_caller() -> None:
    control = AdmissionControl(LIMITS)
    shared = enter(control, Connection(), "ana")
    assert shared is not None
    assert control.count_for_caller(shared, "ben")
    for _ in range(3):
        assert enter(control, Connection(is_busy=True), "ana")
    shared.release_places()
    shared.release_places()  # as often as it likes


def test_a_user_of_a_unix_socket_takes_no_place_of_another_user() -> None:
    control = AdmissionControl(LIMITS)
    mine = Connection()
    assert control.admit_unix_socket(mine, 1)
    flood = [Connection() for _ in range(9)]
    assert all(control.admit_unix_socket(each, 2) for each in flood)
    assert sum(not each.closed for each in flood) == 2
    assert not mine.closed


def test_what_nobody_closed_is_refused_where_all_of_a_user_is_busy() -> None:
    control = AdmissionControl(LIMITS)
    for _ in range(2):
        assert control.admit_unix_socket(Connection(is_busy=True), 2)
    assert control.admit_unix_socket(Connection(), 2) is None
    assert control.refused == {"user": 1}


def test_addresses_of_one_ipv6_site_are_one() -> None:
    hosts = ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:192.0.2.1")
    counted = [get_quota_address(Connection(host)) for host in hosts]
    assert counted[0] == counted[1] != counted[2]
    assert counted[3] == "192.0.2.1"


def test_pressure_is_over_after_a_minute() -> None:
    now = [100.0]
    limits = replace(LIMITS, connections=1, connections_per_address=1)
    control = AdmissionControl(limits, clock=lambda: now[0])
    assert control.warnings == []
    for _ in range(2):
        enter(control, Connection())
    assert "1 closed for others" in control.warnings[0]
    now[0] += 61
    assert control.warnings == []
