# SPDX-License-Identifier: Apache-2.0
"""Starts a server and the load on a core each, and reads their cost from /proc.

It uses only loopback, bounds every load in time, and signals only processes that it started.
"""
import getpass
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TICK = os.sysconf("SC_CLK_TCK")


class Config:
    """The folder of the programs and the cores they run on; set once from the command line."""
    bin = os.path.join(ROOT, "build", "release", "bin")
    server_core, client_core = "0", "1"
    scratch = None


def set_up(bin_folder=None, cores=None):
    """Creates the scratch folder and raises the descriptor limit, which every started process inherits."""
    if bin_folder:
        Config.bin = os.path.abspath(bin_folder)
    if cores:
        Config.server_core, Config.client_core = cores.split(",")
    Config.scratch = tempfile.TemporaryDirectory(prefix="rondo-bench-")
    www = os.path.join(Config.scratch.name, "www")
    os.mkdir(www)
    os.chmod(Config.scratch.name, 0o755)
    with open(os.path.join(www, "index.html"), "w") as f:
        f.write("Hello, World!")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_connections():
    """The connections one process can hold, less a few hundred descriptors for itself."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500


# ---- /proc

def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def process_tree(pid):
    """The pid and all its descendants."""
    found = [pid]
    for p in found:
        for thread in thread_ids(p):
            found += [int(c) for c in read(f"/proc/{p}/task/{thread}/children").split()]
    return found


def thread_ids(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def usage(pids):
    """Resident bytes and threads of these processes. The cost of the call does not depend on the number of threads."""
    total = dict(rss=0, threads=0)
    for p in pids:
        status = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", read(f"/proc/{p}/status"), re.M))
        total["rss"] += int(status.get("VmRSS", 0)) * 1024
        total["threads"] += int(status.get("Threads", 0))
    return total


def cpu_time(pids):
    """User and system seconds of these processes, to 10 ms, including threads that have ended."""
    total = dict(user=0.0, system=0.0)
    for p in pids:
        if stat := read(f"/proc/{p}/stat"):
            fields = stat.rsplit(")", 1)[1].split()
            total["user"] += int(fields[11]) / TICK
            total["system"] += int(fields[12]) / TICK
    return total


def run_time(pids):
    """Seconds each thread of these processes has run, to the nanosecond, without threads that have ended."""
    times = ((t, read(f"/proc/{p}/task/{t}/schedstat").split()) for p in pids for t in thread_ids(p))
    return {t: int(v[0]) / 1e9 for t, v in times if v}


def cpu_between(before, after):
    """CPU seconds between two Server.cost(): exact when the threads are the same in both, else to 10 ms."""
    (c0, r0), (c1, r1) = before, after
    if r0.keys() == r1.keys():
        return sum(r1.values()) - sum(r0.values())
    return sum(c1.values()) - sum(c0.values())


def core_time(numbers):
    """Seconds a core (or several, "0,1") has been busy, and seconds the host has stolen from it."""
    busy = stolen = 0
    for number in numbers.split(","):
        v = [int(x) for x in re.search(rf"^cpu{number} (.*)$", read("/proc/stat"), re.M).group(1).split()]
        busy, stolen = busy + v[0] + v[1] + v[2] + v[5] + v[6], stolen + v[7]
    return busy / TICK, stolen / TICK


def children_cpu_time():
    """CPU seconds of the clients that have ended."""
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


class Interference:
    """How much of the server's and the client's core was used by other programs since the object was created."""

    def __init__(self, server):
        self.server = server
        self.start = self.now()

    def now(self):
        cores = [core_time(c) for c in (Config.server_core, Config.client_core)]
        return time.monotonic(), [c[0] for c in cores], max(c[1] for c in cores), self.server.cost(), children_cpu_time()

    def measure(self):
        """Seconds of the server and the client, and, on the worse core, of other programs and of the host."""
        (t0, busy0, steal0, cost0, client0), (t1, busy1, steal1, cost1, client1) = self.start, self.now()
        server, client_time = cpu_between(cost0, cost1), client1 - client0
        others = max(busy1[0] - busy0[0] - server, busy1[1] - busy0[1] - client_time, 0)
        return dict(wall=t1 - t0, server=server, client=client_time, others=others, stolen=steal1 - steal0)

    def share(self):
        """The share of one core that other programs and the host have used."""
        spent = self.measure()
        return (spent["others"] + spent["stolen"]) / spent["wall"]


def kernel_stacks():
    """Bytes of kernel stacks of all threads of the machine."""
    return int(re.search(r"KernelStack:\s+(\d+)", read("/proc/meminfo")).group(1)) * 1024


# ---- targets

def targets(names=None, files=(os.path.join(HERE, "targets.json"),)):
    """The targets with these names, in this order, or all targets without names. A name may end in '*'."""
    known = [t for file in files for t in json.loads(read(file))]
    if not names:
        return known
    chosen = []
    for name in names:
        match = [t for t in known if t["name"] == name or (name.endswith("*") and t["name"].startswith(name[:-1]))]
        if not match:
            raise SystemExit(f"unknown target '{name}'; targets: " + ", ".join(t["name"] for t in known))
        chosen += [t for t in match if t not in chosen]
    return chosen


def program_of(target):
    return fill(target["cmd"][0], 0)


def installed(target):
    return shutil.which(program_of(target)) is not None


def fill(text, port):
    for key, value in (("@PORT@", str(port)), ("@BIN@", Config.bin), ("@HERE@", HERE),
                       ("@DIR@", Config.scratch.name), ("@USER@", getpass.getuser())):
        text = text.replace(key, value)
    return text


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """Runs a target on a free port and on the server's core; a context manager."""

    def __init__(self, target):
        self.target, self.name, self.path = target, target["name"], target.get("path", "/")
        self.port = free_port()
        args = [self.expand(a) for a in target["cmd"]]
        self.log = open(os.path.join(Config.scratch.name, f"{self.port}.log"), "w+")
        self.popen = subprocess.Popen(["taskset", "-c", Config.server_core, *args], cwd=Config.scratch.name,
                                      stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.pid = self.popen.pid
        self.wait_until_ready()

    def expand(self, argument):
        if m := re.fullmatch(r"@CONF:(.*)@", argument):
            argument = os.path.join(Config.scratch.name, f"{self.port}.{m.group(1)}")
            with open(argument, "w") as out:
                out.write(fill(read(os.path.join(HERE, "peers", m.group(1))), self.port))
        return fill(argument, self.port)

    def wait_until_ready(self):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self.popen.poll() is None:
            try:
                self.send_request()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.name} did not start: {read(self.log.name)[-500:] or 'no output'}")

    def send_request(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
            s.sendall(f"GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            s.recv(4096)

    def usage(self):
        return usage(process_tree(self.pid))

    def cost(self):
        """CPU times, as cpu_between() takes them."""
        pids = process_tree(self.pid)
        return cpu_time(pids), run_time(pids)

    def stop(self):
        self.popen.terminate()
        try:
            self.popen.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(timeout=5)
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


# ---- clients

def client(name, *args, **popen):
    """Starts one of the load programs on the client's core."""
    command = ["taskset", "-c", Config.client_core, os.path.join(Config.bin, name), *map(str, args)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **popen)


def load(server, connections, seconds, *options, path=None):
    """Runs the closed-loop client once; returns its results as a dict."""
    process = client("load", "--port", server.port, "--path", path or server.path, "-c", connections, "-d", seconds,
                     *options)
    try:
        text, _ = process.communicate(timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    if process.returncode:
        raise RuntimeError(f"load on {server.name} failed with exit status {process.returncode}")
    return json.loads(text)


class ManyConnections:
    """Many connections at once, in a separate process: `with ManyConnections(server, 10000, hold=True) as c: c.finish()`."""

    def __init__(self, server, count, path=None, hold=False, deadline=60):
        options = ["--hold"] if hold else []
        self.process = client("many_connections", "--port", server.port, "-n", count, "--path", path or server.path,
                              "--deadline", deadline, *options, stdin=subprocess.PIPE)
        self.deadline, self.result = deadline, None
        if hold:
            self.process.stdout.readline()

    def finish(self):
        """Releases held connections and returns the results."""
        text, _ = self.process.communicate(timeout=self.deadline + 60)
        self.result = json.loads(text.splitlines()[-1])
        return self.result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class PeakUsage:
    """Samples a server every 20 ms: `peak` has its highest resident memory and thread count, and the highest size of
    all kernel stacks."""

    def __init__(self, server):
        self.pids, self.stopping = process_tree(server.pid), threading.Event()
        self.peak = dict(rss=0, threads=0, stacks=0)
        self.thread = threading.Thread(target=self.sample)

    def sample(self):
        while not self.stopping.wait(0.02):
            now = usage(self.pids)
            now["stacks"] = kernel_stacks()
            for key in self.peak:
                self.peak[key] = max(self.peak[key], now[key])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def system_calls(server, connections, seconds):
    """System calls per request while the load runs, by name. Needs strace, which slows the server down."""
    out = os.path.join(Config.scratch.name, f"{server.port}.strace")
    attach = [argument for p in process_tree(server.pid) for argument in ("-p", str(p))]
    tracer = subprocess.Popen(["strace", "-f", "-c", "-qq", "-o", out, *attach], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        requests = load(server, connections, seconds)["requests"]
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(timeout=10)
    rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", read(out), re.M)
    return {name: int(count) / max(1, requests) for count, name in rows if name != "total"}
