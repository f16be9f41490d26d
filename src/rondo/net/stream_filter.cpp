// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/stream_filter.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <unistd.h>

#include <rondo/loop/thread_pool.hpp>
#include <rondo/net/stream.hpp>

// The parts of stream that are used only with a filter.
namespace rondo::net {

namespace {
constexpr std::size_t filtered_write_size = 16 * 1024;  // one TLS record
constexpr std::size_t filtered_read_size = 64 * 1024;
}  // namespace

void stream::set_filter(std::unique_ptr<stream_filter> filter) {
    // An attacker on the path may have injected it; the filter has not authenticated it.
    if (!input().empty()) throw unread_input_error();
    filter_ = std::move(filter);
    std::string plain;
    std::string wire;
    filter_->receive({}, plain, wire);
    send_wire(wire);
}

void stream::receive_filtered(const loop_turn& turn, std::string_view bytes) noexcept {
    std::string plain;
    std::string wire;
    const auto before = filter_->current_state();
    const auto after = filter_->receive(bytes, plain, wire);
    send_wire(wire);
    if (!plain.empty()) deliver(turn, plain);
    else if (before == stream_filter::state::handshaking && after == stream_filter::state::open)
        wake_reader(input_event::data);
    if (!is_open()) return;
    if (after == stream_filter::state::failed) {
        fail_output(EPROTO);
        if (!input_ended_) end_input(EPROTO);
        return;
    }
    if (after == stream_filter::state::closed) {
        if (!input_ended_) end_input(0);
        return;
    }
    if (reader_) loop().io().request_input(*this);
}

void stream::send_filtered(std::string_view bytes) noexcept {
    std::string wire;
    const bool encoded = filter_->send(bytes, wire);
    if (!encoded) return fail_output(EPROTO);
    send_wire(wire);
}

void stream::send_wire(std::string_view wire) noexcept {
    if (wire.empty() || failed_ || !is_open()) return;
    if (sending_ || unsent_) return queue_output(wire);
    const std::size_t count = send_now(wire);
    if (failed_ || count == wire.size()) return;
    queue_output(wire.substr(count));
    loop().io().request_writable(*this);
}

void stream::shutdown_filter() noexcept {
    std::string wire;
    filter_->shutdown(wire);
    send_wire(wire);
}

task<bool> stream::write_all_filtered(std::string_view bytes) {
    while (!bytes.empty()) {
        write(bytes.substr(0, filtered_write_size));
        bytes.remove_prefix(std::min(bytes.size(), filtered_write_size));
        if (unsent_bytes() <= high_water) continue;
        const bool flushed = co_await drained();
        if (!flushed) co_return false;
    }
    co_return co_await drained();
}

// sendfile() cannot be used for data that must be encrypted.
task<bool> stream::write_file_filtered(int file, std::uint64_t offset, std::uint64_t size) {
    std::string piece;
    while (size > 0) {
        piece.resize(std::min<std::uint64_t>(size, filtered_read_size));
        char* const buffer = piece.data();
        const std::size_t capacity = piece.size();
        const ssize_t n = co_await loop().blocking()->run(
            [file, buffer, capacity, offset] { return ::pread(file, buffer, capacity, static_cast<off_t>(offset)); });
        if (n <= 0) co_return false;
        piece.resize(static_cast<std::size_t>(n));
        const bool flushed = co_await write_all_filtered(piece);
        if (!flushed) co_return false;
        offset += static_cast<std::uint64_t>(n);
        size -= static_cast<std::uint64_t>(n);
    }
    co_return true;
}

}  // namespace rondo::net
