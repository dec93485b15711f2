"""Clients that send a byte a second, as a process of their own, so that they take nothing from those who measure.

Run with a port and a number of them; half send the head of a request slowly, half its body. Once all are connected it
writes a line. When its standard input ends, it writes how many bytes they have sent since, and ends.
"""

import socket
import ssl
import sys
import threading
from typing import Final

BODY: Final = 10_000
_HEAD: Final = b"POST /api/v1/auth/token HTTP/1.1\r\nHost: kgl\r\n"
_WHOLE_HEAD: Final = _HEAD + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % BODY
ADDRESSES: Final = 4
"""How many they come from, so that no limit on connections from one keeps most of them out."""


class SlowClient:
    """One connection, which is made again as soon as the server ends it."""

    def __init__(self, number: int, port: int, tls: ssl.SSLContext | None) -> None:
        self._port, self._tls = port, tls
        self._address = f"127.0.0.{10 + number % ADDRESSES}"
        self._sends_head = number // ADDRESSES % 2 == 0
        self._connect()

    def _connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self._port), source_address=(self._address, 0))
        self._socket = self._tls.wrap_socket(plain) if self._tls else plain
        self._socket.sendall(_HEAD if self._sends_head else _WHOLE_HEAD)
        self._socket.setblocking(False)  # what a server answers is for nobody, what it does not take is lost

    def send_a_byte(self) -> None:
        """Send the next."""
        try:
            self._socket.send(b"x")
            if self._socket.recv(65536) == b"":
                raise ConnectionResetError
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        except OSError:
            self._socket.close()
            self._connect()


def main(port: int, count: int, *, is_tls: bool) -> None:
    """Be slow until the standard input ends."""
    tls = ssl.create_default_context() if is_tls else None
    if tls is not None:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    clients = [SlowClient(number, port, tls) for number in range(count)]
    ended, sent = threading.Event(), 0
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    while not ended.wait(1 / count):  # evenly: all of them once a second
        clients[sent % count].send_a_byte()
        sent += 1
    sys.stdout.write(f"{sent}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), is_tls=sys.argv[3] == "tls")
