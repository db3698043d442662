"""From figures to medians, ratios and tables."""
import statistics

from rows import COST, LATENCY, THROUGHPUT, VERDICT

KINDS = {COST: "CPU and memory", LATENCY: "Latency", THROUGHPUT: "Throughput (more is better)",
         VERDICT: "Verdicts (no traffic)"}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def by_round(bench, row, measure, name):
    """Round -> figure of one proxy."""
    return {when: answer["measures"][measure.key] * measure.scale
            for when, answer in bench.results[row.name].get(name, {}).items() if measure.key in answer["measures"]}


def figures(bench, row, measure, name):
    values = by_round(bench, row, measure, name).values()
    if not measure.minus_direct:
        return list(values)
    direct = by_round(bench, row, measure, "direct").values()
    return [value - statistics.median(direct) for value in values] if direct else []


def reference(bench, row, measure):
    """Whom the subject of a row is compared to: the other one of the pair, or the best peer."""
    if row.pair:
        return row.pair[1] if len(row.pair) > 1 else None
    medians = {}
    for proxy in bench.proxies:
        values = figures(bench, row, measure, proxy.name)
        if values and proxy.is_peer:
            medians[proxy.name] = statistics.median(values)
    if not medians:
        return None
    return (min if measure.is_less_better else max)(medians, key=medians.get)


def ratio(bench, row, measure, subject):
    """Taken round by round: what drifts from round to round cancels out."""
    name = reference(bench, row, measure)
    if not measure.is_compared or name is None:
        return None
    ours, theirs = (by_round(bench, row, measure, each) for each in (subject, name))
    ratios = [ours[when] / theirs[when] for when in ours if theirs.get(when)]
    return {"to": name, **spread(ratios)} if ratios else None


def goal_met(measure, ours, found):
    """None: it has no goal, or nothing to judge by."""
    if measure.goal is not None and found:
        return round(found["median"], 2) <= measure.goal
    if measure.goal_value is not None and ours:
        return round(ours["median"], measure.digits) <= measure.goal_value
    return None


def summary(bench):
    lines = []
    for row in bench.rows:
        for measure in row.measures:
            values = {proxy.name: figures(bench, row, measure, proxy.name) for proxy in bench.proxies}
            proxies = {name: spread(found) for name, found in values.items()
                       if found and not (measure.minus_direct and name == "direct")}
            if not proxies:
                continue
            found = ratio(bench, row, measure, row.subject)
            floor = None if row.pair else ratio(bench, row, measure, "floor")
            lines.append({
                "row": row.name, "measure": measure.key, "title": measure.title, "unit": measure.unit,
                "kind": measure.kind, "digits": measure.digits, "subject": row.subject,
                "is_pair": row.pair is not None, "proxies": proxies, "ratio": found, "floor_ratio": floor,
                "goal": measure.goal, "goal_value": measure.goal_value,
                "goal_met": goal_met(measure, proxies.get(row.subject), found)})
    return lines


# ---- tables ----

def number(value, digits):
    return f"{round(value, digits) + 0.0:,.{digits}f}"      # + 0.0: no minus before a zero


def cell(value, digits):
    if value is None:
        return "-"
    median, low, high = (number(value[key], digits) for key in ("median", "min", "max"))
    return f"{median} ({low}..{high})"


def goal_cell(line):
    if line["goal"] is None and line["goal_value"] is None:
        return ""
    goal = f"<= {line['goal']:.2f}" if line["goal"] is not None else f"{line['goal_value']} {line['unit']}"
    return goal + {True: ", met", False: ", **missed**", None: ""}[line["goal_met"]]


def markdown(head, body):
    """Padded: readable in a terminal, and pasted as it is elsewhere."""
    widths = [max(len(text) for text in column) for column in zip(head, *body)]
    rule = ["-" * width for width in widths]
    return "\n".join("| " + " | ".join(text.ljust(width) for text, width in zip(cells, widths)) + " |"
                     for cells in [head, rule, *body])


def ratio_cell(line):
    return f"{cell(line['ratio'], 2)} {line['ratio']['to']}" if line["ratio"] else "-"


def peers_table(lines, names):
    has_goals = any(line["goal"] is not None or line["goal_value"] is not None for line in lines)
    names = [name for name in names if any(name in line["proxies"] for line in lines)]
    head = ["measure", "unit", *(name + " (relay)" * (name == "haproxy") for name in names), "adit to best peer"]
    head += ["floor to best peer", "goal"] * has_goals
    return markdown(head, [
        [line["title"], line["unit"], *(cell(line["proxies"].get(name), line["digits"]) for name in names),
         ratio_cell(line)] + [cell(line["floor_ratio"], 2), goal_cell(line)] * has_goals for line in lines])


def pair_cells(line):
    names = [line["subject"], line["ratio"]["to"]] if line["ratio"] else [line["subject"]]
    cells = [f"{cell(line['proxies'][name], line['digits'])} {name}" for name in names]
    return [*cells, cell(line["ratio"], 2)] if line["ratio"] else [*cells, "-", "-"]


def pairs_table(lines):
    return markdown(["measure", "unit", "this", "to that", "ratio"], [
        [line["title"], line["unit"], *pair_cells(line)] for line in lines if line["subject"] in line["proxies"]])


def verdict_table(lines):
    return markdown(["measure", "unit", "adit"], [
        [line["title"], line["unit"], cell(line["proxies"].get("adit"), line["digits"])] for line in lines])


def tables(lines, names):
    """Markdown with a heading for each kind of figure."""
    parts = []
    for kind, title in KINDS.items():
        of_kind = [line for line in lines if line["kind"] == kind and not line["is_pair"]]
        if of_kind:
            parts.append(f"### {title}\n\n{peers_table(of_kind, names)}")
    pairs = [line for line in lines if line["is_pair"] and line["kind"] != VERDICT]
    if pairs:
        parts.append(f"### adit against itself\n\n{pairs_table(pairs)}")
    verdicts = [line for line in lines if line["kind"] == VERDICT]
    if verdicts:
        parts.append(f"### {KINDS[VERDICT]}\n\n{verdict_table(verdicts)}")
    return "\n\n".join(parts)


def goals_table(lines):
    """What the README shows: one line a goal."""
    body = []
    for line in lines:
        ours = line["proxies"].get("adit")
        if line["goal_met"] is None or not ours:
            continue
        best = line["proxies"].get(line["ratio"]["to"]) if line["ratio"] else None
        body.append([line["title"], line["unit"], number(ours["median"], line["digits"]),
                     f"{number(best['median'], line['digits'])} {line['ratio']['to']}" if best else "-",
                     *(number(found["median"], 2) if found else "-" for found in (line["ratio"], line["floor_ratio"])),
                     goal_cell(line)])
    return markdown(["measure", "unit", "adit", "best peer", "ratio", "floor's ratio", "goal"], body)


# ---- what a reader must know beside the figures ----

def notes(bench, about, lines):
    """A line each; the first says what the figures are."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items() if version)
    yield (f"Median (min..max) of {about['rounds']} rounds (memory and verdicts: fewer); ratios are taken round by "
           f"round. CPU is the proxy's, all its processes and threads. {about['cpu']}, {about['cores']} cores, "
           f"Linux {about['kernel']}, TCP {about['congestion_control']}. {versions}.")
    if about["congestion_control"].startswith("bbr"):
        yield ("CAUTION: TCP's bbr paces on loopback, too, with a timer for each segment: bulk costs two to five times "
               "as much, and differs from run to run. `--tcp reno` measures without.")
    met = [line["goal_met"] for line in lines if line["goal_met"] is not None]
    if met:
        yield f"Goals met: {sum(met)} of {len(met)}."
    if about["others"] > 0.05:
        yield (f"CAUTION: other work took {about['others']:.0%} of this machine meanwhile; trust no figure, "
               "and ratios only if their spread is small.")
    if bench.is_sanitized:
        yield "CAUTION: this adit is a sanitizer build; its figures mean nothing."
    if bench.log_dropped:
        yield f"CAUTION: adit dropped {bench.log_dropped:,} lines of its access log."
    busy = saturated(bench)
    if busy:
        yield ("The generator was over 90 % busy with adit, so throughput and latency there are the generator's: "
               + ", ".join(busy) + ".")
    yield from unclean(bench)
    yield from (f"FAILED {failure}" for failure in sorted(set(bench.failures)))


def saturated(bench):
    """Where the generator is the bottleneck, throughput says little about the proxy; CPU still does."""
    return sorted(row for row, proxies in bench.results.items()
                  if any(answer.get("generator_busy", 0) > 0.9 for answer in proxies.get("adit", {}).values()))


def unclean(bench):
    for row, proxies in bench.results.items():
        for name, answers in proxies.items():
            resets = sum(answer.get("resets", 0) for answer in answers.values())
            if resets:
                yield f"{name} ended {resets} tunnels of {row} with a reset instead of a FIN."
