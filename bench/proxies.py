"""Who is measured: adit in several configurations, peers, and no proxy at all.

A peer is a class: its binary, its configuration, its command. Those of Debian join in when they are
installed, others when the environment names their binary: ADIT_BENCH_NGINX=/path/to/nginx.
All are started on 127.0.0.1, pinned to one core, with one worker where that can be said, no log, and
room for the tunnels and the backlog that the rows need.
"""
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 15
NOBODY = 65534


def find_binary(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def free_port():
    """A port below the ephemeral range, so that no outgoing connection sits on it."""
    for _ in range(100):
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


class Proxy:
    """A proxy on 127.0.0.1, pinned to `cores`."""
    name = None
    is_variant = False      # of adit: takes part in the rows that name it
    is_peer = True          # counts when the best peer is looked for
    tunnels_max = 9000
    workers = 1
    relay_port = None       # of the origins, for a relay that takes no CONNECT
    config = ""
    identity = {}           # of the process, as Popen takes it
    environment = {}        # on top of the bench's own
    pid = port = process = None

    def __init__(self, binary, folder, cores):
        self.binary, self.folder, self.cores = str(binary), folder / self.name, cores
        self.folder.mkdir()
        self.folder.chmod(0o755)        # squid, started by root, gives root up

    def command(self, config):
        raise NotImplementedError

    def version(self):
        return None

    def fill(self):
        """What the braces in `config` stand for."""
        return {"port": self.port, "folder": self.folder}

    def start(self):
        self.port = free_port()
        config = self.folder / "config"
        config.write_text(self.config.format(**self.fill()))
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(
                self.command(config), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder,
                env={**os.environ, **self.environment}, **self.identity,
                preexec_fn=lambda: os.sched_setaffinity(0, self.cores))
        self.pid = self.process.pid
        self.wait_until_it_serves()

    def wait_until_it_serves(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.serves():
                return
            time.sleep(0.05)
        output = (self.folder / "output").read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"{self.name}: does not serve: {output}")

    def serves(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def stop(self):
        """Every proxy here ends at once on a second SIGTERM, or on SIGKILL."""
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            self.process.send_signal(number)
            try:
                self.process.wait(timeout=1.5)
            except subprocess.TimeoutExpired:
                pass


# ---- adit ----

RULES_20 = """list trackers { *.tracker.example, ads.example, pixel.example }
list partners { *.partner.example, api.other.example, 203.0.113.0/24 }
deny   port 25, 465, 587                                as "mail"
deny   to trackers                                      as "trackers"
deny   to *.internal.example                            as "internal names"
deny   to 169.254.0.0/16                                as "metadata"
deny   from 10.9.0.0/16                                 as "guests"
deny   port 135-139, 445                                as "file sharing"
allow  from 10.0.0.0/8 to *.corp.example address private port 443
allow  from 10.1.0.0/16 to partners port 443, 8443
allow  from 10.2.0.0/16 to *.example.com port 443
allow  from 10.3.0.0/16 to *.example.org port 80, 443
allow  from 10.4.0.0/16 to git.example.net port 22, 443
allow  from 192.168.7.0/24 to partners
deny   to *.example.net port 22
deny   from 192.168.0.0/16 port 8000-8999
deny   to 198.51.100.0/24
deny   to *.zone-1.example
deny   to *.zone-2.example port 443
deny   from 172.16.0.0/12 to any
report deny from loopback port 6000-6063                as "X11"
"""


def rules_1000():
    """999 rules of every kind that do not match."""
    kinds = ["to host-{n}.tracker.example", "to *.zone-{n}.example", "to 11.{high}.{low}.0/24",
             "to names-{n} port {n}", "from 10.0.0.0/8 to any port {n}"]
    rules = [f"deny {kinds[n % len(kinds)]}".format(n=n, high=n // 256, low=n % 256) for n in range(1, 1000)]
    lists = [f"list names-{n} {{ a-{n}.example, *.b-{n}.example }}" for n in range(3, 1000, 5)]
    return "\n".join([*lists, *rules, ""])


class Adit(Proxy):
    """As an operator runs it: JSON access log to a file, metrics, a policy of 20 rules; one worker."""
    name = "adit"
    is_peer = False
    needs_root = False      # to give it up
    rules = RULES_20
    log_and_metrics = 'log "{folder}/access.log" format json\nadmin 127.0.0.1:{admin_port}\n'

    def fill(self):
        return {"folder": self.folder, "admin_port": free_port()}

    @property
    def config(self):
        rules = self.rules.replace("{", "{{").replace("}", "}}")
        return f"{self.log_and_metrics}{rules}allow from loopback to any, special\n"

    def command(self, config):
        return [self.binary, "-w", str(self.workers), "-l", "127.0.0.1:0", "-c", str(config),
                "-s", str(self.folder / "adit.sock")]

    def version(self):
        return output_of(self.binary, "--version").removeprefix("adit ")

    def serves(self):
        """The start line says which port the kernel chose."""
        output = (self.folder / "output").read_text(errors="replace")
        found = re.search(r" listening on 127\.0\.0\.1:(\d+).*\n", output)
        if found:
            self.port = int(found[1])
        return bool(found)

    def log_dropped(self):
        """Lines that the log was too slow for: figures with a log that is not written would be a lie."""
        found = re.search(r"log_dropped\D+(\d+)", output_of(self.binary, "stats", "-s", str(self.folder / "adit.sock")))
        return int(found[1]) if found else 0

    def stop(self):
        super().stop()
        (self.folder / "access.log").unlink(missing_ok=True)


class AditOneRule(Adit):
    name, is_variant, rules = "adit-1-rule", True, ""


class AditThousandRules(Adit):
    name, is_variant, rules = "adit-1000-rules", True, rules_1000()


class AditQuiet(Adit):
    name, is_variant, log_and_metrics = "adit-quiet", True, "log off\nadmin off\n"


class AditTwoWorkers(Adit):
    """On all cores: one of them is the generator's, too."""
    name, is_variant, workers = "adit-2-workers", True, 2

    def __init__(self, binary, folder, _cores):
        super().__init__(binary, folder, os.sched_getaffinity(0))


class AditUser(Adit):
    """As an ordinary user, whom the kernel grants few large pipes: /proc/sys/fs/pipe-user-pages-soft."""
    name, is_variant, needs_root = "adit-user", True, True
    identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def __init__(self, binary, folder, cores):
        super().__init__(binary, folder, cores)
        os.chown(self.folder, NOBODY, NOBODY)
        self.binary = shutil.copy(binary, self.folder / "adit")     # the build may lie where that user can't go


class AditCopy(AditUser):
    """What is left where the kernel refuses every pipe."""
    name, environment = "adit-copy", {"ADIT_RELAY": "copy"}


ADITS = [Adit, AditOneRule, AditThousandRules, AditQuiet, AditTwoWorkers, AditUser, AditCopy]
NEED_ROOT = {adit.name for adit in ADITS if adit.needs_root}


# ---- peers from Debian ----

class Squid(Proxy):
    name = "squid"
    config = """http_port 127.0.0.1:{port}
http_access allow all
cache deny all
cache_mem 8 MB
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
pinger_enable off
max_filedescriptors 20000
visible_hostname localhost
coredump_dir {folder}
shutdown_lifetime 0 seconds
"""

    def command(self, config):
        return [self.binary, "-N", "-f", str(config)]

    def version(self):
        return output_of(self.binary, "-v").partition("\n")[0].rpartition(" ")[2]


class Tinyproxy(Proxy):
    """A thread a tunnel."""
    name = "tinyproxy"
    tunnels_max = 2500
    config = """Port {port}
Listen 127.0.0.1
Timeout 600
MaxClients 20000
LogFile "/dev/null"
LogLevel Critical
Allow 127.0.0.0/8
"""

    def command(self, config):
        return [self.binary, "-d", "-c", str(config)]

    def version(self):
        return output_of(self.binary, "-v").rpartition(" ")[2]


class Apache(Proxy):
    """mod_proxy_connect; a thread a tunnel, all of them made at the start."""
    name = "apache2"
    tunnels_max = 2100
    modules = "/usr/lib/apache2/modules"
    config = """ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
Mutex fcntl:{folder}
ErrorLog {folder}/error.log
LogLevel crit
{identity}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_host_module {modules}/mod_authz_host.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_connect_module {modules}/mod_proxy_connect.so
Listen 127.0.0.1:{port}
ListenBacklog 4096
Timeout 600
ServerLimit 1
StartServers 1
ThreadLimit 2200
ThreadsPerChild 2200
MaxRequestWorkers 2200
MinSpareThreads 1
MaxSpareThreads 2200
ProxyRequests On
AllowCONNECT 0-65535
<Proxy "*">
    Require ip 127.0.0.0/8
</Proxy>
"""

    def fill(self):
        identity = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        return {**super().fill(), "modules": self.modules, "identity": identity}

    def command(self, config):
        return [self.binary, "-DFOREGROUND", "-f", str(config)]

    def version(self):
        return re.search(r"Apache/(\S+)", output_of(self.binary, "-v"))[1]


class Haproxy(Proxy):
    """A relay in TCP mode: it knows its targets, parses nothing and answers nothing, so the generator
    sends it no CONNECT. It shows what the bytes alone cost; no ratio counts against it."""
    name = "haproxy"
    is_peer = False
    config = """global
    nbthread 1
    maxconn 9500
    maxpipes 64
defaults
    mode tcp
    backlog 4096
    option splice-auto
    timeout connect 10s
    timeout client 600s
    timeout server 600s
listen relay
    bind 127.0.0.1:{port}
{servers}
"""

    def start(self):
        self.relay_port = free_port()
        super().start()

    def fill(self):
        servers = [f"    server o{n} 127.0.1.{n}:{self.relay_port}" for n in range(1, 17)]
        return {**super().fill(), "servers": "\n".join(servers)}

    def command(self, config):
        return [self.binary, "-db", "-f", str(config)]

    def version(self):
        return output_of(self.binary, "-v").split()[2]


class Floor(Proxy):
    """floor.c: what this machine's kernel costs alone. No ratio counts against it."""
    name = "floor"
    is_peer = False

    def command(self, config):
        return [self.binary, str(self.port)]


class GoSample(Proxy):
    """go_sample.go; six descriptors per tunnel. Go sees one core and so has one thread at work."""
    name = "go"
    tunnels_max = 2500

    def __init__(self, go, folder, cores):
        self.go = go
        super().__init__(ROOT / "build/bench/go-sample", folder, cores)
        source = ROOT / "bench/go_sample.go"
        environment = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(ROOT / "build/bench/go-cache")}
        subprocess.run([go, "build", "-o", self.binary, str(source)], check=True, env=environment)

    def command(self, config):
        return [self.binary, f"127.0.0.1:{self.port}"]

    def version(self):
        return output_of(self.go, "version").split()[2].removeprefix("go")


# ---- peers whose binary the environment names ----

class Nginx(Proxy):
    """1.31 or later: tunnel_pass."""
    name = "nginx"
    config = """worker_processes 1;
daemon off;
pid {folder}/pid;
error_log stderr crit;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        allow 127.0.0.0/8;
        deny all;
        location / {{
            tunnel_pass;
            tunnel_read_timeout 600s;
        }}
    }}
}}
"""

    def command(self, config):
        return [self.binary, "-e", "stderr", "-p", str(self.folder), "-c", str(config)]

    def version(self):
        return output_of(self.binary, "-v").rpartition("/")[2]


class H2o(Proxy):
    name = "h2o"
    config = """listen: {{ host: 127.0.0.1, port: {port} }}
num-threads: 1
max-connections: 20000
error-log: /dev/null
hosts:
  default:
    paths:
      "/":
        proxy.connect: [ "+127.0.0.0/8" ]
        proxy.timeout.io: 600000
"""

    def command(self, config):
        return [self.binary, "-c", str(config)]

    def version(self):
        return output_of(self.binary, "-v").split()[2]


class ThreeProxy(Proxy):
    """A thread a tunnel."""
    name = "3proxy"
    tunnels_max = 2500
    config = """maxconn 5000
backlog 4096
log /dev/null
auth iponly
allow * 127.0.0.0/8
proxy -s -i127.0.0.1 -p{port}
"""

    def command(self, config):
        return [self.binary, str(config)]

    def version(self):
        found = re.search(r"3proxy-(\S+)", output_of(self.binary, "--version"))
        return found[1] if found else None


class Envoy(Proxy):
    name = "envoy"
    config = """static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          upgrade_configs: [ {{ upgrade_type: CONNECT }} ]
          route_config:
            virtual_hosts:
            - name: all
              domains: [ "*" ]
              routes:
              - match: {{ connect_matcher: {{}} }}
                route:
                  cluster: any
                  timeout: 0s
                  upgrade_configs: [ {{ upgrade_type: CONNECT, connect_config: {{}} }} ]
          http_filters:
          - name: envoy.filters.http.dynamic_forward_proxy
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig
              dns_cache_config: {{ name: names }}
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: any
    lb_policy: CLUSTER_PROVIDED
    circuit_breakers: {{ thresholds: [ {{ max_connections: 20000, max_pending_requests: 20000, max_requests: 20000 }} ] }}
    cluster_type:
      name: envoy.clusters.dynamic_forward_proxy
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig
        dns_cache_config: {{ name: names }}
"""

    def command(self, config):
        return [self.binary, "--concurrency", "1", "--base-id", str(self.port), "-l", "critical",
                "--config-yaml", config.read_text()]

    def version(self):
        return output_of(self.binary, "--version").rpartition("version: ")[2]


FROM_DEBIAN = {"squid": Squid, "tinyproxy": Tinyproxy, "apache2": Apache, "haproxy": Haproxy, "go": GoSample}
FROM_ENVIRONMENT = {"ADIT_BENCH_NGINX": Nginx, "ADIT_BENCH_H2O": H2o, "ADIT_BENCH_3PROXY": ThreeProxy,
                    "ADIT_BENCH_ENVOY": Envoy}
PEER_NAMES = [peer.name for peer in [*FROM_ENVIRONMENT.values(), *FROM_DEBIAN.values()]]
BESIDE_PEERS = [Floor.name, "direct"]


class Direct:
    """No proxy at all: what the machine and the generator can do."""
    name = "direct"
    pid = relay_port = None
    is_variant = is_peer = False
    workers = 1

    def version(self):
        return None

    def start(self):
        pass

    def stop(self):
        pass


def find_peers(folder, cores, without):
    """Those of the environment first: they are asked for by name."""
    found = [(peer, os.environ[variable]) for variable, peer in FROM_ENVIRONMENT.items() if variable in os.environ]
    found += [(peer, find_binary(binary)) for binary, peer in FROM_DEBIAN.items() if find_binary(binary)]
    return [peer(binary, folder, cores) for peer, binary in found if peer.name not in without]


def put_on(pid, cores):
    """Every thread of a process and of its children; what they start later inherits it."""
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            os.sched_setaffinity(int(task.name), cores)
            children = (task / "children").read_text().split()
        except OSError:
            continue        # it has just ended
        for child in children:
            put_on(child, cores)


def raise_descriptor_limit():
    """All children inherit it: 9,000 tunnels are 18,000 descriptors in a proxy and in the generator."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
