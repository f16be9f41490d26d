# SPDX-License-Identifier: Apache-2.0
"""A strict parser of Prometheus' text format, version 0.0.4."""
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'^({NAME})(\{{.*\}})? ([^ ]+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


class Metrics:
    """samples: {name: {labels (a frozenset of pairs): value}}"""

    def __init__(self, text):
        self.types, self.samples = {}, {}
        assert text.endswith("\n"), "the last line has no line break"
        family = None
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family = line.split(" ")[2]
                assert family not in self.types, f"duplicate family {family}"
                assert len(line.split(" ", 3)[3]) > 5, line
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name == family and kind in SUFFIXES, line
                assert (kind == "counter") == name.endswith("_total"), f"invalid name for a {kind}: {name}"
                self.types[name] = kind
            else:
                self._sample(line, family)
        for name, kind in self.types.items():
            if kind == "histogram":
                self._check_histogram(name)

    def _sample(self, line, family):
        found = SAMPLE.match(line)
        assert found, f"not a sample: {line}"
        name, labels, value = found.groups()
        assert name in [family + s for s in SUFFIXES[self.types[family]]], f"{name} in the family {family}"
        pairs, at = [], 1
        while labels and at < len(labels) - 1:
            pair = LABEL.match(labels[:-1], at)
            assert pair, f"invalid labels: {line}"
            pairs.append((pair[1], pair[2].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")))
            at = pair.end()
        key = frozenset(pairs)
        assert len(key) == len(pairs)
        of = self.samples.setdefault(name, {})
        assert key not in of, f"duplicate sample: {line}"
        of[key] = float(value)

    def _check_histogram(self, name):
        series = {}
        for labels, value in self.samples.get(name + "_bucket", {}).items():
            bound = dict(labels)["le"]
            series.setdefault(labels - {("le", bound)}, []).append((float(bound), value))
        for labels, buckets in series.items():
            buckets.sort()
            assert buckets[-1][0] == math.inf, f"{name} {labels}: no +Inf"
            counts = [count for _, count in buckets]
            assert counts == sorted(counts), f"{name} {labels}: not cumulative"
            assert counts[-1] == self.samples[name + "_count"][labels], f"{name} {labels}: +Inf is not the count"
            assert labels in self.samples[name + "_sum"]

    def get(self, name, /, **labels):
        """The sum of the samples with these labels."""
        return sum(value for found, value in self.samples.get(name, {}).items() if labels.items() <= set(found))
