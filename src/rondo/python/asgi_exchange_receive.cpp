// SPDX-License-Identifier: Apache-2.0
// The messages that receive() returns: the body of the request, and the end of the connection.
#include <string>

#include <rondo/handler/error.hpp>
#include <rondo/python/asgi_application.hpp>
#include <rondo/python/asgi_exchange.hpp>
#include <rondo/python/runtime.hpp>

namespace rondo::python {

namespace {

// Pieces of a chunked body are joined up to this size, so that their sender does not choose how many messages they are.
constexpr std::size_t gathered_size = 64 * 1024;

object disconnect_message() {
    const names& n = runtime::get().name;
    object message = checked(PyDict_New());
    checked(PyDict_SetItem(message.get(), n.type.get(), n.http_disconnect.get()));
    return message;
}

object request_message(const object& body, bool has_more) {
    const names& n = runtime::get().name;
    object message = checked(PyDict_New());
    checked(PyDict_SetItem(message.get(), n.type.get(), n.http_request.get()));
    checked(PyDict_SetItem(message.get(), n.body.get(), body.get()));
    checked(PyDict_SetItem(message.get(), n.more_body.get(), has_more ? Py_True : Py_False));
    return message;
}

}  // namespace

object asgi_exchange::receive(call_state& call) {
    if (call.exchange == nullptr) return disconnect_message();
    asgi_exchange& x = *call.exchange;
    if (!x.is_body_received_) {
        object message = x.receive_body(call);
        if (message) return message;
        if (call.exchange == nullptr) return disconnect_message();
    }
    if (call.is_disconnected || call.is_ending_stream) return disconnect_message();
    return {};
}

object asgi_exchange::receive_body(call_state& call) {
    handler::body& body = *request_.body;
    if (input_ == input_state::reading) return {};
    if (body.is_at_end() && input_ == input_state::none) {
        is_body_received_ = true;
        return request_message(runtime::get().empty_bytes, false);
    }
    const std::optional<std::string_view> piece = next_piece();
    if (ended_) return {};
    if (piece) {
        const object received = gather(*piece);
        is_body_received_ = body.is_at_end();
        return request_message(received, !is_body_received_);
    }
    if (call.is_disconnected) return {};
    input_ = input_state::reading;
    start_task(reader_, read_piece(), reader_task);
    application_.on_activity();
    // It may have read at once.
    return input_ == input_state::reading || ended_ ? object() : receive_body(call);
}

// Received bytes, or nothing when there are none yet. Ends the exchange when the body is invalid.
std::optional<std::string_view> asgi_exchange::next_piece() {
    if (input_ == input_state::ready) {
        input_ = input_state::none;
        return piece_;
    }
    try {
        return request_.body->try_read();
    } catch (const http_error& e) {
        fail(e.code());
    } catch (const cancelled&) {
        state_of(call_.get()).is_disconnected = true;
    }
    return std::nullopt;
}

object asgi_exchange::gather(std::string_view first) {
    if (request_.body->length() || request_.body->is_at_end()) return bytes(first);
    std::string joined(first);
    while (joined.size() < gathered_size && !request_.body->is_at_end()) {
        const std::optional<std::string_view> piece = next_piece();
        if (!piece) break;
        joined += *piece;
    }
    return bytes(joined);
}

task<void> asgi_exchange::read_piece() {
    http::status refusal{};
    try {
        piece_ = co_await request_.body->read();
        input_ = input_state::ready;
    } catch (const http_error& e) {
        refusal = e.code();
    } catch (const cancelled&) {
        input_ = input_state::none;
        state_of(call_.get()).is_disconnected = true;
    }
    if (refusal == http::status{}) co_return;
    application_.gil().acquire();
    input_ = input_state::none;
    state_of(call_.get()).is_disconnected = true;
    fail(refusal);
}

}  // namespace rondo::python
