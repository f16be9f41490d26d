// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/peers.hpp>

#include <algorithm>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/base/random_token.hpp>
#include <rondo/channels/peer_discovery.hpp>

namespace rondo::channels_detail {

namespace {
// More than any server has processes; limits the memory that a flood of connections can use.
constexpr std::size_t max_receivers = 1024;
}  // namespace

peers::peers(const std::string& prefix, event_handlers handlers)
    : peers(prefix + random_token(), prefix.size(), std::move(handlers)) {
    // A process that starts to listen later finds this one.
    std::vector<std::string> existing = peer_discovery::find_names(prefix);
    std::erase_if(existing, [this](const std::string& other) { return other == name_ || !is_peer_name(other); });
    expected_.insert(existing.begin(), existing.end());
    io_->run([&] {
        io_->loop().io().start_accepting(*this);
        for (const std::string& other : existing) add_peer(other);
    });
}

peers::peers(const std::string& own_name, std::size_t prefix, event_handlers handlers)
    : peers(own_name, prefix, peer_discovery::claim_name(own_name), std::move(handlers)) {}

peers::peers(std::string own_name, std::size_t prefix, unique_fd socket, event_handlers handlers)
    : acceptor(socket.value()),
      io_(io_thread::shared()),
      name_(std::move(own_name)),
      prefix_size_(prefix),
      handlers_(std::move(handlers)),
      socket_(std::move(socket)) {}

peers::~peers() {
    io_->run([this] {
        io_->loop().io().stop_accepting(*this);
        receivers_.clear();
        for (const auto& s : *senders()) s->close();
    });
}

std::shared_ptr<const peers::sender_list> peers::senders() const {
    const std::scoped_lock lock(mutex_);
    return senders_;
}

std::shared_ptr<pending> peers::publish(const std::shared_ptr<const message_body>& body) {
    std::shared_ptr<wait_group> completion;
    for (const auto& s : *senders()) s->send(body, completion);
    if (completion) completion->done();
    return completion;
}

void peers::on_publish_timeout(const std::shared_ptr<pending>& publishing) {
    const auto& completion = static_cast<const wait_group&>(*publishing);
    for (const auto& s : *senders()) {
        if (s->drop_if_unsent(completion))
            log::warning(fmt::format("channels: {} does not read; dropping its messages until it does", s->text()));
    }
}

std::shared_ptr<pending> peers::when_joined() {
    const std::scoped_lock lock(mutex_);
    if (expected_.empty()) return nullptr;
    return join_waiters_.emplace_back(std::make_shared<reply<bool>>());
}

std::size_t peers::size() const { return senders()->size(); }

std::uint64_t peers::missed() const {
    const std::scoped_lock lock(mutex_);
    std::uint64_t missed = missed_;
    for (const auto& s : *senders_) missed += s->missed();
    return missed;
}

// ---- on the I/O thread ----

void peers::accepted(int fd) noexcept {
    unique_fd socket(fd);
    if (!peer_discovery::is_same_user(fd)) return;
    if (receivers_.size() >= max_receivers)
        return log::warning(fmt::format("channels: refused a connection from process {}: {} are connected",
                                        peer_discovery::peer_pid(fd), max_receivers));
    const peer_receiver::event_handlers handlers{
        .on_frame = [this](frame_header header, std::string_view name,
                           std::string_view bytes) { on_frame(header, name, bytes); },
        .on_closed =
            [this](peer_receiver& r) { std::erase_if(receivers_, [&](const auto& p) { return p.get() == &r; }); }};
    try {
        receivers_.push_back(std::make_unique<peer_receiver>(io_->loop(), std::move(socket), handlers));
    } catch (const std::exception& e) {
        log::error(fmt::format("channels: cannot accept a connection from another worker: {}", e.what()));
    }
}

bool peers::is_peer_name(std::string_view name) const noexcept {
    return name.size() == name_.size() && name.starts_with(std::string_view(name_).substr(0, prefix_size_)) &&
           name.find_first_not_of("0123456789abcdef", prefix_size_) == std::string_view::npos;
}

void peers::accept_failed(int error) noexcept {
    log::error(fmt::format("channels: cannot accept a connection from another worker: {}",
                           std::generic_category().message(error)));
}

void peers::on_frame(frame_header header, std::string_view name, std::string_view bytes) {
    if (header.type == frame_header::message)
        handlers_.on_message(std::make_shared<message_body>(std::string(name), std::string(bytes)));
    else if (header.type == frame_header::gap) handlers_.on_gap();
    else if (header.type == frame_header::hello) on_hello(std::string(name));
}

// The other process sends here from now on; connect back to it.
void peers::on_hello(const std::string& name) {
    if (name == name_ || !is_peer_name(name)) throw std::runtime_error("it is not a process of this server");
    add_peer(name);
    mark_ready(name);
}

void peers::mark_ready(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    expected_.erase(name);
    if (!expected_.empty()) return;
    for (const auto& waiting : std::exchange(join_waiters_, {})) waiting->settle();
}

void peers::add_peer(const std::string& name) {
    if (std::ranges::any_of(*senders(), [&](const auto& s) { return s->peer_name() == name; })) return;
    unique_fd socket = peer_discovery::connect(name);
    if (!socket) return mark_ready(name);  // it has ended
    const auto added = std::make_shared<peer_sender>(*io_, name, std::move(socket));
    added->send_hello(name_, [&] {
        const std::scoped_lock lock(mutex_);
        auto updated = std::make_shared<sender_list>(*senders_);
        updated->push_back(added);
        senders_ = std::move(updated);
    });
    added->start_watching([this, name] { remove_peer(name); });
}

void peers::remove_peer(const std::string& name) {
    {
        const std::scoped_lock lock(mutex_);
        auto updated = std::make_shared<sender_list>();
        for (const auto& s : *senders_) {
            if (s->peer_name() == name) missed_ += s->missed();
            else updated->push_back(s);
        }
        senders_ = std::move(updated);
    }
    mark_ready(name);
}

}  // namespace rondo::channels_detail
