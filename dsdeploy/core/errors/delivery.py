"""What can go wrong on the way of weights and bundles to a site."""

from dsdeploy.core.errors.base import DsdeployError, UsageError


class FetchError(DsdeployError):
    exit_code = 12


class DigestMismatch(FetchError):
    pass


class HubUnreachable(FetchError):
    pass


class HubRefused(FetchError):
    pass


class WeightsNotFound(FetchError):
    pass


class WeightsUnsafe(FetchError):
    pass


class DiskTooSmall(FetchError):
    pass


class BundleError(DsdeployError):
    exit_code = 13


class PayloadMissing(BundleError):
    pass


class ImageMissing(BundleError):
    pass


class PayloadAltered(BundleError):
    pass


class KeyUnusable(BundleError):
    pass


class BundleNotWritable(BundleError):
    pass


class BundleNoRoom(BundleError):
    pass


class BundleExists(BundleError):
    pass


class BundleMissing(BundleError):
    pass


class BundleUnsafe(BundleError):
    pass


class SignatureMissing(BundleError):
    pass


class SignatureInvalid(BundleError):
    pass


class SignerUnknown(BundleError):
    pass


class BundleAltered(BundleError):
    pass


class VolumeMissing(BundleError):
    pass


class SequenceOlder(BundleError):
    pass


class BaseMissing(BundleError):
    pass


class BundleBusy(BundleError):
    pass


class VersionUnknown(BundleError):
    pass


class ImageNotNamed(BundleError):
    pass


class BundleUsage(UsageError):
    pass
