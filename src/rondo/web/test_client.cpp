// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/test_client.hpp>

#include <unistd.h>

#include <algorithm>
#include <system_error>

#include <rondo/coro/this_context.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/handler/make_request.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo {
namespace {

/// Delivers the body of a test_request in pieces.
class test_body final : public handler::body {
public:
    test_body(const test_request& from, std::uint64_t limit)
        : remaining_(from.body), chunk_size_(from.chunk_size), limit_(limit) {
        if (chunk_size_ == 0) length_ = remaining_.size();
    }
    task<std::string_view> read() override {
        // Other tasks may run between two pieces, as with a socket.
        if (chunk_size_ != 0) co_await sleep(clock::duration::zero());
        co_return take(chunk_size_ == 0 ? remaining_.size() : chunk_size_);
    }
    std::optional<std::string_view> try_read() override {
        if (chunk_size_ != 0 && !remaining_.empty()) return std::nullopt;
        return take(remaining_.size());
    }
    std::optional<std::uint64_t> length() const noexcept override { return length_; }
    bool is_at_end() const noexcept override { return remaining_.empty(); }
    void limit(std::uint64_t bytes) noexcept override { limit_ = bytes; }
    std::uint64_t limit() const noexcept override { return limit_; }
    const http::fields* trailers() const noexcept override { return nullptr; }

private:
    std::string_view take(std::size_t size) {
        const std::string_view next = remaining_.substr(0, size);
        remaining_.remove_prefix(next.size());
        received_ += next.size();
        if (received_ > limit_ || length_.value_or(0) > limit_) throw http_error(http::status::content_too_large);
        return next;
    }

    std::string_view remaining_;
    std::size_t chunk_size_;
    std::uint64_t limit_;
    std::uint64_t received_ = 0;
    std::optional<std::uint64_t> length_;
};

/// Records a response and enforces the responder's contract.
class test_responder final : public handler::responder {
public:
    test_responder(test_response& response, const http::h1::request_head& head, const char* text)
        : response_(response),
          head_only_(head.method == http::method::head),
          takes_trailers_(head.view(text).contains_token("TE", "trailers")) {}

    void respond(const handler::response_head& head, std::string_view text) override {
        if (text.size() > small_body_limit) throw response_error("the body is too large for respond()");
        start(head, text.size());
        append(text);
        finish();
    }
    void inform(http::status code, const http::fields& fields) override {
        if (has_started()) throw response_error("response already started");
        check_interim(code);
        response_.interim.push_back({http::to_int(code), fields});
    }
    void start(const handler::response_head& head, std::optional<std::uint64_t> length) override {
        if (has_started()) throw response_error("response already started");
        if (!http::is_valid_field_value(head.reason)) throw response_error("invalid reason phrase");
        response_.status = http::to_int(head.code);
        response_.reason = head.reason.empty() ? http::reason(head.code) : head.reason;
        response_.content_type = head.content_type;
        if (head.fields != nullptr) response_.fields = *head.fields;
        if (response_.content_type.empty()) response_.content_type = response_.field("Content-Type");
        response_.length = length;
        without_body_ = head_only_ || http::sent_without_content(head.code);
    }
    task<void> write(std::string_view bytes) override {
        co_await checkpoint();
        append(bytes);
    }
    bool try_write(std::string_view bytes) override {
        if (bytes.size() > large_write) return false;
        append(bytes);
        return true;
    }
    task<void> wait_for_room() override {
        co_await checkpoint();
        require_open("wait_for_room()");
    }
    task<void> write_file(int fd, std::uint64_t offset, std::uint64_t length) override {
        co_await checkpoint();
        std::string bytes(length, '\0');
        const ssize_t n = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n != static_cast<ssize_t>(length)) throw response_error("the file is shorter than declared");
        append(bytes);
    }
    void finish() override {
        require_open("finish()");
        if (!without_body_ && response_.length.value_or(written_) != written_) {
            throw response_error("fewer bytes were written than declared");
        }
        ended_ = true;
    }
    void finish_with(const http::fields& trailers) override {
        check_trailers(trailers);
        finish();
        if (takes_trailers_ && !without_body_ && !response_.length) response_.trailers = trailers;
    }
    void abort() noexcept override { response_.aborted = ended_ = true; }
    bool has_started() const noexcept override { return response_.status != 0; }
    bool needs_body() const noexcept override { return !head_only_; }
    http::status code() const noexcept override { return static_cast<http::status>(response_.status); }
    std::uint64_t body_bytes() const noexcept override { return written_; }

    [[nodiscard]] bool is_ended() const noexcept { return ended_; }

private:
    void require_open(const char* call) const {
        if (!has_started() || ended_) throw response_error(std::string(call) + " outside of a response");
    }
    void append(std::string_view bytes) {
        require_open("write()");
        if (without_body_) return;
        if (response_.length && written_ + bytes.size() > *response_.length) {
            throw response_error("more bytes were written than declared");
        }
        response_.body.append(bytes);
        written_ += bytes.size();
    }

    test_response& response_;
    std::uint64_t written_ = 0;
    bool head_only_;
    bool takes_trailers_;
    bool without_body_ = false;
    bool ended_ = false;
};

class test_connection final : public handler::connection_info {
public:
    explicit test_connection(std::string_view peer) : peer_(peer) {}
    std::string_view peer_address() noexcept override { return peer_; }
    std::uint16_t peer_port() noexcept override { return 50000; }
    bool is_secure() const noexcept override { return false; }
    std::string_view local_address() noexcept override { return "127.0.0.1"; }
    std::uint16_t local_port() noexcept override { return 80; }
    bool is_unix() noexcept override { return false; }

private:
    std::string_view peer_;
};

bool has_field(const test_request& r, std::string_view name) {
    return std::any_of(r.fields.begin(), r.fields.end(),
                       [&](const auto& f) { return http::equals_ignore_case(f.first, name); });
}

std::string head_text(const test_request& r) {
    std::string head = r.method + ' ' + r.target + " HTTP/1.1\r\n";
    if (!has_field(r, "Host")) head += "Host: testserver\r\n";
    for (const auto& [name, value] : r.fields) head.append(name).append(": ").append(value).append("\r\n");
    if (r.chunk_size != 0) head += "Transfer-Encoding: chunked\r\n";
    else if (!r.body.empty()) head += "Content-Length: " + std::to_string(r.body.size()) + "\r\n";
    return head + "\r\n";
}

}  // namespace

struct test_client::state {
    state(handler::application& a, const test_client_options& o)
        : app(a),
          options(o),
          owned_loop(event_loop::current_or_null() == nullptr ? std::make_unique<event_loop>() : nullptr),
          loop(event_loop::current()),
          blocking({.name = "blocking", .threads = o.blocking_threads}),
          compute({.name = "compute", .threads = o.compute_threads}),
          previous_blocking(loop.blocking()),
          previous_compute(loop.compute()) {
        loop.use_pools(&blocking, &compute);
    }
    ~state() { loop.use_pools(previous_blocking, previous_compute); }
    state(const state&) = delete;
    state& operator=(const state&) = delete;

    task<test_response> serve(test_request request) const;

    handler::application& app;
    test_client_options options;
    std::unique_ptr<event_loop> owned_loop;
    event_loop& loop;
    thread_pool blocking;
    thread_pool compute;
    thread_pool* previous_blocking;
    thread_pool* previous_compute;
};

task<test_response> test_client::state::serve(test_request request) const {
    const std::string text = head_text(request);
    std::vector<http::field_ref> refs(128);
    http::h1::request_head head;
    test_response result;
    if (const auto parsed = http::h1::parse_request_head(text, {}, refs, head); !parsed) {
        result.status = http::h1::status_for(parsed.error());
        result.body = http::h1::to_string(parsed.error());
        co_return result;
    }
    test_body body(request, options.max_body);
    test_connection connection(request.peer);
    test_responder to(result, head, text.data());
    arena memory;
    child_context context(co_await this_context());
    handler::request from = handler::make_request(head, text.data());
    from.body = &body;
    from.connection = &connection;
    from.context = &context;
    from.memory = &memory;
    task<void> serving = app.serve(from, to);
    co_await detail::run_in_context<void>(serving, context);
    if (!to.is_ended()) throw response_error("the application neither finished nor aborted the response");
    co_return result;
}

test_client::test_client(handler::application& app, const test_client_options& options)
    : state_(std::make_unique<state>(app, options)) {
    run(app.startup());
}

test_client::~test_client() {
    try {
        run(state_->app.shutdown());
    } catch (...) {
        // A test that checks for this calls shutdown() itself.
    }
}

test_response test_client::get(std::string target, test_fields fields) {
    return run(async_get(std::move(target), std::move(fields)));
}

test_response test_client::post(std::string target, std::string body, test_fields fields) {
    return run(async_post(std::move(target), std::move(body), std::move(fields)));
}

test_response test_client::send(test_request request) { return run(async_send(std::move(request))); }

task<test_response> test_client::async_get(std::string target, test_fields fields) {
    return async_send({.target = std::move(target), .fields = std::move(fields)});
}

task<test_response> test_client::async_post(std::string target, std::string body, test_fields fields) {
    return async_send(
        {.method = "POST", .target = std::move(target), .fields = std::move(fields), .body = std::move(body)});
}

task<test_response> test_client::async_send(test_request request) { return state_->serve(std::move(request)); }

event_loop& test_client::loop() noexcept { return state_->loop; }

}  // namespace rondo
