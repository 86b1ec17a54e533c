"""Each thing that keeps a pod from being ready, as the API server tells it, and by what name it reaches the user."""

import pytest

from dsdeploy.adapters.targets.kubernetes.explain import NOW_S, SOON_S, Seen, causes

NOW = "2026-11-25T10:00:00Z"


def pod(state=None, last=None, restarts=0, **more):
    container = {"name": "engine", "image": "r.site/e", "restartCount": restarts, "state": state or {}}
    container |= {"lastState": last} if last else {}
    status = {"phase": "Pending", "containerStatuses": [container], **more.pop("status", {})}
    return {"metadata": {"name": "p", "uid": "p", **more}, "spec": {"nodeName": "n"}, "status": status}


def seen(*pods, **more) -> Seen:
    empty = {"owners": (), "claims": (), "events": ()}
    return Seen(pods=pods, at=NOW, **{**empty, **more})


def waiting(reason, message="so it says"):
    return {"waiting": {"reason": reason, "message": message}}


def ended(code, reason="Error"):
    return {"terminated": {"exitCode": code, "reason": reason}}


def event(reason, message, uid="p", name="p"):
    return {"reason": reason, "message": message, "involvedObject": {"uid": uid, "name": name}}


def condition(kind, status, message):
    return {"status": {"conditions": [{"type": kind, "status": status, "message": message}]}}


OWNER = {"metadata": {"uid": "o", "name": "o"}}
CLAIM = {"metadata": {"uid": "c", "name": "weights"}, "spec": {}, "status": {"phase": "Pending"}}
RUNS = {"running": {"startedAt": NOW}}
FOUND = [
    ("image-refused", NOW_S, seen(pod(waiting("ImagePullBackOff")))),
    ("image-refused", NOW_S, seen(pod(waiting("InvalidImageName")))),
    ("image-refused", SOON_S, seen(pod(waiting("ErrImagePull")))),
    ("container-not-made", SOON_S, seen(pod(waiting("CreateContainerConfigError")))),
    ("container-ended", SOON_S, seen(pod(ended(7)))),
    ("container-ended", NOW_S, seen(pod(waiting("CrashLoopBackOff"), ended(7), 1))),
    ("container-out-of-memory", NOW_S, seen(pod(waiting("CrashLoopBackOff"), ended(137, "OOMKilled"), 1))),
    ("pod-not-placed", None, seen(pod(**condition("PodScheduled", "False", "0/1 nodes: Insufficient nvidia.com/gpu")))),
    ("claim-in-the-way", None, seen(pod(**condition("PodScheduled", "False", "unbound PersistentVolumeClaims")))),
    ("node-lost", None, seen(pod(), lost=("n",))),
    ("node-lost", None, seen(pod(status={"reason": "NodeLost"}))),
    ("pod-lingers", None, seen(pod(deletionTimestamp="2026-11-25T09:59:00Z"))),
    ("volume-not-mounted", SOON_S, seen(pod(), events=(event("FailedMount", "no such secret"),))),
    ("volume-held-elsewhere", None, seen(pod(), events=(event("FailedAttachVolume", "Multi-Attach error"),))),
    ("claim-pending", None, seen(claims=(CLAIM,))),
    ("pods-over-quota", 5, seen(owners=(OWNER,), events=(event("FailedCreate", "exceeded quota: small", "o"),))),
    ("pods-not-admitted", 5, seen(owners=({**OWNER, **condition("ReplicaFailure", "True", "violates PodSecurity")},))),
    ("pods-refused", SOON_S, seen(owners=(OWNER,), events=(event("FailedCreate", "webhook said no", "o"),))),
]  # fmt: skip


@pytest.mark.parametrize(("id", "patience_s", "what"), FOUND, ids=[f"{one[0]}-{n}" for n, one in enumerate(FOUND)])
def test_a_cause_has_its_name_and_the_time_in_which_it_may_pass(id, patience_s, what):
    (found,) = causes(what)
    assert (found.message.id, found.patience_s) == (id, patience_s)
    assert all(words.render(language) for words in (found.message, found.hint) for language in ("en", "zh"))


@pytest.mark.parametrize(
    "what",
    [
        seen(pod(RUNS)),
        seen(pod(deletionTimestamp="2026-11-25T10:01:00Z")),
        seen(pod(RUNS), events=(event("FailedMount", "not yet"),)),
        seen(pod(RUNS), events=(event("FailedAttachVolume", "not yet"),)),
        seen(pod(), events=(event("FailedMount", "not yet"), event("Pulling", 'Pulling image "r.site/e"'))),
        seen(pod(), events=(event("FailedAttachVolume", "not yet"), event("SuccessfulAttachVolume", "now"))),
        seen(claims=(CLAIM,), events=(event("Waiting", "waiting for first consumer", "c", "weights"),)),
        seen(claims=({**CLAIM, "status": {"phase": "Bound"}},)),
        seen(events=(event("FailedCreate", "exceeded quota", "of-another"),)),
        seen(
            owners=(OWNER,),
            events=(event("FailedCreate", "exceeded quota", "o"), event("SuccessfulCreate", "Created pod: p", "o")),
        ),
    ],
)
def test_what_is_on_its_way_is_no_cause(what):
    assert causes(what) == ()


def test_what_cannot_pass_by_itself_is_told_before_what_may():
    both = seen(pod(waiting("ErrImagePull")), pod(waiting("CrashLoopBackOff"), ended(1), 3), claims=(CLAIM,))
    assert [one.message.id for one in causes(both)] == ["container-ended", "image-refused", "claim-pending"]


def test_the_lines_that_tell_more_are_of_the_run_that_ended():
    (first,), (again,) = causes(seen(pod(ended(7)))), causes(seen(pod(waiting("CrashLoopBackOff"), ended(7), 1)))
    assert (first.pod, first.container, first.previous) == ("p", "engine", False)
    assert again.previous
