"""Logs of several pods as one, over the restarts of their containers, as API servers date their lines."""

import pytest

from dsdeploy.adapters.targets.kubernetes import logs
from dsdeploy.core.errors import ClusterAway, ClusterRefused, InstallError
from dsdeploy.core.texts import text


def error(kind):
    return kind(text("helm-busy"), hint=text("helm-busy-hint"))


class Said:
    """A cluster whose containers have said `words`: (pod, container, previous) → lines, or what asking raises."""

    def __init__(self, words):
        self.words, self.asked = words, []

    def log(self, pod, container, lines, *, previous=False, follow=False, since_s=None, dated=False):
        self.asked.append((pod, container, previous, since_s))
        told = self.words.get((pod, container, previous), error(InstallError))
        if isinstance(told, InstallError):
            raise told
        for line in told[-lines:]:
            yield line if dated else line.partition(" ")[2]


def pod(name, component, restarts=0):
    return {
        "metadata": {"name": name, "labels": {"app.kubernetes.io/component": component}},
        "spec": {"containers": [{"name": component}], "initContainers": [{"name": "verify-weights"}]},
        "status": {"containerStatuses": [{"name": component, "restartCount": restarts}]},
    }


def at(second, words):
    return f"2026-11-25T10:00:{second:02}.000000001+08:00 {words}"


def test_a_crashed_run_stands_before_the_one_after_it():
    cluster = Said({("a", "engine", True): [at(1, "out of memory")], ("a", "engine", False): [at(2, "loads")]})
    pods = (pod("a", "engine", restarts=1), pod("g", "gateway"))
    assert logs.tail(cluster, pods, logs.ENGINE, 9) == ("out of memory", "loads")
    assert logs.tail(cluster, pods, logs.ENGINE, 1) == ("loads",)
    waits = Said({("a", "engine", previous): [at(1, "out"), at(2, "of memory")] for previous in (True, False)})
    assert logs.tail(waits, pods, logs.ENGINE, 9) == ("out", "of memory")


def test_lines_of_several_engines_stand_in_the_order_of_time_and_are_signed():
    elsewhere = "2026-11-25T02:00:02.500000000Z two and a half"
    cluster = Said({("a", "engine", False): [at(1, "one"), at(3, "three")], ("b", "engine", False): [elsewhere]})
    found = logs.tail(cluster, (pod("a", "engine"), pod("b", "engine")), logs.ENGINE, 9, since_s=60)
    assert found == ("a one", "b two and a half", "a three")
    assert {one[3] for one in cluster.asked} == {60}


def test_lines_of_gateways_stay_what_a_program_can_read():
    cluster = Said({("a", "gateway", False): [at(1, '{"n": 1}')], ("b", "gateway", False): [at(2, '{"n": 2}')]})
    pods = (pod("a", "gateway"), pod("b", "gateway"), pod("e", "engine"))
    assert logs.tail(cluster, pods, logs.GATEWAY, 9) == ('{"n": 1}', '{"n": 2}')
    assert sorted(logs.follow(cluster, pods, logs.GATEWAY, 9)) == ['{"n": 1}', '{"n": 2}']


def test_the_verification_is_the_engines_first_init_container():
    cluster = Said({("e", "verify-weights", False): [at(1, "m.gguf: SHA-256 differs")]})
    assert logs.tail(cluster, (pod("e", "engine"),), logs.VERIFY, 9) == ("m.gguf: SHA-256 differs",)


def test_what_has_not_begun_says_nothing_and_a_missing_right_is_named():
    waiting = (pod("e", "engine"),)
    assert logs.tail(Said({}), waiting, logs.ENGINE, 9) == ()
    assert list(logs.follow(Said({}), waiting, logs.ENGINE, 9)) == []
    assert logs.tail(Said({}), (), logs.ENGINE, 9) == () and list(logs.follow(Said({}), (), logs.ENGINE, 9)) == []
    gone = "unable to retrieve container logs"
    cluster = Said({("e", "engine", True): [gone], ("e", "engine", False): [at(1, "on")]})
    assert logs.tail(cluster, (pod("e", "engine", restarts=1),), logs.ENGINE, 9) == (gone, "on")
    for kind in (ClusterRefused, ClusterAway):
        cluster = Said({("e", "engine", False): error(kind)})
        with pytest.raises(kind):
            logs.tail(cluster, waiting, logs.ENGINE, 9)
        with pytest.raises(kind):
            list(logs.follow(cluster, waiting, logs.ENGINE, 9))


def test_a_node_that_does_not_answer_hides_only_its_own_engine():
    cluster = Said({("a", "engine", False): error(ClusterAway), ("b", "engine", False): [at(1, "on")]})
    both = (pod("a", "engine"), pod("b", "engine"))
    assert logs.tail(cluster, both, logs.ENGINE, 9) == ("b on",)
    heard = logs.follow(cluster, both, logs.ENGINE, 9)
    assert next(heard) == "b on"
    with pytest.raises(ClusterAway):
        next(heard)
