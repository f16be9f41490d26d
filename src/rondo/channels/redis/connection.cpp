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
#include <rondo/loop/pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/output.hpp>
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
constexpr std::array<std::string_view, 3> wrong_server_codes{"READONLY", "LOADING", "MASTERDOWN"};

// Up to Redis 6, the error of a command in a script follows its position in the script, after another code:
// "ERR Error running script (call to f_...): @user_script:1: @user_script: 1: -READONLY You can't write ...".
std::string_view code_of(std::string_view text, bool from_script) {
    constexpr std::string_view script_failed = "ERR Error running script ", before_code = ": -";
    if (from_script && text.starts_with(script_failed)) {
        const std::size_t at = text.find(before_code);
        if (at != std::string_view::npos) text.remove_prefix(at + before_code.size());
    }
    return text.substr(0, text.find(' '));
}

bool is_wrong_server(const redis_value& value, bool from_script) {
    if (value.what != redis_value::kind::error) return false;
    const std::string_view code = code_of(value.text, from_script);
    return std::ranges::find(wrong_server_codes, code) != wrong_server_codes.end();
}

std::string command_of(std::initializer_list<std::string_view> words) {
    std::string bytes;
    append_command(bytes, std::span(words.begin(), words.size()));
    return bytes;
}

// Interrupts the wait for input when the context is cancelled.
struct interruption : cancel_callback {
    explicit interruption(net::stream& s) noexcept
        : cancel_callback([](cancel_callback& self, cancel_reason) noexcept {
              static_cast<interruption&>(self).stream.interrupt();
          }),
          stream(s) {}
    net::stream& stream;
};

// A server without AUTH quotes the beginning of its arguments.
std::string without_password(std::string text, std::string_view password) {
    const std::size_t at = password.empty() ? text.npos : text.find(password.substr(0, 16));
    if (at != text.npos) text.replace(at, text.npos, "***");
    return text;
}

}  // namespace

struct redis_connection::on_thread {
    // Each connection resolves the name again: results are not cached.
    on_thread(event_loop& loop, lookup_function lookup)
        : output(loop), names(loop, {.ttl = 0ms, .failure_ttl = 0ms, .lookup = lookup}) {}

    net::output output;
    net::resolver names;
    std::unique_ptr<net::stream> stream;  // must not be destroyed within its own callback
    std::optional<net::tls_context> tls;  // created on first use
    std::optional<redis_reader> reader;
    std::deque<command> sent;     // awaiting their replies, in order
    std::deque<command> waiting;  // queued until connected
    std::size_t waiting_bytes = 0;
    instant heard;
    instant connected_since;
    std::optional<instant> away_since;
    std::string refusal;  // why this connection is to be closed
    bool pinged = false;
    bool ever_connected = false;
    bool ending = false;
    task_group group{&task_group::ignore, nullptr};  // run(), which catches all exceptions
    task_group end{&task_group::ignore, nullptr};    // finish()
};

redis_connection::redis_connection(std::shared_ptr<io_thread> io, channels_url url, clock::duration timeout,
                                   events handlers, lookup_function lookup)
    : io_(std::move(io)),
      url_(std::move(url)),
      patience_(timeout),
      told_(std::move(handlers)),
      trouble_("not connected yet") {
    io_->run([this, lookup] { here_ = std::make_unique<on_thread>(io_->loop(), lookup); });
}

redis_connection::~redis_connection() {
    std::promise<void> stopped;
    const std::future<void> end = stopped.get_future();
    io_->post([this, stopped = std::move(stopped)]() mutable { stop(std::move(stopped)); });
    end.wait();
}

void redis_connection::stop(std::promise<void> stopped) {
    here_->ending = true;
    here_->group.cancel();
    here_->end.spawn(finish(std::move(stopped)));
}

// A task that waits for a pool thread ends when that has finished, not when it is cancelled.
task<void> redis_connection::finish(std::promise<void> stopped) {
    co_await here_->group.join();
    // On an empty stack, after this task has ended.
    io_->post([this, stopped = std::move(stopped)]() mutable {
        broke("the connection was shut down");
        for (const command& c : here_->waiting) fail(c.to, "the connection was shut down");
        here_.reset();
        stopped.set_value();
    });
}

void redis_connection::start() {
    std::call_once(started_, [this] {
        io_->post([this] {
            if (!here_->ending) here_->group.spawn(live());
        });
    });
}

redis_connection::answer redis_connection::ask(std::string bytes) {
    return enqueue({.bytes = std::move(bytes), .to = std::make_shared<reply<redis_value>>()});
}

redis_connection::answer redis_connection::ask_script(std::string bytes) {
    return enqueue({.bytes = std::move(bytes), .to = std::make_shared<reply<redis_value>>(), .is_script = true});
}

redis_connection::answer redis_connection::enqueue(command c) {
    start();
    answer to = c.to;
    io_->post([this, c = std::move(c)]() mutable { submit(std::move(c)); });
    return to;
}

std::string redis_connection::trouble() const {
    const std::scoped_lock lock(mutex_);
    return fmt::format("Redis at {} cannot be used: {}", url_.text(), trouble_);
}

std::string redis_connection::late() const {
    return fmt::format("Redis at {} did not reply in time; the command may have been executed", url_.text());
}

void redis_connection::fail(const answer& to, const std::string& why) const {
    if (!to) return;
    std::exception_ptr failure =
        std::make_exception_ptr(channels_unavailable(fmt::format("Redis at {} cannot be used: {}", url_.text(), why)));
    to->settle(std::move(failure));
}

// ---- on the I/O thread ----

task<void> redis_connection::live() {
    int failures = 0;
    while (true) {
        std::string why;
        try {
            co_await one_life();
        } catch (const cancelled&) {
            co_return;
        } catch (const timed_out&) {
            why = "it does not respond";
        } catch (const std::exception& e) {
            why = e.what();
        }
        // A server that fails soon after each connection does not reset the back-off.
        if (connected() && clock::now() - here_->connected_since > reconnect.longest) failures = 0;
        broke(why);
        co_await sleep(reconnect.after(++failures));
        here_->stream.reset();
    }
}

task<void> redis_connection::one_life() {
    unique_fd socket = co_await connect_to(url_, here_->names, from_now(patience_));
    here_->stream = std::make_unique<net::stream>(here_->output, std::move(socket));
    here_->reader.emplace();
    here_->heard = clock::now();
    here_->pinged = false;
    here_->refusal.clear();
    if (url_.secure) co_await with_timeout(patience_, secure());
    co_await when_any(read(), watch());
}

task<void> redis_connection::secure() {
    if (!here_->tls) {
        const net::tls_client_options options{.ca_file = url_.ca_file, .protocols = {}};
        auto make = [&options] { return net::tls_context::client(options); };
        here_->tls = co_await run_blocking(make);
    }
    net::stream& stream = *here_->stream;
    context& own = *co_await this_context();
    interruption on_cancel(stream);
    own.token().check();
    own.cancel.add(on_cancel);
    try {
        stream.filter_with(here_->tls->connect(url_.host, fmt::format("{}:{}", url_.host, url_.port)));
    } catch (const net::unread_input& e) {
        throw std::runtime_error(fmt::format("TLS handshake failed: {}", e.what()));
    }
    net::input_event event = net::input_event::more;
    while (stream.filter()->now() == net::stream_filter::state::opening && event == net::input_event::more)
        event = co_await stream.receive();
    if (event == net::input_event::interrupted) throw cancelled();
    if (stream.filter()->now() == net::stream_filter::state::open) co_return;
    const std::string& why = stream.filter()->failure();
    throw std::runtime_error(
        fmt::format("TLS handshake failed: {}", why.empty() ? "it closed the connection" : std::string_view(why)));
}

// PING makes sure that the server processes commands (not loading or paused) before the connection counts as open.
task<void> redis_connection::greet() {
    std::vector<answer> replies;
    const auto send = [&](std::initializer_list<std::string_view> words) {
        send_now({command_of(words), replies.emplace_back(std::make_shared<reply<redis_value>>()), true});
    };
    const std::string database = std::to_string(url_.database);
    if (!url_.user.empty()) send({"AUTH", url_.user, url_.password});
    else if (!url_.password.empty()) send({"AUTH", url_.password});
    if (url_.database != 0) send({"SELECT", database});
    send({"PING"});
    const instant deadline = from_now(patience_);
    for (const answer& r : replies) {
        const bool in_time = co_await r->wait(deadline);
        if (!in_time) throw timed_out();
        if (r->value().what == redis_value::kind::error)
            throw std::runtime_error(fmt::format("it replied '{}'", without_password(r->value().text, url_.password)));
    }
}

task<void> redis_connection::watch() {
    co_await greet();
    connected_.store(true, std::memory_order_relaxed);
    here_->connected_since = clock::now();
    here_->away_since.reset();
    if (std::exchange(here_->ever_connected, true)) {
        reconnects_.fetch_add(1, std::memory_order_relaxed);
        log::info(fmt::format("reconnected to Redis at {}", url_.text()));
    }
    if (told_.connected) told_.connected();
    send_waiting();
    while (true) {
        co_await sleep(patience_ / 5);
        const auto silence = clock::now() - here_->heard;
        if (silence > 2 * patience_) throw timed_out();
        if (silence > patience_ && !std::exchange(here_->pinged, true)) tell(command_of({"PING"}));
    }
}

task<void> redis_connection::read() {
    net::stream& stream = *here_->stream;
    context& own = *co_await this_context();
    interruption on_cancel(stream);
    own.token().check();
    own.cancel.add(on_cancel);
    while (true) {
        const net::input_event event = co_await stream.receive();
        if (event == net::input_event::interrupted) throw cancelled();
        if (event != net::input_event::more) throw std::runtime_error("it closed the connection");
        const std::string_view bytes = stream.input();
        take_input(bytes);
        stream.consume(bytes.size());
    }
}

void redis_connection::take_input(std::string_view bytes) {
    here_->heard = clock::now();
    here_->pinged = false;
    here_->reader->feed(bytes);
    while (auto value = here_->reader->next()) take(*std::move(value));
    if (!here_->refusal.empty()) throw std::runtime_error(here_->refusal);
}

void redis_connection::take(redis_value value) {
    const bool from_script = !here_->sent.empty() && here_->sent.front().is_script;
    if (is_wrong_server(value, from_script)) here_->refusal = fmt::format("it replied '{}'", value.text);
    if (told_.pushed && here_->sent.empty()) return told_.pushed(std::move(value));
    if (here_->sent.empty()) throw std::runtime_error("it sent an unexpected reply");
    const command oldest = std::move(here_->sent.front());
    here_->sent.pop_front();
    if (!oldest.to) return;
    if (value.what == redis_value::kind::error && !oldest.errors_too)
        fail(oldest.to, fmt::format("it replied '{}'", value.text));
    else oldest.to->give(std::move(value));
}

void redis_connection::send_now(command c) {
    here_->stream->write(c.bytes);
    c.bytes.clear();
    here_->sent.push_back(std::move(c));
}

void redis_connection::tell(std::string_view bytes) {
    here_->stream->write(bytes);
    if (!told_.pushed) here_->sent.push_back({});
}

void redis_connection::submit(command c) {
    const bool usable = connected() && here_->refusal.empty();
    if (usable && here_->stream->backlog() < unsent_limit) return send_now(std::move(c));
    if (usable) return fail(c.to, "it does not read its input");
    if (!may_wait(c)) return fail(c.to, "it is disconnected, and the command queue is full");
    if (here_->away_since && clock::now() - *here_->away_since > patience_) {
        const std::scoped_lock lock(mutex_);
        return fail(c.to, trouble_);
    }
    here_->waiting_bytes += c.bytes.size();
    here_->waiting.push_back(std::move(c));
}

bool redis_connection::may_wait(const command& c) {
    const auto full = [&] {
        return here_->waiting.size() >= waiting_commands || here_->waiting_bytes + c.bytes.size() > waiting_bytes;
    };
    if (!full()) return true;
    std::erase_if(here_->waiting, [this](const command& old) {
        if (!old.to->abandoned()) return false;
        here_->waiting_bytes -= old.bytes.size();
        return true;
    });
    return !full();
}

void redis_connection::send_waiting() {
    here_->waiting_bytes = 0;
    for (command& c : std::exchange(here_->waiting, {}))
        if (!c.to->abandoned()) send_now(std::move(c));
}

void redis_connection::broke(const std::string& why) {
    const bool was_connected = connected_.exchange(false, std::memory_order_relaxed);
    if (!here_->away_since) here_->away_since = clock::now();
    for (const command& c : std::exchange(here_->sent, {})) fail(c.to, why + "; the command may have been executed");
    const std::scoped_lock lock(mutex_);
    if ((was_connected || trouble_ != why) && !here_->ending)
        log::warning(fmt::format("Redis at {} cannot be used: {}; retrying", url_.text(), why));
    trouble_ = why;
}

}  // namespace rondo::channels_detail
