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

constexpr std::size_t read_step = 256u << 10;
constexpr int reads_per_turn = 4;
constexpr auto watch_retry = std::chrono::milliseconds(100);

// The rest of the pieces after the first `sent` bytes.
int left_of(std::span<const std::string_view> pieces, std::size_t sent, std::span<iovec> out) {
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

link::link(io_thread& io, std::string peer_name, unique_fd socket)
    : io_(io),
      to_(std::move(peer_name)),
      process_(rendezvous::process_of(socket.value())),
      socket_(std::move(socket)),
      again_(*this) {}

link::retry::retry(link& sender) noexcept
    : timer([](timer& self) noexcept {
          link& waiting = static_cast<retry&>(self).owner;
          const std::scoped_lock lock(waiting.mutex_);
          waiting.watch_again();
      }),
      owner(sender) {}

std::string link::text() const { return fmt::format("process {}", process_); }

link::~link() { end(); }

std::size_t link::size_of(const frame& f) noexcept { return sizeof f.head + f.head.name_size + f.head.size; }

// False when the kernel accepts no more for now. A failure counts as sent: the receiver has ended, which the I/O thread
// notices by itself.
bool link::send_some(frame& f) {
    const std::string_view head(reinterpret_cast<const char*>(&f.head), sizeof f.head);
    const std::array<std::string_view, 3> pieces{head, f.body->channel, f.body->bytes};
    while (f.sent < size_of(f)) {
        std::array<iovec, 3> remaining{};
        msghdr message{};
        message.msg_iov = remaining.data();
        message.msg_iovlen = static_cast<std::size_t>(left_of(pieces, f.sent, remaining));
        const ssize_t n = ::sendmsg(socket_.value(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) f.sent += static_cast<std::size_t>(n);
        else if (errno == EAGAIN) return false;
        else if (errno != EINTR) f.sent = size_of(f);
    }
    return true;
}

void link::queue(frame f) {
    unsent_bytes_ += size_of(f) - f.sent;
    unsent_.push_back(std::move(f));
    if (std::exchange(asked_to_flush_, true)) return;
    io_.post([self = shared_from_this()] {
        const std::scoped_lock lock(self->mutex_);
        self->watch_again();
    });
}

void link::send(const std::shared_ptr<const message_body>& body, std::shared_ptr<fan_in>& completion) {
    const std::scoped_lock lock(mutex_);
    if (!socket_) return;
    if (unsent_bytes_ > unsent_limit) lagging_ = true;
    if (lagging_) {
        missed_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    frame f{{frame_head::message, static_cast<std::uint32_t>(body->channel.size()), body->bytes.size()}, body, 0, {}};
    if (unsent_.empty() && send_some(f)) return;
    if (!completion) completion = std::make_shared<fan_in>();
    completion->expect();
    f.waits = completion;
    queue(std::move(f));
}

bool link::give_up(const fan_in& completion) {
    const std::scoped_lock lock(mutex_);
    for (const frame& f : unsent_) {
        if (f.waits.get() != &completion) continue;
        lagging_ = true;
        return true;
    }
    return false;
}

void link::begin(std::string_view own_name, const std::function<void()>& before) {
    const std::scoped_lock lock(mutex_);
    before();
    auto body = std::make_shared<message_body>(std::string(own_name), std::string());
    frame f{{frame_head::hello, static_cast<std::uint32_t>(own_name.size()), 0}, std::move(body), 0, {}};
    if (!send_some(f)) queue(std::move(f));
}

void link::watch(std::function<void()> on_closed) {
    ended_ = std::move(on_closed);
    const std::scoped_lock lock(mutex_);
    watch_again();
}

void link::watch_again() noexcept {
    if (!socket_) return;
    if (std::exchange(polling_, false)) io_.loop().io().cancel(*this);
    try {
        io_.loop().io().poll(*this, socket_.value(), asked_to_flush_ ? POLLIN | POLLOUT : POLLIN);
        polling_ = true;
    } catch (const std::system_error&) {  // out of memory or of fs.epoll.max_user_watches: retry later
        io_.loop().timers().arm(again_, io_.loop().now() + watch_retry);
    }
}

void link::polled(int events) noexcept {
    polling_ = false;
    const std::shared_ptr<link> self = shared_from_this();
    // The other process sends nothing on this socket: input means end of file.
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        end();
        if (ended_) std::exchange(ended_, nullptr)();
        return;
    }
    flush();
}

void link::flush() {
    const std::scoped_lock lock(mutex_);
    while (!unsent_.empty()) {
        frame& f = unsent_.front();
        const std::size_t before = f.sent;
        const bool complete = send_some(f);
        unsent_bytes_ -= f.sent - before;
        if (!complete) break;
        if (f.waits) f.waits->done();
        unsent_.pop_front();
        if (!unsent_.empty() || !std::exchange(lagging_, false)) continue;
        log::warning(fmt::format("channels: {} reads again; {} messages to it were dropped", text(), missed()));
        frame gap{{frame_head::gap, 0, 0}, std::make_shared<message_body>(), 0, {}};
        unsent_bytes_ += size_of(gap);
        unsent_.push_back(std::move(gap));
    }
    asked_to_flush_ = !unsent_.empty();
    watch_again();
}

void link::end() noexcept {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(polling_, false)) io_.loop().io().cancel(*this);
    again_.disarm();
    socket_.reset();
    for (const frame& f : unsent_)
        if (f.waits) f.waits->done();
    unsent_.clear();
    unsent_bytes_ = 0;
}

receiver::receiver(event_loop& loop, unique_fd socket, sink handlers)
    : loop_(loop), socket_(std::move(socket)), to_(std::move(handlers)) {
    loop_.io().poll(*this, socket_.value(), POLLIN);
}

receiver::~receiver() { loop_.io().cancel(*this); }

void receiver::polled(int) noexcept {
    try {
        if (receive()) return loop_.io().poll(*this, socket_.value(), POLLIN);
    } catch (const std::exception& e) {
        log::warning(fmt::format("channels: closed the connection from process {}: {}",
                                 rendezvous::process_of(socket_.value()), e.what()));
    }
    const auto on_closed = to_.ended;  // a copy: it destroys this
    on_closed(*this);
}

// False at end of file.
bool receiver::receive() {
    std::ptrdiff_t n = 1;
    for (int i = 0; i < reads_per_turn && n > 0; ++i) n = read_some();
    parse();
    return n != 0;
}

// Returns 0 at end of file, a negative number when there is no input now.
std::ptrdiff_t receiver::read_some() {
    const std::size_t size = buffer_.size();
    ssize_t n = 0;
    buffer_.resize_and_overwrite(size + read_step, [&](char* bytes, std::size_t) {
        n = ::recv(socket_.value(), bytes + size, read_step, MSG_DONTWAIT);
        return n > 0 ? size + static_cast<std::size_t>(n) : size;
    });
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return -1;
    return n > 0 ? n : 0;
}

void receiver::check(const frame_head& header) const {
    bool valid = greeted_;
    switch (header.what) {
        case frame_head::hello:
            valid = !greeted_ && header.size == 0 && header.name_size > 0 && header.name_size <= largest_member_name;
            break;
        case frame_head::message:
            valid = valid && header.name_size <= largest_channel_name && header.size <= largest_message;
            break;
        case frame_head::gap: valid = valid && header.name_size == 0 && header.size == 0; break;
        default: valid = false;
    }
    if (!valid)
        throw std::runtime_error(fmt::format("it sent an invalid frame (type {}, name of {} bytes, {} bytes)",
                                             header.what, header.name_size, header.size));
}

void receiver::parse() {
    std::string_view unparsed = buffer_;
    frame_head header;
    unsigned gaps = 0;  // each visits all subscribers: report the first, and one for all that follow
    while (unparsed.size() >= sizeof header) {
        std::memcpy(&header, unparsed.data(), sizeof header);
        check(header);
        const std::string_view rest = unparsed.substr(sizeof header);
        if (rest.size() < header.name_size || rest.size() - header.name_size < header.size) break;
        greeted_ = true;
        if (header.what != frame_head::gap || ++gaps == 1)
            to_.arrived(header, rest.substr(0, header.name_size), rest.substr(header.name_size, header.size));
        unparsed = rest.substr(header.name_size + header.size);
    }
    if (gaps > 1) to_.arrived({frame_head::gap, 0, 0}, {}, {});
    buffer_.erase(0, buffer_.size() - unparsed.size());
    if (buffer_.empty() && buffer_.capacity() > 4 * read_step) buffer_.shrink_to_fit();
}

}  // namespace rondo::channels_detail
