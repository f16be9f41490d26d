# SPDX-License-Identifier: Apache-2.0
"""What a worker does in Python: imports the application, runs its loop and lifespan, and ends the process."""

import asyncio
import atexit
import faulthandler
import gc
import importlib
import inspect
import os
import signal
import sys
import threading
import traceback

from rondo import _rondo
from rondo._selector import Selector

os.register_at_fork(after_in_child=_rondo.after_fork_in_child)


class StartError(Exception):
    """A mistake of the user, reported without a traceback."""

    is_start_error = True


# ---- the application ----


def load(name):
    """Returns the application that MODULE:ATTRIBUTE names; with `()` at the end, what the attribute returns."""
    module_name, colon, attribute = name.partition(":")
    if not module_name or not colon or not attribute:
        raise StartError(f"invalid application {name!r}; expected MODULE:ATTRIBUTE, for example mysite.asgi:application")
    directory = os.getcwd()
    if directory not in sys.path:
        sys.path.insert(0, directory)
    application = _find(_import(module_name), module_name, attribute)
    _require_asgi(application, name)
    return application


def load_within(arguments):
    """load() in a worker that is killed when it is not ready in time: says before what it imports."""
    name, seconds = arguments
    try:
        faulthandler.dump_traceback_later(max(seconds - 1, seconds * 0.8), exit=False)
    except (AttributeError, OSError, RuntimeError, ValueError):
        pass  # standard error is closed
    try:
        return load(name)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _import(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A module that the application itself imports is a fault of the application, shown with its traceback.
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise StartError(f"cannot import module {name!r}: no module named {error.name!r} in {os.getcwd()} "
                             "or elsewhere in sys.path") from None
        raise StartError(_import_error_text(name, error)) from None
    except Exception as error:
        raise StartError(_import_error_text(name, error)) from None


def _import_error_text(name, error):
    # Without the frames of the import system and of this file.
    frames = [f for f in traceback.extract_tb(error.__traceback__)
              if not f.filename.startswith("<frozen ") and f.filename not in (__file__, importlib.__file__)]
    error.__traceback__ = None
    lines = traceback.format_exception(type(error), error, None)
    text = "".join(["Traceback (most recent call last):\n", *traceback.format_list(frames), *lines[-1:]]
                   if len(lines) == 1 else traceback.format_exception(type(error), error, None))
    return f"cannot import module {name!r}:\n{text.rstrip()}"


def _find(module, module_name, path):
    is_factory = path.endswith("()")
    found = module
    for part in path.removesuffix("()").split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            near = [n for n in dir(module) if not n.startswith("_") and callable(getattr(module, n, None))]
            raise StartError(f"module {module_name!r} ({getattr(module, '__file__', None)}) has no attribute {part!r}"
                             f"; callables of it: {', '.join(near[:20]) or 'none'}") from None
    if not is_factory:
        return found
    try:
        return found()
    except Exception as error:
        raise StartError(f"the factory {module_name}:{path} failed:\n"
                         f"{''.join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()}"
                         ) from None


def _is_async(function):
    while hasattr(function, "func"):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))


def _require_asgi(application, name):
    if not callable(application):
        raise StartError(f"{name} is not callable but {type(application).__name__!r}; expected an ASGI application: "
                         "async def app(scope, receive, send)")
    if inspect.isclass(application):
        raise StartError(f"{name} is a class; expected an ASGI application, such as an instance of it")
    if _is_async(application):
        return
    try:
        parameters = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        return
    required = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if len(required) == 0 and not any_number:
        raise StartError(f"{name} takes no arguments; if it makes the application, write {name}()")
    if len(required) == 2 and not any_number:
        raise StartError(f"{name} takes 2 arguments, as a WSGI application does, which is not supported; expected an "
                         "ASGI application: async def app(scope, receive, send)")
    if len(required) != 3 and not any_number:
        raise StartError(f"{name} takes {len(required)} arguments; expected an ASGI application: "
                         "async def app(scope, receive, send)")


def preload(name):
    """Imports the application in the arbiter. Returns a warning about what its workers cannot use, or None."""
    before = _open_sockets()
    load(name)
    freeze()
    threads = sorted(t.name for t in threading.enumerate() if t is not threading.main_thread())
    sockets = sorted(_open_sockets() - before)
    if not threads and not sockets:
        return None
    found = []
    if threads:
        found.append(f"threads, which do not run in the workers: {', '.join(threads)}")
    if sockets:
        found.append(f"sockets, which all workers share: {', '.join(sockets)}")
    return f"preload: {name} has started {'; and opened '.join(found)}. Start them in the lifespan or on first use"


def freeze():
    """Called when the application has started: what exists now stays, and no collection looks at it again."""
    gc.collect()
    gc.freeze()


def _open_sockets():
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(f"descriptor {fd}")
    return found


# ---- the loop ----


def run(arguments):
    """Runs asyncio's loop until its driver stops it. Returns the exit status."""
    driver, kind, switch_interval = arguments
    sys.setswitchinterval(switch_interval)
    loop = _make_uvloop(driver) if kind == "uvloop" else _make_asyncio_loop(driver)
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        return 0
    except SystemExit as error:
        return _exit_status(error)
    except KeyboardInterrupt:
        return 130
    finally:
        try:
            _end_loop(loop)
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _make_asyncio_loop(driver):
    loop = asyncio.SelectorEventLoop(Selector(driver))
    driver.attach(loop, True)
    # Handlers of the application for signals run although the loop waits without the interpreter.
    signal.set_wakeup_fd(loop._csock.fileno(), warn_on_full_buffer=False)
    return loop


def _make_uvloop(driver):
    try:
        import uvloop
    except ImportError:
        raise StartError("loop: uvloop is not installed; expected `pip install uvloop` or --loop asyncio") from None

    class Loop(uvloop.Loop):
        _rondo_timer = None

        def rondo_schedule_turn(self):
            self.call_soon(self.rondo_turn)

        def rondo_turn(self):
            if self._rondo_timer is not None:
                self._rondo_timer.cancel()
                self._rondo_timer = None
            seconds = driver.turn()
            if self.is_closed():
                return
            if seconds == 0:
                self.call_soon(self.rondo_turn)
            elif seconds is not None:
                self._rondo_timer = self.call_later(seconds, self.rondo_turn)

    loop = Loop()
    driver.attach(loop, False)
    loop.add_reader(driver.descriptor(), loop.rondo_turn)
    loop.call_soon(loop.rondo_turn)
    return loop


def _exit_status(error):
    if error.code is None:
        return 0
    return error.code if isinstance(error.code, int) else 1


def _end_loop(loop):
    """What asyncio.run() does at its end, but no longer than a second for tasks that do not end."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=1))
    loop.run_until_complete(loop.shutdown_asyncgens())
    executor = loop._default_executor if hasattr(loop, "_default_executor") else None
    if executor is not None:
        executor.shutdown(wait=False)


def end_process(is_orderly):
    """Runs what the end of an interpreter runs, without destroying it."""
    if is_orderly:
        threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


# ---- the lifespan ----


def make_lifespan(arguments):
    application, state, mode = arguments
    return None if mode == "off" else Lifespan(application, state, mode)


class Lifespan:
    """The lifespan events of the application, in a task of their own."""

    def __init__(self, application, state, mode):
        self._application = application
        self._state = state
        self._mode = mode
        self._messages = asyncio.Queue()
        self._task = None
        self._answer = None
        self._is_supported = False

    def startup(self, done, _limit):
        """Calls `done` with None when the application has started, else with the reason."""
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self._task = loop.create_task(self._run(), name="lifespan")
        self._messages.put_nowait({"type": "lifespan.startup"})
        self._report(done, None)

    def shutdown(self, done, limit):
        if self._task is None or self._task.done():
            done(None)
            return
        self._answer = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        self._report(done, limit)

    def _report(self, done, limit):
        answer = self._answer

        def on_answer(future):
            if handle is not None:
                handle.cancel()
            done(future.result())

        def on_timeout():
            if not answer.done():
                answer.set_result("the lifespan shutdown did not end within the grace period")

        handle = None if limit is None else asyncio.get_running_loop().call_later(limit, on_timeout)
        answer.add_done_callback(on_answer)

    def _set_answer(self, value):
        if not self._answer.done():
            self._answer.set_result(value)

    async def _run(self):
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        try:
            await self._application(scope, self._messages.get, self._send)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
            if self._is_supported:
                self._set_answer(f"exception in the lifespan of the application:\n{text}")
            elif self._mode == "on":
                self._set_answer(f"the application raised an exception for lifespan events:\n{text}")
            else:
                _rondo.log_info(f"the application does not support lifespan events ({type(error).__name__})")
        finally:
            self._set_answer(None)

    async def _send(self, message):
        kind = message["type"]
        if kind in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            self._is_supported = True
            self._set_answer(None)
        elif kind in ("lifespan.startup.failed", "lifespan.shutdown.failed"):
            self._is_supported = True
            self._set_answer(message.get("message") or kind)
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r} in the lifespan")
