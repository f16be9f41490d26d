// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/peer_connection.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <rondo/base/log.hpp>
#include <rondo/channels/peer_discovery.hpp>

namespace rondo::channels_detail {

namespace {

constexpr std::size_t read_block_size = 256u << 10;
constexpr int reads_per_turn = 4;
constexpr auto poll_retry_delay = std::chrono::milliseconds(100);

// The rest of the pieces after the first `sent` bytes.
int remaining_pieces(std::span<const std::string_view> pieces, std::size_t sent, std::span<iovec> out) {
    int count = 0;
    for (const std::string_view piece : pieces) {
        if (sent >= piece.size()) {
            sent -= piece.size();
            continue;
        }
        out[static_cast<std::size_t>(count++)] = {const_cast<char*>(piece.data() + sent), piece.size() - sent};
        sent = 0;
    }
    return count;
}

}  // namespace

peer_sender::peer_sender(io_thread& io, std::string peer_name, unique_fd socket)
    : io_(io),
      peer_name_(std::move(peer_name)),
      pid_(peer_discovery::peer_pid(socket.value())),
      socket_(std::move(socket)),
      retry_timer_(*this) {}

peer_sender::poll_retry::poll_retry(peer_sender& sender) noexcept
    : timer([](timer& self) noexcept {
          peer_sender& waiting = static_cast<poll_retry&>(self).owner;
          const std::scoped_lock lock(waiting.mutex_);
          waiting.update_poll();
      }),
      owner(sender) {}

std::string peer_sender::text() const { return fmt::format("process {}", pid_); }

peer_sender::~peer_sender() { close(); }

std::size_t peer_sender::size_of(const frame& f) noexcept {
    return sizeof f.header + f.header.name_size + f.header.size;
}

// False when the kernel accepts no more for now. A failure counts as sent: the receiver has ended, which the I/O thread
// notices by itself.
bool peer_sender::try_send(frame& f) {
    const std::string_view head(reinterpret_cast<const char*>(&f.header), sizeof f.header);
    const std::array<std::string_view, 3> pieces{head, f.body->channel, f.body->bytes};
    while (f.sent < size_of(f)) {
        std::array<iovec, 3> remaining{};
        msghdr message{};
        message.msg_iov = remaining.data();
        message.msg_iovlen = static_cast<std::size_t>(remaining_pieces(pieces, f.sent, remaining));
        const ssize_t n = ::sendmsg(socket_.value(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) f.sent += static_cast<std::size_t>(n);
        else if (errno == EAGAIN) return false;
        else if (errno != EINTR) f.sent = size_of(f);
    }
    return true;
}

void peer_sender::enqueue(frame f) {
    unsent_bytes_ += size_of(f) - f.sent;
    unsent_.push_back(std::move(f));
    if (std::exchange(flush_scheduled_, true)) return;
    io_.post([self = shared_from_this()] {
        const std::scoped_lock lock(self->mutex_);
        self->update_poll();
    });
}

void peer_sender::send(const std::shared_ptr<const message_body>& body, std::shared_ptr<wait_group>& completion) {
    const std::scoped_lock lock(mutex_);
    if (!socket_) return;
    if (unsent_bytes_ > unsent_limit) lagging_ = true;
    if (lagging_) {
        missed_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    frame f{{frame_header::message, static_cast<std::uint32_t>(body->channel.size()), body->bytes.size()}, body, 0, {}};
    if (unsent_.empty() && try_send(f)) return;
    if (!completion) completion = std::make_shared<wait_group>();
    completion->add();
    f.completion = completion;
    enqueue(std::move(f));
}

bool peer_sender::drop_if_unsent(const wait_group& completion) {
    const std::scoped_lock lock(mutex_);
    for (const frame& f : unsent_) {
        if (f.completion.get() != &completion) continue;
        lagging_ = true;
        return true;
    }
    return false;
}

void peer_sender::send_hello(std::string_view own_name, const std::function<void()>& before) {
    const std::scoped_lock lock(mutex_);
    before();
    auto body = std::make_shared<message_body>(std::string(own_name), std::string());
    frame f{{frame_header::hello, static_cast<std::uint32_t>(own_name.size()), 0}, std::move(body), 0, {}};
    if (!try_send(f)) enqueue(std::move(f));
}

void peer_sender::start_watching(std::function<void()> on_closed) {
    on_closed_ = std::move(on_closed);
    const std::scoped_lock lock(mutex_);
    update_poll();
}

void peer_sender::update_poll() noexcept {
    if (!socket_) return;
    if (std::exchange(polling_, false)) io_.loop().io().cancel(*this);
    try {
        io_.loop().io().poll(*this, socket_.value(), flush_scheduled_ ? POLLIN | POLLOUT : POLLIN);
        polling_ = true;
    } catch (const std::system_error&) {  // out of memory or of fs.epoll.max_user_watches: retry later
        io_.loop().timers().arm(retry_timer_, io_.loop().now() + poll_retry_delay);
    }
}

void peer_sender::polled(int events) noexcept {
    polling_ = false;
    const std::shared_ptr<peer_sender> self = shared_from_this();
    // The other process sends nothing on this socket: input means end of file.
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        close();
        if (on_closed_) std::exchange(on_closed_, nullptr)();
        return;
    }
    flush();
}

void peer_sender::flush() {
    const std::scoped_lock lock(mutex_);
    while (!unsent_.empty()) {
        frame& f = unsent_.front();
        const std::size_t before = f.sent;
        const bool complete = try_send(f);
        unsent_bytes_ -= f.sent - before;
        if (!complete) break;
        if (f.completion) f.completion->done();
        unsent_.pop_front();
        if (!unsent_.empty() || !std::exchange(lagging_, false)) continue;
        log::warning(fmt::format("channels: {} reads again; {} messages to it were dropped", text(), missed()));
        frame gap{{frame_header::gap, 0, 0}, std::make_shared<message_body>(), 0, {}};
        unsent_bytes_ += size_of(gap);
        unsent_.push_back(std::move(gap));
    }
    flush_scheduled_ = !unsent_.empty();
    update_poll();
}

void peer_sender::close() noexcept {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(polling_, false)) io_.loop().io().cancel(*this);
    retry_timer_.disarm();
    socket_.reset();
    for (const frame& f : unsent_)
        if (f.completion) f.completion->done();
    unsent_.clear();
    unsent_bytes_ = 0;
}

peer_receiver::peer_receiver(event_loop& loop, unique_fd socket, event_handlers handlers)
    : loop_(loop), socket_(std::move(socket)), handlers_(std::move(handlers)) {
    loop_.io().poll(*this, socket_.value(), POLLIN);
}

peer_receiver::~peer_receiver() { loop_.io().cancel(*this); }

void peer_receiver::polled(int) noexcept {
    try {
        if (receive()) return loop_.io().poll(*this, socket_.value(), POLLIN);
    } catch (const std::exception& e) {
        log::warning(fmt::format("channels: closed the connection from process {}: {}",
                                 peer_discovery::peer_pid(socket_.value()), e.what()));
    }
    const auto on_closed = handlers_.on_closed;  // a copy: it destroys this
    on_closed(*this);
}

// False at end of file.
bool peer_receiver::receive() {
    std::ptrdiff_t n = 1;
    for (int i = 0; i < reads_per_turn && n > 0; ++i) n = read_some();
    parse();
    return n != 0;
}

// Returns 0 at end of file, a negative number when there is no input now.
std::ptrdiff_t peer_receiver::read_some() {
    const std::size_t size = buffer_.size();
    ssize_t n = 0;
    buffer_.resize_and_overwrite(size + read_block_size, [&](char* bytes, std::size_t) {
        n = ::recv(socket_.value(), bytes + size, read_block_size, MSG_DONTWAIT);
        return n > 0 ? size + static_cast<std::size_t>(n) : size;
    });
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return -1;
    return n > 0 ? n : 0;
}

void peer_receiver::validate(const frame_header& header) const {
    bool valid = hello_received_;
    switch (header.type) {
        case frame_header::hello:
            valid = !hello_received_ && header.size == 0 && header.name_size > 0 && header.name_size <= max_peer_name;
            break;
        case frame_header::message:
            valid = valid && header.name_size <= max_channel_name && header.size <= max_message;
            break;
        case frame_header::gap: valid = valid && header.name_size == 0 && header.size == 0; break;
        default: valid = false;
    }
    if (!valid)
        throw std::runtime_error(fmt::format("it sent an invalid frame (type {}, name of {} bytes, {} bytes)",
                                             header.type, header.name_size, header.size));
}

void peer_receiver::parse() {
    std::string_view unparsed = buffer_;
    frame_header header;
    unsigned gaps = 0;  // each visits all subscribers: report the first, and one for all that follow
    while (unparsed.size() >= sizeof header) {
        std::memcpy(&header, unparsed.data(), sizeof header);
        validate(header);
        const std::string_view frame_body = unparsed.substr(sizeof header);
        if (frame_body.size() < header.name_size || frame_body.size() - header.name_size < header.size) break;
        hello_received_ = true;
        if (header.type != frame_header::gap || ++gaps == 1)
            handlers_.on_frame(header, frame_body.substr(0, header.name_size),
                               frame_body.substr(header.name_size, header.size));
        unparsed = frame_body.substr(header.name_size + header.size);
    }
    if (gaps > 1) handlers_.on_frame({frame_header::gap, 0, 0}, {}, {});
    buffer_.erase(0, buffer_.size() - unparsed.size());
    if (buffer_.empty() && buffer_.capacity() > 4 * read_block_size) buffer_.shrink_to_fit();
}

}  // namespace rondo::channels_detail
