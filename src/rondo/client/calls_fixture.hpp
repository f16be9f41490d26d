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
#include <rondo/loop/pool.hpp>

namespace rondo::testing {

/// A client on a loop of each backend.
class calls : public ::testing::TestWithParam<backend_kind> {
public:
    calls() : loop_(loop_options{GetParam()}), pool_({.name = "blocking", .threads = 2}) {
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
            said_ = e.what();
            return e.kind();
        }
        return std::nullopt;
    }
    std::optional<client_failure> failure_of(client_request request) { return failure_of(http_, std::move(request)); }
    std::optional<client_failure> failure_of(const std::string& url) { return failure_of(client_request("GET", url)); }

    /// Responds to every request with what `respond` makes from its head.
    static upstream::script answering(std::string (*respond)(const std::string& head)) {
        return upstream::with(respond,
                              [](std::string (*const& make)(const std::string&), upstream::peer& p) -> task<void> {
                                  for (;;) {
                                      const std::string head = co_await p.head();
                                      if (!head.ends_with("\r\n\r\n")) co_return;
                                      p.say(make(head));
                                  }
                              });
    }
    /// Sends the same response to every request.
    static upstream::script always(std::string response) {
        return upstream::with(std::move(response), [](const std::string& text, upstream::peer& p) -> task<void> {
            for (;;) {
                const std::string head = co_await p.head();
                if (!head.ends_with("\r\n\r\n")) co_return;
                p.say(text);
            }
        });
    }

    event_loop loop_;
    thread_pool pool_;
    client http_;
    std::string said_;
};

/// The value of a field in a head; empty when the field is missing.
inline std::string line_of(const std::string& head, const std::string& name) {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find('\r', begin) - begin);
}

}  // namespace rondo::testing
