# SPDX-License-Identifier: Apache-2.0
"""The plot of `./dev c10k`: an SVG that follows the light or dark mode of the viewer."""
from html import escape

WIDTH, HEIGHT = 1000, 560
PLOT = dict(left=88, right=560, top=150, bottom=452)  # responses over time
BARS = dict(left=640, right=948)                      # threads, memory, latency
COLOURS = ("rondo", "threads")

STYLE = """
  svg { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
  .page { fill: #ffffff; } .ink { fill: #16202c; } .soft { fill: #5b6775; } .grid { stroke: #e3e8ee; }
  .track { fill: #eef2f6; } .mark { stroke: #8a96a3; }
  .rondo { fill: #0d7f74; } .threads { fill: #d9622b; }
  .line { fill: none; stroke-width: 3; stroke-linejoin: round; stroke-linecap: round; }
  .line.rondo { stroke: #0d7f74; } .line.threads { stroke: #d9622b; }
  .area { opacity: .10; }
  .title { font-size: 27px; font-weight: 700; letter-spacing: -.3px; } .lead { font-size: 15px; }
  .head { font-size: 14px; font-weight: 600; } .small { font-size: 12.5px; } .value { font-size: 14px; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #11181f; } .ink { fill: #eef3f7; } .soft { fill: #9aa7b4; } .grid { stroke: #26313c; }
    .track { fill: #1d2731; } .mark { stroke: #6c7885; }
    .rondo { fill: #35c4b3; } .threads { fill: #ff8d54; }
    .line.rondo { stroke: #35c4b3; } .line.threads { stroke: #ff8d54; }
    .area { opacity: .16; }
  }
"""


def text(x, y, content, css_class, anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css_class}" text-anchor="{anchor}">{escape(content)}</text>'


def line(x1, y1, x2, y2, css_class, dashes=""):
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css_class}"{dash}/>'


def tick_size(largest, count):
    """The smallest round number that divides 0 to `largest` into at most `count` intervals."""
    for scale in (0.01, 0.1, 1, 10, 100, 1000, 10_000, 100_000):
        for unit in (1, 2, 2.5, 5):
            if largest / (unit * scale) <= count:
                return unit * scale
    return largest


def responses(results):
    """The number of clients with a response, over the time since all requests were sent."""
    n = max(r["n"] for r in results)
    longest = max(max(r["quantiles"]) for r in results) * 1.06 or 1
    x = lambda s: PLOT["left"] + s / longest * (PLOT["right"] - PLOT["left"])
    y = lambda count: PLOT["bottom"] - count / n * (PLOT["bottom"] - PLOT["top"])
    out = [text(PLOT["left"], PLOT["top"] - 22, "Clients answered, by seconds since all requests were sent", "ink head")]
    for i in range(5):
        count = n * i / 4
        out += [line(PLOT["left"], y(count), PLOT["right"], y(count), "grid"),
                text(PLOT["left"] - 10, y(count) + 4, f"{count:,.0f}", "soft small", "end")]
    tick = tick_size(longest, 8)
    for i in range(int(longest / tick) + 1):
        out.append(text(x(i * tick), PLOT["bottom"] + 20, f"{i * tick:g} s", "soft small", "middle"))
    if longest > 1:
        out.append(line(x(1), PLOT["top"], x(1), PLOT["bottom"], "mark", "3 4"))
    if x(1) - PLOT["left"] > 190:
        out.append(text(x(1) - 8, PLOT["top"] + 16, "the second that each request waits", "soft small", "end"))
    for r, colour in zip(results, COLOURS):
        points = [(q, r["ok"] * i / 100) for i, q in enumerate(r["quantiles"])]
        path = " L".join(f"{x(q):.1f} {y(c):.1f}" for q, c in points)
        end = f"L{PLOT['right']} {y(r['ok']):.1f}"
        out += [f'<path class="area {colour}" d="M{path} {end} L{PLOT["right"]} {PLOT["bottom"]} '
                f'L{x(points[0][0]):.1f} {PLOT["bottom"]} Z"/>',
                f'<path class="line {colour}" d="M{PLOT["left"]} {PLOT["bottom"]} L{path} {end}"/>']
    return out


def bars(results, top, title, key, to_text):
    """One value of all servers, each as a bar in proportion to the largest."""
    largest = max(r[key] for r in results) or 1
    width = BARS["right"] - BARS["left"]
    out = [text(BARS["left"], top, title, "ink head")]
    for i, (r, colour) in enumerate(zip(results, COLOURS)):
        y = top + 14 + i * 30
        length = max(3, r[key] / largest * (width - 96))
        out += [f'<rect x="{BARS["left"]}" y="{y}" width="{width - 96}" height="20" rx="4" class="track"/>',
                f'<rect x="{BARS["left"]}" y="{y}" width="{length:.1f}" height="20" rx="{min(4, length / 2):.1f}" '
                f'class="{colour}"/>',
                text(BARS["right"], y + 15, to_text(r[key]), "ink value", "end")]
    return out


def legend(results):
    out, x = [], PLOT["left"]
    for r, colour in zip(results, COLOURS):
        out += [f'<rect x="{x}" y="{HEIGHT - 54}" width="14" height="14" rx="4" class="{colour}"/>',
                text(x + 22, HEIGHT - 42, r["label"], "ink small")]
        x += 40 + 7 * len(r["label"])
    return out


def draw(results, footnote):
    """The SVG. `results`: two dicts with label, n, ok, quantiles, threads, memory (bytes) and p99_s."""
    n = results[0]["n"]
    mib = lambda b: f"{b / 2**20:,.0f} MiB" if b >= 10 * 2**20 else f"{b / 2**20:,.1f} MiB"
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" rx="14" class="page"/>',
             text(PLOT["left"] - 48, 58, f"{n:,} clients wait a second each", "ink title"),
             text(PLOT["left"] - 48, 86, "Waiting on an event loop costs bytes. Waiting on a thread costs a thread.",
                  "soft lead"),
             *responses(results),
             *bars(results, 144, "Threads", "threads", lambda v: f"{v:,}"),
             *bars(results, 260, "Memory, kernel stacks included", "memory", mib),
             *bars(results, 376, "p99 latency", "p99_s", lambda v: f"{v:.2f} s"),
             *legend(results), text(PLOT["left"], HEIGHT - 16, footnote, "soft small")]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'role="img" aria-label="{n:,} waiting clients: {escape(results[0]["label"])} and '
            f'{escape(results[1]["label"])}">\n<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n")
