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

#include <rondo/loop/pool.hpp>

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

stream::stream(output& out, unique_fd fd) : stream_socket(fd.value()), out_(out) {
    loop().io().attach(*this);
    (void)fd.release();
}

stream::~stream() {
    close();
    // The waiting coroutines may outlive the stream; they must not access it when they are destroyed.
    if (reader_) reader_->release();
    if (writer_) writer_->release();
}

void stream::consume(std::size_t size) noexcept {
    if (!held_) {
        passing_.remove_prefix(size);
        return;
    }
    held_->at += size;
    if (held_->at == held_->size) held_.reset();
}

bool stream::unread() const noexcept {
    int waiting = 0;
    return !input().empty() || (is_open() && ::ioctl(fd(), FIONREAD, &waiting) == 0 && waiting > 0);
}

std::uint64_t stream::bytes_taken() const noexcept {
    int unsent = 0;
    if (!is_open() || ::ioctl(fd(), SIOCOUTQ, &unsent) != 0 || unsent < 0) return bytes_sent_;
    return bytes_sent_ - std::min(bytes_sent_, static_cast<std::uint64_t>(unsent));
}

void stream::hold_input() {
    if (held_) held_->lent.reset();
    if (!held_ && !passing_.empty()) hold(std::exchange(passing_, {}));
}

void stream::hold(std::string_view bytes) {
    if (!held_) held_ = std::make_unique<held_input>();
    held_input& h = *held_;
    if (h.size + bytes.size() > h.capacity) {
        std::size_t unread = h.size - h.at;
        std::size_t capacity = std::max<std::size_t>(512, 2 * (unread + bytes.size()));
        auto grown = std::make_unique_for_overwrite<char[]>(capacity);
        if (unread) std::memcpy(grown.get(), h.bytes.get() + h.at, unread);
        grown.swap(h.bytes);
        if (!h.lent) h.lent = std::move(grown);
        h.capacity = capacity;
        h.at = 0;
        h.size = unread;
    }
    std::memcpy(h.bytes.get() + h.size, bytes.data(), bytes.size());
    h.size += bytes.size();
}

void stream::received(const loop_turn& turn, std::string_view bytes) noexcept {
    if (filter_) return receive_filtered(turn, bytes);
    deliver(turn, bytes);
}

void stream::deliver(const loop_turn& turn, std::string_view bytes) noexcept {
    if (!reader_) {
        hold(bytes);
        if (held_->size - held_->at > unread_limit) {
            input_paused_ = true;
            loop().io().pause_input(*this);
        }
        return;
    }
    if (held_) hold(bytes);
    else passing_ = bytes;
    event_ = input_event::more;
    std::exchange(reader_, nullptr)->resume_within(turn);
    // Buffers what the reader did not consume.
    if (!held_ && !passing_.empty()) hold(std::exchange(passing_, {}));
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
    if (filter_ && error == 0 && filter_->now() != stream_filter::state::ended) error = ECONNRESET;
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
        report_gone();
    } else {
        left(false);
    }
}

std::size_t stream::backlog() const noexcept {
    std::size_t unsent = unsent_ ? unsent_->bytes.size() - unsent_->at : 0;
    return corked() + sending_size_ + unsent;
}

void stream::write(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t part = std::min(bytes.size(), output::block_size / 4);
        std::memcpy(reserve(part), bytes.data(), part);
        commit(part);
        bytes.remove_prefix(part);
    }
}

bool stream::push(const char* data, std::size_t size, void* block) noexcept {
    ++flushes_;
    if (failed_ || !is_open()) return false;
    if (filter_) {
        push_filtered({data, size});
        return false;
    }
    if (sending_ || unsent_) {
        hold_output({data, size});
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
        hold_output({data + count, size - count});
        loop().io().want_writable(*this);
    }
    return false;
}

void stream::hold_output(std::string_view bytes) {
    if (!unsent_) unsent_ = std::make_unique<held_output>();
    unsent_->bytes.append(bytes);
}

void stream::sent(std::ptrdiff_t result, void* block) noexcept {
    std::string_view rest(std::exchange(sending_, nullptr), std::exchange(sending_size_, 0u));
    if (result < 0 && result != -EAGAIN) {
        output::released(block);
        return fail_output(static_cast<int>(-result));
    }
    std::size_t count = result > 0 ? static_cast<std::size_t>(result) : 0;
    bytes_sent_ += count;
    rest.remove_prefix(count);
    if (!rest.empty()) {
        if (!unsent_) unsent_ = std::make_unique<held_output>();
        unsent_->bytes.insert(0, rest);
    }
    output::released(block);
    if (unsent_) send_held();
    else all_sent();
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

void stream::send_held() noexcept {
    held_output& h = *unsent_;
    while (h.at < h.bytes.size()) {
        std::size_t n = send_now(std::string_view(h.bytes).substr(h.at));
        if (failed_) return;
        if (n == 0) return loop().io().want_writable(*this);
        h.at += n;
    }
    unsent_.reset();
    all_sent();
}

void stream::all_sent() noexcept {
    if (shutting_down_ && is_open()) ::shutdown(fd(), SHUT_WR);
    shutting_down_ = false;
    wake_writer();
}

void stream::writable() noexcept {
    if (unsent_ && !sending_) send_held();
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
    if (!reader_) out_.note_failure(*this);
}

void stream::report_gone() noexcept {
    if (reported_gone_) return;
    reported_gone_ = true;
    left(true);
}

void stream::report_failure() noexcept {
    if (is_open() && !reader_) report_gone();
}

// Waits until the socket is writable; woken by writable().
class [[nodiscard]] stream::room_awaiter : public waiting {
public:
    explicit room_awaiter(stream& s) noexcept : waiting(s) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) noexcept {
        hold(caller, nullptr);
        stream_.writer_ = this;
        stream_.loop().io().want_writable(stream_);
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
        co_await room_awaiter(*this);
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
        co_await room_awaiter(*this);
    }
    co_return true;
}

void stream::interrupt() noexcept {
    interrupted_ = true;
    if (reader_) loop().io().pause_input(*this);
    wake_reader(input_event::interrupted);
    wake_writer();
}

void stream::forget_reader() noexcept {
    reader_ = nullptr;
    if (is_open()) loop().io().pause_input(*this);
}

void stream::shutdown_output() noexcept {
    flush();
    if (filter_) end_filtered();
    if (sending_ || unsent_) shutting_down_ = true;
    else if (is_open()) ::shutdown(fd(), SHUT_WR);
}

void stream::close(bool reset) noexcept {
    if (!is_open()) return;
    out_.drop(*this);
    if (filter_ && !reset && !failed_) end_filtered();
    out_.forget_failure(*this);
    if (reset) {
        linger option{};
        option.l_onoff = 1;
        ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &option, sizeof option);
    }
    failed_ = input_ended_ = input_failed_ = true;
    loop().io().close(*this);
}

}  // namespace rondo::net
