// SPDX-License-Identifier: Apache-2.0
// Body and responder of a request that is served on a view thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <rondo/coro/task_context.hpp>
#include <rondo/handler/request.hpp>
#include <rondo/handler/responder.hpp>
#include <rondo/server/thread_request.hpp>

namespace rondo::server {

/// The body of a thread_request, read on the thread: first the part received in advance, then the rest through the
/// loop.
class thread_body final : public handler::body {
public:
    explicit thread_body(thread_request& of) noexcept : thread_request_(of), limit_(of.limit_) {}

    [[nodiscard]] task<std::string_view> read() override;
    [[nodiscard]] std::optional<std::string_view> try_read() override;
    [[nodiscard]] std::optional<std::uint64_t> length() const noexcept override;
    [[nodiscard]] bool is_at_end() const noexcept override { return ended_; }
    void limit(std::uint64_t bytes) noexcept override { limit_ = bytes; }
    [[nodiscard]] std::uint64_t limit() const noexcept override { return limit_; }
    [[nodiscard]] const http::fields* trailers() const noexcept override;

private:
    void check_limit() const;
    [[nodiscard]] task<void> read_through_loop();

    thread_request& thread_request_;
    std::uint64_t limit_;
    std::string piece_;
    bool received_part_read_ = false;
    bool ended_ = thread_request_.body_complete_ && thread_request_.received_ == 0;
};

/// The responder of a thread_request, used on the thread. The loop sends the response.
class thread_responder final : public handler::responder {
public:
    thread_responder(thread_request& of, const handler::request& request) noexcept
        : thread_request_(of), request_(request) {}

    void respond(const handler::response_head& head, std::string_view body) override;
    void inform(http::status code, const http::fields& fields) override;
    void start(const handler::response_head& head, std::optional<std::uint64_t> length) override;
    [[nodiscard]] task<void> write(std::string_view bytes) override;
    [[nodiscard]] bool try_write(std::string_view bytes) override;
    [[nodiscard]] task<void> wait_for_room() override;
    [[nodiscard]] task<void> write_file(int fd, std::uint64_t offset, std::uint64_t length) override;
    void finish() override { finish_with({}); }
    void finish_with(const http::fields& trailers) override;
    void abort() noexcept override { abort_with(http::status::internal_server_error); }
    void abort_with(http::status instead) noexcept override;

    [[nodiscard]] bool has_started() const noexcept override { return state_ != state::waiting; }
    [[nodiscard]] bool needs_body() const noexcept override {
        return thread_request_.request_.method != http::method::head;
    }
    [[nodiscard]] http::status code() const noexcept override { return code_; }
    [[nodiscard]] std::uint64_t body_bytes() const noexcept override { return written_; }

private:
    enum class state : std::uint8_t { waiting, started, finished, aborted };

    void set_head(const handler::response_head& head);
    void check_connected() const;
    /// Throws when the body must not have `size` more bytes.
    void check_written(std::uint64_t size) const;
    void add_written(std::uint64_t size);
    [[nodiscard]] bool is_complete() const noexcept { return length_ && written_ == *length_; }
    void send_piece(response_update::piece p);
    [[nodiscard]] bool has_room() const;

    thread_request& thread_request_;
    const handler::request& request_;
    std::optional<std::uint64_t> length_;
    std::uint64_t written_ = 0;
    http::status code_{};
    state state_ = state::waiting;
    bool omit_body_ = false;
};

}  // namespace rondo::server
