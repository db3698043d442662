"""A real terminal: one program in tmux, typed to and looked at.

The program is started by go(), and ends within the window; what it was is seen in the modes that the
terminal had before and has afterwards. tmux's server is the test's own, and ends with it.
"""

import os
import shlex
import signal
import subprocess
import termios
from pathlib import Path

from .adit import SANITIZER
from .checks import eventually
from .patience import PATIENCE_S



class Terminal:
    def __init__(self, folder, command, width=80, height=24, **env):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.stderr_path = self.folder / "stderr"
        self.pid_path = self.folder / "pid"
        self._program = os.fsencode(command[0])
        words = " ".join(shlex.quote(str(word)) for word in command)
        sets = " ".join(f"{name}={shlex.quote(value)}" for name, value in env.items())
        script = (f"echo ready; read go; {sets} sh -c 'echo $$ >{self.pid_path}; exec \"$@\"' sh {words} "
                  f"2>{self.stderr_path}; echo status $?; read end")
        self.stderr_path.touch()
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, script)
        self.wait_for("ready")  # tmux has set the modes of a new terminal
        self._modes_before = self._modes()

    def _tmux(self, *words):
        # tmux replaces what is no ASCII unless it is sure of the locale.
        env = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm")
        env.pop("TMUX", None)
        command = ["tmux", "-u", "-S", self.folder / "socket", *map(str, words)]
        return subprocess.run(command, env=env, check=True, timeout=PATIENCE_S,
                              capture_output=True, text=True).stdout

    def _ask(self, *names):
        words = " ".join(f"#{{{name}}}" for name in names)
        return self._tmux("display-message", "-p", words).split()

    def _modes(self):
        fd = os.open(self._ask("pane_tty")[0], os.O_RDWR | os.O_NOCTTY)
        try:
            return termios.tcgetattr(fd)
        finally:
            os.close(fd)

    def go(self):
        self.press("Enter")
        return self

    @property
    def pid(self):
        eventually(lambda: self.pid_path.exists() and self.pid_path.read_text().endswith("\n"))
        return int(self.pid_path.read_text())

    # -- hands

    def press(self, *keys):
        """Keys by tmux's names: "q", "Down", "PageUp", "Escape", "C-c"."""
        self._tmux("send-keys", *keys)

    def type(self, text):
        self._tmux("send-keys", "-l", text)

    def resize(self, width, height):
        self._tmux("resize-window", "-x", width, "-y", height)

    # -- eyes

    def lines(self):
        """What stands on the screen, without spaces at the ends of lines."""
        return self._tmux("capture-pane", "-p").split("\n")[:-1]

    def text(self):
        return "\n".join(self.lines())

    def styled(self):
        """The same with the sequences that colour it."""
        return self._tmux("capture-pane", "-p", "-e")

    @property
    def is_cursor_shown(self):
        return self._ask("cursor_flag") == ["1"]

    @property
    def is_full_screen(self):
        """Whether the program has the alternate screen, as full-screen programs do."""
        return self._ask("alternate_on") == ["1"]

    def wait_until(self, check):
        """Until this is true; else what is seen and what the program said is the failure."""
        try:
            eventually(check, PATIENCE_S)
        except AssertionError:
            error = self.stderr_path.read_text(errors="replace")
            raise AssertionError(f"it never came in:\n{self.text()}\n{error}") from None

    def wait_for(self, *texts, without=()):
        """Until all of these are seen at once, and none of those; returns the lines."""
        seen = []

        def is_seen():
            seen[:] = self.lines()
            text = "\n".join(seen)
            return all(t in text for t in texts) and not any(t in text for t in without)

        self.wait_until(is_seen)
        return seen

    def wait_for_end(self, status=0):
        """The program has ended with this status, and the terminal is as it was."""
        self.wait_for(f"status {status}")
        error = self.stderr_path.read_text(errors="replace")
        assert not SANITIZER.search(error), error
        assert self._modes() == self._modes_before
        assert self.is_cursor_shown
        assert not self.is_full_screen
        return error

    def close(self):
        self._kill_program()
        self._tmux("kill-server")

    def _kill_program(self):
        """Before its terminal goes: a program built with ASan then never ends, but spins in the
        sanitizer's search for leaks. `adit top` is adit-top by then."""
        try:
            pid = int(self.pid_path.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if self._program in words or words[0] == b"adit-top":
                os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            pass  # it was never started, or has ended
