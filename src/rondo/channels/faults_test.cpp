// SPDX-License-Identifier: Apache-2.0
// What breaks between processes: killed, stopped, restarted, not there.
#include <rondo/channels/channels.hpp>

#include <atomic>
#include <csignal>
#include <functional>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/channels/cache.hpp>
#include <rondo/channels/peer_discovery.hpp>
#include <rondo/channels/redis_server_fixture.hpp>
#include <rondo/coro/blocking_wait.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/coro/when_any.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/tls_fixture.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

// A number that several processes see.
class shared_number {
public:
    shared_number()
        : at_(new(::mmap(nullptr, sizeof *at_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                  std::atomic<unsigned>(0)) {}
    ~shared_number() { ::munmap(at_, sizeof *at_); }
    shared_number(const shared_number&) = delete;
    shared_number& operator=(const shared_number&) = delete;
    std::atomic<unsigned>& operator*() const noexcept { return *at_; }

private:
    std::atomic<unsigned>* at_;
};

// Another worker of the same server.
class worker {
public:
    explicit worker(const std::function<void()>& life) : pid_(::fork()) {
        if (pid_ != 0) return;
        life();
        ::_exit(0);
    }
    ~worker() { kill(); }
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;
    void kill() {
        if (pid_ == 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    void send(int signal) const { ::kill(pid_, signal); }

private:
    pid_t pid_;
};

class rendezvous_of_test {
public:
    rendezvous_of_test() { rendezvous::set(rendezvous::make_name()); }
    ~rendezvous_of_test() { rendezvous::set(""); }
    rendezvous_of_test(const rendezvous_of_test&) = delete;
    rendezvous_of_test& operator=(const rendezvous_of_test&) = delete;
};

// With little patience and a busy machine the first attempts may come too early.
void until_it_works(const std::function<void()>& f) {
    wait_until([&] { return complaint_of(f).empty(); });
}

task<std::string> next_of(subscription& from) {
    const channel_message m = co_await from.next();
    co_return std::string(m.bytes());
}

void publish_for_ever(std::atomic<unsigned>& published) {
    channels all;
    for (unsigned n = 0;; ++n) {
        all.publish_sync("room", std::to_string(n));
        published = n + 1;
    }
}

// What a killed process had published, by its own word, arrives; and the next one meets nothing that stands in its way.
TEST(killed_worker, has_lost_nothing_that_it_published) {
    const rendezvous_of_test together;
    for (int life = 0; life < 5; ++life) {
        const shared_number published;
        const shared_number go;
        worker other([&] {
            while (*go == 0) std::this_thread::yield();
            publish_for_ever(*published);
        });
        channels all;
        event_loop loop;
        subscription mine = all.open({.messages = 10'000'000, .bytes = 1u << 30});
        loop.run_until(with_timeout(long_enough, mine.add("room")));
        *go = 1;
        wait_until([&] { return *published > 2000; });
        other.kill();
        const unsigned said = *published;
        for (unsigned n = 0; n < said; ++n) {
            const std::string text = loop.run_until(with_timeout(long_enough, next_of(mine)));
            ASSERT_EQ(text, std::to_string(n));
        }
    }
}

// The old and the new process of a slot are both there for a while; then the old one goes.
TEST(workers, may_come_and_go) {
    const rendezvous_of_test together;
    const shared_number heard;
    const auto listen = [&] {
        channels all;
        event_loop loop;
        subscription mine = all.open();
        loop.run_until(mine.add("room"));
        ++*heard;
        for (;;) {
            (void)loop.run_until(next_of(mine));
            ++*heard;
        }
    };
    worker old_one(listen);
    wait_until([&] { return *heard == 1; });
    worker new_one(listen);
    wait_until([&] { return *heard == 2; });
    channels all;
    all.publish_sync("room", "to both");
    wait_until([&] { return *heard == 4; });
    old_one.kill();
    wait_until([&] { return all.count().others == 1; });
    all.publish_sync("room", "to the new one");
    wait_until([&] { return *heard == 5; });
    new_one.kill();
    wait_until([&] { return all.count().others == 0; });
    all.publish_sync("room", "to nobody");
}

TEST(stopped_worker, holds_nobody_up_for_longer_than_patience_and_learns_what_it_missed) {
    const rendezvous_of_test together;
    const shared_number ready;
    const shared_number gaps;
    const shared_number after;
    worker other([&] {
        channels all;
        event_loop loop;
        subscription mine = all.open({.messages = 10'000'000, .bytes = 1u << 30, .report_gaps = true});
        loop.run_until(mine.add("room"));
        *ready = 1;
        for (;;) {
            struct once {
                static task<void> take(subscription& from, std::atomic<unsigned>& gap, std::atomic<unsigned>& last) {
                    const channel_message m = co_await from.next();
                    if (m.gap()) ++gap;
                    if (m.bytes() == "after") ++last;
                }
            };
            loop.run_until(once::take(mine, *gaps, *after));
        }
    });
    wait_until([&] { return *ready == 1; });
    channels all("memory:", {.patience = 100ms});
    all.publish_sync("room", "before");
    other.send(SIGSTOP);
    const std::string piece(100'000, 'x');
    const instant began = clock::now();
    for (int n = 0; n < 100; ++n) all.publish_sync("room", piece);
    EXPECT_LT(clock::now() - began, 20s);
    EXPECT_GT(all.count().lost, 0u);
    other.send(SIGCONT);
    wait_until([&] { return *gaps == 1; });
    all.publish_sync("room", "after");
    wait_until([&] { return *after == 1; });
}

TEST(redis_that_is_not_there, is_told_in_a_sentence) {
    channels all("redis+unix:///tmp/rondo-no-such-socket", {.patience = 200ms});
    const std::string expected =
        "Redis at redis+unix:///tmp/rondo-no-such-socket?db=0 cannot be used: No such file or directory";
    wait_until([&] { return complaint_of([&] { all.publish_sync("room", "x"); }) == expected; });
    event_loop loop;
    subscription mine = all.open();
    wait_until([&] { return complaint_of([&] { loop.run_until(mine.add("room")); }) == expected; });
}

TEST(redis_with_a_password, is_logged_in_to_or_says_why_not) {
    const redis_server server({"--requirepass", "secret"});
    channels wrong("redis+unix://:mistaken@" + server.path(), {.patience = 300ms});
    std::string said;
    wait_until([&] {
        said = complaint_of([&] { wrong.publish_sync("room", "x"); });
        return said.find("it answered '") != std::string::npos;
    });
    EXPECT_EQ(said.find("mistaken"), std::string::npos);
    channels right("redis+unix://:secret@" + server.path() + "?db=3");
    right.publish_sync("room", "x");
}

TEST(redis_with_a_password, is_not_quoted_where_the_server_repeats_it) {
    const redis_server server({"--rename-command", "AUTH", ""});
    const std::string longer_than_it_repeats(200, 'x');
    channels asked("redis+unix://u:hunter2" + longer_than_it_repeats + "@" + server.path(), {.patience = 300ms});
    std::string said;
    wait_until([&] {
        said = complaint_of([&] { asked.publish_sync("room", "x"); });
        return said.find("unknown command") != std::string::npos;
    });
    EXPECT_EQ(said.find("hunter2"), std::string::npos) << said;
}

// A Redis that speaks TLS on a free port.
class secure_redis {
public:
    secure_redis() {
        files_.make("server", "DNS:localhost");
        files_.self_signed("another");
        server_.emplace(std::vector<std::string>{"--tls-port", port_, "--tls-cert-file", files_.file("server.pem"),
                                                 "--tls-key-file", files_.file("server.key"), "--tls-ca-cert-file",
                                                 files_.authority(), "--tls-auth-clients", "no"});
    }
    [[nodiscard]] std::string url(const std::string& authority, const std::string& host = "localhost") const {
        return "rediss://" + host + ":" + port_ + "?ca=" + files_.file(authority);
    }

    void restart() {
        server_->kill();
        server_->start();
    }

private:
    static std::string free_port() {
        const unique_fd s(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        ::bind(s.value(), reinterpret_cast<const sockaddr*>(&at), size);
        ::getsockname(s.value(), reinterpret_cast<sockaddr*>(&at), &size);
        return std::to_string(ntohs(at.sin_port));
    }

    testing::certificates files_;
    std::string port_ = free_port();
    std::optional<redis_server> server_;
};

TEST(redis_over_tls, is_used_as_without) {
    secure_redis server;
    channels all(server.url("ca.pem"), {.patience = 10s});
    event_loop loop;
    subscription mine = all.open();
    loop.run_until(with_timeout(long_enough, mine.add("room")));
    all.publish_sync("room", std::string(300'000, 'x'));  // more than a record
    EXPECT_EQ(loop.run_until(with_timeout(long_enough, next_of(mine))), std::string(300'000, 'x'));
    cache kept(server.url("ca.pem"));
    kept.set_sync("key", "value", 60s);
    EXPECT_EQ(kept.get_sync("key"), "value");
    server.restart();
    until_it_works([&] { kept.set_sync("key", "again", 60s); });
    EXPECT_EQ(kept.get_sync("key"), "again");
}

TEST(redis_over_tls, says_what_is_wrong_with_a_certificate) {
    const secure_redis server;
    const auto says = [](const std::string& url, const std::string& expected) {
        channels all(url, {.patience = 300ms});
        wait_until(
            [&] { return complaint_of([&] { all.publish_sync("room", "x"); }).find(expected) != std::string::npos; });
    };
    says(server.url("another.pem"), "no TLS with it: the certificate is not accepted");
    says(server.url("ca.pem", "127.0.0.1"), "no TLS with it: the certificate is not accepted: IP address mismatch");
    says(server.url("nowhere.pem"), "nowhere.pem' holds no certificates of authorities: No such file");
}

// What somebody on the way says before the handshake is not taken for the server's.
TEST(redis_over_tls, takes_nothing_from_before_the_handshake) {
    const unique_fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ASSERT_EQ(::bind(listener.value(), reinterpret_cast<const sockaddr*>(&at), size), 0);
    ASSERT_EQ(::listen(listener.value(), 8), 0);
    ::getsockname(listener.value(), reinterpret_cast<sockaddr*>(&at), &size);
    std::thread server([&listener] {
        for (;;) {
            const unique_fd peer(::accept(listener.value(), nullptr, nullptr));
            if (!peer) return;
            const std::string_view early = "+PONG\r\n+OK\r\n:1\r\n";
            (void)::send(peer.value(), early.data(), early.size(), MSG_NOSIGNAL);
            char byte = 0;
            while (::recv(peer.value(), &byte, 1, 0) > 0) {
            }
        }
    });
    {
        channels all("rediss://localhost:" + std::to_string(ntohs(at.sin_port)), {.patience = 300ms});
        wait_until([&] {
            return complaint_of([&] { all.publish_sync("room", "x"); }).find("no TLS with it") != std::string::npos;
        });
    }
    ::shutdown(listener.value(), SHUT_RDWR);
    server.join();
}

// A restart: who subscribed goes on, and is told that something may be missing.
TEST(restarted_redis, heals_and_subscribes_again) {
    redis_server server;
    channels all(server.url(), {.patience = 10s});
    event_loop loop;
    subscription mine = all.open({.report_gaps = true});
    subscription quiet = all.open();
    loop.run_until(with_timeout(long_enough, mine.add("room")));
    loop.run_until(with_timeout(long_enough, quiet.add_pattern("r*")));
    all.publish_sync("room", "before");
    EXPECT_EQ(loop.run_until(with_timeout(long_enough, next_of(mine))), "before");
    EXPECT_EQ(loop.run_until(with_timeout(long_enough, next_of(quiet))), "before");
    for (unsigned restart = 1; restart < 4; ++restart) {
        server.kill();
        server.start();
        EXPECT_EQ(loop.run_until(with_timeout(long_enough, next_of(mine))), "");  // the gap
        EXPECT_EQ(all.count().reconnects, restart);
        all.publish_sync("room", "after");
        EXPECT_EQ(loop.run_until(with_timeout(long_enough, next_of(mine))), "after");
        struct look {
            static task<bool> at(subscription& from) {
                const channel_message m = co_await from.next();
                co_return m.gap() && m.bytes() == "after";
            }
        };
        EXPECT_TRUE(loop.run_until(with_timeout(long_enough, look::at(quiet))));
    }
}

TEST(paused_redis, does_not_hold_a_publisher_for_longer_than_patience) {
    redis_server server;
    channels all(server.url(), {.patience = 300ms});
    until_it_works([&] { all.publish_sync("room", "before"); });
    server.pause();
    const instant began = clock::now();
    EXPECT_THROW(all.publish_sync("room", "during"), channels_unavailable);
    event_loop loop;
    EXPECT_THROW(loop.run_until(all.publish("room", "during")), channels_unavailable);
    EXPECT_LT(clock::now() - began, 10s);
    server.go_on();
    until_it_works([&] { all.publish_sync("room", "after"); });
}

// A sync view whose client is gone, or whose time is over, does not wait for Redis any longer.
TEST(paused_redis, does_not_hold_whom_a_thread_works_for) {
    redis_server server;
    channels all(server.url(), {.patience = 60s});
    cache kept(server.url(), {.patience = 60s});
    all.publish_sync("room", "before");
    kept.set_sync("key", "value", 60s);
    server.pause();
    const std::vector<std::function<void()>> calls{
        [&] { all.publish_sync("room", "during"); }, [&] { (void)kept.get_sync("key"); },
        [&] { (void)kept.get_or_compute_sync("key", 60s, [] { return "x"; }); }};
    for (const auto& call : calls) {
        context late, left;
        late.deadline = from_now(10ms);
        {
            const works_for whom(&late);
            EXPECT_THROW(call(), cancelled);
        }
        const works_for whom(&left);
        std::thread other([&left] { left.cancel.announce(cancel_reason::disconnected); });
        EXPECT_THROW(call(), cancelled);
        other.join();
    }
    server.go_on();
    EXPECT_EQ(kept.get_sync("key"), "value");
}

TEST(silent_redis, is_left_and_connected_to_anew) {
    redis_server server;
    channels all(server.url(), {.patience = 200ms});
    event_loop loop;
    subscription mine = all.open({.report_gaps = true});
    until_it_works([&] { loop.run_until(mine.add("room")); });
    server.pause();
    wait_until([&] {
        const std::string said = complaint_of([&] { loop.run_until(all.open().add("another")); });
        return said.ends_with("cannot be used: it does not answer");
    });
    server.go_on();
    std::string text = "no gap yet";
    while (!text.empty()) text = loop.run_until(with_timeout(long_enough, next_of(mine)));
    EXPECT_GE(all.count().reconnects, 1u);
}

task<void> one_wish(channels& all, cache& kept, unsigned kind) {
    const std::string key = std::to_string(kind % 17);
    switch (kind % 5) {
        case 0: co_await all.publish("room", key); break;
        case 1: (void)co_await kept.get(key); break;
        case 2: co_await kept.set(key, "value", 60s); break;
        case 3: {
            (void)co_await kept.get_or_compute(key + "!", 1ms, [] { return std::string("value"); });
            break;
        }
        default: {
            subscription mine = all.open();
            co_await mine.add("room");
            (void)co_await mine.next();
        }
    }
}

task<void> cancelled_at_random(channels& all, cache& kept, unsigned seed) {
    std::minstd_rand random(seed);
    for (int i = 0; i < 250; ++i) {
        const auto after = std::chrono::microseconds(random() % 3000);
        try {
            co_await with_timeout(after, one_wish(all, kept, static_cast<unsigned>(random())));
        } catch (const timed_out&) {
        }
    }
}

// Nothing leaks (AddressSanitizer), every answer still goes to whom it belongs.
TEST(redis, ten_thousand_cancellations_leave_nothing_behind) {
    const redis_server server;
    channels all(server.url());
    cache kept(server.url(), {.compute_limit = 1h});
    event_loop loop;
    std::vector<task<void>> wishes;
    for (unsigned seed = 1; seed <= 40; ++seed) wishes.push_back(cancelled_at_random(all, kept, seed));
    loop.run_until(when_all(std::move(wishes)));
    kept.set_sync("last", "own", 60s);
    EXPECT_EQ(kept.get_sync("last"), "own");
    EXPECT_EQ(all.count().subscriptions, 0u);
    EXPECT_EQ(all.count().reconnects, 0u);
    for (int i = 0; i < 17; ++i)  // none of them left a lock behind
        EXPECT_EQ(kept.get_or_compute_sync(std::to_string(i) + "!", 60s, [] { return std::string("value"); }), "value");
}

TEST(forked_process, connects_for_itself) {
    const redis_server server;
    channels all(server.url());
    all.publish_sync("room", "in the parent");
    const shared_number done;
    worker child([&] {
        all.publish_sync("room", "in the child");
        *done = 1;
    });
    wait_until([&] { return *done == 1; });
    all.publish_sync("room", "in the parent again");
}

}  // namespace
}  // namespace rondo
