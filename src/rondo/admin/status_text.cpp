// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/status_text.hpp>

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace rondo::admin {

namespace {

using codec::json_value;

constexpr std::size_t most_running_shown = 15;

double number(const json_value& v) { return v.if_number().value_or(0); }
std::string text(const json_value& v) { return v.if_string() ? *v.if_string() : std::string(); }
std::string whole(double n) { return fmt::format("{:.0f}", n); }

std::string duration(double ms) {
    if (ms == 0) return "-";
    if (ms < 10) return fmt::format("{:.2f} ms", ms);
    if (ms < 1000) return fmt::format("{:.0f} ms", ms);
    if (ms < 60e3) return fmt::format("{:.1f} s", ms / 1000);
    if (ms < 3600e3) return fmt::format("{:.0f} min", ms / 60e3);
    if (ms < 48 * 3600e3) return fmt::format("{:.0f} h", ms / 3600e3);
    return fmt::format("{:.0f} d", ms / 86400e3);
}

std::string share(const json_value& v) { return v.is_null() ? "-" : fmt::format("{:.0f} %", number(v) * 100); }
std::string mebibytes(double bytes) { return fmt::format("{:.0f} MiB", bytes / (1 << 20)); }

/// A table with a header row and columns as wide as their widest cell; the first `left` columns are left-aligned.
class table {
public:
    table(std::vector<std::string> header, std::size_t left) : left_(left) { rows_.push_back(std::move(header)); }

    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    /// Adds a full-width line below the last row.
    void note(std::string line) { rows_.push_back({std::move(line)}); }

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
                    line += i < left_ ? fmt::format("{:<{}}  ", row[i], widths[i])
                                      : fmt::format("{:>{}}  ", row[i], widths[i]);
            line.erase(line.find_last_not_of(' ') + 1);
            out.append(line, 0, width).append("\n");
        }
    }

private:
    std::size_t left_;
    std::vector<std::vector<std::string>> rows_;
};

/// Rates per second between two statuses.
class rates {
public:
    rates(const json_value& now, const json_value& before)
        : seconds_(before.is_null() ? 0 : (number(now["at_ms"]) - number(before["at_ms"])) / 1000) {}
    [[nodiscard]] std::string of(double now, double before) const {
        return seconds_ > 0 ? fmt::format("{:.0f}", std::max(0.0, now - before) / seconds_) : "-";
    }

private:
    double seconds_;
};

/// The object in the array `candidates` that equals `object` in these members; null if there is none.
const json_value& twin(const json_value& object, const json_value& candidates,
                       std::initializer_list<const char*> names) {
    static const json_value none;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const json_value& other = candidates[i];
        if (std::ranges::all_of(names, [&](const char* name) { return other[name] == object[name]; })) return other;
    }
    return none;
}

void write_head(std::string& out, const json_value& now, const json_value& before, std::size_t width) {
    const json_value& all = now["all"];
    const rates per_second(now, before);
    std::string line = fmt::format("Rondo {}   {} workers   {} requests", text(now["version"]), now["workers"].size(),
                                   whole(number(all["requests"])));
    if (!before.is_null())
        line += fmt::format(", {}/s", per_second.of(number(all["requests"]), number(before["all"]["requests"])));
    line += fmt::format("   {} in flight, {} waiting   {} connections", whole(number(all["in_flight"])),
                        whole(number(all["waiting"])), whole(number(all["connections"])));
    out.append(line, 0, width).append("\n");
    const json_value& latency = now["latency_ms"];
    line = fmt::format("p50 {}   p90 {}   p99 {}   stalls {}   crashes {}   lost {}", duration(number(latency["p50"])),
                       duration(number(latency["p90"])), duration(number(latency["p99"])), whole(number(all["stalls"])),
                       whole(number(all["crashes"])), whole(number(all["lost"])));
    if (const double lines = number(all["log_lines_lost"]); lines > 0)
        line += fmt::format("   log lines lost {}", whole(lines));
    out.append(line, 0, width).append("\n\n");
}

void write_workers(std::string& out, const json_value& now, const json_value& before, std::size_t width) {
    const rates per_second(now, before);
    table t({"WORKER", "STATE", "PID", "AGE", "REQUESTS", "/S", "IN FLIGHT", "CONN", "DELAY", "STALLS", "THREADS",
             "COMPUTE", "MEMORY"},
            2);
    const json_value& workers = now["workers"];
    for (std::size_t i = 0; i < workers.size(); ++i) {
        const json_value& w = workers[i];
        const json_value& old = twin(w, before["workers"], {"name"});
        const auto busy = [&w](const char* pool) {
            return fmt::format("{}/{}", whole(number(w[pool]["busy"])), whole(number(w[pool]["limit"])));
        };
        t.add({text(w["name"]), text(w["state"]), whole(number(w["process"])), duration(number(w["age_ms"])),
               whole(number(w["requests"])),
               old.is_null() ? "-" : per_second.of(number(w["requests"]), number(old["requests"])),
               whole(number(w["in_flight"])), whole(number(w["connections"])), duration(number(w["loop_delay_ms"])),
               whole(number(w["stalls"])), busy("blocking"), busy("compute"), mebibytes(number(w["memory_bytes"]))});
    }
    t.write(out, width);
    out += '\n';
}

void write_compute_processes(std::string& out, const json_value& computers, std::size_t width) {
    table t({"COMPUTE", "STATE", "PID", "AGE", "BUSY", "JOBS", "MEMORY"}, 2);
    for (std::size_t i = 0; i < computers.size(); ++i) {
        const json_value& processes = computers[i]["processes"];
        for (std::size_t j = 0; j < processes.size(); ++j) {
            const json_value& p = processes[j];
            t.add({fmt::format("{} {}", text(computers[i]["name"]), text(p["name"])), text(p["state"]),
                   whole(number(p["process"])), duration(number(p["age_ms"])), duration(number(p["busy_ms"])),
                   whole(number(p["jobs"])), mebibytes(number(p["memory_bytes"]))});
        }
    }
    t.write(out, width);
    out += '\n';
}

void write_computers(std::string& out, const json_value& now, const json_value& before, std::size_t width) {
    const json_value& all = now["computers"];
    if (all.size() == 0) return;
    const rates per_second(now, before);
    table t({"ISOLATED", "BUSY", "WAITING", "DONE", "/S", "LOST", "TIMED OUT", "REFUSED", "CANCELLED", "QUEUE", "RUN",
             "P99", "CPU", "CRASHES", "MEMORY"},
            1);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const json_value& c = all[i];
        const json_value& jobs = c["jobs"];
        const json_value& old = twin(c, before["computers"], {"name"});
        t.add({text(c["name"]), fmt::format("{}/{}", whole(number(c["busy"])), c["processes"].size()),
               whole(number(c["waiting"])), whole(number(jobs["done"])),
               old.is_null() ? "-" : per_second.of(number(jobs["done"]), number(old["jobs"]["done"])),
               whole(number(jobs["lost"])), whole(number(jobs["late"])), whole(number(jobs["refused"])),
               whole(number(jobs["cancelled"])), duration(number(c["queue"]["mean_ms"])),
               duration(number(c["run"]["mean_ms"])), duration(number(c["run"]["p99_ms"])),
               duration(number(c["cpu"]["mean_ms"])), whole(number(c["crashes"])),
               mebibytes(number(c["memory_bytes"]))});
    }
    t.write(out, width);
    out += '\n';
    write_compute_processes(out, all, width);
}

void write_views(std::string& out, const json_value& now, const json_value& before, std::size_t width) {
    const rates per_second(now, before);
    table t({"VIEW", "KIND", "REQUESTS", "/S", "FAILED", "P50", "P99", "WALL", "LOOP", "QUEUE", "THREAD", "CPU", "RUN"},
            2);
    const json_value& views = now["views"];
    for (std::size_t i = 0; i < views.size(); ++i) {
        const json_value& v = views[i];
        const std::string pattern = text(v["pattern"]);
        if (number(v["requests"]) == 0 && number(v["running"]) == 0) continue;
        const json_value& old = twin(v, before["views"], {"pattern", "methods", "kind"});
        t.add({pattern.empty() ? "no view" : fmt::format("{} {}", text(v["methods"]), pattern), text(v["kind"]),
               whole(number(v["requests"])),
               before.is_null() ? "-" : per_second.of(number(v["requests"]), number(old["requests"])),
               whole(number(v["by_class"][0]) + number(v["by_class"][5])), duration(number(v["p50_ms"])),
               duration(number(v["p99_ms"])), duration(number(v["wall_ms"])), duration(number(v["loop_ms"])),
               duration(number(v["queue_ms"])), duration(number(v["thread_ms"])), share(v["cpu_share"]),
               whole(number(v["running"]))});
        if (const std::string advice = text(v["advice"]); !advice.empty())
            t.note(fmt::format("  ! {} {}", pattern, advice));
    }
    t.write(out, width);
}

std::string figures_line(const json_value& resource) {
    std::string line;
    const codec::json_object* stats = resource["figures"].if_object();
    if (stats == nullptr) return "-";
    for (const auto& [name, value] : *stats) {
        if (number(value) == 0) continue;
        const std::string_view label = name;
        line += line.empty() ? "" : "  ";
        if (label.ends_with("_ms"))
            line += fmt::format("{} {}", label.substr(0, label.size() - 3), duration(number(value)));
        else line += fmt::format("{} {}", label, whole(number(value)));
    }
    return line.empty() ? "-" : line;
}

void write_resources(std::string& out, const json_value& now, std::size_t width) {
    const json_value& resources = now["resources"];
    if (resources.size() == 0) return;
    out += '\n';
    table t({"RESOURCE", "NAME", "NON-ZERO STATS"}, 3);
    for (std::size_t i = 0; i < resources.size(); ++i)
        t.add({text(resources[i]["group"]), text(resources[i]["of"]), figures_line(resources[i])});
    t.write(out, width);
}

void write_running(std::string& out, const json_value& now, std::size_t width) {
    const json_value& running = now["running"];
    const std::size_t listed = std::min(running.size(), most_running_shown);
    if (listed == 0) return;
    out += '\n';
    table t({"RUNNING", "KIND", "STATE", "WORKER", "IN STATE", "AGE"}, 4);
    for (std::size_t i = 0; i < listed; ++i) {
        const json_value& r = running[i];
        t.add({text(r["pattern"]), text(r["kind"]), text(r["where"]), text(r["worker"]), duration(number(r["here_ms"])),
               duration(number(r["age_ms"]))});
    }
    const double more = number(now["not_listed"]) + static_cast<double>(running.size() - listed);
    if (more > 0) t.note(fmt::format("and {} more", whole(more)));
    t.write(out, width);
}

}  // namespace

std::string status_text(const json_value& now, const json_value& before, std::size_t width) {
    std::string out;
    write_head(out, now, before, width);
    write_workers(out, now, before, width);
    write_computers(out, now, before, width);
    write_views(out, now, before, width);
    write_resources(out, now, width);
    write_running(out, now, width);
    return out;
}

}  // namespace rondo::admin
