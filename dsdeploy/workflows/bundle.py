"""Everything crosses the air gap: packed, verified, loaded, installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsdeploy.core.results import Result
from dsdeploy.core.texts import text
from dsdeploy.workflows.release import install
from dsdeploy.workflows.steps import ask_consent, read_plan, rendered_release, weights_held

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dsdeploy.adapters.bundle.keys import KeyPair, Passphrase
    from dsdeploy.adapters.gateway.certificate import Given
    from dsdeploy.adapters.targets.kubernetes.place import Place as ClusterPlace
    from dsdeploy.core.bundle.values import Inventory
    from dsdeploy.core.layout import Layout
    from dsdeploy.core.progress import Progress
    from dsdeploy.core.values import (
        Installed,
        Operation,
    )
    from dsdeploy.stages.bundle.create import Created, Order
    from dsdeploy.stages.bundle.inspect import Difference, Inspected, Signers
    from dsdeploy.stages.bundle.load import Consent, Loaded, Place
    from dsdeploy.stages.bundle.recut import Recut
    from dsdeploy.stages.bundle.verify import Verified
    from dsdeploy.stages.bundle.versions import Log, Pruned, Switched

    Agree = Callable[[tuple[Operation, ...]], bool]


def bundle_create(path: Path, layout: Layout, order: Order, sm3: bool | None, progress: Progress) -> Result[Created]:
    """`sm3` None is what the plan's industry asks."""
    import os
    import shutil
    from dataclasses import replace

    from dsdeploy.adapters.bundle.images import save_images, save_own_images
    from dsdeploy.adapters.bundle.staged import forget
    from dsdeploy.adapters.templates import chart_folder
    from dsdeploy.core.bundle.deployed_images import images_named, lacking
    from dsdeploy.core.errors import PayloadMissing
    from dsdeploy.core.industries import find_industry
    from dsdeploy.stages.bundle.create import create, goes_on, judge_order
    from dsdeploy.stages.bundle.gather import Gathered, describe_images, gather, judge_images
    from dsdeploy.stages.install import desired_release

    found, words = read_plan(path)
    if sm3 is None:
        sm3 = "sm3" in find_industry(found.request.industry).settings.digests
    order = replace(order, name=order.name or found.model_id.lower(), sm3=sm3)
    held = weights_held(found, layout)
    if held is None:
        message = text("weights-not-fetched", model=found.model_id, format=found.format, home=layout.home)
        raise PayloadMissing(message, hint=text("weights-not-fetched-hint"))
    folder, staging = layout.weights(found.model_id, found.format), order.out.with_name(order.out.name + ".images")
    order = replace(order, staging=staging)
    carried_bytes = judge_order(order, gather(path, (folder,), order.include, (), order.wheels, chart_folder()))
    named: tuple[str, ...] = ()
    if found.target != "process":
        named = images_named(rendered_release(found, words, desired_release(found, words, held, layout, "default")))

    def everything() -> Gathered:
        images = save_images(order.images, staging, carried_bytes)
        images = (*images, *(save_own_images(named, staging) if named else ()))
        images = (*images, *save_images(lacking(named, describe_images(images)), staging, carried_bytes))
        return gather(path, (folder,), order.include, images, order.wheels, chart_folder())

    gathered = everything()
    if not goes_on(order, gathered) and forget(staging):
        gathered = everything()
    judge_images(named, gathered)
    made = create(order, gathered, dict(os.environ), progress)
    shutil.rmtree(staging, ignore_errors=True)
    return Result("bundle create", made)


def bundle_verify(
    folders: tuple[Path, ...], layout: Layout, trust: tuple[Path, ...], progress: Progress, *, allow_unsigned: bool
) -> Result[Verified]:
    from dsdeploy.stages.bundle.opening import trusted_keys
    from dsdeploy.stages.bundle.verify import verify

    return Result("bundle verify", verify(folders, trusted_keys(trust, layout.home), allow_unsigned, progress))


def bundle_load(
    folders: tuple[Path, ...],
    layout: Layout,
    trust: tuple[Path, ...],
    consent: Consent,
    place: Place,
    progress: Progress,
) -> Result[Loaded]:
    from dsdeploy.adapters.bundle.room import judge_image_room
    from dsdeploy.stages.bundle.load import image_sizes, load
    from dsdeploy.stages.bundle.opening import trusted_keys

    if place.name is not None:
        judge_image_room(place.name, image_sizes(folders, layout))
    loaded = load(folders, layout, trusted_keys(trust, layout.home), consent, progress)
    return Result("bundle load", _deliver(loaded, layout, place, progress))


def install_bundle(
    folder: Path,
    layout: Layout,
    name: str,
    trust: tuple[Path, ...],
    consent: Consent,
    agree: Agree,
    progress: Progress,
    *,
    dry_run: bool,
    certificate: Given | None = None,
    site: Path | None = None,
    place: ClusterPlace | None = None,
) -> Result[Installed]:
    """From a medium, or from a version that is loaded already, to a running service. No network is used."""
    from pathlib import Path

    from dsdeploy.adapters.bundle.images import DOCKER
    from dsdeploy.adapters.hubs import Source
    from dsdeploy.core.errors import BundleUsage
    from dsdeploy.core.values import Operation
    from dsdeploy.stages.bundle.load import Place, loaded_plan

    plan = loaded_plan(folder, layout)
    if plan is None and dry_run:
        raise BundleUsage(text("bundle-not-loaded", path=folder), hint=text("bundle-not-loaded-hint"))
    if plan is None:
        ask_consent(agree, (Operation("load-bundle", {"path": str(folder)}),))
        loaded = bundle_load((folder,), layout, trust, consent, Place(None), progress).data
        plan = Path(loaded.plan)
        _deliver(loaded, layout, Place(DOCKER if read_plan(plan)[0].target == "compose" else None), progress)
    return install(
        plan, layout, name, Source(), agree, progress, dry_run=dry_run, certificate=certificate, site=site, place=place
    )


def bundle_recut(
    folders: tuple[Path, ...],
    layout: Layout,
    trust: tuple[Path, ...],
    order: Order,
    progress: Progress,
    *,
    move: bool,
) -> Result[Recut]:
    from dsdeploy.adapters.bundle.keys import load_private
    from dsdeploy.core.errors import BundleUsage
    from dsdeploy.stages.bundle.create import volume_capacity
    from dsdeploy.stages.bundle.opening import open_bundle, trusted_keys
    from dsdeploy.stages.bundle.recut import recut

    if not order.keys and not order.allow_unsigned:
        raise BundleUsage(text("bundle-no-key"), hint=text("bundle-no-key-hint"))
    signing = tuple(load_private(one, order.passphrase) for one in order.keys)
    capacity = volume_capacity(order.volume)
    opened = open_bundle(folders, trusted_keys(trust, layout.home), order.allow_unsigned)
    return Result("bundle recut", recut(opened, order.out, capacity, signing, progress, move=move))


def bundle_inventory(layout: Layout, out: Path) -> Result[Inventory]:
    import json

    from dsdeploy.adapters.files import write_whole
    from dsdeploy.core.documents import to_document
    from dsdeploy.core.errors import BundleNotWritable
    from dsdeploy.stages.bundle.versions import inventory

    found = inventory(layout)
    try:
        write_whole(out, json.dumps(to_document(found), indent=1) + "\n", 0o644)
    except OSError as error:
        message = text("not-writable", path=out, reason=error)
        raise BundleNotWritable(message, hint=text("not-writable-hint")) from error
    return Result("bundle inventory", found)


def bundle_log(layout: Layout) -> Result[Log]:
    from dsdeploy.core.errors import BundleAltered
    from dsdeploy.stages.bundle.versions import read_log

    found = read_log(layout)
    return Result("bundle log", found, 0 if found.broken_at is None else BundleAltered.exit_code)


def bundle_prune(layout: Layout, keep: int, agree: Agree, *, dry_run: bool) -> Result[Pruned]:
    from dsdeploy.stages.bundle.versions import Pruned, prunable, prune, prune_operations

    old = prunable(layout, keep)
    if dry_run or not old:
        return Result("bundle prune", Pruned((), 0, prune_operations(old)))
    ask_consent(agree, prune_operations(old))
    return Result("bundle prune", prune(layout, old))


def bundle_rollback(layout: Layout, name: str | None, sequence: int | None) -> Result[Switched]:
    from dsdeploy.stages.bundle.versions import roll_back

    return Result("bundle rollback", roll_back(layout, name, sequence))


def bundle_inspect(folders: tuple[Path, ...], layout: Layout, trust: tuple[Path, ...]) -> Result[Inspected]:
    from dsdeploy.stages.bundle.inspect import inspect
    from dsdeploy.stages.bundle.opening import trusted_keys

    return Result("bundle inspect", inspect(folders, trusted_keys(trust, layout.home)))


def bundle_who_signed(folders: tuple[Path, ...], layout: Layout, trust: tuple[Path, ...]) -> Result[Signers]:
    from dsdeploy.stages.bundle.inspect import who_signed
    from dsdeploy.stages.bundle.opening import trusted_keys

    return Result("bundle who-signed", who_signed(folders, trusted_keys(trust, layout.home)))


def bundle_diff(old: Path, new: Path) -> Result[Difference]:
    from dsdeploy.stages.bundle.inspect import diff

    return Result("bundle diff", diff(old, new))


def bundle_keygen(folder: Path, name: str, algorithm: str, passphrase_file: Path | None) -> Result[KeyPair]:
    from dsdeploy.adapters.bundle.keys import generate_key, read_passphrase

    passphrase = read_passphrase(passphrase_file) if passphrase_file else None
    return Result("bundle keygen", generate_key(folder, name, algorithm, passphrase))


def bundle_public_key(key: str, folder: Path, name: str, passphrase: Passphrase) -> Result[KeyPair]:
    from dsdeploy.adapters.bundle.keys import export_public

    return Result("bundle public-key", export_public(key, folder, name, passphrase))


def _deliver(loaded: Loaded, layout: Layout, place: Place, progress: Progress) -> Loaded:
    """Brings the images of a loaded version to where they are run from."""
    from dataclasses import replace
    from pathlib import Path

    from dsdeploy.adapters.bundle.images import deliver_images
    from dsdeploy.adapters.bundle.site import Site
    from dsdeploy.stages.bundle.load import record_delivery

    if place.name is None or not loaded.images:
        return loaded
    archives = tuple(map(Path, loaded.images))
    delivered = deliver_images(archives, place.name, Site(layout).uploads, place.ca_file, progress)
    record_delivery(loaded, delivered, place, layout)
    return replace(loaded, delivered=delivered)
