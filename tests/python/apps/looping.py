# SPDX-License-Identifier: Apache-2.0
"""Uses asyncio as libraries do, beside requests."""
import asyncio
import contextvars
import multiprocessing
import os
import re
import signal
import socket
import sys
import threading

from kit import Routes, argument, body, gate, note, read_body, reply, start

variable = contextvars.ContextVar("variable", default="unset")
signals = []


class App(Routes):
    async def lifespan(self, scope, receive, send):
        signal.signal(signal.SIGUSR2, lambda number, frame: signals.append(threading.current_thread() is threading.main_thread()))
        variable.set("of the lifespan")
        await super().lifespan(scope, receive, send)


app = App()


@app
async def task(scope, receive, send):
    current = asyncio.current_task()
    loop = asyncio.get_running_loop()
    named = asyncio.create_task(asyncio.sleep(0), name="mine")
    await named
    await reply(send, {
        "is task": isinstance(current, asyncio.Task), "in all_tasks": current in asyncio.all_tasks(),
        "loop": isinstance(loop, asyncio.AbstractEventLoop) and loop.is_running(), "same loop": current.get_loop() is loop,
        "main thread": threading.current_thread() is threading.main_thread(),
        "coroutine": asyncio.iscoroutine(current.get_coro()), "stack": len(current.get_stack()) > 0,
        "name": bool(current.get_name()), "same after await": asyncio.current_task() is current})


@app
async def cancel(scope, receive, send):
    current = asyncio.current_task()
    asyncio.get_running_loop().call_soon(current.cancel, "enough")
    try:
        await asyncio.sleep(60)
        outcome = "not cancelled"
    except asyncio.CancelledError as error:
        outcome = str(error)
    if hasattr(current, "uncancel"):
        outcome += f" {current.cancelling()} {current.uncancel()}"
    await reply(send, outcome)


@app
async def cancelled_from_outside(scope, receive, send):
    """A task that the application itself cancels, and that does not catch it."""
    note(argument(scope, "id"), "started")
    asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
    await asyncio.sleep(60)


@app
async def structured(scope, receive, send):
    """What needs a current task."""
    result = {}
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.01)
    except asyncio.TimeoutError:
        result["wait_for"] = True
    if sys.version_info >= (3, 11):
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            result["timeout"] = True
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(0, i)) for i in range(3)]
        result["group"] = [t.result() for t in tasks] == [0, 1, 2]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(60))
                raise KeyError("in the group")
        except BaseException as error:
            result["group error"] = type(error).__name__ == "ExceptionGroup"
    async with asyncio.Lock():
        result["lock"] = True
    result["gather"] = await asyncio.gather(asyncio.sleep(0, 1), asyncio.to_thread(lambda: 2)) == [1, 2]
    await reply(send, result)


@app
async def with_anyio(scope, receive, send):
    import anyio
    import anyio.to_thread
    result = {}
    try:
        import sniffio
        result["sniffio"] = sniffio.current_async_library() == "asyncio"
    except ImportError:
        pass
    with anyio.move_on_after(0.01) as cancel_scope:
        await anyio.sleep(60)
    result["cancelled"] = cancel_scope.cancelled_caught
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)
    result["backend"] = anyio.get_current_task().id == id(asyncio.current_task())
    result["thread"] = await anyio.to_thread.run_sync(lambda: threading.current_thread() is not threading.main_thread())
    result["from thread"] = await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(asyncio.sleep, 0, 7)) == 7
    await reply(send, result)


@app
async def context(scope, receive, send):
    before = variable.get()
    variable.set("of a request")
    await asyncio.sleep(0)
    in_task = await asyncio.create_task(get_variable())
    in_thread = await asyncio.to_thread(variable.get)
    await reply(send, [before, variable.get(), in_task, in_thread])


async def get_variable():
    return variable.get()


@app
async def descriptors(scope, receive, send):
    """add_reader and add_writer on one socket, changed and removed, and the number used again."""
    loop = asyncio.get_running_loop()
    results = []
    for i in range(20):
        a, b = socket.socketpair()
        a.setblocking(False)
        read, written = loop.create_future(), loop.create_future()
        loop.add_reader(a, lambda a=a, f=read: (loop.remove_reader(a), f.set_result(a.recv(100))))
        loop.add_writer(a, lambda a=a, f=written: (loop.remove_writer(a), f.set_result(a.send(b"w"))))
        await written
        if i % 3 == 0:
            await asyncio.sleep(0.001)
        b.send(b"%d" % i)
        results.append(await read == b"%d" % i and b.recv(10) == b"w" and not loop.remove_reader(a))
        a.close()
        b.close()
    reader, writer = os.pipe()
    closed = loop.create_future()
    loop.add_reader(reader, lambda: (loop.remove_reader(reader), closed.set_result(os.read(reader, 10))))
    os.close(writer)
    results.append(await closed == b"")
    os.close(reader)
    await reply(send, results)


@app
async def timers(scope, receive, send):
    loop = asyncio.get_running_loop()
    order, last = [], loop.create_future()
    loop.call_later(0.03, lambda: (order.append("third"), last.set_result(None)))
    loop.call_later(0.01, order.append, "second")
    loop.call_soon(order.append, "first")
    loop.call_later(0.005, order.append, "never").cancel()
    begin = loop.time()
    await last
    await reply(send, [order, loop.time() - begin > 0.025])


@app
async def threads(scope, receive, send):
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(20)]

    def work():
        for f in futures:
            loop.call_soon_threadsafe(f.set_result, threading.get_ident())
        return asyncio.run_coroutine_threadsafe(asyncio.sleep(0, "from a thread"), loop).result(30)

    answer = await loop.run_in_executor(None, work)
    await reply(send, [answer, len(set(await asyncio.gather(*futures)) - {threading.get_ident()})])


def tcp_sockets():
    with open("/proc/self/net/tcp", "rb") as table:
        return [line.split()[9] for line in table.readlines()[1:]]


@app
async def subprocesses(scope, receive, send):
    echo = await asyncio.create_subprocess_exec("/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    output, _ = await echo.communicate(b"through a pipe")
    shell = await asyncio.create_subprocess_shell("exit 7")
    sleeper = await asyncio.create_subprocess_exec("/bin/sleep", "600")
    sleeper.terminate()
    ignored = await asyncio.create_subprocess_exec("/bin/sh", "-c", "trap '' TERM; kill -TERM $$; kill -s USR2 $$; exit 3")
    descriptors = await asyncio.create_subprocess_exec("/bin/ls", "-l", "/proc/self/fd", stdout=asyncio.subprocess.PIPE)
    listing, _ = await descriptors.communicate()
    kept = set(re.findall(rb"socket:\[(\d+)\]", listing)) & set(tcp_sockets())
    await reply(send, {"output": output.decode(), "codes": [echo.returncode, await shell.wait(), await sleeper.wait(), await ignored.wait()],
                       "sockets": len(kept)})


@app
async def streams(scope, receive, send):
    async def serve(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def ask(text):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text + b"\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    answers = await asyncio.gather(*(ask(b"a" * 100_000 if i == 0 else b"%d" % i) for i in range(1, 30)))
    server.close()
    await server.wait_closed()
    addresses = await asyncio.get_running_loop().getaddrinfo("localhost", 80, family=socket.AF_INET)
    await reply(send, [answers == [b"%d\n" % i for i in range(1, 30)], addresses[0][4][0]])


@app
async def self_request(scope, receive, send):
    """Asks the server of this process, on the same loop."""
    host, port = scope["server"]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await reply(send, answer.endswith(b"hello"))


@app
async def take_signals(scope, receive, send):
    """Waits until the handler of the application has run, without any other activity."""
    key = argument(scope, "id")
    signals.clear()
    note(key, os.getpid())
    while not signals:
        await asyncio.sleep(3600 if argument(scope, "idle") else 0.01)
    await reply(send, signals)


@app
async def seen_signals(scope, receive, send):
    await reply(send, signals)


def child(path):
    note("child", os.getpid())
    while not os.path.exists(path):
        threading.Event().wait(0.01)
    sys.exit(5)


@app
async def fork(scope, receive, send):
    """A child by multiprocessing, that outlives the request."""
    key = argument(scope, "id")
    path = os.path.join(os.environ["TEST_GATES"], key)
    process = multiprocessing.get_context("fork").Process(target=child, args=(path,))
    process.start()
    await reply(send, process.pid)
    await asyncio.to_thread(process.join)
    note(key, "joined", process.exitcode)


@app
async def background(scope, receive, send):
    key = argument(scope, "id")
    await reply(send, b"answered")
    await gate(key)
    note(key, "finished")


@app
async def forgotten_task(scope, receive, send):
    key = argument(scope, "id")

    async def later():
        await gate(key)
        note(key, "finished")

    app.tasks = [asyncio.create_task(later())]
    await reply(send, b"answered")


@app
async def wait(scope, receive, send):
    note(argument(scope, "id"), "started")
    await gate(argument(scope, "id"))
    await reply(send, b"waited")


@app
async def count_tasks(scope, receive, send):
    await reply(send, len(asyncio.all_tasks()))


@app
async def ends_the_process(scope, receive, send):
    kind = argument(scope, "kind")
    if kind == "later":
        await reply(send, os.getpid())
        await asyncio.sleep(0)
    if kind == "keyboard":
        raise KeyboardInterrupt
    raise SystemExit(int(argument(scope, "code", "0")))


@app
async def pipelined(scope, receive, send):
    """The next request of the connection is in the same packet; it starts although this task runs on."""
    await start(send)
    await body(send, argument(scope, "text").encode())
    await asyncio.sleep(0)
    note(argument(scope, "id"), argument(scope, "text"), asyncio.current_task() is not None)


@app
async def echo(scope, receive, send):
    await reply(send, await read_body(receive))


@app
async def pid(scope, receive, send):
    await reply(send, os.getpid())


class Awaitable:
    """An application may return any awaitable."""

    def __init__(self, coroutine):
        self.coroutine = coroutine

    def __await__(self):
        return self.coroutine.__await__()


def awaitable_app(scope, receive, send):
    return Awaitable(app.serve(scope, receive, send))
