// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/status_text.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace rondo::admin {

namespace {

using codec::json_value;

constexpr std::size_t max_running_shown = 15;

double number(const json_value& v) { return v.if_number().value_or(0); }
std::string text(const json_value& v) { return v.if_string() ? *v.if_string() : std::string(); }
std::string integer_text(double n) { return fmt::format("{:.0f}", n); }

std::string duration_text(double ms) {
    if (ms == 0) return "-";
    if (ms < 10) return fmt::format("{:.2f} ms", ms);
    if (ms < 1000) return fmt::format("{:.0f} ms", ms);
    if (ms < 60e3) return fmt::format("{:.1f} s", ms / 1000);
    if (ms < 3600e3) return fmt::format("{:.0f} min", ms / 60e3);
    if (ms < 48 * 3600e3) return fmt::format("{:.0f} h", ms / 3600e3);
    return fmt::format("{:.0f} d", ms / 86400e3);
}

std::string percent_text(const json_value& v) { return v.is_null() ? "-" : fmt::format("{:.0f} %", number(v) * 100); }
std::string mebibytes_text(double bytes) { return fmt::format("{:.0f} MiB", bytes / (1 << 20)); }

/// A table with a header row and columns as wide as their widest cell; the first `left` columns are left-aligned.
class text_table {
public:
    text_table(std::vector<std::string> header, std::size_t left) : left_aligned_(left) {
        rows_.push_back(std::move(header));
    }

    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    /// Adds a full-width line below the last row.
    void add_note(std::string line) { rows_.push_back({std::move(line)}); }

    void write(std::string& out, std::size_t width) const {
        std::vector<std::size_t> widths(rows_.front().size());
        for (const auto& row : rows_)
            if (row.size() == widths.size())
                for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
        for (const auto& row : rows_) {
            std::string line;
            if (row.size() != widths.size()) line = row.front();
            else
                for (std::size_t i = 0; i < row.size(); ++i)
                    line += i < left_aligned_ ? fmt::format("{:<{}}  ", row[i], widths[i])
                                              : fmt::format("{:>{}}  ", row[i], widths[i]);
            line.erase(line.find_last_not_of(' ') + 1);
            out.append(line, 0, width).append("\n");
        }
    }

private:
    std::size_t left_aligned_;
    std::vector<std::vector<std::string>> rows_;
};

/// Rates per second between two statuses.
class rates {
public:
    rates(const json_value& now, const json_value& before)
        : seconds_(before.is_null() ? 0 : (number(now["at_ms"]) - number(before["at_ms"])) / 1000) {}
    [[nodiscard]] std::string between(double now, double before) const {
        return seconds_ > 0 ? fmt::format("{:.0f}", std::max(0.0, now - before) / seconds_) : "-";
    }

private:
    double seconds_;
};

/// The object in the array `candidates` that equals `object` in these members; null if there is none.
const json_value& matching_entry(const json_value& object, const json_value& candidates,
                                 std::initializer_list<const char*> names) {
    static const json_value null_value;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const json_value& other = candidates[i];
        if (std::ranges::all_of(names, [&](const char* name) { return other[name] == object[name]; })) return other;
    }
    return null_value;
}

void write_summary(std::string& out, const json_value& now, const json_value& before, std::size_t width) {
    const json_value& total = now["all"];
    const rates per_second(now, before);
    std::string line = fmt::format("Rondo {}   {} workers   {} requests", text(now["version"]), now["workers"].size(),
                                   integer_text(number(total["requests"])));
    if (!before.is_null())
        line += fmt::format(", {}/s", per_second.between(number(total["requests"]), number(before["all"]["requests"])));
    line += fmt::format("   {} in flight, {} waiting   {} connections", integer_text(number(total["in_flight"])),
                        integer_text(number(total["waiting"])), integer_text(number(total["connections"])));
    out.append(line, 0, width).append("\n");
    const json_value& latency = now["latency_ms"];
    line = fmt::format("p50 {}   p90 {}   p99 {}   stalls {}   crashes {}   lost {}",
                       duration_text(number(latency["p50"])), duration_text(number(latency["p90"])),
                       duration_text(number(latency["p99"])), integer_text(number(total["stalls"])),
                       integer_text(number(total["crashes"])), integer_text(number(total["lost"])));
    if (const double lines = number(total["log_lines_lost"]); lines > 0)
        line += fmt::format("   log lines lost {}", integer_text(lines));
    out.append(line, 0, width).append("\n\n");
}

void write_workers(std::string& out, const json_value& now, const json_value& before, std::size_t width) {
    const rates per_second(now, before);
    text_table t({"WORKER", "STATE", "PID", "AGE", "REQUESTS", "/S", "IN FLIGHT", "CONN", "DELAY", "STALLS", "THREADS",
                  "COMPUTE", "MEMORY"},
                 2);
    const json_value& workers = now["workers"];
    for (std::size_t i = 0; i < workers.size(); ++i) {
        const json_value& w = workers[i];
        const json_value& old = matching_entry(w, before["workers"], {"name"});
        const auto busy = [&w](const char* pool) {
            return fmt::format("{}/{}", integer_text(number(w[pool]["busy"])), integer_text(number(w[pool]["limit"])));
        };
        t.add({text(w["name"]), text(w["state"]), integer_text(number(w["pid"])), duration_text(number(w["age_ms"])),
               integer_text(number(w["requests"])),
               old.is_null() ? "-" : per_second.between(number(w["requests"]), number(old["requests"])),
               integer_text(number(w["in_flight"])), integer_text(number(w["connections"])),
               duration_text(number(w["loop_delay_ms"])), integer_text(number(w["stalls"])), busy("blocking"),
               busy("compute"), mebibytes_text(number(w["memory_bytes"]))});
    }
    t.write(out, width);
    out += '\n';
}

void write_compute_processes(std::string& out, const json_value& compute_pools, std::size_t width) {
    text_table t({"COMPUTE", "STATE", "PID", "AGE", "BUSY", "JOBS", "MEMORY"}, 2);
    for (std::size_t i = 0; i < compute_pools.size(); ++i) {
        const json_value& processes = compute_pools[i]["processes"];
        for (std::size_t j = 0; j < processes.size(); ++j) {
            const json_value& p = processes[j];
            t.add({fmt::format("{} {}", text(compute_pools[i]["name"]), text(p["name"])), text(p["state"]),
                   integer_text(number(p["pid"])), duration_text(number(p["age_ms"])),
                   duration_text(number(p["busy_ms"])), integer_text(number(p["jobs"])),
                   mebibytes_text(number(p["memory_bytes"]))});
        }
    }
    t.write(out, width);
    out += '\n';
}

void write_compute_pools(std::string& out, const json_value& now, const json_value& before, std::size_t width) {
    const json_value& pools = now["compute_pools"];
    if (pools.size() == 0) return;
    const rates per_second(now, before);
    text_table t({"ISOLATED", "BUSY", "WAITING", "DONE", "/S", "LOST", "TIMED OUT", "REFUSED", "CANCELLED", "QUEUE",
                  "RUN", "P99", "CPU", "CRASHES", "MEMORY"},
                 1);
    for (std::size_t i = 0; i < pools.size(); ++i) {
        const json_value& c = pools[i];
        const json_value& jobs = c["jobs"];
        const json_value& old = matching_entry(c, before["compute_pools"], {"name"});
        t.add({text(c["name"]), fmt::format("{}/{}", integer_text(number(c["busy"])), c["processes"].size()),
               integer_text(number(c["waiting"])), integer_text(number(jobs["done"])),
               old.is_null() ? "-" : per_second.between(number(jobs["done"]), number(old["jobs"]["done"])),
               integer_text(number(jobs["lost"])), integer_text(number(jobs["timed_out"])),
               integer_text(number(jobs["refused"])), integer_text(number(jobs["cancelled"])),
               duration_text(number(c["queue"]["mean_ms"])), duration_text(number(c["run"]["mean_ms"])),
               duration_text(number(c["run"]["p99_ms"])), duration_text(number(c["cpu"]["mean_ms"])),
               integer_text(number(c["crashes"])), mebibytes_text(number(c["memory_bytes"]))});
    }
    t.write(out, width);
    out += '\n';
    write_compute_processes(out, pools, width);
}

void write_views(std::string& out, const json_value& now, const json_value& before, std::size_t width) {
    const rates per_second(now, before);
    text_table t(
        {"VIEW", "KIND", "REQUESTS", "/S", "FAILED", "P50", "P99", "WALL", "LOOP", "QUEUE", "THREAD", "CPU", "RUN"}, 2);
    const json_value& views = now["views"];
    for (std::size_t i = 0; i < views.size(); ++i) {
        const json_value& v = views[i];
        const std::string pattern = text(v["pattern"]);
        if (number(v["requests"]) == 0 && number(v["running"]) == 0) continue;
        const json_value& old = matching_entry(v, before["views"], {"pattern", "methods", "kind"});
        t.add({pattern.empty() ? "no view" : fmt::format("{} {}", text(v["methods"]), pattern), text(v["kind"]),
               integer_text(number(v["requests"])),
               before.is_null() ? "-" : per_second.between(number(v["requests"]), number(old["requests"])),
               integer_text(number(v["by_class"][0]) + number(v["by_class"][5])), duration_text(number(v["p50_ms"])),
               duration_text(number(v["p99_ms"])), duration_text(number(v["wall_ms"])),
               duration_text(number(v["loop_ms"])), duration_text(number(v["queue_ms"])),
               duration_text(number(v["thread_ms"])), percent_text(v["cpu_share"]),
               integer_text(number(v["running"]))});
        if (const std::string advice = text(v["advice"]); !advice.empty())
            t.add_note(fmt::format("  ! {} {}", pattern, advice));
    }
    t.write(out, width);
}

std::string non_zero_stats(const json_value& resource) {
    std::string line;
    const codec::json_object* stats = resource["stats"].if_object();
    if (stats == nullptr) return "-";
    for (const auto& [name, value] : *stats) {
        if (number(value) == 0) continue;
        const std::string_view label = name;
        line += line.empty() ? "" : "  ";
        if (label.ends_with("_ms"))
            line += fmt::format("{} {}", label.substr(0, label.size() - 3), duration_text(number(value)));
        else line += fmt::format("{} {}", label, integer_text(number(value)));
    }
    return line.empty() ? "-" : line;
}

void write_resources(std::string& out, const json_value& now, std::size_t width) {
    const json_value& resources = now["resources"];
    if (resources.size() == 0) return;
    out += '\n';
    text_table t({"RESOURCE", "NAME", "NON-ZERO STATS"}, 3);
    for (std::size_t i = 0; i < resources.size(); ++i)
        t.add({text(resources[i]["group"]), text(resources[i]["name"]), non_zero_stats(resources[i])});
    t.write(out, width);
}

void write_running(std::string& out, const json_value& now, std::size_t width) {
    const json_value& running = now["running"];
    const std::size_t listed = std::min(running.size(), max_running_shown);
    if (listed == 0) return;
    out += '\n';
    text_table t({"RUNNING", "KIND", "STATE", "WORKER", "IN STATE", "AGE"}, 4);
    for (std::size_t i = 0; i < listed; ++i) {
        const json_value& r = running[i];
        t.add({text(r["pattern"]), text(r["kind"]), text(r["state"]), text(r["worker"]),
               duration_text(number(r["in_state_ms"])), duration_text(number(r["age_ms"]))});
    }
    const double more = number(now["not_listed"]) + static_cast<double>(running.size() - listed);
    if (more > 0) t.add_note(fmt::format("and {} more", integer_text(more)));
    t.write(out, width);
}

}  // namespace

std::string status_text(const json_value& now, const json_value& before, std::size_t width) {
    std::string out;
    write_summary(out, now, before, width);
    write_workers(out, now, before, width);
    write_compute_pools(out, now, before, width);
    write_views(out, now, before, width);
    write_resources(out, now, width);
    write_running(out, now, width);
    return out;
}

}  // namespace rondo::admin
