"""The zygote: a Python process with numpy and pandas loaded that forks satellites on demand.

Run by the launchpad as `PYTHON -I zygote.py DESCRIPTOR` in whatever interpreter the user named,
so it keeps to the standard library and the syntax of Python 3.6 and imports nothing of sqlexec
but the files beside it: wire.py, satellite.py, dataframes.py.

    launchpad  -- {"do": "fork", "id": 7} + socket -->   zygote -- fork --> satellite 7
               -- {"do": "compile", "number": 1, "script": ...} -->            (satellite.serve)
               -- {"do": "kill", "id": 7} -->
               <- {"ready": ...}, {"forked": 7, "pid": ...}, {"failed": 7, "reason": ...},
                  {"ended": 7, "status": ...} --

It ends, with all its satellites, when the launchpad's end of the control socket closes, which
the kernel does even when the server dies by SIGKILL.
"""

import collections
import gc
import importlib
import importlib.util
import os
import platform
import random
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
import types
import warnings
from typing import Any, Dict, List, Optional

# Imported before the first fork, so that no script pays for them: what scripts and sqlexec's
# runner use.  All are optional: bare interpreters lack the first ones.
_PRELOAD = """
    numpy pandas cloudpickle
    ast base64 codecs collections contextlib copyreg ctypes datetime decimal functools hashlib hmac
    inspect io itertools json linecache marshal math operator pickle random re struct tempfile
    textwrap threading time traceback types uuid warnings weakref zipimport zlib
""".split()
_MAX_MESSAGE = 1 << 28
MAX_CODES = 16  # compiled scripts that are kept
LONGEST_END = 2.0  # seconds for what scripts left behind to end
SET_PARENT_DEATH_SIGNAL, SET_CHILD_SUBREAPER = 1, 36


def _sibling(name: str) -> Any:
    """Load the module `name` that lies beside this file (-I keeps it off sys.path)."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py")
    spec = importlib.util.spec_from_file_location("_sqlexec_" + name, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Zygote:
    """Forks, reaps and kills satellites as the launchpad says."""

    def __init__(self, control: socket.socket, wire: Any, satellite: Any) -> None:
        self._control = control
        self._wire = wire
        self._satellite = satellite
        self._satellites: Dict[int, int] = {}  # process id: the launchpad's id
        self._codes: "collections.OrderedDict[int, Any]" = collections.OrderedDict()

    def serve(self) -> None:
        """Obey until the launchpad is gone."""
        woken, waker = socket.socketpair()
        woken.setblocking(False)
        waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # to be woken by the descriptor
        signal.set_wakeup_fd(waker.fileno())
        self._close_after_fork = [self._control, woken, waker]
        with selectors.DefaultSelector() as selector:
            self._selector = selector
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _events in selector.select()]
                if woken in ready:
                    woken.recv(4096)
                    self._reap()
                if self._control in ready and not self._obey():
                    return

    def _obey(self) -> bool:
        """Carry out one command; False when there are no more."""
        try:
            command, descriptors = self._wire.receive_with_descriptors(self._control, _MAX_MESSAGE)
        except (EOFError, ConnectionError):
            return False
        if command["do"] == "fork":
            self._fork(command["id"], socket.socket(fileno=descriptors[0]))
        elif command["do"] == "kill":
            for process, number in list(self._satellites.items()):
                if number == command["id"]:
                    _kill(process)
        elif command["do"] == "compile":
            self._compile(command["number"], command["script"])
        return True

    def _fork(self, number: int, connection: socket.socket) -> None:
        zygote = os.getpid()
        try:
            with warnings.catch_warnings():  # numpy's idle threads do not matter to a fork here
                warnings.simplefilter("ignore")
                process = os.fork()
        except OSError as error:  # no memory, or too many processes
            connection.close()
            self._tell({"failed": number, "reason": str(error)})
            return
        if process == 0:
            self._become_satellite(zygote, connection)
        connection.close()
        _group(process)
        self._satellites[process] = number
        self._tell({"forked": number, "pid": process})

    def _become_satellite(self, zygote: int, connection: socket.socket) -> None:
        """In the child: let go of everything that is the zygote's, then wait for the script."""
        status = 1
        try:
            _group(0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _tell_kernel(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)  # when the zygote dies
            if os.getppid() != zygote:
                return  # it has died before that
            _tell_kernel(SET_CHILD_SUBREAPER, 1)  # keeps the script's daemons while it runs
            self._selector.close()
            for handle in self._close_after_fork:
                handle.close()
            _seed_anew()
            self._satellite.serve(connection, self._codes)
            status = 0
        except BaseException:  # noqa: BLE001 - the process ends either way
            traceback.print_exc()
        finally:
            os._exit(status)

    def _compile(self, number: int, script: str) -> None:
        """Keep the code of a script that a satellite of this interpreter has compiled before."""
        self._codes[number] = compile(script, "<string>", "exec")
        while len(self._codes) > MAX_CODES:
            self._codes.popitem(last=False)
        _freeze()

    def _reap(self) -> None:
        """Bury dead satellites, and kill what they left in their process groups."""
        for process in list(self._satellites):
            # A zombie's number is not given away, so its group is killed before it is waited for.
            if hasattr(os, "waitid"):
                how = os.WEXITED | os.WNOHANG | os.WNOWAIT
                if os.waitid(os.P_PID, process, how) is None:
                    continue
                _kill(process)
                _process, status = os.waitpid(process, 0)
            else:  # macOS before Python 3.13
                ended, status = os.waitpid(process, os.WNOHANG)
                if not ended:
                    continue
                _kill(process)
            self._tell({"ended": self._satellites.pop(process), "status": status})
        self._kill_orphans()

    def _kill_orphans(self) -> bool:
        """Kill what dead satellites left outside of their groups; whether there was any.

        Such processes have become children of the zygote; their own will, when they end.
        """
        orphans = [each for each in _children() if each not in self._satellites]
        for process in orphans:
            _kill(process)
            os.waitpid(process, os.WNOHANG)
        return bool(orphans)

    def _tell(self, message: Dict[str, Any]) -> None:
        try:
            self._wire.send(self._control, message)
        except OSError:
            pass  # the launchpad is gone: the next command will be the end of the stream

    def end(self) -> None:
        while self._satellites:
            process, _number = self._satellites.popitem()
            _kill(process)
            os.waitpid(process, 0)
        deadline = time.monotonic() + LONGEST_END
        while self._kill_orphans() and time.monotonic() < deadline:
            time.sleep(0.001)


def _kill(process: int) -> None:
    """Kill a satellite and its process group."""
    for kill in (os.killpg, os.kill):
        try:
            kill(process, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # macOS answers EPERM for a group of zombies


def _group(process: int) -> None:
    """Put a satellite into a process group of its own; parent and child both do, as shells do."""
    try:
        os.setpgid(process, process)
    except (ProcessLookupError, PermissionError):
        pass


def _seed_anew() -> None:
    """Give this process random numbers of its own: a fork inherits the state of the generators."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _tell_kernel(option: int, value: int) -> None:
    """Set what Linux alone knows of a process (man 2 prctl)."""
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes
    except ImportError:
        return
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _children() -> List[int]:
    """Children of this process; none where the system does not list them."""
    try:
        with open("/proc/self/task/{}/children".format(os.getpid())) as file:
            return [int(each) for each in file.read().split()]
    except OSError:
        return []


def _freeze() -> None:
    """Take what is loaded out of the collector's sight: it would copy shared pages for nothing."""
    if hasattr(gc, "freeze"):  # Python 3.7
        gc.collect()
        gc.freeze()


def _preload() -> Dict[str, Optional[str]]:
    """Import what is there; versions of the optional packages (None for one that is not)."""
    versions: Dict[str, Optional[str]] = {}
    for name in _PRELOAD:
        try:
            module = importlib.import_module(name)
        except ImportError:
            versions[name] = None
        else:
            versions[name] = getattr(module, "__version__", "")
    tempfile.gettempdir()  # looks for it by writing there, once
    return {name: versions[name] for name in ("numpy", "pandas", "cloudpickle")}


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(control.fileno(), False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    wire, dataframes, satellite = [_sibling(name) for name in ("wire", "dataframes", "satellite")]
    directory = tempfile.mkdtemp(prefix="sqlexec-scripts-")
    os.chdir(directory)
    sys.argv = [""]
    # Scripts find an empty __main__; this module lives on in the functions that refer to it.
    sys.modules["_sqlexec_zygote"] = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    versions = _preload()
    dataframes.warm_up()
    _freeze()
    zygote = Zygote(control, wire, satellite)
    _tell_kernel(SET_CHILD_SUBREAPER, 1)  # what scripts leave behind becomes the zygote's
    try:
        wire.send(control, {"ready": platform.python_version(), "versions": versions})
        zygote.serve()
    finally:
        zygote.end()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
