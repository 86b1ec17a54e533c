"""What a machine, a request or a plan can be wrong in, up to what is rendered from it."""

from dsdeploy.core.errors.base import DsdeployError, InvalidRequest, UsageError


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


class RenderError(DsdeployError):
    exit_code = 14


class EngineCannotRun(RenderError):
    pass
