// SPDX-License-Identifier: Apache-2.0
#include "hooks.hpp"

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include <rondo/web.hpp>

namespace testbed {
namespace {

void log_hook(std::string_view name, std::string_view what = {}) {
    const int file = open(std::getenv("TESTBED_HOOKS"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) throw std::runtime_error("TESTBED_HOOKS cannot be written");
    std::string line = std::string(name) + ' ' + std::to_string(getpid());
    if (!what.empty()) line.append(" ").append(what);
    line += '\n';
    const bool written = write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size());
    close(file);
    if (!written) throw std::runtime_error("TESTBED_HOOKS cannot be written");
}

void before(rondo::request& req) {
    log_hook("before", req.target());
    if (req.field("X-Before") == "throw") throw std::runtime_error("before_request throws on purpose");
}

void after(const rondo::access_entry& entry) {
    log_hook("after", std::string(entry.req->target()) + ' ' + std::to_string(static_cast<int>(entry.code)) +
                          (entry.aborted ? " aborted" : ""));
}

rondo::task<void> stopped() {
    co_await rondo::sleep(std::chrono::milliseconds(1));  // the hook runs on a loop
    log_hook("stop");
}

void reloaded() {
    log_hook("reload");
    if (std::getenv("TESTBED_RELOAD_FAILS") != nullptr) throw std::runtime_error("on_reload fails on purpose");
}

}  // namespace

void add_hooks(rondo::app& app) {
    if (std::getenv("TESTBED_HOOKS") == nullptr) return;
    app.on_arbiter_start([] { log_hook("arbiter"); });
    app.on_reload(reloaded);
    app.on_start([] { log_hook("start"); });
    app.on_stop(stopped);
    app.before_request(before);
    app.after_request(after);
}

}  // namespace testbed
