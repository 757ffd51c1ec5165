"""Purchases and polls as a user makes them: whole processes against a server of a set latency on this machine, which keeps one of its CPUs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.inputs import write_apart
from bench.measure import Cost, Work, measure

OURS = [sys.executable, "-m", "reconciler"]
KEY = {"PIXAZO_API_KEY": "0123456789abcdef0123456789abcdef"}
REPO = Path(__file__).resolve().parent.parent
SETTINGS = ((0.0, 1), (0.02, 4), (0.02, 10), (0.02, 50), (0.2, 4), (0.2, 10), (0.2, 50))


class Bought(NamedTuple):
    """`each` and `cpu_each` are seconds a purchase beyond those of a run with few purchases: start-up does not count."""

    count: int
    latency: float
    parallelism: int
    each: float
    cpu_each: float
    bare: float
    """Seconds a POST of a bare client at the same parallelism, measured right after."""

    @property
    def ideal(self) -> float:
        """What the server alone needs for a purchase, with so many at the same time; polls happen beside."""
        return self.latency / self.parallelism


class Polled(NamedTuple):
    """One `refresh`; `each` is seconds a poll beyond those of a run with few polls."""

    count: int
    per_second: int | None
    each: float
    cpu_each: float
    whole: Cost


@contextmanager
def server(latency: float) -> Iterator[str]:
    """The endpoint of a server with that latency in seconds."""
    child = subprocess.Popen([sys.executable, "-m", "bench.server", str(latency)], stdout=subprocess.PIPE, text=True, cwd=REPO)
    assert child.stdout is not None, "it is a pipe"
    try:
        yield f"http://127.0.0.1:{child.stdout.readline().strip()}"
    finally:
        child.kill()
        child.wait()


def purchases(work: Path, *, full: bool) -> list[Bought]:
    """Every setting, with so many purchases that the server alone needs some seconds for them. Each purchase is also polled once."""
    found = []
    for latency, parallelism in SETTINGS:
        most = max(20, min(2000 if full else 600, int((6 if full else 3) * parallelism / (latency or 0.02))))
        few = max(parallelism, most // 10)
        costs = [_apply(work / f"buy-{latency}-{parallelism}-{count}", count, latency, parallelism) for count in (few, most)]
        more = most - few
        each, cpu_each = (costs[1].seconds - costs[0].seconds) / more, (costs[1].cpu - costs[0].cpu) / more
        found.append(Bought(most, latency, parallelism, each, cpu_each, _bare(most, latency, parallelism)))
    return found


def _bare(count: int, latency: float, parallelism: int) -> float:
    with server(latency) as endpoint:
        words = [endpoint.rpartition(":")[2], str(count), str(parallelism)]
        said = subprocess.run([sys.executable, "-m", "bench.bare", *words], cwd=REPO, check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(said) / count


def _apply(folder: Path, count: int, latency: float, parallelism: int) -> Cost:
    write_apart(folder, count, 1, bought=False)
    with server(latency) as endpoint:
        words = ["apply", f"-endpoint={endpoint}", "-auto-approve", "-max-cost=1000000", f"-parallelism={parallelism}"]
        return measure(Work([*OURS, *words], folder, environment=KEY))


def polls(work: Path, count: int) -> list[Polled]:
    """`count` pending jobs with the default parallelism against a server without latency: without a rate, and with one."""
    found = []
    for per_second in (None, 300):
        most = count if per_second is None else min(count, per_second * 10)
        few = most // 10
        costs = [_refresh(work / f"polls-{per_second}-{n}", n, per_second) for n in (few, most)]
        more = most - few
        found.append(Polled(most, per_second, (costs[1].seconds - costs[0].seconds) / more, (costs[1].cpu - costs[0].cpu) / more, costs[1]))
    return found


def _refresh(folder: Path, count: int, per_second: int | None) -> Cost:
    with server(0.0) as endpoint:
        write_apart(folder, count, 10, pending=True, world="loopback", endpoint=endpoint)
        if per_second is not None:
            with (folder / "reconciler.yaml").open("a", encoding="utf-8") as project:
                project.write(f"polling: {{per_second: {per_second}}}\n")
        return measure(Work([*OURS, "refresh", f"-endpoint={endpoint}"], folder, environment=KEY))


def lines_of_network(bought: list[Bought], polled: list[Polled]) -> list[str]:
    """The page's sections about purchases and polls."""
    out = ["## Purchases", ""]
    out += ["Durable intent, POST on a connection of its own, durable answer; beside them one poll each. The server runs on the same machine.", ""]
    out += [
        "| purchases | latency | at the same time | ideal: latency / parallelism | each | of the limit | bare POSTs, of the limit | cpu each |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for b in bought:
        share, bare = (f"{100 * b.ideal / each:.0f} %" if b.ideal else "–" for each in (b.each, b.bare))
        cells = [f"{b.count:,}", f"{1000 * b.latency:.0f} ms", f"{b.parallelism}", f"{1000 * b.ideal:.2f} ms", f"{1000 * b.each:.2f} ms", share, bare]
        out.append(f"| {' | '.join(cells)} | {1000 * b.cpu_each:.2f} ms |")
    out += ["", "The row without latency is what two durable facts, a connection and the program itself take, one purchase after the other."]
    out += ["Bare POSTs are the same connections and requests by threads, with nothing durable: what the machine gave at that moment.", ""]
    out += ["## Polls", "", "| pending jobs | configured rate | polls a second | cpu each | whole process: s · cpu · MB |", "|--:|--:|--:|--:|--:|"]
    for p in polled:
        rate = "none" if p.per_second is None else f"{p.per_second}/s"
        whole = f"{p.whole.seconds:.1f} · {p.whole.cpu:.1f} · {p.whole.megabytes:.0f}"
        out.append(f"| {p.count:,} | {rate} | {1 / p.each:.0f} | {1000 * p.cpu_each:.2f} ms | {whole} |")
    return [*out, ""]


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
        print("\n".join(lines_of_network(purchases(Path(name), full="--full" in sys.argv), polls(Path(name), 10_000 if "--full" in sys.argv else 3_000))))
