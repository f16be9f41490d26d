// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/connection.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include <rondo/base/log.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/http/h1/response_writer.hpp>
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
class [[nodiscard]] connection::serve_awaiter {
public:
    explicit serve_awaiter(connection& c) noexcept : connection_(c) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    [[nodiscard]] bool await_suspend(std::coroutine_handle<> caller) {
        exchange& x = *connection_.exchange_;
        connection_.server_.request_counter_.on_start();
        if (x.run(connection_.server_.app_, connection_.server_.loop_.activity())) return false;
        connection_.server_.request_counter_.on_suspend(x.request());
        x.resume_at_end(caller);
        if (!x.has_started() && connection_.phase_ != phase::body)
            connection_.enter_phase(phase::serving, connection_.server_.request_limit());
        return true;
    }
    void await_resume() noexcept {
        exchange& x = *connection_.exchange_;
        connection_.handle_failure(x.take_failure());
        connection_.server_.request_counter_.on_end(x.request(), connection_.outcome(),
                                                    connection_.server_.loop_.activity());
    }

private:
    connection& connection_;
};

connection::connection(server& owner, unique_fd socket)
    : net::stream(owner.output_, std::move(socket)),
      timer([](timer& self) noexcept { static_cast<connection&>(self).on_timer(); }),
      server_(owner) {
    add_relaxed(server_.stats_.connections_by_state[static_cast<std::size_t>(phase_)], 1);
}

connection::~connection() {
    if (exchange_) exchange_->destroy();
}

void connection::start() noexcept {
    enter_phase(phase::head, server_.options_.header_timeout);
    running_ = server_.options_.proxy_protocol ? run_proxied() : run();
    auto coroutine = running_.coroutine();
    coroutine.promise().set_completion_handler(this);
    detail::start_task(coroutine);
}

std::coroutine_handle<> connection::on_completion(std::coroutine_handle<>, std::size_t,
                                                  std::exception_ptr failure) noexcept {
    if (failure) log::error("connection closed after an internal server error");
    close();
    disarm();
    add_relaxed(server_.stats_.connections_by_state[static_cast<std::size_t>(phase_)], -1);
    server_.remove(*this);
    return std::noop_coroutine();
}

void connection::enter_phase(phase p, clock::duration limit) noexcept {
    if (p != phase_) {
        add_relaxed(server_.stats_.connections_by_state[static_cast<std::size_t>(phase_)], -1);
        add_relaxed(server_.stats_.connections_by_state[static_cast<std::size_t>(p)], 1);
        phase_ = p;
    }
    timed_out_ = false;
    server_.loop_.timers().arm(*this, limit == clock::duration::max() ? instant::max() : server_.loop_.now() + limit);
}

void connection::enter_writing_phase() noexcept {
    acknowledged_at_check_ = bytes_acknowledged();
    enter_phase(phase::writing, server_.options_.write_timeout);
}

task<void> connection::run() {
    for (;;) {
        net::input_event event = net::input_event::data;
        while (!parse_head() && refusal_ == http::status{} && event == net::input_event::data) {
            if (phase_ == phase::idle && !input().empty()) enter_phase(phase::head, head_timeout());
            event = co_await receive();
        }
        if (refusal_ != http::status{}) {
            refuse_head(refusal_);
            break;
        }
        if (event != net::input_event::data) {
            on_incomplete_head(event);
            break;
        }
        begin_exchange();
        co_await serve_awaiter(*this);
        bool complete = exchange_->is_at_end() && unsent_bytes() <= high_water;
        if (keep_open_ && !complete && !co_await finish_io()) keep_open_ = false;
        finish_exchange();
        if (!keep_open_ || failed()) break;
        if (phase_ != phase::idle || input().empty()) {
            // The drain may start after a head that keeps the connection open: a next request is answered.
            const clock::duration limit =
                draining_ ? drain_active : clock::duration(server_.options_.keepalive_timeout);
            enter_phase(phase::idle, limit);
        }
    }
    co_await close_gracefully();
}

task<bool> connection::finish_io() {
    // GCC 12 miscompiles a coroutine without local variables that awaits in a condition.
    const bool at_end = exchange_->is_at_end() || co_await exchange_->skip_body();
    if (!at_end) co_return false;
    if (unsent_bytes() <= high_water) co_return true;
    enter_writing_phase();
    co_return co_await drained();
}

bool connection::parse_head() noexcept {
    std::string_view bytes = input();
    if (bytes.empty()) return false;
    // A head received in small pieces is parsed again only when a line is complete or the input has doubled.
    if (parsed_size_ && bytes.size() < 2 * std::size_t{parsed_size_} &&
        !std::memchr(bytes.data() + parsed_size_, '\n', bytes.size() - parsed_size_))
        return false;
    auto parsed = http::h1::parse_request_head(bytes, server_.options_.head_limits, server_.fields_, server_.head_);
    if (parsed) {
        parsed_size_ = 0;
        return true;
    }
    parsed_size_ = static_cast<std::uint32_t>(bytes.size());
    if (parsed.error() != http::h1::parse_error::incomplete)
        refusal_ = static_cast<http::status>(http::h1::status_for(parsed.error()));
    return false;
}

void connection::on_incomplete_head(net::input_event event) {
    clear_interrupt();
    keep_open_ = false;
    if (input().empty()) return;
    if (event == net::input_event::interrupted && timed_out_) refuse_head(http::status::request_timeout);
    else if (event == net::input_event::end) refuse_head(http::status::bad_request);
}

void connection::begin_exchange() {
    exchange_ = exchange::make(*this, input().data(), server_.head_);
    consume(server_.head_.size);
    stats::worker_stats& s = server_.stats_;
    add_relaxed(s.requests, 1);
    add_relaxed(s.in_flight, 1);
}

void connection::finish_exchange() noexcept {
    stats::worker_stats& s = server_.stats_;
    if (exchange_->is_finished()) add_relaxed(s.responses, 1);
    else add_relaxed(outcome() == stats::outcome_client_closed ? s.client_closed : s.aborted, 1);
    add_relaxed(s.in_flight, -1);
    server_.request_counter_.on_destroy(exchange_->request());
    std::exchange(exchange_, nullptr)->destroy();
}

std::size_t connection::outcome() const noexcept {
    if (exchange_->is_finished()) return request_counter::status_class(exchange_->code());
    // A client that the server disconnected has not closed the connection itself.
    if (reset_) return stats::outcome_aborted;
    const bool disconnected = failed() || exchange_->request_context().cancel.reason() == cancel_reason::disconnected;
    return disconnected ? stats::outcome_client_closed : stats::outcome_aborted;
}

void connection::handle_failure(const std::exception_ptr& failure) noexcept {
    exchange& x = *exchange_;
    if (x.is_finished() || x.is_aborted()) return;
    // Returning without a complete response is a failure too.
    if (!failure || x.has_started() || failed()) return x.abort();
    bool draining = x.request_context().cancel.reason() == cancel_reason::drain;
    bool late = x.request_context().cancel.reason() == cancel_reason::deadline;
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
    add_relaxed(server_.stats_.refused, 1);
    std::string_view text = http::reason(code);
    http::h1::response_parts head;
    head.code = code;
    head.body = http::h1::framing::length;
    head.content_length = text.size() + 1;
    head.connection = http::h1::connection_option::close;
    head.date = server_.date();
    head.content_type = "text/plain; charset=utf-8";
    char* begin = reserve(http::h1::response_size_bound(head) + text.size() + 1);
    char* end = http::h1::write_response_head(begin, head);
    end = std::copy(text.begin(), text.end(), end);
    *end++ = '\n';
    commit(static_cast<std::size_t>(end - begin));
    keep_open_ = false;
    linger_ = true;
}

task<void> connection::close_gracefully() {
    clear_interrupt();
    if (reset_) co_return close(true);
    enter_writing_phase();
    bool all_sent = co_await drained();
    // Closing with unread input would make the kernel send an RST, which can overtake the response.
    if (all_sent && (linger_ || has_unread_input()) && !input_ended()) {
        shutdown_output();
        enter_phase(phase::lingering, server_.options_.linger_timeout);
        std::size_t discarded = 0;
        net::input_event event = net::input_event::data;
        while (event == net::input_event::data && discarded < linger_bytes) {
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
            if (exchange_) exchange_->request_context().cancel.cancel(cancel_reason::deadline);
            return;
        case phase::writing: return on_write_timer();
    }
}

void connection::on_write_timer() noexcept {
    if (bytes_acknowledged() != acknowledged_at_check_) return enter_writing_phase();
    keep_open_ = false;
    reset_ = true;
    if (exchange_) exchange_->request_context().cancel.cancel(cancel_reason::disconnected);
    interrupt();
}

void connection::drain(bool patient) noexcept {
    draining_ = true;
    // A request that is being received, or about to arrive on a new connection, is still answered; an incomplete head
    // must not delay the shutdown.
    if (exchange_) return;
    if (phase_ == phase::head) return enter_phase(phase::head, head_timeout());
    if (has_unread_input()) return;
    bool active = patient && clock::now() < due() - server_.options_.keepalive_timeout + drain_active;
    if (phase_ == phase::idle) enter_phase(phase::idle, active ? drain_active : drain_idle);
}

clock::duration connection::head_timeout() const noexcept {
    const clock::duration limit = server_.options_.header_timeout;
    return draining_ ? std::min<clock::duration>(limit, drain_new) : limit;
}

void connection::cancel(cancel_reason reason) noexcept {
    keep_open_ = false;
    if (exchange_) exchange_->request_context().cancel.cancel(reason);
    if (!exchange_ || phase_ == phase::body) interrupt();
}

void connection::close_now() noexcept {
    keep_open_ = false;
    reset_ = true;
    if (exchange_) exchange_->request_context().cancel.cancel(cancel_reason::drain);
    interrupt();
}

void connection::on_peer_closed(bool reset) noexcept {
    if (!exchange_) return;
    if (reset) return exchange_->request_context().cancel.cancel(cancel_reason::disconnected);
    if (peer_half_closed_) return;
    peer_half_closed_ = true;
    exchange_->probe_client();
}

const net::peer& connection::peer() {
    addresses& known = known_addresses();
    if (!known.peer) known.peer = net::peer_of(fd());
    return *known.peer;
}

const net::local_end& connection::local() {
    addresses& known = known_addresses();
    if (!known.local) known.local = std::make_unique<net::local_end>(net::local_end_of(fd()));
    return *known.local;
}

connection::addresses& connection::known_addresses() {
    if (!addresses_) addresses_ = std::make_unique<addresses>();
    return *addresses_;
}

}  // namespace rondo::server
