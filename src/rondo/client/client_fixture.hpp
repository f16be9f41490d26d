// SPDX-License-Identifier: Apache-2.0
// Test fixture: a client on a loop of each backend.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include <rondo/client/client.hpp>
#include <rondo/client/upstream_fixture.hpp>
#include <rondo/loop/backends_fixture.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo::testing {

/// A client on a loop of each backend.
class client_fixture : public ::testing::TestWithParam<backend_kind> {
public:
    client_fixture() : loop_(loop_options{GetParam()}), pool_({.name = "blocking", .threads = 2}) {
        loop_.use_pools(&pool_, nullptr);
    }

protected:
    event_loop& loop() { return loop_; }
    template <class T>
    T run(task<T> t) {
        return loop_.run_until(std::move(t));
    }
    client_response get(const std::string& url) { return run(http_.get(url)); }
    /// Why a call failed; nothing when it succeeded.
    std::optional<client_failure> failure_of(client& http, client_request request) {
        try {
            (void)run(http.send(std::move(request)));
        } catch (const client_error& e) {
            error_message_ = e.what();
            return e.kind();
        }
        return std::nullopt;
    }
    std::optional<client_failure> failure_of(client_request request) { return failure_of(http_, std::move(request)); }
    std::optional<client_failure> failure_of(const std::string& url) { return failure_of(client_request("GET", url)); }

    /// Responds to every request with what `respond` makes from its head.
    static upstream::script respond_by(std::string (*respond)(const std::string& head)) {
        return upstream::script_with(
            respond, [](std::string (*const& make)(const std::string&), upstream::peer& p) -> task<void> {
                for (;;) {
                    const std::string head = co_await p.read_head();
                    if (!head.ends_with("\r\n\r\n")) co_return;
                    p.send(make(head));
                }
            });
    }
    /// Sends the same response to every request.
    static upstream::script respond_with(std::string response) {
        return upstream::script_with(std::move(response), [](const std::string& text, upstream::peer& p) -> task<void> {
            for (;;) {
                const std::string head = co_await p.read_head();
                if (!head.ends_with("\r\n\r\n")) co_return;
                p.send(text);
            }
        });
    }

    event_loop loop_;
    thread_pool pool_;
    client http_;
    std::string error_message_;
};

/// The value of a field in a head; empty when the field is missing.
inline std::string field_of(const std::string& head, const std::string& name) {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find('\r', begin) - begin);
}

}  // namespace rondo::testing
