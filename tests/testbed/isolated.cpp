// SPDX-License-Identifier: Apache-2.0
#include "isolated.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <unistd.h>

#include <rondo/web.hpp>

namespace testbed {
namespace {

using namespace std::chrono_literals;
using rondo::request;
using rondo::response;

/// Loaded once per process.
struct model {
    std::string loaded_by = std::to_string(getpid());
};

auto load_model() {
    if (const char* const file = std::getenv("TESTBED_LOADS_WHILE"))
        while (std::filesystem::exists(file)) std::this_thread::sleep_for(5ms);
    return [m = std::make_shared<model>()](request& req) {
        rondo::response r = rondo::text(std::string(req.query("text").value_or("-")));
        r.field("X-Process", std::to_string(getpid())).field("X-Loaded-By", m->loaded_by);
        return r;
    };
}

// Notes its progress in a file, and waits until it is cancelled or `ms` have passed.
response isolated_wait(request& req) {
    const std::string notes(req.query("notes").value_or(""));
    const auto note = [&notes](std::string_view what) {
        if (!notes.empty()) std::ofstream(notes, std::ios::app) << what << ' ' << getpid() << '\n';
    };
    const bool stubborn = req.query("stubborn").has_value();
    note("started");
    const auto end = rondo::clock::now() + std::chrono::milliseconds(req.query_as<unsigned>("ms", 100));
    while (rondo::clock::now() < end) {
        if (!stubborn && req.is_cancelled()) {
            note("cancelled");
            return rondo::text("cancelled");
        }
        std::this_thread::sleep_for(2ms);
    }
    note("finished");
    return rondo::text(std::string(req.query("text").value_or("-")));
}

response crash(request&) {
    std::raise(SIGKILL);
    return rondo::text("alive");
}

response grow(request& req) {
    const std::vector<char> much(req.query_as<std::size_t>("bytes", 1 << 20), 'x');
    return rondo::text(std::to_string(std::ranges::count(much, 'x')));
}

struct no_memory_on_the_card : std::runtime_error, rondo::unavailable_error {
    explicit no_memory_on_the_card(std::chrono::seconds after)
        : std::runtime_error("the card is full"), rondo::unavailable_error(after) {}
};

response fail(request& req) {
    if (const auto after = req.query_as<unsigned>("busy", 0)) throw no_memory_on_the_card(std::chrono::seconds(after));
    const int code = req.query_as<int>("code", 0);
    if (code != 0) throw rondo::http_error(code, "as requested");
    throw std::runtime_error("secret");
}

response isolated_echo(request& req) {
    return rondo::bytes(std::string(req.read_all_sync()), req.field("Content-Type").value_or("a/b"));
}

response isolated_reflect(request& req, std::string_view word, int number) {
    std::string text(req.method_text());
    text.append(" ").append(req.target()).append(" ").append(word).append(" ").append(std::to_string(number));
    text.append(" ").append(req.host()).append(" ").append(req.peer_address()).append(" ").append(req.id());
    text.append(" ").append(req.field("X-Note").value_or("none"));
    return rondo::text(text).status(202).cookie("a", "b").add_field("X-Two", "1").add_field("X-Two", "2");
}

response isolated_large(request& req) {
    return rondo::bytes(std::string(req.query_as<std::size_t>("bytes", 1), 'y'), "a/b");
}

rondo::generator<std::string> some_pieces(std::size_t count, std::chrono::milliseconds pause, std::size_t crash_at) {
    for (std::size_t i = 0; i < count; ++i) {
        if (i == crash_at) std::raise(SIGKILL);
        if (pause > 0ms) std::this_thread::sleep_for(pause);
        co_yield std::to_string(i) + "\n";
    }
}

response isolated_pieces(request& req) {
    return rondo::stream(
        some_pieces(req.query_as<std::size_t>("count", 3), std::chrono::milliseconds(req.query_as<unsigned>("ms", 0)),
                    req.query_as<std::size_t>("crash-at", SIZE_MAX)),
        "text/plain");
}

// Truncates all shared memory of the server that has a descriptor in this process, overwrites all that is mapped for
// writing, and reports how much that was.
response overwrite_shared_memory(request&) {
    std::size_t descriptors = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code ignored;
        const std::string file = std::filesystem::read_symlink(entry, ignored).string();
        if (!file.starts_with("/memfd:rondo:")) continue;
        ++descriptors;
        [[maybe_unused]] const int failed = ftruncate(std::stoi(entry.path().filename().string()), 0);
    }
    std::size_t bytes = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find("/memfd:rondo:") == std::string::npos || line.find(" rw-s ") == std::string::npos) continue;
        const std::size_t middle = line.find('-');
        const auto from = std::stoull(line, nullptr, 16);
        const auto to = std::stoull(line.substr(middle + 1), nullptr, 16);
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the file contains numbers
        std::memset(reinterpret_cast<void*>(from), 0xff, to - from);
        bytes += to - from;
    }
    return rondo::text(std::to_string(descriptors) + " descriptors, " + std::to_string(bytes) + " bytes");
}

response this_program(request&) { return rondo::file_sync("/proc/self/exe"); }

template <class View>
auto always(View view) {
    return [view] { return view; };
}

auto load_nothing() {
    throw std::runtime_error("the weights are not there");
    return &isolated_large;
}

// The value of the variable, or the first line of the file that it names, which a test can change before a reload.
std::string selected_views() {
    const char* const value = std::getenv("TESTBED_ISOLATED");
    std::string selected = value == nullptr ? "" : value;
    if (selected.starts_with('/')) std::getline(std::ifstream(selected), selected);
    return selected;
}

}  // namespace

void add_isolated(rondo::app& to) {
    const std::string selected = selected_views();
    if (selected.empty()) return;
    const std::string name = selected == "renamed" ? "other" : "model";
    to.get("/isolated/text", rondo::isolated(name, load_model));
    if (selected == "more") to.get("/isolated/more", rondo::isolated(name, load_model));
    to.get("/isolated/wait", rondo::isolated(name, always(isolated_wait)));
    to.get("/isolated/crash", rondo::isolated(name, always(crash)));
    to.get("/isolated/grow", rondo::isolated(name, always(grow)));
    to.get("/isolated/fail", rondo::isolated(name, always(fail)));
    to.post("/isolated/echo", rondo::isolated(name, always(isolated_echo))).body_limit(64 << 20);
    to.get("/isolated/reflect/<word>/<int:number>", rondo::isolated(name, always(isolated_reflect)));
    to.get("/isolated/large", rondo::isolated(name, always(isolated_large)));
    to.get("/isolated/pieces", rondo::isolated(name, always(isolated_pieces)));
    to.get("/isolated/file", rondo::isolated(name, always(this_program)));
    if (selected == "overwrite") to.get("/isolated/overwrite", rondo::isolated(name, always(overwrite_shared_memory)));
    if (selected == "broken") to.get("/isolated/broken", rondo::isolated("broken", load_nothing));
}

}  // namespace testbed
