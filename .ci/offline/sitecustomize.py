"""Put this folder on PYTHONPATH and every network call of that Python fails, and is written down in $OFFLINE_LOG."""

import os
import socket
from typing import Any


def _refuse(call: str, target: object) -> OSError:
    with open(os.environ["OFFLINE_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{call} {target!r}\n")
    return OSError(f"network call in an offline run: {call} {target!r}")


def _getaddrinfo(host: object, *args: Any, **kwargs: Any) -> Any:
    raise _refuse("getaddrinfo", host)


class _OfflineSocket(socket.socket):
    def connect(self, address: Any) -> None:
        if self.family != getattr(socket, "AF_UNIX", None):
            raise _refuse("connect", address)
        super().connect(address)

    def connect_ex(self, address: Any) -> int:
        if self.family != getattr(socket, "AF_UNIX", None):
            raise _refuse("connect_ex", address)
        return super().connect_ex(address)

    def sendto(self, data: Any, *args: Any) -> int:
        raise _refuse("sendto", args[-1])


socket.getaddrinfo = _getaddrinfo
socket.socket = _OfflineSocket  # type: ignore[misc]
