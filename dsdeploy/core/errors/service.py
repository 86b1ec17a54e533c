"""What can go wrong with a service: its install, its life, its keys and its checks."""

from dsdeploy.core.errors.base import DsdeployError, UsageError


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


class NothingToCheck(UsageError):
    pass


class UnknownReport(UsageError):
    pass


class ReportUnreadable(UsageError):
    pass


class ReportNotWritable(UsageError):
    pass
