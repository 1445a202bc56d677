"""What the tests start finds signals as at a terminal.

In the background of a shell SIGINT is ignored, under nohup SIGHUP, and children inherit
that. A handler they do not inherit: so these tests take no notice of the signal, still, and
their children do what they always do.
"""

import signal


def _take_no_notice(number: int, frame: object) -> None:
    """In place of SIG_IGN."""


for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _take_no_notice)
