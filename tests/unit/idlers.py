"""What schedulers of tests do while there is nothing to do."""

import time


class NoPause:
    """The idle policy of a scheduler on the test's own thread."""

    spin_s = 0.0

    def pause(self, waited_s, limit_s):
        time.sleep(max(0.0, min(limit_s or 0.0, 0.05)))  # a signal may have come

    def resume(self):
        pass

    def rouse(self):
        pass

    def nudge(self):
        pass
