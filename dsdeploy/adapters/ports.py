"""Who listens on a port of this machine."""

import contextlib

import psutil


def port_holder(port: int) -> str | None:
    """The listening program and its pid, "?" where this user may not know it; None when nothing listens."""
    for one in psutil.net_connections("tcp"):
        if one.status != psutil.CONN_LISTEN or not one.laddr or one.laddr.port != port:
            continue
        with contextlib.suppress(psutil.Error):
            if one.pid:
                return f"{psutil.Process(one.pid).name()} (pid {one.pid})"
        return "?"
    return None
