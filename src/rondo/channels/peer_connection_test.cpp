// SPDX-License-Identifier: Apache-2.0
// Input from other processes is parsed defensively.
#include <rondo/channels/peer_connection.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <rondo/channels/channels.hpp>
#include <rondo/channels/peer_discovery.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::channels_detail {
namespace {

using namespace std::chrono_literals;

std::string frame(std::uint32_t what, std::uint32_t name_size, std::uint64_t size, const std::string& content) {
    const frame_header head{what, name_size, size};
    return std::string(reinterpret_cast<const char*>(&head), sizeof head) + content;
}
std::string frame(std::uint32_t what, const std::string& name, const std::string& bytes = {}) {
    return frame(what, static_cast<std::uint32_t>(name.size()), bytes.size(), name + bytes);
}

// The frames that a receiver delivers for these bytes; "closed" when it closes the connection before the sender.
class receiver_harness {
public:
    std::vector<std::string> feed(const std::string& bytes, std::size_t piece, bool throws = false) {
        std::vector<std::string> got;
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        unique_fd sender(ends[1]);
        std::optional<peer_receiver> made;
        bool ended = false;
        made.emplace(loop_, unique_fd(ends[0]),
                     peer_receiver::event_handlers{.on_frame =
                                                       [&](frame_header, std::string_view name, std::string_view text) {
                                                           if (throws) throw std::runtime_error("refused");
                                                           got.push_back(std::string(name) + "=" + std::string(text));
                                                       },
                                                   .on_closed =
                                                       [&](peer_receiver&) {
                                                           made.reset();
                                                           ended = true;
                                                       }});
        for (std::size_t at = 0; at < bytes.size() && !ended; at += piece) {
            (void)::send(sender.value(), bytes.data() + at, std::min(piece, bytes.size() - at), MSG_NOSIGNAL);
            run_once();
        }
        run_once();
        if (ended) got.emplace_back("closed");
        sender.reset();
        while (!ended) run_once();
        return got;
    }

private:
    void run_once() {
        loop_.run_until([](event_loop& l) -> task<void> { co_await l.sleep(1ms); }(loop_));
    }
    event_loop loop_{{backend_kind::epoll}};
};

const std::string hello = frame(frame_header::hello, "rondo-x");

TEST(PeerReceiver, parses_frames_split_anywhere) {
    const std::string bytes = hello + frame(frame_header::message, "room", "text") + frame(frame_header::gap, "") +
                              frame(frame_header::message, "", "") +
                              frame(frame_header::message, "r", std::string(60'000, 'x'));
    for (const std::size_t piece : {std::size_t{7}, std::size_t{100'000}, bytes.size()}) {
        if (piece == 7 && bytes.size() > 10'000) continue;
        const auto got = receiver_harness().feed(bytes, piece);
        EXPECT_EQ(got, (std::vector<std::string>{"rondo-x=", "room=text", "=", "=", "r=" + std::string(60'000, 'x')}));
    }
    EXPECT_EQ(receiver_harness().feed(hello + frame(frame_header::message, "room", "text"), 1),
              (std::vector<std::string>{"rondo-x=", "room=text"}));
}

TEST(PeerReceiver, invalid_frames_close_the_connection) {
    const std::string none;
    for (const std::string& bytes :
         {frame(frame_header::hello, 200, 0, std::string(200, 'x')), frame(frame_header::hello, ""),
          frame(frame_header::hello, "a", "b"), frame(frame_header::message, "room", "text"),
          frame(frame_header::gap, ""), frame(0, ""), frame(77, "")}) {
        EXPECT_EQ(receiver_harness().feed(bytes, bytes.size()), std::vector<std::string>{"closed"});
    }
    for (const std::string& bytes :
         {hello, frame(frame_header::message, 64, UINT64_MAX - 63, none),
          frame(frame_header::message, UINT32_MAX, 0, none), frame(frame_header::message, UINT32_MAX, UINT64_MAX, none),
          frame(frame_header::message, 1, UINT64_MAX, none), frame(frame_header::message, 1, max_message + 1, none),
          frame(frame_header::gap, "x"), frame(4, "")}) {
        EXPECT_EQ(receiver_harness().feed(hello + bytes, 1000), (std::vector<std::string>{"rondo-x=", "closed"}));
    }
    EXPECT_EQ(receiver_harness().feed(hello, 1000, true), std::vector<std::string>{"closed"});
}

// A gap frame has 16 bytes, but the receiver has to visit all subscribers.
TEST(PeerReceiver, merges_gaps) {
    std::string bytes = hello;
    for (int i = 0; i < 1000; ++i) bytes += frame(frame_header::gap, "") + frame(frame_header::message, "r", "x");
    const auto got = receiver_harness().feed(bytes, bytes.size());
    EXPECT_EQ(std::ranges::count(got, "r=x"), 1000);
    EXPECT_LT(std::ranges::count(got, "="), 20);
    EXPECT_EQ(got.at(1), "=");
    EXPECT_EQ(got.back(), "=");
}

TEST(PeerReceiver, survives_random_bytes) {
    std::mt19937 random(4711);
    for (int i = 0; i < 300; ++i) {
        std::string bytes = random() % 2 ? hello : std::string();
        const std::size_t size = random() % 200;
        while (bytes.size() < size) bytes += static_cast<char>(random() % 4 ? random() % 4 : random());
        (void)receiver_harness().feed(bytes, 1 + random() % 50);
    }
}

// Any process of the same user can connect; the workers keep running.
TEST(Peers, invalid_connections_do_not_stop_a_worker) {
    peer_discovery::set_name(peer_discovery::make_name());
    {
        channels all;
        event_loop loop;
        loop.run_until(with_timeout(30s, [](channels& c) -> task<void> {
            co_await c.publish("room", "made");
            const std::string& prefix = peer_discovery::name();
            for (const std::string& name : peer_discovery::find_names(prefix)) {
                for (const std::string& bytes :
                     {frame(frame_header::hello, 200, 0, std::string(200, 'x')),
                      frame(frame_header::hello, "rondo-of-another"),
                      frame(frame_header::hello, name) + frame(frame_header::message, 64, UINT64_MAX - 63, {})}) {
                    const unique_fd stranger = peer_discovery::connect(name);
                    if (!stranger) continue;
                    (void)::send(stranger.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
                    char end = 0;
                    while (::recv(stranger.value(), &end, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) co_await sleep(1ms);
                }
            }
            co_await c.publish("room", "still running");
        }(all)));
    }
    peer_discovery::set_name("");
}

}  // namespace
}  // namespace rondo::channels_detail
