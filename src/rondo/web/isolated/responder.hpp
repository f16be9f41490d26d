// SPDX-License-Identifier: Apache-2.0
// The responder of a compute process, which sends the response to the worker process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/coro/cancel.hpp>
#include <rondo/handler/responder.hpp>
#include <rondo/web/isolated/protocol.hpp>

namespace rondo::detail {

/// Sends a response as frames over the connection of a job; blocks while the peer is slow. Throws `cancelled` when the
/// peer has closed the connection or the job was cancelled.
class compute_responder final : public handler::responder {
public:
    compute_responder(int connection, cancel_token token, bool head_only) noexcept
        : connection_(connection), token_(token), head_only_(head_only) {}

    void view_started();
    void unknown_view();
    void fail(const reply_failure& failure);

    void respond(const handler::response_head& head, std::string_view body) override;
    /// Does nothing: the protocol has no interim responses.
    void inform(http::status code, const http::fields& fields) override;
    void start(const handler::response_head& head, std::optional<std::uint64_t> length) override;
    [[nodiscard]] task<void> write(std::string_view bytes) override;
    [[nodiscard]] bool try_write(std::string_view bytes) override;
    [[nodiscard]] task<void> wait_for_room() override;
    [[nodiscard]] task<void> write_file(int fd, std::uint64_t offset, std::uint64_t length) override;
    void finish() override;
    /// Drops the trailers: the protocol has none.
    void finish_with(const http::fields& trailers) override;
    void abort() noexcept override;

    [[nodiscard]] bool has_started() const noexcept override { return code_ != http::status{}; }
    [[nodiscard]] bool needs_body() const noexcept override { return !head_only_; }
    [[nodiscard]] http::status code() const noexcept override { return code_; }
    [[nodiscard]] std::uint64_t body_bytes() const noexcept override { return body_bytes_; }

private:
    void send(std::string_view bytes, int file = -1);
    void send_body(std::string_view bytes);

    int connection_;
    cancel_token token_;
    bool head_only_;
    http::status code_{};
    std::uint64_t body_bytes_ = 0;
    std::optional<std::uint64_t> length_;
};

}  // namespace rondo::detail
