// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/redis/connection.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <rondo/base/backoff.hpp>
#include <rondo/base/log.hpp>
#include <rondo/channels/redis/connect.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/coro/when_any.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/output_buffer.hpp>
#include <rondo/net/resolver.hpp>
#include <rondo/net/stream.hpp>
#include <rondo/net/tls.hpp>

namespace rondo::channels_detail {

namespace {

using namespace std::chrono_literals;

constexpr backoff reconnect{50ms, 2s};
constexpr std::size_t unsent_limit = 64u << 20;

// Error codes of a server that may have been replaced, as after a failover: it is a replica, still loads its data, or
// has lost its master. Errors of a whole cluster (CLUSTERDOWN, TRYAGAIN) are not included: a new connection would get
// the same reply.
constexpr std::array<std::string_view, 3> failover_codes{"READONLY", "LOADING", "MASTERDOWN"};

// Up to Redis 6, the error of a command in a script follows its position in the script, after another code:
// "ERR Error running script (call to f_...): @user_script:1: @user_script: 1: -READONLY You can't write ...".
std::string_view error_code(std::string_view text, bool from_script) {
    constexpr std::string_view script_failed = "ERR Error running script ", before_code = ": -";
    if (from_script && text.starts_with(script_failed)) {
        const std::size_t at = text.find(before_code);
        if (at != std::string_view::npos) text.remove_prefix(at + before_code.size());
    }
    return text.substr(0, text.find(' '));
}

bool is_failover_error(const redis_value& value, bool from_script) {
    if (value.type != redis_value::kind::error) return false;
    const std::string_view code = error_code(value.text, from_script);
    return std::ranges::find(failover_codes, code) != failover_codes.end();
}

std::string make_command(std::initializer_list<std::string_view> words) {
    std::string bytes;
    append_command(bytes, std::span(words.begin(), words.size()));
    return bytes;
}

// Interrupts the wait for input when the context is cancelled.
struct interrupt_on_cancel : cancel_callback {
    explicit interrupt_on_cancel(net::stream& s) noexcept
        : cancel_callback([](cancel_callback& self, cancel_reason) noexcept {
              static_cast<interrupt_on_cancel&>(self).stream.interrupt();
          }),
          stream(s) {}
    net::stream& stream;
};

// A server without AUTH quotes the beginning of its arguments.
std::string redact_password(std::string text, std::string_view password) {
    const std::size_t at = password.empty() ? text.npos : text.find(password.substr(0, 16));
    if (at != text.npos) text.replace(at, text.npos, "***");
    return text;
}

}  // namespace

struct redis_connection::io_state {
    // Each connection resolves the name again: results are not cached.
    io_state(event_loop& loop, lookup_function lookup)
        : output(loop), resolver(loop, {.ttl = 0ms, .failure_ttl = 0ms, .lookup = lookup}) {}

    net::output_buffer output;
    net::resolver resolver;
    std::unique_ptr<net::stream> stream;  // must not be destroyed within its own callback
    std::optional<net::tls_context> tls;  // created on first use
    std::optional<redis_reader> reader;
    std::deque<command> in_flight;  // awaiting their replies, in order
    std::deque<command> queued;     // queued until connected
    std::size_t queued_bytes = 0;
    instant last_received;
    instant connected_since;
    std::optional<instant> disconnected_since;
    std::string close_reason;  // why this connection is to be closed
    bool ping_sent = false;
    bool ever_connected = false;
    bool closing = false;
    task_group tasks{&task_group::ignore_failure, nullptr};           // run(), which catches all exceptions
    task_group shutdown_tasks{&task_group::ignore_failure, nullptr};  // finish()
};

redis_connection::redis_connection(std::shared_ptr<io_thread> io, channels_url url, clock::duration timeout,
                                   event_handlers handlers, lookup_function lookup)
    : io_(std::move(io)),
      url_(std::move(url)),
      timeout_(timeout),
      handlers_(std::move(handlers)),
      last_error_("not connected yet") {
    io_->run([this, lookup] { state_ = std::make_unique<io_state>(io_->loop(), lookup); });
}

redis_connection::~redis_connection() {
    std::promise<void> stopped;
    const std::future<void> end = stopped.get_future();
    io_->post([this, stopped = std::move(stopped)]() mutable { stop(std::move(stopped)); });
    end.wait();
}

void redis_connection::stop(std::promise<void> stopped) {
    state_->closing = true;
    state_->tasks.cancel();
    state_->shutdown_tasks.spawn(finish(std::move(stopped)));
}

// A task that waits for a pool thread ends when that has finished, not when it is cancelled.
task<void> redis_connection::finish(std::promise<void> stopped) {
    co_await state_->tasks.join();
    // On an empty stack, after this task has ended.
    io_->post([this, stopped = std::move(stopped)]() mutable {
        on_disconnected("the connection was shut down");
        for (const command& c : state_->queued) fail(c.result, "the connection was shut down");
        state_.reset();
        stopped.set_value();
    });
}

void redis_connection::start() {
    std::call_once(started_, [this] {
        io_->post([this] {
            if (!state_->closing) state_->tasks.spawn(run());
        });
    });
}

redis_connection::reply_ptr redis_connection::execute(std::string bytes) {
    return enqueue({.bytes = std::move(bytes), .result = std::make_shared<reply<redis_value>>()});
}

redis_connection::reply_ptr redis_connection::execute_script(std::string bytes) {
    return enqueue({.bytes = std::move(bytes), .result = std::make_shared<reply<redis_value>>(), .is_script = true});
}

redis_connection::reply_ptr redis_connection::enqueue(command c) {
    start();
    reply_ptr to = c.result;
    io_->post([this, c = std::move(c)]() mutable { submit(std::move(c)); });
    return to;
}

std::string redis_connection::last_error() const {
    const std::scoped_lock lock(mutex_);
    return fmt::format("Redis at {} cannot be used: {}", url_.text(), last_error_);
}

std::string redis_connection::timeout_message() const {
    return fmt::format("Redis at {} did not reply in time; the command may have been executed", url_.text());
}

void redis_connection::fail(const reply_ptr& to, const std::string& why) const {
    if (!to) return;
    std::exception_ptr failure =
        std::make_exception_ptr(channels_unavailable(fmt::format("Redis at {} cannot be used: {}", url_.text(), why)));
    to->settle(std::move(failure));
}

// ---- on the I/O thread ----

task<void> redis_connection::run() {
    int failures = 0;
    while (true) {
        std::string why;
        try {
            co_await run_once();
        } catch (const cancelled&) {
            co_return;
        } catch (const timed_out&) {
            why = "it does not respond";
        } catch (const std::exception& e) {
            why = e.what();
        }
        // A server that fails soon after each connection does not reset the back-off.
        if (is_connected() && clock::now() - state_->connected_since > reconnect.longest) failures = 0;
        on_disconnected(why);
        co_await sleep(reconnect.after(++failures));
        state_->stream.reset();
    }
}

task<void> redis_connection::run_once() {
    unique_fd socket = co_await connect_to(url_, state_->resolver, from_now(timeout_));
    state_->stream = std::make_unique<net::stream>(state_->output, std::move(socket));
    state_->reader.emplace();
    state_->last_received = clock::now();
    state_->ping_sent = false;
    state_->close_reason.clear();
    if (url_.secure) co_await with_timeout(timeout_, start_tls());
    co_await when_any(read_loop(), monitor());
}

task<void> redis_connection::start_tls() {
    if (!state_->tls) {
        const net::tls_client_options options{.ca_file = url_.ca_file, .protocols = {}};
        auto make = [&options] { return net::tls_context::client(options); };
        state_->tls = co_await run_blocking(make);
    }
    net::stream& stream = *state_->stream;
    task_context& context = *co_await this_context();
    interrupt_on_cancel on_cancel(stream);
    context.token().check();
    context.cancel.add(on_cancel);
    try {
        stream.set_filter(state_->tls->connect(url_.host, fmt::format("{}:{}", url_.host, url_.port)));
    } catch (const net::unread_input_error& e) {
        throw std::runtime_error(fmt::format("TLS handshake failed: {}", e.what()));
    }
    net::input_event event = net::input_event::data;
    while (stream.filter()->current_state() == net::stream_filter::state::handshaking &&
           event == net::input_event::data)
        event = co_await stream.receive();
    if (event == net::input_event::interrupted) throw cancelled();
    if (stream.filter()->current_state() == net::stream_filter::state::open) co_return;
    const std::string& why = stream.filter()->error_message();
    throw std::runtime_error(
        fmt::format("TLS handshake failed: {}", why.empty() ? "it closed the connection" : std::string_view(why)));
}

// PING makes sure that the server processes commands (not loading or paused) before the connection counts as open.
task<void> redis_connection::handshake() {
    std::vector<reply_ptr> replies;
    const auto send = [&](std::initializer_list<std::string_view> words) {
        send_now({make_command(words), replies.emplace_back(std::make_shared<reply<redis_value>>()), true});
    };
    const std::string database = std::to_string(url_.database);
    if (!url_.user.empty()) send({"AUTH", url_.user, url_.password});
    else if (!url_.password.empty()) send({"AUTH", url_.password});
    if (url_.database != 0) send({"SELECT", database});
    send({"PING"});
    const instant deadline = from_now(timeout_);
    for (const reply_ptr& r : replies) {
        const bool in_time = co_await r->wait(deadline);
        if (!in_time) throw timed_out();
        if (r->value().type == redis_value::kind::error)
            throw std::runtime_error(fmt::format("it replied '{}'", redact_password(r->value().text, url_.password)));
    }
}

task<void> redis_connection::monitor() {
    co_await handshake();
    connected_.store(true, std::memory_order_relaxed);
    state_->connected_since = clock::now();
    state_->disconnected_since.reset();
    if (std::exchange(state_->ever_connected, true)) {
        reconnects_.fetch_add(1, std::memory_order_relaxed);
        log::info(fmt::format("reconnected to Redis at {}", url_.text()));
    }
    if (handlers_.on_connected) handlers_.on_connected();
    send_queued();
    while (true) {
        co_await sleep(timeout_ / 5);
        const auto silence = clock::now() - state_->last_received;
        if (silence > 2 * timeout_) throw timed_out();
        if (silence > timeout_ && !std::exchange(state_->ping_sent, true)) send_without_reply(make_command({"PING"}));
    }
}

task<void> redis_connection::read_loop() {
    net::stream& stream = *state_->stream;
    task_context& context = *co_await this_context();
    interrupt_on_cancel on_cancel(stream);
    context.token().check();
    context.cancel.add(on_cancel);
    while (true) {
        const net::input_event event = co_await stream.receive();
        if (event == net::input_event::interrupted) throw cancelled();
        if (event != net::input_event::data) throw std::runtime_error("it closed the connection");
        const std::string_view bytes = stream.input();
        on_input(bytes);
        stream.consume(bytes.size());
    }
}

void redis_connection::on_input(std::string_view bytes) {
    state_->last_received = clock::now();
    state_->ping_sent = false;
    state_->reader->feed(bytes);
    while (auto value = state_->reader->next()) on_reply(*std::move(value));
    if (!state_->close_reason.empty()) throw std::runtime_error(state_->close_reason);
}

void redis_connection::on_reply(redis_value value) {
    const bool from_script = !state_->in_flight.empty() && state_->in_flight.front().is_script;
    if (is_failover_error(value, from_script)) state_->close_reason = fmt::format("it replied '{}'", value.text);
    if (handlers_.on_push && state_->in_flight.empty()) return handlers_.on_push(std::move(value));
    if (state_->in_flight.empty()) throw std::runtime_error("it sent an unexpected reply");
    const command oldest = std::move(state_->in_flight.front());
    state_->in_flight.pop_front();
    if (!oldest.result) return;
    if (value.type == redis_value::kind::error && !oldest.errors_as_values)
        fail(oldest.result, fmt::format("it replied '{}'", value.text));
    else oldest.result->set_value(std::move(value));
}

void redis_connection::send_now(command c) {
    state_->stream->write(c.bytes);
    c.bytes.clear();
    state_->in_flight.push_back(std::move(c));
}

void redis_connection::send_without_reply(std::string_view bytes) {
    state_->stream->write(bytes);
    if (!handlers_.on_push) state_->in_flight.push_back({});
}

void redis_connection::submit(command c) {
    const bool usable = is_connected() && state_->close_reason.empty();
    if (usable && state_->stream->unsent_bytes() < unsent_limit) return send_now(std::move(c));
    if (usable) return fail(c.result, "it does not read its input");
    if (!has_queue_space(c)) return fail(c.result, "it is disconnected, and the command queue is full");
    if (state_->disconnected_since && clock::now() - *state_->disconnected_since > timeout_) {
        const std::scoped_lock lock(mutex_);
        return fail(c.result, last_error_);
    }
    state_->queued_bytes += c.bytes.size();
    state_->queued.push_back(std::move(c));
}

bool redis_connection::has_queue_space(const command& c) {
    const auto full = [&] {
        return state_->queued.size() >= max_queued_commands || state_->queued_bytes + c.bytes.size() > max_queued_bytes;
    };
    if (!full()) return true;
    std::erase_if(state_->queued, [this](const command& old) {
        if (!old.result->is_abandoned()) return false;
        state_->queued_bytes -= old.bytes.size();
        return true;
    });
    return !full();
}

void redis_connection::send_queued() {
    state_->queued_bytes = 0;
    for (command& c : std::exchange(state_->queued, {}))
        if (!c.result->is_abandoned()) send_now(std::move(c));
}

void redis_connection::on_disconnected(const std::string& why) {
    const bool was_connected = connected_.exchange(false, std::memory_order_relaxed);
    if (!state_->disconnected_since) state_->disconnected_since = clock::now();
    for (const command& c : std::exchange(state_->in_flight, {}))
        fail(c.result, why + "; the command may have been executed");
    const std::scoped_lock lock(mutex_);
    if ((was_connected || last_error_ != why) && !state_->closing)
        log::warning(fmt::format("Redis at {} cannot be used: {}; retrying", url_.text(), why));
    last_error_ = why;
}

}  // namespace rondo::channels_detail
