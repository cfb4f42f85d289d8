"""The stand-ins for `sam local`."""

import errno
import os

import pytest

from local import stand_ins


def test_a_port_that_is_taken_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def listen(*_: int) -> None:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    monkeypatch.setattr(stand_ins, "StandIns", listen)
    monkeypatch.setattr(stand_ins, "gateway", lambda: "127.0.0.1")

    with pytest.raises(SystemExit) as ended:
        stand_ins.main()

    assert ended.value.code == (
        "stand-ins: [Errno 98] Address already in use; they need the ports 8090 and 5050 of 127.0.0.1."
    )
