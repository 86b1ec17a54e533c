"""The story: each command as a short list of stages, in order.

Stages and values are imported where they are used: `dsdeploy --help` must not pay for them.
"""

from dsdeploy.workflows.bundle import bundle_create as bundle_create
from dsdeploy.workflows.bundle import bundle_diff as bundle_diff
from dsdeploy.workflows.bundle import bundle_inspect as bundle_inspect
from dsdeploy.workflows.bundle import bundle_inventory as bundle_inventory
from dsdeploy.workflows.bundle import bundle_keygen as bundle_keygen
from dsdeploy.workflows.bundle import bundle_load as bundle_load
from dsdeploy.workflows.bundle import bundle_log as bundle_log
from dsdeploy.workflows.bundle import bundle_prune as bundle_prune
from dsdeploy.workflows.bundle import bundle_public_key as bundle_public_key
from dsdeploy.workflows.bundle import bundle_recut as bundle_recut
from dsdeploy.workflows.bundle import bundle_rollback as bundle_rollback
from dsdeploy.workflows.bundle import bundle_verify as bundle_verify
from dsdeploy.workflows.bundle import bundle_who_signed as bundle_who_signed
from dsdeploy.workflows.bundle import install_bundle as install_bundle
from dsdeploy.workflows.keys import keys_change as keys_change
from dsdeploy.workflows.keys import keys_list as keys_list
from dsdeploy.workflows.life import logs as logs
from dsdeploy.workflows.life import rollback as rollback
from dsdeploy.workflows.life import support_bundle as support_bundle
from dsdeploy.workflows.life import upgrade as upgrade
from dsdeploy.workflows.life import watch as watch
from dsdeploy.workflows.planning import collector as collector
from dsdeploy.workflows.planning import cost as cost
from dsdeploy.workflows.planning import estimate as estimate
from dsdeploy.workflows.planning import models_list as models_list
from dsdeploy.workflows.planning import models_show as models_show
from dsdeploy.workflows.planning import plan as plan
from dsdeploy.workflows.planning import plan_diff as plan_diff
from dsdeploy.workflows.planning import plan_verify as plan_verify
from dsdeploy.workflows.planning import profile as profile
from dsdeploy.workflows.planning import profile_collected as profile_collected
from dsdeploy.workflows.planning import profile_hosts as profile_hosts
from dsdeploy.workflows.planning import profile_nodes as profile_nodes
from dsdeploy.workflows.proof import check as check
from dsdeploy.workflows.proof import check_list as check_list
from dsdeploy.workflows.proof import report_verify as report_verify
from dsdeploy.workflows.release import fetch as fetch
from dsdeploy.workflows.release import install as install
from dsdeploy.workflows.release import render as render
from dsdeploy.workflows.release import status as status
from dsdeploy.workflows.release import uninstall as uninstall
