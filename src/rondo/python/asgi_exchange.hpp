// SPDX-License-Identifier: Apache-2.0
// One request that an ASGI application answers: the side of the server.
// Implemented in asgi_exchange.cpp, asgi_exchange_receive.cpp and asgi_exchange_send.cpp.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/base/intrusive_list.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/cancel.hpp>
#include <rondo/coro/ready_queue.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/handler/request.hpp>
#include <rondo/handler/responder.hpp>
#include <rondo/python/asgi_call.hpp>
#include <rondo/python/asgi_response.hpp>

namespace rondo::python {

class asgi_application;

/// One request and its response, in the frame of asgi_application::serve(). It ends when the response is complete or
/// was aborted; the call of the application may go on without it. Everything is called on the loop thread; the
/// functions that take Python objects with the GIL.
class asgi_exchange final : cancel_callback, detail::completion_handler, handler::half_close_listener {
public:
    asgi_exchange(asgi_application& application, handler::request& request, handler::responder& responder) noexcept;
    ~asgi_exchange();
    asgi_exchange(const asgi_exchange&) = delete;
    asgi_exchange& operator=(const asgi_exchange&) = delete;

    /// Calls the application and runs the first step of its task.
    void start() noexcept;
    /// `co_await x.end()` returns when the exchange has ended.
    class end_awaiter;
    [[nodiscard]] end_awaiter end() noexcept;
    [[nodiscard]] bool has_ended() const noexcept { return ended_ && !is_writing_; }
    /// Throws `cancelled` when the server cancelled the request and there is no response.
    void check() const;

    /// The next message for receive(), or none when it must wait. Throws error_set.
    [[nodiscard]] static object receive(call_state& call);
    /// Sends a message. Returns false when the call must wait and try again, with `started` set when the message itself
    /// is being sent. Throws error_set and the exceptions of the responder.
    [[nodiscard]] static bool send(call_state& call, PyObject* message, bool& started);

    /// The application has ended; `failure` is its exception, or empty.
    void on_application_end(const object& failure) noexcept;
    /// Makes receive() return http.disconnect because the worker stops.
    void end_stream() noexcept;

    [[nodiscard]] task_context& context() noexcept { return *request_.context; }
    [[nodiscard]] handler::request& request() noexcept { return request_; }
    [[nodiscard]] bool is_complete() const noexcept { return response_ == response_state::complete; }
    [[nodiscard]] bool has_response_started() const noexcept { return responder_.has_started(); }

private:
    enum class response_state : std::uint8_t {
        none,      // nothing was received from the application
        head,      // http.response.start, not sent yet
        body,      // the head was sent
        trailers,  // the body is complete
        complete,
        failed,
    };
    static constexpr std::size_t reader_task = 0;
    static constexpr std::size_t writer_task = 1;
    enum class input_state : std::uint8_t { none, reading, ready };

    [[nodiscard]] object start_call();
    void identify_view() noexcept;
    void on_cancel(cancel_reason reason) noexcept;
    void on_half_closed() noexcept override;
    void fail(http::status instead) noexcept;
    void end_exchange() noexcept;
    std::coroutine_handle<> on_completion(std::coroutine_handle<>, std::size_t which,
                                          std::exception_ptr failure) noexcept override;
    void start_task(task<void>& slot, task<void> t, std::size_t which) noexcept;

    // Receiving.
    [[nodiscard]] object receive_body(call_state& call);
    [[nodiscard]] std::optional<std::string_view> next_piece();
    [[nodiscard]] object gather(std::string_view first);
    [[nodiscard]] task<void> read_piece();

    // Sending.
    bool send_message(call_state& call, PyObject* message, bool& started);
    void on_start(PyObject* message);
    bool on_body(PyObject* message, bool& started);
    bool on_file(PyObject* message, bool is_path, bool& started);
    void on_trailers(PyObject* message);
    void on_early_hint(PyObject* message);
    [[nodiscard]] response_fields& fields();
    [[nodiscard]] handler::response_head head(const response_fields& f) const noexcept;
    void start_response(std::optional<std::uint64_t> length_of_whole);
    void finish_body();
    void complete_response() noexcept;
    /// Bytes, or a part of a file, that cannot be sent at once.
    struct write_source {
        object body;
        unique_fd file;
        std::uint64_t offset;
        std::uint64_t length;
        bool is_last;
    };
    [[nodiscard]] task<void> write(write_source source);
    bool start_writing(write_source source, bool& started);

    asgi_application& application_;
    handler::request& request_;
    handler::responder& responder_;
    object call_;
    object scope_;
    object headers_;   // of http.response.start, while they are not sent
    object trailers_;  // collected
    ready_node waiting_;
    task<void> reader_;
    task<void> writer_;
    std::string_view piece_;  // received by the reader
    http::status status_{};
    response_state response_ = response_state::none;
    input_state input_ = input_state::none;
    bool has_trailers_ = false;
    bool is_body_received_ = false;
    bool is_writing_ = false;
    bool ended_ = false;
    cancel_reason cancelled_ = cancel_reason::none;
};

class [[nodiscard]] asgi_exchange::end_awaiter {
public:
    explicit end_awaiter(asgi_exchange& x) noexcept : exchange_(x) {}
    [[nodiscard]] bool await_ready() const noexcept { return exchange_.has_ended(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept {
        exchange_.waiting_.set_coroutine(caller, exchange_.request_.context);
    }
    void await_resume() const noexcept {}

private:
    asgi_exchange& exchange_;
};

inline asgi_exchange::end_awaiter asgi_exchange::end() noexcept { return end_awaiter(*this); }

}  // namespace rondo::python
