// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/request.hpp>

#include <sys/random.h>

#include <algorithm>
#include <stdexcept>

#include <rondo/codec/json.hpp>
#include <rondo/http/cookie.hpp>
#include <rondo/http/media_type.hpp>
#include <rondo/http/path_and_query.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/form.hpp>
#include <rondo/web/read_to_end.hpp>
#include <rondo/web/routing/router.hpp>

namespace rondo {
namespace {

/// Ids must be unique, not secret: splitmix64 from a random seed, one generator per thread.
std::uint64_t next_random() noexcept {
    thread_local std::uint64_t state = [] {
        std::uint64_t seed = 0;
        if (getrandom(&seed, sizeof seed, 0) != static_cast<ssize_t>(sizeof seed)) {
            seed = static_cast<std::uint64_t>(clock::now().time_since_epoch().count()) ^
                   reinterpret_cast<std::uintptr_t>(&seed);
        }
        return seed;
    }();
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

char* write_hex(char* out, std::uint64_t number) noexcept {
    for (int shift = 60; shift >= 0; shift -= 4) *out++ = "0123456789abcdef"[(number >> shift) & 15];
    return out;
}

/// The parsed form of a request.
struct form_cache {
    std::optional<form_data> form;
};

codec::json_value parse_body(std::string_view body) {
    auto value = codec::parse_json(body);
    if (!value) throw http_error(http::status::bad_request, "the body is not valid JSON: " + value.error().message);
    return *std::move(value);
}

}  // namespace

request::request_cache& request::cache() {
    if (cache_ == nullptr) {
        cache_ = ::new (request_->memory->allocate(sizeof(request_cache), alignof(request_cache))) request_cache();
    }
    return *cache_;
}

std::string_view request::path() {
    if (cache().path.data() != nullptr) return cache().path;
    if (request_->path.find('%') == std::string_view::npos) return cache().path = request_->path;
    const auto decoded = http::decode_path(request_->path);
    if (!decoded) throw http_error(http::status::bad_request, "the path has an invalid percent-encoding");
    return cache().path = request_->memory->copy(*decoded);
}

void request::read_query() {
    cache().query_read = true;
    if (request_->query.empty()) return;
    const auto max_size = static_cast<std::size_t>(std::count(request_->query.begin(), request_->query.end(), '&')) + 1;
    auto* const fields =
        static_cast<http::field*>(request_->memory->allocate(max_size * sizeof(http::field), alignof(http::field)));
    std::size_t size = 0;
    for (const http::query_pair& pair : http::query_pairs(request_->query)) {
        std::construct_at(fields + size++, request_->memory->copy(pair.name), request_->memory->copy(pair.value));
    }
    cache().query = {fields, size};
}

std::span<const http::field> request::query_pairs() {
    if (!cache().query_read) read_query();
    return cache().query;
}

std::optional<std::string_view> request::query(std::string_view name) {
    for (const http::field& pair : query_pairs()) {
        if (pair.name == name) return pair.value;
    }
    return std::nullopt;
}

void request::throw_bad_query(std::string_view name, std::string_view expected) {
    std::string text = "the query parameter '" + std::string(name) + "' ";
    text += expected.empty() ? "is missing" : "must be a " + std::string(expected);
    throw http_error(http::status::bad_request, text);
}

std::optional<std::string_view> request::cookie(std::string_view name) const noexcept {
    return http::find_cookie(request_->fields, name);
}

std::string_view request::peer_address() const noexcept {
    return request_->connection != nullptr ? request_->connection->peer_address() : std::string_view();
}

std::string_view request::scheme() const noexcept {
    return request_->connection != nullptr && request_->connection->is_secure() ? "https" : "http";
}

std::string_view request::id() {
    if (cache().id.empty()) {
        auto* const text = static_cast<char*>(request_->memory->allocate(32, 1));
        write_hex(write_hex(text, next_random()), next_random());
        cache().id = {text, 32};
    }
    return cache().id;
}

std::optional<std::string_view> request::arg(std::string_view name) const noexcept {
    if (route_ == nullptr) return std::nullopt;
    for (std::size_t i = 0; i < route_->parameters.size(); ++i) {
        if (route_->parameters[i] == name) return arguments_[i];
    }
    return std::nullopt;
}

std::string_view request::route() const noexcept {
    return route_ == nullptr ? std::string_view() : std::string_view(route_->pattern);
}

task<std::string_view> request::read() { return request_->body->read(); }

task<std::string_view> request::read_all() {
    if (is_body_read()) co_return cache().body;
    handler::body& from = *request_->body;
    std::string_view whole;
    if (!from.is_at_end()) whole = co_await from.read();
    // A body that arrived in one piece stays in the read buffer.
    if (!from.is_at_end()) {
        spool& buffer = local<spool>();
        if (const auto length = from.length()) buffer.reserve(*length);
        buffer.append(whole);
        co_await read_to_end(from, buffer);
        whole = buffer.text();
    }
    cache().body = whole;
    cache().body_read = true;
    co_return cache().body;
}

task<std::string_view> request::read_all(std::uint64_t limit) {
    if (!is_body_read()) request_->body->limit(limit);
    return read_all();
}

std::string_view request::read_all_sync() const {
    if (is_body_read()) return cache_->body;
    if (request_->body->is_at_end()) return {};
    throw std::logic_error(
        "the body has not been read: read_all_sync() is for sync and cpu views; use co_await read_all()");
}

bool request::is_json() const {
    // Parameters are ignored: JSON is always UTF-8 (RFC 8259 section 8.1).
    const std::string type = http::essence_of(content_type());
    return type == "application/json" || type.ends_with("+json");
}

task<codec::json_value> request::json() {
    if (!is_json()) throw http_error(http::status::unsupported_media_type, "the body must be application/json");
    co_return parse_body(co_await read_all());
}

codec::json_value request::json_sync() const {
    if (!is_json()) throw http_error(http::status::unsupported_media_type, "the body must be application/json");
    return parse_body(read_all_sync());
}

task<form_data&> request::form() { return form(form_limits{}); }

task<form_data&> request::form(form_limits limits) {
    auto& cached = local<form_cache>();
    if (cached.form) co_return *cached.form;
    if (!is_body_read()) {
        cached.form = co_await read_form(*request_->body, content_type(), limits);
        co_return *cached.form;
    }
    const std::string_view body = cache().body;
    const auto parse = [this, &limits, &cached, body] { cached.form = parse_form(body, content_type(), limits); };
    const bool writes_files = body.size() > limits.file_threshold;
    if (writes_files) co_await run_blocking(parse);
    else parse();
    co_return *cached.form;
}

form_data& request::form_sync() {
    auto& cached = local<form_cache>();
    if (!cached.form) cached.form = parse_form(read_all_sync(), content_type());
    return *cached.form;
}

void* request::find_local(const void* key) const noexcept {
    for (const local_node* node = locals_; node != nullptr; node = node->next) {
        if (node->key == key) return node->object;
    }
    return nullptr;
}

void request::destroy_locals() noexcept {
    for (const local_node* node = locals_; node != nullptr; node = node->next) node->destroy(node->object);
}

}  // namespace rondo
