"""Named errors. Each says what is wrong and, always, what to try; the class fixes the exit code."""

from dsdeploy.core.texts import Text


class DsdeployError(Exception):
    """Base of every error a user can meet. `hint` is required: nobody raises without a way on."""

    exit_code = 1

    def __init__(self, message: Text, *, hint: Text) -> None:
        super().__init__(message.id)
        self.message = message
        self.hint = hint

    @property
    def code(self) -> str:
        return type(self).__name__


class Bug(DsdeployError):
    """Something that dsdeploy did not foresee."""


class UsageError(DsdeployError):
    exit_code = 2


class UnknownModel(UsageError):
    pass


class UnknownAccelerator(UsageError):
    pass


class UnknownEngine(UsageError):
    pass


class UnknownEngineVersion(UsageError):
    pass


class ArchitectureUnknown(UsageError):
    pass


class RequestUnreadable(UsageError):
    pass


class ConfigUnreadable(UsageError):
    pass


class ConfigMalformed(UsageError):
    pass


class ProfileError(DsdeployError):
    exit_code = 10


class ProfileNotWritable(ProfileError):
    pass


class ProfileUnreadable(ProfileError):
    pass


class ProfileTooOld(ProfileError):
    pass


class InventoryUnreadable(ProfileError):
    pass


class NoHostAnswered(ProfileError):
    pass


class ClusterUnreachable(ProfileError):
    pass


class ClusterForbidden(ProfileError):
    pass


class InvalidRequest(UsageError):
    pass


class UnknownWorkload(InvalidRequest):
    pass


class UnknownIndustry(InvalidRequest):
    pass


class PricesUnreadable(UsageError):
    pass


class PlanUnreadable(UsageError):
    pass


class PlanNotWritable(UsageError):
    pass


class NoModelFits(DsdeployError):
    exit_code = 11


class PlanDoesNotHold(DsdeployError):
    exit_code = 11


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


class RenderError(DsdeployError):
    exit_code = 14


class EngineCannotRun(RenderError):
    pass


class InstallError(DsdeployError):
    exit_code = 15


class PortTaken(InstallError):
    pass


class PreflightFailed(InstallError):
    pass


class RuntimeMissing(InstallError):
    pass


class RuntimeRefused(InstallError):
    pass


class RegistryRefused(InstallError):
    pass


class RegistryUnreachable(InstallError):
    pass


class ClusterAway(InstallError):
    pass


class ClusterRefused(InstallError):
    pass


class HelmBusy(InstallError):
    pass


class NotStarted(InstallError):
    pass


class NoGateway(InstallError):
    pass


class ClaimTooSmall(InstallError):
    pass


class LoadBusy(InstallError):
    pass


class WeightsRefused(InstallError):
    pass


class EngineDied(InstallError):
    pass


class EngineNotHealthy(InstallError):
    pass


class ImageAbsent(InstallError):
    pass


class KeysUnreadable(InstallError):
    pass


class SecretsOpen(InstallError):
    pass


class KeysNotInForce(InstallError):
    pass


class EnginesNotTaken(InstallError):
    pass


class CertificateUnusable(InstallError):
    pass


class CertificateExpired(CertificateUnusable):
    pass


class CertificateWrongHost(CertificateUnusable):
    pass


class CertificateWrongKey(CertificateUnusable):
    pass


class Busy(InstallError):
    pass


class NothingInstalled(InstallError):
    pass


class ReleaseUnreadable(InstallError):
    pass


class RevisionUnreadable(InstallError):
    pass


class NoSuchRevision(InstallError):
    pass


class UpgradeBegun(InstallError):
    pass


class UpgradeRefused(InstallError):
    pass


class ListenRefused(UsageError):
    pass


class NoAnswer(DsdeployError):
    """A service gave no usable answer. The checks turn it into a finding, so it ends no program by itself."""

    exit_code = 3


class KeyNameInvalid(UsageError):
    pass


class KeyMalformed(UsageError):
    pass


class KeyExists(UsageError):
    pass


class UnknownKey(UsageError):
    pass


class LastKey(UsageError):
    pass


class UnknownCheck(UsageError):
    pass


class UnknownReport(UsageError):
    pass


class ReportUnreadable(UsageError):
    pass


class ReportNotWritable(UsageError):
    pass


class BundleUsage(UsageError):
    pass


class NotConfirmed(UsageError):
    pass


class Interrupted(DsdeployError):
    exit_code = 130
