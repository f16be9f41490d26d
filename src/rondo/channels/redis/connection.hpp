// SPDX-License-Identifier: Apache-2.0
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

/// A connection to Redis that is made when first needed and made anew whenever it breaks, after 50 ms, 100 ms and so on
/// up to 2 s; only one that held for longer than that begins at 50 ms again. A server that says nothing for as long as
/// `patience` is asked (PING), and left when it does not answer for as long again. An answer that begins with READONLY,
/// LOADING or MASTERDOWN ends the connection, so that the next one leads to where the name points now.
class redis_connection {
public:
    using answer = std::shared_ptr<reply<redis_value>>;
    /// Commands that may wait while there is no connection.
    static constexpr std::size_t waiting_commands = 4096;
    static constexpr std::size_t waiting_bytes = 32u << 20;

    struct events {
        std::function<void()> connected;  ///< and logged in: commands may be sent
        /// What was not asked for. Without it every value is the answer to the oldest command.
        std::function<void(redis_value)> pushed;
    };
    /// That of net::resolver_options: asks for the addresses of a name.
    using lookup_function = std::vector<net::endpoint> (*)(const std::string& host);
    /// `events` are called on the I/O thread.
    redis_connection(std::shared_ptr<io_thread> io, channels_url url, clock::duration patience, events told,
                     lookup_function lookup = nullptr);
    /// Who waits for an answer gets channels_unavailable. A name that is being looked up is not waited for.
    ~redis_connection();
    redis_connection(const redis_connection&) = delete;
    redis_connection& operator=(const redis_connection&) = delete;

    /// Any thread: begins to connect unless that was done.
    void start();
    /// Any thread: sends a command, in order; waits for a connection when there is none. An error that the server
    /// answers is given as channels_unavailable. Commands whose answer nobody waits for any more are not sent.
    [[nodiscard]] answer ask(std::string command);
    /// The same for EVAL.
    [[nodiscard]] answer ask_script(std::string command);
    /// On the I/O thread, while connected: a command whose answer is pushed.
    void tell(std::string_view command);

    [[nodiscard]] bool connected() const noexcept { return connected_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t reconnects() const noexcept { return reconnects_.load(std::memory_order_relaxed); }
    /// What is wrong just now, as a sentence.
    [[nodiscard]] std::string trouble() const;
    /// The sentence for an answer that does not come.
    [[nodiscard]] std::string late() const;

private:
    struct command {
        std::string bytes;
        answer to{};              ///< null when nobody wants it
        bool errors_too = false;  ///< an error is given as any other value
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
    std::unique_ptr<on_thread> here_;  // the I/O thread's
};

}  // namespace rondo::channels_detail
