// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/connection.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include <rondo/base/log.hpp>
#include <rondo/http/h1/parser.hpp>
#include <rondo/http/h1/writer.hpp>
#include <rondo/server/exchange.hpp>
#include <rondo/server/server.hpp>

namespace rondo::server {

namespace {

// Input discarded after an error response before the connection is closed.
constexpr std::size_t linger_bytes = 64u << 20;

// How long a connection without a request stays open while draining: idle for a while, idle for a moment only (its
// client may be sending the next request), and new without any input.
constexpr auto drain_idle = std::chrono::milliseconds(10);
constexpr auto drain_active = std::chrono::milliseconds(500);
constexpr auto drain_new = std::chrono::seconds(1);

}  // namespace

// Awaiter that runs the application for one request. Most requests are answered without suspension; then the
// connection's coroutine is not suspended either, and no timer is armed.
class [[nodiscard]] connection::serving {
public:
    explicit serving(connection& c) noexcept : connection_(c) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    [[nodiscard]] bool await_suspend(std::coroutine_handle<> caller) {
        exchange& x = *connection_.exchange_;
        connection_.server_.counter_.starts();
        if (x.run(connection_.server_.app_, connection_.server_.loop_.doing())) return false;
        connection_.server_.counter_.waits(x.request());
        x.resume_at_end(caller);
        if (!x.begun() && connection_.phase_ != phase::body)
            connection_.next_phase(phase::serving, connection_.server_.options_.request_timeout);
        return true;
    }
    void await_resume() noexcept {
        exchange& x = *connection_.exchange_;
        connection_.settle_failure(x.take_failure());
        connection_.server_.counter_.ends(x.request(), connection_.outcome(), connection_.server_.loop_.doing());
    }

private:
    connection& connection_;
};

connection::connection(server& owner, unique_fd socket)
    : net::stream(owner.output_, std::move(socket)),
      timer([](timer& self) noexcept { static_cast<connection&>(self).on_timer(); }),
      server_(owner) {
    add_to(server_.statistics_.connections_in[static_cast<std::size_t>(phase_)], 1);
}

connection::~connection() {
    if (exchange_) exchange_->destroy();
}

void connection::start() noexcept {
    next_phase(phase::head, server_.options_.header_timeout);
    running_ = server_.options_.proxy_protocol ? run_proxied() : run();
    auto coroutine = running_.coroutine();
    coroutine.promise().end_at(this);
    detail::start_task(coroutine);
}

std::coroutine_handle<> connection::ended(std::coroutine_handle<>, std::size_t, std::exception_ptr failure) noexcept {
    if (failure) log::error("connection closed after an internal server error");
    close();
    disarm();
    add_to(server_.statistics_.connections_in[static_cast<std::size_t>(phase_)], -1);
    server_.gone(*this);
    return std::noop_coroutine();
}

void connection::next_phase(phase p, clock::duration limit) noexcept {
    if (p != phase_) {
        add_to(server_.statistics_.connections_in[static_cast<std::size_t>(phase_)], -1);
        add_to(server_.statistics_.connections_in[static_cast<std::size_t>(p)], 1);
        phase_ = p;
    }
    timed_out_ = false;
    server_.loop_.timers().arm(*this, limit == clock::duration::max() ? instant::max() : server_.loop_.now() + limit);
}

void connection::writing_phase() noexcept {
    taken_at_check_ = bytes_taken();
    next_phase(phase::writing, server_.options_.write_timeout);
}

task<void> connection::run() {
    for (;;) {
        net::input_event event = net::input_event::more;
        while (!parse_head() && refusal_ == http::status{} && event == net::input_event::more) {
            if (phase_ == phase::idle && !input().empty()) next_phase(phase::head, head_time());
            event = co_await receive();
        }
        if (refusal_ != http::status{}) {
            refuse_head(refusal_);
            break;
        }
        if (event != net::input_event::more) {
            give_up_head(event);
            break;
        }
        begin_exchange();
        co_await serving(*this);
        bool complete = exchange_->ended() && backlog() <= high_water;
        if (keep_open_ && !complete && !co_await tidy_up()) keep_open_ = false;
        finish_exchange();
        if (!keep_open_ || failed() || (draining_ && !unread())) break;
        if (phase_ != phase::idle || input().empty()) next_phase(phase::idle, server_.options_.keepalive_timeout);
    }
    co_await end_gracefully();
}

task<bool> connection::tidy_up() {
    // GCC 12 miscompiles a coroutine without local variables that awaits in a condition.
    const bool at_end = exchange_->ended() || co_await exchange_->skip_body();
    if (!at_end) co_return false;
    if (backlog() <= high_water) co_return true;
    writing_phase();
    co_return co_await drained();
}

bool connection::parse_head() noexcept {
    std::string_view bytes = input();
    if (bytes.empty()) return false;
    // A head received in small pieces is parsed again only when a line is complete or the input has doubled.
    if (parsed_size_ && bytes.size() < 2 * std::size_t{parsed_size_} &&
        !std::memchr(bytes.data() + parsed_size_, '\n', bytes.size() - parsed_size_))
        return false;
    auto parsed = http::h1::parse_request_head(bytes, server_.options_.head, server_.fields_, server_.head_);
    if (parsed) {
        parsed_size_ = 0;
        return true;
    }
    parsed_size_ = static_cast<std::uint32_t>(bytes.size());
    if (parsed.error() != http::h1::parse_error::incomplete)
        refusal_ = static_cast<http::status>(http::h1::status_of(parsed.error()));
    return false;
}

void connection::give_up_head(net::input_event why) {
    clear_interrupt();
    keep_open_ = false;
    if (input().empty()) return;
    if (why == net::input_event::interrupted && timed_out_) refuse_head(http::status::request_timeout);
    else if (why == net::input_event::end) refuse_head(http::status::bad_request);
}

void connection::begin_exchange() {
    exchange_ = exchange::make(*this, input().data(), server_.head_);
    consume(server_.head_.size);
    stats::statistics& s = server_.statistics_;
    add_to(s.requests, 1);
    add_to(s.in_flight, 1);
}

void connection::finish_exchange() noexcept {
    stats::statistics& s = server_.statistics_;
    if (exchange_->finished()) add_to(s.responses, 1);
    else add_to(outcome() == stats::outcome_left ? s.left : s.aborted, 1);
    add_to(s.in_flight, -1);
    server_.counter_.gone(exchange_->request());
    std::exchange(exchange_, nullptr)->destroy();
}

std::size_t connection::outcome() const noexcept {
    if (exchange_->finished()) return request_counter::class_of(exchange_->code());
    // A client that was disconnected by the server has not left.
    if (reset_) return stats::outcome_aborted;
    const bool disconnected = failed() || exchange_->running_in().cancel.reason() == cancel_reason::disconnected;
    return disconnected ? stats::outcome_left : stats::outcome_aborted;
}

void connection::settle_failure(const std::exception_ptr& failure) noexcept {
    exchange& x = *exchange_;
    if (x.finished() || x.aborted()) return;
    // Returning without a complete response is a failure too.
    if (!failure || x.begun() || failed()) return x.abort();
    bool draining = x.running_in().cancel.reason() == cancel_reason::drain;
    bool late = x.running_in().cancel.reason() == cancel_reason::deadline;
    keep_open_ = false;
    handler::response_head head;
    head.code = draining || late ? http::status::service_unavailable : http::status::internal_server_error;
    head.content_type = "text/plain; charset=utf-8";
    try {
        x.respond(head, http::reason(head.code));
    } catch (...) {
        x.abort();
    }
}

void connection::refuse(http::status code) {
    add_to(server_.statistics_.refused, 1);
    std::string_view text = http::reason(code);
    http::h1::response_head head;
    head.code = code;
    head.body = http::h1::framing::length;
    head.content_length = text.size() + 1;
    head.connection = http::h1::connection_option::close;
    head.date = server_.date();
    head.content_type = "text/plain; charset=utf-8";
    char* begin = reserve(http::h1::head_size_bound(head) + text.size() + 1);
    char* end = http::h1::write_head(begin, head);
    end = std::copy(text.begin(), text.end(), end);
    *end++ = '\n';
    commit(static_cast<std::size_t>(end - begin));
    keep_open_ = false;
    linger_ = true;
}

task<void> connection::end_gracefully() {
    clear_interrupt();
    if (reset_) co_return close(true);
    writing_phase();
    bool all_sent = co_await drained();
    // Closing with unread input would make the kernel send an RST, which can overtake the response.
    if (all_sent && (linger_ || unread()) && !input_ended()) {
        shutdown_output();
        next_phase(phase::lingering, server_.options_.linger_timeout);
        std::size_t discarded = 0;
        net::input_event event = net::input_event::more;
        while (event == net::input_event::more && discarded < linger_bytes) {
            discarded += input().size();
            consume(input().size());
            event = co_await receive();
        }
    }
    close(!all_sent && !failed());
}

void connection::on_timer() noexcept {
    switch (phase_) {
        case phase::idle:
        case phase::head:
        case phase::body:
        case phase::lingering: timed_out_ = true; return interrupt();
        case phase::serving:
            if (exchange_) exchange_->running_in().cancel.cancel(cancel_reason::deadline);
            return;
        case phase::writing: return on_write_timer();
    }
}

void connection::on_write_timer() noexcept {
    if (bytes_taken() != taken_at_check_) return writing_phase();
    keep_open_ = false;
    reset_ = true;
    if (exchange_) exchange_->running_in().cancel.cancel(cancel_reason::disconnected);
    interrupt();
}

void connection::drain(bool patient) noexcept {
    draining_ = true;
    // A request that is being received, or about to arrive on a new connection, is still answered; an incomplete head
    // must not delay the shutdown.
    if (exchange_) return;
    if (phase_ == phase::head) return next_phase(phase::head, head_time());
    if (unread()) return;
    bool active = patient && clock::now() < due() - server_.options_.keepalive_timeout + drain_active;
    if (phase_ == phase::idle) next_phase(phase::idle, active ? drain_active : drain_idle);
}

clock::duration connection::head_time() const noexcept {
    const clock::duration limit = server_.options_.header_timeout;
    return draining_ ? std::min<clock::duration>(limit, drain_new) : limit;
}

void connection::cancel(cancel_reason reason) noexcept {
    keep_open_ = false;
    if (exchange_) exchange_->running_in().cancel.cancel(reason);
    if (!exchange_ || phase_ == phase::body) interrupt();
}

void connection::kill() noexcept {
    keep_open_ = false;
    reset_ = true;
    if (exchange_) exchange_->running_in().cancel.cancel(cancel_reason::drain);
    interrupt();
}

void connection::left(bool reset) noexcept {
    if (!exchange_) return;
    if (reset) return exchange_->running_in().cancel.cancel(cancel_reason::disconnected);
    if (peer_half_closed_) return;
    peer_half_closed_ = true;
    exchange_->probe();
}

const net::peer& connection::peer() {
    if (!peer_) peer_ = std::make_unique<net::peer>(net::peer_of(fd()));
    return *peer_;
}

}  // namespace rondo::server
