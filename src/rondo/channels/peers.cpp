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
constexpr std::size_t most_receivers = 1024;
}  // namespace

mesh::mesh(const std::string& prefix, sink handlers)
    : mesh(prefix + random_token(), prefix.size(), std::move(handlers)) {
    // A process that starts to listen later finds this one.
    std::vector<std::string> existing = rendezvous::find(prefix);
    std::erase_if(existing, [this](const std::string& other) { return other == name_ || !is_member(other); });
    expected_.insert(existing.begin(), existing.end());
    io_->run([&] {
        io_->loop().io().start_accepting(*this);
        for (const std::string& other : existing) heard_of(other);
    });
}

mesh::mesh(const std::string& own_name, std::size_t prefix, sink handlers)
    : mesh(own_name, prefix, rendezvous::claim(own_name), std::move(handlers)) {}

mesh::mesh(std::string own_name, std::size_t prefix, unique_fd socket, sink handlers)
    : acceptor(socket.value()),
      io_(io_thread::shared()),
      name_(std::move(own_name)),
      prefix_size_(prefix),
      to_(std::move(handlers)),
      socket_(std::move(socket)) {}

mesh::~mesh() {
    io_->run([this] {
        io_->loop().io().stop_accepting(*this);
        receivers_.clear();
        for (const auto& l : *links()) l->end();
    });
}

std::shared_ptr<const mesh::link_list> mesh::links() const {
    const std::scoped_lock lock(mutex_);
    return links_;
}

std::shared_ptr<pending> mesh::publish(const std::shared_ptr<const message_body>& body) {
    std::shared_ptr<fan_in> completion;
    for (const auto& l : *links()) l->send(body, completion);
    if (completion) completion->done();
    return completion;
}

void mesh::gave_up(const std::shared_ptr<pending>& publishing) {
    const auto& completion = static_cast<const fan_in&>(*publishing);
    for (const auto& l : *links()) {
        if (l->give_up(completion))
            log::warning(fmt::format("channels: {} does not read; dropping its messages until it does", l->text()));
    }
}

std::shared_ptr<pending> mesh::joined() {
    const std::scoped_lock lock(mutex_);
    if (expected_.empty()) return nullptr;
    return joining_.emplace_back(std::make_shared<reply<bool>>());
}

std::size_t mesh::members() const { return links()->size(); }

std::uint64_t mesh::missed() const {
    const std::scoped_lock lock(mutex_);
    std::uint64_t missed = missed_;
    for (const auto& l : *links_) missed += l->missed();
    return missed;
}

// ---- on the I/O thread ----

void mesh::accepted(int fd) noexcept {
    unique_fd socket(fd);
    if (!rendezvous::same_user(fd)) return;
    if (receivers_.size() >= most_receivers)
        return log::warning(fmt::format("channels: refused a connection from process {}: {} are connected",
                                        rendezvous::process_of(fd), most_receivers));
    const receiver::sink handlers{
        .arrived = [this](frame_head header, std::string_view name,
                          std::string_view bytes) { take(header, name, bytes); },
        .ended = [this](receiver& r) { std::erase_if(receivers_, [&](const auto& p) { return p.get() == &r; }); }};
    try {
        receivers_.push_back(std::make_unique<receiver>(io_->loop(), std::move(socket), handlers));
    } catch (const std::exception& e) {
        log::error(fmt::format("channels: cannot accept a connection from another worker: {}", e.what()));
    }
}

bool mesh::is_member(std::string_view name) const noexcept {
    return name.size() == name_.size() && name.starts_with(std::string_view(name_).substr(0, prefix_size_)) &&
           name.find_first_not_of("0123456789abcdef", prefix_size_) == std::string_view::npos;
}

void mesh::accept_failed(int error) noexcept {
    log::error(fmt::format("channels: cannot accept a connection from another worker: {}",
                           std::generic_category().message(error)));
}

void mesh::take(frame_head header, std::string_view name, std::string_view bytes) {
    if (header.what == frame_head::message)
        to_.message(std::make_shared<message_body>(std::string(name), std::string(bytes)));
    else if (header.what == frame_head::gap) to_.gap();
    else if (header.what == frame_head::hello) came(std::string(name));
}

// The other process sends here from now on; connect back to it.
void mesh::came(const std::string& name) {
    if (name == name_ || !is_member(name)) throw std::runtime_error("it is not a process of this server");
    heard_of(name);
    arrived(name);
}

void mesh::arrived(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    expected_.erase(name);
    if (!expected_.empty()) return;
    for (const auto& waiting : std::exchange(joining_, {})) waiting->settle();
}

void mesh::heard_of(const std::string& name) {
    if (std::ranges::any_of(*links(), [&](const auto& l) { return l->to() == name; })) return;
    unique_fd socket = rendezvous::connect(name);
    if (!socket) return arrived(name);  // it has ended
    const auto added = std::make_shared<link>(*io_, name, std::move(socket));
    added->begin(name_, [&] {
        const std::scoped_lock lock(mutex_);
        auto more = std::make_shared<link_list>(*links_);
        more->push_back(added);
        links_ = std::move(more);
    });
    added->watch([this, name] { lost(name); });
}

void mesh::lost(const std::string& name) {
    {
        const std::scoped_lock lock(mutex_);
        auto fewer = std::make_shared<link_list>();
        for (const auto& l : *links_) {
            if (l->to() == name) missed_ += l->missed();
            else fewer->push_back(l);
        }
        links_ = std::move(fewer);
    }
    arrived(name);
}

}  // namespace rondo::channels_detail
