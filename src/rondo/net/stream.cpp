// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/stream.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <rondo/loop/thread_pool.hpp>

namespace rondo::net {

namespace {

// Bytes per job of a pool thread: enough to be worth the thread switch, few enough to share the threads fairly.
constexpr std::size_t file_step = 512 * 1024;

struct file_progress {
    std::int64_t sent = 0;
    int error = 0;
};

file_progress send_file_step(int socket, int file, std::uint64_t offset, std::size_t size) noexcept {
    file_progress done;
    auto position = static_cast<off_t>(offset);
    while (size > 0) {
        ssize_t n = ::sendfile(socket, file, &position, size);
        if (n > 0) {
            done.sent += n;
            size -= static_cast<std::size_t>(n);
        } else if (n == 0) {
            done.error = ENODATA;
            break;
        } else if (errno != EINTR) {
            done.error = errno;
            break;
        }
    }
    return done;
}

}  // namespace

stream::stream(output_buffer& out, unique_fd fd) : stream_socket(fd.value()), out_(out) {
    loop().io().attach(*this);
    (void)fd.release();
}

stream::~stream() {
    close();
    // The waiting coroutines may outlive the stream; they must not access it when they are destroyed.
    if (reader_) reader_->clear_coroutine();
    if (writer_) writer_->clear_coroutine();
}

void stream::consume(std::size_t size) noexcept {
    if (!buffered_) {
        transient_.remove_prefix(size);
        return;
    }
    buffered_->offset += size;
    if (buffered_->offset == buffered_->size) buffered_.reset();
}

bool stream::has_unread_input() const noexcept {
    int waiting = 0;
    return !input().empty() || (is_open() && ::ioctl(fd(), FIONREAD, &waiting) == 0 && waiting > 0);
}

std::uint64_t stream::bytes_acknowledged() const noexcept {
    int unsent = 0;
    if (!is_open() || ::ioctl(fd(), SIOCOUTQ, &unsent) != 0 || unsent < 0) return bytes_sent_;
    return bytes_sent_ - std::min(bytes_sent_, static_cast<std::uint64_t>(unsent));
}

void stream::buffer_input() {
    if (buffered_) buffered_->previous_bytes.reset();
    if (!buffered_ && !transient_.empty()) append_input(std::exchange(transient_, {}));
}

void stream::append_input(std::string_view bytes) {
    if (!buffered_) buffered_ = std::make_unique<buffered_input>();
    buffered_input& b = *buffered_;
    if (b.size + bytes.size() > b.capacity) {
        std::size_t unread = b.size - b.offset;
        std::size_t capacity = std::max<std::size_t>(512, 2 * (unread + bytes.size()));
        auto grown = std::make_unique_for_overwrite<char[]>(capacity);
        if (unread) std::memcpy(grown.get(), b.bytes.get() + b.offset, unread);
        grown.swap(b.bytes);
        if (!b.previous_bytes) b.previous_bytes = std::move(grown);
        b.capacity = capacity;
        b.offset = 0;
        b.size = unread;
    }
    std::memcpy(b.bytes.get() + b.size, bytes.data(), bytes.size());
    b.size += bytes.size();
}

void stream::received(const loop_turn& turn, std::string_view bytes) noexcept {
    if (filter_) return receive_filtered(turn, bytes);
    deliver(turn, bytes);
}

void stream::deliver(const loop_turn& turn, std::string_view bytes) noexcept {
    if (!reader_) {
        append_input(bytes);
        if (buffered_->size - buffered_->offset > max_unread_input) {
            input_paused_ = true;
            loop().io().pause_input(*this);
        }
        return;
    }
    if (buffered_) append_input(bytes);
    else transient_ = bytes;
    event_ = input_event::data;
    std::exchange(reader_, nullptr)->resume_within(turn);
    // Buffers what the reader did not consume.
    if (!buffered_ && !transient_.empty()) append_input(std::exchange(transient_, {}));
}

void stream::wake_reader(input_event event) noexcept {
    event_ = event;
    if (reader_) std::exchange(reader_, nullptr)->wake();
}

void stream::wake_writer() noexcept {
    if (writer_) std::exchange(writer_, nullptr)->wake();
}

void stream::receive_ended(int error) noexcept {
    // Without the filter's end signal (close_notify) the stream was truncated, perhaps by an attacker.
    if (filter_ && error == 0 && filter_->current_state() != stream_filter::state::closed) error = ECONNRESET;
    // A failed send, or a receive while no task read, has consumed the error that would be reported here.
    if (was_reset_ && error == 0) error = ECONNRESET;
    if (!input_ended_) end_input(error);
}

void stream::end_input(int error) noexcept {
    input_ended_ = true;
    if (error) failed_ = input_failed_ = true;
    wake_reader(error ? input_event::failed : input_event::end);
    if (error) wake_writer();
}

void stream::peer_closed(bool fully_closed, int error) noexcept {
    if (fully_closed) {
        if (error) was_reset_ = true;
        failed_ = true;
        wake_writer();
        report_peer_closed();
    } else {
        on_peer_closed(false);
    }
}

std::size_t stream::unsent_bytes() const noexcept {
    std::size_t unsent = unsent_ ? unsent_->bytes.size() - unsent_->offset : 0;
    return corked() + sending_size_ + unsent;
}

void stream::write(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t part = std::min(bytes.size(), output_buffer::block_size / 4);
        std::memcpy(reserve(part), bytes.data(), part);
        commit(part);
        bytes.remove_prefix(part);
    }
}

bool stream::send_or_queue(const char* data, std::size_t size, void* block) noexcept {
    ++flush_count_;
    if (failed_ || !is_open()) return false;
    if (filter_) {
        send_filtered({data, size});
        return false;
    }
    if (sending_ || unsent_) {
        queue_output({data, size});
        return false;
    }
    std::ptrdiff_t n = loop().io().send(*this, data, size, block);
    if (n == backend::send_pending) {
        sending_ = data;
        sending_size_ = static_cast<std::uint32_t>(size);
        return true;
    }
    if (n < 0 && n != -EAGAIN) {
        fail_output(static_cast<int>(-n));
        return false;
    }
    std::size_t count = n > 0 ? static_cast<std::size_t>(n) : 0;
    bytes_sent_ += count;
    if (count < size) {
        queue_output({data + count, size - count});
        loop().io().request_writable(*this);
    }
    return false;
}

void stream::queue_output(std::string_view bytes) {
    if (!unsent_) unsent_ = std::make_unique<queued_output>();
    unsent_->bytes.append(bytes);
}

void stream::sent(std::ptrdiff_t result, void* block) noexcept {
    std::string_view remaining(std::exchange(sending_, nullptr), std::exchange(sending_size_, 0u));
    if (result < 0 && result != -EAGAIN) {
        output_buffer::release_block(block);
        return fail_output(static_cast<int>(-result));
    }
    std::size_t count = result > 0 ? static_cast<std::size_t>(result) : 0;
    bytes_sent_ += count;
    remaining.remove_prefix(count);
    if (!remaining.empty()) {
        if (!unsent_) unsent_ = std::make_unique<queued_output>();
        unsent_->bytes.insert(0, remaining);
    }
    output_buffer::release_block(block);
    if (unsent_) send_queued();
    else on_all_sent();
}

std::size_t stream::send_now(std::string_view bytes) noexcept {
    while (!failed_) {
        ssize_t n = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            bytes_sent_ += static_cast<std::size_t>(n);
            return static_cast<std::size_t>(n);
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) fail_output(errno);
        break;
    }
    return 0;
}

void stream::send_queued() noexcept {
    queued_output& q = *unsent_;
    while (q.offset < q.bytes.size()) {
        std::size_t n = send_now(std::string_view(q.bytes).substr(q.offset));
        if (failed_) return;
        if (n == 0) return loop().io().request_writable(*this);
        q.offset += n;
    }
    unsent_.reset();
    on_all_sent();
}

void stream::on_all_sent() noexcept {
    if (shutting_down_ && is_open()) ::shutdown(fd(), SHUT_WR);
    shutting_down_ = false;
    wake_writer();
}

void stream::writable() noexcept {
    if (unsent_ && !sending_) send_queued();
    else wake_writer();
}

void stream::fail_output(int error) noexcept {
    if (failed_) return;
    failed_ = true;
    // EPIPE: the peer had shut down its output in order.
    was_reset_ = error != EPIPE;
    unsent_.reset();
    wake_writer();
    // Input received before stays readable; after it comes the end of the stream, whatever the failure.
    if (is_open()) ::shutdown(fd(), SHUT_RD);
    if (!reader_) out_.schedule_failure(*this);
}

void stream::report_peer_closed() noexcept {
    if (peer_closed_reported_) return;
    peer_closed_reported_ = true;
    on_peer_closed(true);
}

void stream::report_failure() noexcept {
    if (is_open() && !reader_) report_peer_closed();
}

// Waits until the socket is writable; woken by writable().
class [[nodiscard]] stream::writable_awaiter : public waiter {
public:
    explicit writable_awaiter(stream& s) noexcept : waiter(s) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) noexcept {
        set_coroutine(caller, nullptr);
        stream_.writer_ = this;
        stream_.loop().io().request_writable(stream_);
    }
    void await_resume() const noexcept {}
};

task<bool> stream::write_all(std::string_view bytes) {
    if (filter_) co_return co_await write_all_filtered(bytes);
    const bool drained_before = co_await drained();
    if (!drained_before) co_return false;
    while (!bytes.empty()) {
        std::size_t n = send_now(bytes);
        if (failed_ || interrupted_) co_return false;
        bytes.remove_prefix(n);
        if (bytes.empty()) break;
        co_await writable_awaiter(*this);
    }
    co_return true;
}

task<bool> stream::write_file(int file, std::uint64_t offset, std::uint64_t size) {
    if (filter_) co_return co_await write_file_filtered(file, offset, size);
    const bool drained_before = co_await drained();
    if (!drained_before) co_return false;
    int flags = fcntl(fd(), F_GETFL);
    if (!(flags & O_NONBLOCK)) fcntl(fd(), F_SETFL, flags | O_NONBLOCK);
    while (size > 0) {
        if (failed_ || interrupted_) co_return false;
        auto step = static_cast<std::size_t>(std::min<std::uint64_t>(size, file_step));
        file_progress done = co_await loop().blocking()->run(
            [socket = fd(), file, offset, step] { return send_file_step(socket, file, offset, step); });
        offset += static_cast<std::uint64_t>(done.sent);
        size -= static_cast<std::uint64_t>(done.sent);
        bytes_sent_ += static_cast<std::uint64_t>(done.sent);
        if (done.error && done.error != EAGAIN) {
            if (done.error != ENODATA) fail_output(done.error);
            co_return false;
        }
        if (failed_ || interrupted_) co_return false;
        if (done.error != EAGAIN) continue;
        co_await writable_awaiter(*this);
    }
    co_return true;
}

void stream::interrupt() noexcept {
    interrupted_ = true;
    if (reader_) loop().io().pause_input(*this);
    wake_reader(input_event::interrupted);
    wake_writer();
}

void stream::clear_reader() noexcept {
    reader_ = nullptr;
    if (is_open()) loop().io().pause_input(*this);
}

void stream::shutdown_output() noexcept {
    flush();
    if (filter_) shutdown_filter();
    if (sending_ || unsent_) shutting_down_ = true;
    else if (is_open()) ::shutdown(fd(), SHUT_WR);
}

void stream::close(bool reset) noexcept {
    if (!is_open()) return;
    out_.truncate(*this);
    if (filter_ && !reset && !failed_) shutdown_filter();
    out_.cancel_failure(*this);
    if (reset) {
        linger option{};
        option.l_onoff = 1;
        ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &option, sizeof option);
    }
    failed_ = input_ended_ = input_failed_ = true;
    loop().io().close(*this);
}

}  // namespace rondo::net
