// SPDX-License-Identifier: Apache-2.0
// A test application whose views are functions registered by path.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <rondo/handler/application.hpp>
#include <rondo/handler/error.hpp>

namespace rondo::server::testing {

/// Dispatches by path to registered functions; other paths get a 404.
class scripted_application final : public handler::application {
public:
    using view = std::function<task<void>(handler::request&, handler::responder&)>;

    scripted_application() {
        on("/", [](handler::request&, handler::responder& to) -> task<void> {
            to.respond({.content_type = "text/plain"}, "ok\n");
            co_return;
        });
        on("/echo", echo);
    }

    void on(std::string path, view v) { views_[std::move(path)] = std::move(v); }
    /// For a view that shares state with its test: a coroutine lambda must not capture.
    template <class T>
    void on(std::string path, T& shared,
            std::type_identity_t<task<void> (*)(T&, handler::request&, handler::responder&)> v) {
        on(std::move(path),
           [&shared, v](handler::request& from, handler::responder& to) { return v(shared, from, to); });
    }

    [[nodiscard]] task<void> startup() override { co_return; }
    [[nodiscard]] task<void> shutdown() override { co_return; }
    [[nodiscard]] task<void> serve(handler::request& from, handler::responder& to) override {
        auto found = views_.find(std::string(from.path));
        if (found != views_.end()) {
            from.view_row = rows_.at(found->first);
            co_return co_await found->second(from, to);
        }
        to.respond({.code = http::status::not_found, .content_type = "text/plain"}, "not found\n");
    }

    void register_views(stats::worker_stats& stats) override {
        for (const auto& [path, v] : views_)
            rows_[path] = stats.view_row({.pattern = path, .methods = "any", .kind = "async"});
    }
    /// The statistics row of a path's view, after a server was created.
    [[nodiscard]] std::uint16_t stats_row(const std::string& path) const { return rows_.at(path); }

private:
    static task<void> echo(handler::request& from, handler::responder& to) {
        std::string body;
        http::status failed{};
        try {
            for (std::string_view part = co_await from.body->read(); !part.empty(); part = co_await from.body->read())
                body += part;
        } catch (const http_error& e) {
            failed = e.code();
        }
        if (failed != http::status{}) body.clear();
        to.respond({.code = failed != http::status{} ? failed : http::status::ok, .content_type = "text/plain"}, body);
    }

    std::map<std::string, view> views_;
    std::map<std::string, std::uint16_t> rows_;
};

}  // namespace rondo::server::testing
