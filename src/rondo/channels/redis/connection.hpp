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
#include <rondo/channels/redis/protocol.hpp>
#include <rondo/channels/reply.hpp>
#include <rondo/channels/url.hpp>
#include <rondo/net/endpoint.hpp>

namespace rondo::channels_detail {

/// A connection to Redis, opened on first use and reopened whenever it breaks, after 50 ms, 100 ms and so on up to 2 s;
/// a connection that lasted longer than 2 s resets the back-off. A server that is silent for `timeout` gets a PING;
/// after another `timeout` without input the connection is closed. A reply that begins with READONLY, LOADING or
/// MASTERDOWN closes it too, so that the next one goes to the current address of the name.
class redis_connection {
public:
    using answer = std::shared_ptr<reply<redis_value>>;
    /// Limits of the commands queued while there is no connection.
    static constexpr std::size_t waiting_commands = 4096;
    static constexpr std::size_t waiting_bytes = 32u << 20;

    struct events {
        std::function<void()> connected;  ///< and authenticated: commands may be sent
        /// Receives values that are not a reply. Without it every value is the reply to the oldest command.
        std::function<void(redis_value)> pushed;
    };
    /// As in net::resolver_options: looks up the addresses of a name.
    using lookup_function = std::vector<net::endpoint> (*)(const std::string& host);
    /// The handlers are called on the I/O thread.
    redis_connection(std::shared_ptr<io_thread> io, channels_url url, clock::duration timeout, events handlers,
                     lookup_function lookup = nullptr);
    /// Pending replies fail with channels_unavailable. Does not wait for a name lookup.
    ~redis_connection();
    redis_connection(const redis_connection&) = delete;
    redis_connection& operator=(const redis_connection&) = delete;

    /// Starts connecting, once. Any thread.
    void start();
    /// Sends a command, in order, or queues it while there is no connection. An error reply fails with
    /// channels_unavailable. Queued commands whose reply was abandoned are not sent. Any thread.
    [[nodiscard]] answer ask(std::string command);
    /// Sends an EVAL command like execute().
    [[nodiscard]] answer ask_script(std::string command);
    /// Sends a command whose reply is not awaited. On the I/O thread, while connected.
    void tell(std::string_view command);

    [[nodiscard]] bool connected() const noexcept { return connected_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t reconnects() const noexcept { return reconnects_.load(std::memory_order_relaxed); }
    /// The message for the current failure.
    [[nodiscard]] std::string trouble() const;
    /// The message for a reply that did not arrive in time.
    [[nodiscard]] std::string late() const;

private:
    struct command {
        std::string bytes;
        answer to{};              ///< null: the reply is discarded
        bool errors_too = false;  ///< an error reply is returned as a value
        bool is_script = false;   ///< EVAL
    };
    struct on_thread;

    [[nodiscard]] answer enqueue(command c);
    task<void> live();
    task<void> one_life();
    task<void> secure();
    task<void> greet();
    task<void> watch();
    task<void> read();
    void take_input(std::string_view bytes);
    void take(redis_value value);
    void submit(command c);
    [[nodiscard]] bool may_wait(const command& c);
    void send_now(command c);
    void send_waiting();
    void broke(const std::string& why);
    void fail(const answer& to, const std::string& why) const;
    void stop(std::promise<void> stopped);
    task<void> finish(std::promise<void> stopped);

    std::shared_ptr<io_thread> io_;
    const channels_url url_;
    const clock::duration patience_;
    events told_;
    std::once_flag started_;
    std::atomic<bool> connected_{false};
    std::atomic<std::uint64_t> reconnects_{0};
    mutable std::mutex mutex_;
    std::string trouble_;
    std::unique_ptr<on_thread> here_;  // used on the I/O thread only
};

}  // namespace rondo::channels_detail
