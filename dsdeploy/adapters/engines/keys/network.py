import fcntl
import os
import socket
import struct
import sys

peer = sys.argv.pop(1)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    try:
        probe.connect((peer, 9))  # a datagram socket sends nothing yet
    except OSError as error:
        sys.exit("no way to " + peer + ", another node of this replica: " + str(error))
    address = probe.getsockname()[0]
    for _, name in socket.if_nameindex():
        try:
            found = fcntl.ioctl(probe.fileno(), 0x8915, struct.pack("256s", name.encode()))  # SIOCGIFADDR
        except OSError:
            continue
        if socket.inet_ntoa(found[20:24]) == address:
            for library in ("GLOO", "NCCL", "HCCL", "TP"):
                os.environ.setdefault(library + "_SOCKET_IFNAME", name)
for variable in ("VLLM_HOST_IP", "SGLANG_HOST_IP", "HCCL_IF_IP"):
    os.environ.setdefault(variable, address)
