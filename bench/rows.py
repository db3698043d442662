"""What is measured: a Row is one run of bench-load, a Measure one figure of it."""
from dataclasses import dataclass, field

COST, LATENCY, THROUGHPUT, VERDICT = "cost", "latency", "throughput", "verdict"     # one table each


@dataclass
class Measure:
    """`goal`: the most that the ratio to the best peer may be; `goal_value`: that the figure may be."""
    key: str
    title: str
    unit: str
    kind: str = COST
    digits: int = 1
    scale: float = 1
    is_compared: bool = True
    minus_direct: bool = False      # what the same row costs without a proxy is taken off
    goal: float = None
    goal_value: float = None

    @property
    def is_less_better(self):
        return self.kind != THROUGHPUT


@dataclass
class Row:
    """`pair`: the variant of adit that the row is about, and the one that it is compared to; without,
    adit and all peers take part. `rounds`: at most so many, because the row is slow. Unless `is_pinned`,
    generator and proxy run on whatever cores the scheduler gives them, as without a bench."""
    name: str
    arguments: list
    measures: list
    is_fresh: bool = False          # needs processes that have not grown yet
    has_direct: bool = True
    pair: tuple = None
    tunnels: int = 0                # open at once; a proxy may say that it cannot
    rounds: int = 1000
    is_pinned: bool = True

    def measures_proxy(self, proxy):
        if self.pair:
            return proxy.name in self.pair
        if proxy.is_variant:
            return False
        return self.has_direct if proxy.name == "direct" else self.tunnels <= proxy.tunnels_max

    @property
    def subject(self):
        return self.pair[0] if self.pair else "adit"

    @property
    def times(self):
        """A pair is taken twice a round: A B A B. What it looks for is small."""
        return 2 if self.pair else 1


def latencies(title, scale=1, unit="us", digits=0, goal_p99=None):
    return [Measure(f"p{percent}_us", f"{title}, p{percent}", unit, LATENCY, digits, scale,
                    goal=goal_p99 if percent == 99 else None)
            for percent in (50, 99)]


def tunnel_row(at_once, goal=None, name=None, title="", pair=None):
    title = f"tunnels, {at_once} at once{title}"
    return Row(name or f"tunnels-{at_once}", ["tunnels", "--tunnels", str(at_once)], [
        Measure("cpu_us_per_tunnel", title, "CPU us/tunnel", goal=goal),
        *latencies(title),
        Measure("tunnels_per_s", title, "tunnels/s", THROUGHPUT, 0)], pair=pair)


def roundtrip_row(tunnels, goal=None, name=None, title="", pair=None):
    title = f"round trip, {tunnels:,} open{title}"
    return Row(name or f"roundtrip-{tunnels}", ["roundtrip", "--tunnels", str(tunnels)], [
        Measure("cpu_us_per_roundtrip", title, "CPU us/round trip", digits=2, goal=goal),
        *latencies(title),
        Measure("roundtrips_per_s", title, "round trips/s", THROUGHPUT, 0)], pair=pair)


def bulk_row(direction, flows, goal=None, name=None, title="", pair=None):
    title = f"GB {direction}, {flows} flow{'s' if flows > 1 else ''}{title}"
    megabytes = max(4, 128 // flows)
    return Row(name or f"{direction}-{flows}",
               [f"bulk-{direction}", "--tunnels", str(flows), "--bytes", f"{megabytes}e6"], [
        Measure("cpu_s_per_gb", title, "CPU s/GB", digits=3, goal=goal),
        *latencies(f"{title}: {megabytes} MB", 0.001, "ms", 1),
        Measure("gbit_per_s", title, "Gbit/s", THROUGHPUT)], pair=pair)


def free_row(direction, flows, origins):
    """What depends on who wakes whom across cores shows only here: whoever reads has processes of its own."""
    row = bulk_row(direction, flows, None, f"free-{direction}-{flows}", ", not pinned")
    row.arguments += ["--origins", str(origins)]
    row.is_pinned = False
    return row


def idle_measures(tunnels):
    title = f"idle tunnel of {tunnels:,}"
    return [
        Measure("pss_bytes_per_tunnel", title, "PSS bytes", digits=0, goal_value=512),
        Measure("kernel_bytes_per_tunnel", title, "kernel bytes", digits=0, minus_direct=True, is_compared=False),
        Measure("descriptors_per_tunnel", title, "descriptors", digits=2, goal_value=2),
        Measure("idle_cpu_ms_per_s", f"{tunnels:,} idle tunnels", "CPU ms/s", digits=3, is_compared=False,
                goal_value=0),
        *latencies(f"opening {tunnels:,}, 64 at once", goal_p99=1.0),
        Measure("opened_per_s", f"opening {tunnels:,}, 64 at once", "tunnels/s", THROUGHPUT, 0)]


def idle_row(name, tunnels, rounds):
    return Row(name, ["idle", "--tunnels", str(tunnels), "--settle", "4.5", "--seconds", "1"],
               idle_measures(tunnels), is_fresh=True, tunnels=tunnels, rounds=rounds)


def mixed_row():
    return Row("mixed", ["mixed", "--tunnels", "1000", "--flows", "8", "--bytes", "4e6", "--seconds", "1"], [
        Measure("alone_p50_us", "1,000 chats, p50", "us", LATENCY, 0),
        Measure("alone_p99_us", "1,000 chats, p99", "us", LATENCY, 0),
        Measure("p50_us", "1,000 chats beside 8 flows, p50", "us", LATENCY, 0),
        Measure("p99_us", "1,000 chats beside 8 flows, p99", "us", LATENCY, 0),
        Measure("gbit_per_s", "8 flows beside 1,000 chats", "Gbit/s", THROUGHPUT)], tunnels=1008)


def storm_row():
    title = "2,000 connects at once"
    return Row("storm", ["storm", "--tunnels", "2000"], [
        Measure("cpu_us_per_tunnel", title, "CPU us/tunnel"),
        Measure("all_served_ms", f"{title}, until all are served", "ms", LATENCY),
        *latencies(title, 0.001, "ms", 1)], tunnels=2000)


def policy_row():
    """No traffic and no proxy: policy-bench alone, on the proxies' core. Stands in adit's column."""
    def verdict(key, title, unit="ns"):
        return Measure(key, title, unit, VERDICT, 0, is_compared=False)
    return Row("policy", None, [
        verdict("ns_1000_names", "verdict, 1,000 rules of a name"),
        verdict("ns_1000_suffixes", "verdict, 1,000 of a suffix"),
        verdict("ns_1000_blocks", "verdict, 1,000 of a block"),
        verdict("ns_1000_ports", "verdict, 1,000 of a port"),
        verdict("ns_1000_lists", "verdict, 1,000 of a list"),
        verdict("ns_1000_own_lists", "verdict, 1,000 of a list each"),
        verdict("ns_10000_names", "verdict, 10,000 of a name"),
        verdict("ns_10000_blocks", "verdict, 10,000 of a block"),
        verdict("ns_10000_ports", "verdict, 10,000 of a port"),
        verdict("ns_10000_own_lists", "verdict, 10,000 of a list each"),
        verdict("ns_list_of_names", "verdict, list of 100,000 names"),
        verdict("ns_list_of_addresses", "verdict, list of 100,000 addresses"),
        verdict("ns_list_of_million", "verdict, list of 1,000,000 names"),
        verdict("million_names_load_ms", "1,000,000 names load", "ms"),
        verdict("million_names_bytes_each", "1,000,000 names", "bytes each"),
    ], pair=("adit",), rounds=2)


# `--quick` leaves them out unless they are asked for: they take long.
SLOW_ROWS = ["hold", "workers-tunnels", "workers-roundtrip", "workers-down",
             "free-down-8", "free-up-8", "free-down-32", "free-up-32"]


def workers_row(row):
    """`imbalance` is added by bench/run."""
    row.measures.append(Measure("imbalance", f"{row.measures[0].title}: the busier one's CPU", "of a fair share",
                                digits=2, is_compared=False))
    return row


def make_rows():
    pair = ("adit-2-workers", "adit")
    return [
        idle_row("idle", 2000, rounds=3), idle_row("hold", 9000, rounds=2),
        tunnel_row(32, 0.88), tunnel_row(256, 0.88),
        roundtrip_row(1), roundtrip_row(64, 1.0), roundtrip_row(1000, 0.92),
        bulk_row("down", 1, 0.5), bulk_row("down", 8, 0.75), bulk_row("up", 1), bulk_row("up", 8, 0.75),
        free_row("down", 8, 1), free_row("up", 8, 1), free_row("down", 32, 16), free_row("up", 32, 16),
        mixed_row(), storm_row(),
        tunnel_row(32, None, "rules-20", ", 20 rules to 1", ("adit", "adit-1-rule")),
        tunnel_row(32, None, "rules-1000", ", 1,000 rules to 20", ("adit-1000-rules", "adit")),
        tunnel_row(32, None, "log", ", log and metrics to none", ("adit", "adit-quiet")),
        roundtrip_row(64, None, "log-roundtrip", ", log and metrics to none", ("adit", "adit-quiet")),
        workers_row(tunnel_row(256, None, "workers-tunnels", ", 2 workers to 1", pair)),
        workers_row(roundtrip_row(1000, None, "workers-roundtrip", ", 2 workers to 1", pair)),
        workers_row(bulk_row("down", 8, None, "workers-down", ", 2 workers to 1", pair)),
        bulk_row("down", 32, None, "pipes-32", ", pipes to copies", ("adit-user", "adit-copy")),
        bulk_row("down", 100, None, "pipes-100", ", pipes to copies", ("adit-user", "adit-copy")),
        policy_row(),
    ]


@dataclass
class Sizes:
    rounds: int
    seconds: float
    rows: list = field(default_factory=make_rows)


def full():
    return Sizes(rounds=5, seconds=0.5)


def quick():
    """Does it work, and roughly how: goals twice, the rest once."""
    sizes = Sizes(rounds=2, seconds=0.15)
    for row in sizes.rows:
        if row.is_fresh or not any(measure.goal for measure in row.measures):
            row.rounds = 1
    return sizes
