// SPDX-License-Identifier: Apache-2.0
// A connection to Redis that reconnects by itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/channels/error.hpp>
#include <rondo/channels/io_thread.hpp>
#include <rondo/channels/pending_result.hpp>
#include <rondo/channels/redis/protocol.hpp>
#include <rondo/channels/url.hpp>
#include <rondo/net/endpoint.hpp>

namespace rondo::channels_detail {

/// A connection to Redis, opened on first use and reopened whenever it breaks, after 50 ms, 100 ms and so on up to 2 s;
/// a connection that lasted longer than 2 s resets the back-off. A server that is silent for `timeout` gets a PING;
/// after another `timeout` without input the connection is closed. A reply that begins with READONLY, LOADING or
/// MASTERDOWN closes it too, so that the next one goes to the current address of the name.
class redis_connection {
public:
    using reply_ptr = std::shared_ptr<reply<redis_value>>;
    /// Limits of the commands queued while there is no connection.
    static constexpr std::size_t max_queued_commands = 4096;
    static constexpr std::size_t max_queued_bytes = 32u << 20;

    struct event_handlers {
        std::function<void()> on_connected;  ///< and authenticated: commands may be sent
        /// Receives values that are not a reply. Without it every value is the reply to the oldest command.
        std::function<void(redis_value)> on_push;
    };
    /// As in net::resolver_options: looks up the addresses of a name.
    using lookup_function = std::vector<net::endpoint> (*)(const std::string& host);
    /// The handlers are called on the I/O thread.
    redis_connection(std::shared_ptr<io_thread> io, channels_url url, clock::duration timeout, event_handlers handlers,
                     lookup_function lookup = nullptr);
    /// Pending replies fail with channels_unavailable. Does not wait for a name lookup.
    ~redis_connection();
    redis_connection(const redis_connection&) = delete;
    redis_connection& operator=(const redis_connection&) = delete;

    /// Starts connecting, once. Any thread.
    void start();
    /// Sends a command, in order, or queues it while there is no connection. An error reply fails with
    /// channels_unavailable. Queued commands whose reply was abandoned are not sent. Any thread.
    [[nodiscard]] reply_ptr execute(std::string command);
    /// Sends an EVAL command like execute().
    [[nodiscard]] reply_ptr execute_script(std::string command);
    /// Sends a command whose reply is not awaited. On the I/O thread, while connected.
    void send_without_reply(std::string_view command);

    [[nodiscard]] bool is_connected() const noexcept { return connected_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t reconnects() const noexcept { return reconnects_.load(std::memory_order_relaxed); }
    /// The message for the current failure.
    [[nodiscard]] std::string last_error() const;
    /// The message for a reply that did not arrive in time.
    [[nodiscard]] std::string timeout_message() const;

private:
    struct command {
        std::string bytes;
        reply_ptr result{};             ///< null: the reply is discarded
        bool errors_as_values = false;  ///< an error reply is returned as a value
        bool is_script = false;         ///< EVAL
    };
    struct io_state;

    [[nodiscard]] reply_ptr enqueue(command c);
    task<void> run();
    task<void> run_once();
    task<void> start_tls();
    task<void> handshake();
    task<void> monitor();
    task<void> read_loop();
    void on_input(std::string_view bytes);
    void on_reply(redis_value value);
    void submit(command c);
    [[nodiscard]] bool has_queue_space(const command& c);
    void send_now(command c);
    void send_queued();
    void on_disconnected(const std::string& why);
    void fail(const reply_ptr& to, const std::string& why) const;
    void stop(std::promise<void> stopped);
    task<void> finish(std::promise<void> stopped);

    std::shared_ptr<io_thread> io_;
    const channels_url url_;
    const clock::duration timeout_;
    event_handlers handlers_;
    std::once_flag started_;
    std::atomic<bool> connected_{false};
    std::atomic<std::uint64_t> reconnects_{0};
    mutable std::mutex mutex_;
    std::string last_error_;
    std::unique_ptr<io_state> state_;  // used on the I/O thread only
};

}  // namespace rondo::channels_detail
