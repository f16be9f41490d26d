// SPDX-License-Identifier: Apache-2.0
// Test doubles for requests, bodies and responders, and a temporary folder.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include <rondo/coro/event.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/handler/responder.hpp>
#include <rondo/loop/test_loop_fixture.hpp>
#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace rondo::testing {

/// A body that consists of `pieces`.
class fake_body final : public handler::body {
public:
    task<std::string_view> read() override {
        if (index_ == pieces.size()) co_return std::string_view();
        co_return pieces[index_++];
    }
    std::optional<std::string_view> try_read() override {
        if (index_ == pieces.size()) return std::string_view();
        return pieces[index_++];
    }
    std::optional<std::uint64_t> length() const noexcept override { return declared; }
    bool is_at_end() const noexcept override { return index_ == pieces.size(); }
    void limit(std::uint64_t bytes) noexcept override { limit_ = bytes; }
    std::uint64_t limit() const noexcept override { return limit_; }
    const http::fields* trailers() const noexcept override { return nullptr; }

    std::vector<std::string> pieces;
    std::optional<std::uint64_t> declared;

private:
    std::size_t index_ = 0;
    std::uint64_t limit_ = 1 << 20;
};

/// Records a response and enforces the contract of handler::responder.
class fake_responder final : public handler::responder {
public:
    void respond(const handler::response_head& head, std::string_view text) override {
        start(head, text.size());
        record(text);
        finish();
    }
    void inform(http::status code, const http::fields&) override {
        if (started_) throw response_error("response already started");
        check_interim(code);
        interim.push_back(code);
    }
    void start(const handler::response_head& head, std::optional<std::uint64_t> declared) override {
        if (started_) throw response_error("response already started");
        started_ = true;
        status = head.code;
        type = head.content_type;
        if (head.fields) fields = *head.fields;
        length = declared;
    }
    task<void> write(std::string_view bytes) override {
        co_await wait_for_room();
        if (allowed_writes) --*allowed_writes;
        count_write(bytes);
    }
    bool try_write(std::string_view bytes) override {
        if (bytes.size() > large_write || allowed_writes == 0) return false;
        if (allowed_writes) --*allowed_writes;
        count_write(bytes);
        return true;
    }
    task<void> wait_for_room() override {
        while (allowed_writes == 0) {
            write_allowed.reset();
            co_await write_allowed.wait();
        }
    }
    task<void> write_file(int fd, std::uint64_t offset, std::uint64_t size) override {
        std::string bytes(size, '\0');
        if (::pread(fd, bytes.data(), size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
            throw std::system_error(std::make_error_code(std::errc::io_error));
        ++file_writes;
        record(bytes);
        co_return;
    }
    void finish() override {
        if (sends_body && length && body.size() != *length) throw response_error("too few bytes");
        finished = true;
    }
    void finish_with(const http::fields& sent) override {
        check_trailers(sent);
        finish();
        trailers = sent;
    }
    void abort() noexcept override { aborted = true; }
    bool has_started() const noexcept override { return started_; }
    bool needs_body() const noexcept override { return sends_body; }
    http::status code() const noexcept override { return status; }
    std::uint64_t body_bytes() const noexcept override { return body.size(); }

    /// Allows `n` more writes. Before the first call, writes are unlimited.
    void allow(int n) {
        allowed_writes = allowed_writes.value_or(0) + n;
        write_allowed.set();
    }
    [[nodiscard]] std::string_view field(std::string_view name) const { return fields.find(name).value_or("(none)"); }

    http::status status{};
    std::string type;
    http::fields fields;
    http::fields trailers;
    std::vector<http::status> interim;
    std::optional<std::uint64_t> length;
    std::string body;
    bool sends_body = true;
    bool finished = false;
    bool aborted = false;
    int writes = 0;
    int file_writes = 0;
    std::optional<int> fail_at;
    std::optional<int> allowed_writes;
    event write_allowed;
    event write_done;

private:
    void record(std::string_view bytes) {
        if (!started_ || finished) throw response_error("write outside of a response");
        if (length && body.size() + bytes.size() > *length) throw response_error("too many bytes");
        if (sends_body) body.append(bytes);
    }
    void count_write(std::string_view bytes) {
        record(bytes);
        ++writes;
        write_done.set();
        if (fail_at && writes == *fail_at) throw std::system_error(std::make_error_code(std::errc::broken_pipe));
    }
    bool started_ = false;
};

/// A request and the responder that records its response.
class exchange {
public:
    explicit exchange(std::string_view target, std::initializer_list<http::field> lines = {},
                      std::string_view method = "GET")
        : target_(target), req(from) {
        for (const http::field& line : lines) add_field(line);
        from.method = http::parse_method(method);
        from.method_text = method;
        const std::string_view view = target_;
        from.target = view;
        const std::size_t mark = view.find('?');
        from.path = view.substr(0, mark);
        from.has_query = mark != view.npos;
        if (from.has_query) from.query = view.substr(mark + 1);
        from.fields = http::fields_view(text_.data(), refs_);
        from.body = &body;
        from.context = &request_context;
        from.memory = &memory_;
        to.sends_body = method != "HEAD";
    }

    /// Sends a response like an application.
    task<void> send(response r) {
        if (auto* source = std::get_if<std::unique_ptr<body_source>>(&r.body()))
            co_await (*source)->send(to, r.head(), req);
        else to.respond(r.head(), r.text());
    }

private:
    void add_field(const http::field& line) {
        const auto put = [this](std::string_view part) {
            const auto at = static_cast<std::uint32_t>(text_.size());
            text_.append(part);
            return http::slice{at, static_cast<std::uint32_t>(part.size())};
        };
        const http::slice name = put(line.name);
        refs_.push_back({name, put(line.value)});
    }

    std::string target_;
    std::string text_;
    std::vector<http::field_ref> refs_;
    arena memory_;

public:
    handler::request from;
    task_context request_context;
    fake_body body;
    fake_responder to;
    request req;
};

/// A temporary folder, removed by the destructor.
class temporary_folder {
public:
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "rondo-test-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
        path = name;
    }
    ~temporary_folder() { std::filesystem::remove_all(path); }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;

    void write_file(const std::string& name, std::string_view content) const {
        std::filesystem::create_directories((path / name).parent_path());
        std::ofstream(path / name, std::ios::binary) << content;
    }
    [[nodiscard]] std::string path_of(const std::string& name) const { return (path / name).string(); }

    std::filesystem::path path;
};

}  // namespace rondo::testing
