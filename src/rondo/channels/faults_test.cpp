// SPDX-License-Identifier: Apache-2.0
// Faults: processes and Redis servers that are killed, stopped, restarted or missing.
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

// A counter in memory shared by several processes.
class shared_counter {
public:
    shared_counter()
        : value_(new(::mmap(nullptr, sizeof *value_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                     std::atomic<unsigned>(0)) {}
    ~shared_counter() { ::munmap(value_, sizeof *value_); }
    shared_counter(const shared_counter&) = delete;
    shared_counter& operator=(const shared_counter&) = delete;
    std::atomic<unsigned>& operator*() const noexcept { return *value_; }

private:
    std::atomic<unsigned>* value_;
};

// Another worker of the same server.
class worker {
public:
    explicit worker(const std::function<void()>& run) : pid_(::fork()) {
        if (pid_ != 0) return;
        run();
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

class peer_discovery_scope {
public:
    peer_discovery_scope() { peer_discovery::set_name(peer_discovery::make_name()); }
    ~peer_discovery_scope() { peer_discovery::set_name(""); }
    peer_discovery_scope(const peer_discovery_scope&) = delete;
    peer_discovery_scope& operator=(const peer_discovery_scope&) = delete;
};

// With a short timeout on a busy machine the first attempts may fail.
void retry_until_available(const std::function<void()>& f) {
    wait_until([&] { return unavailable_message(f).empty(); });
}

task<std::string> next_text(subscription& from) {
    const channel_message m = co_await from.next();
    co_return std::string(m.bytes());
}

void publish_forever(std::atomic<unsigned>& published) {
    channels all;
    for (unsigned n = 0;; ++n) {
        all.publish_sync("room", std::to_string(n));
        published = n + 1;
    }
}

// Everything that a killed process had published arrives, and the next process is not blocked.
TEST(KilledWorker, loses_no_published_message) {
    const peer_discovery_scope group;
    for (int run = 0; run < 5; ++run) {
        const shared_counter published;
        const shared_counter go;
        worker other([&] {
            while (*go == 0) std::this_thread::yield();
            publish_forever(*published);
        });
        channels all;
        event_loop loop;
        subscription mine = all.open({.max_messages = 10'000'000, .max_bytes = 1u << 30});
        loop.run_until(with_timeout(test_timeout, mine.subscribe("room")));
        *go = 1;
        wait_until([&] { return *published > 2000; });
        other.kill();
        const unsigned count = *published;
        for (unsigned n = 0; n < count; ++n) {
            const std::string text = loop.run_until(with_timeout(test_timeout, next_text(mine)));
            ASSERT_EQ(text, std::to_string(n));
        }
    }
}

// The old and the new process of a slot overlap; then the old one ends.
TEST(Workers, may_start_and_stop) {
    const peer_discovery_scope group;
    const shared_counter received;
    const auto listen = [&] {
        channels all;
        event_loop loop;
        subscription mine = all.open();
        loop.run_until(mine.subscribe("room"));
        ++*received;
        for (;;) {
            (void)loop.run_until(next_text(mine));
            ++*received;
        }
    };
    worker old_worker(listen);
    wait_until([&] { return *received == 1; });
    worker new_worker(listen);
    wait_until([&] { return *received == 2; });
    channels all;
    all.publish_sync("room", "to both");
    wait_until([&] { return *received == 4; });
    old_worker.kill();
    wait_until([&] { return all.stats().peers == 1; });
    all.publish_sync("room", "to the new worker");
    wait_until([&] { return *received == 5; });
    new_worker.kill();
    wait_until([&] { return all.stats().peers == 0; });
    all.publish_sync("room", "to none");
}

TEST(StoppedWorker, does_not_block_publishers_beyond_the_timeout_and_receives_a_gap) {
    const peer_discovery_scope group;
    const shared_counter ready;
    const shared_counter gaps;
    const shared_counter after;
    worker other([&] {
        channels all;
        event_loop loop;
        subscription mine = all.open({.max_messages = 10'000'000, .max_bytes = 1u << 30, .report_gaps = true});
        loop.run_until(mine.subscribe("room"));
        *ready = 1;
        for (;;) {
            struct step {
                static task<void> receive(subscription& from, std::atomic<unsigned>& gap, std::atomic<unsigned>& last) {
                    const channel_message m = co_await from.next();
                    if (m.gap()) ++gap;
                    if (m.bytes() == "after") ++last;
                }
            };
            loop.run_until(step::receive(mine, *gaps, *after));
        }
    });
    wait_until([&] { return *ready == 1; });
    channels all("memory:", {.timeout = 100ms});
    all.publish_sync("room", "before");
    other.send(SIGSTOP);
    const std::string piece(100'000, 'x');
    const instant start = clock::now();
    for (int n = 0; n < 100; ++n) all.publish_sync("room", piece);
    EXPECT_LT(clock::now() - start, 20s);
    EXPECT_GT(all.stats().lost, 0u);
    other.send(SIGCONT);
    wait_until([&] { return *gaps == 1; });
    all.publish_sync("room", "after");
    wait_until([&] { return *after == 1; });
}

TEST(MissingRedis, errors_name_server_and_reason) {
    channels all("redis+unix:///tmp/rondo-no-such-socket", {.timeout = 200ms});
    const std::string expected =
        "Redis at redis+unix:///tmp/rondo-no-such-socket?db=0 cannot be used: No such file or directory";
    wait_until([&] { return unavailable_message([&] { all.publish_sync("room", "x"); }) == expected; });
    event_loop loop;
    subscription mine = all.open();
    wait_until([&] { return unavailable_message([&] { loop.run_until(mine.subscribe("room")); }) == expected; });
}

TEST(RedisPassword, authenticates_or_reports_the_reason) {
    const redis_server server({"--requirepass", "secret"});
    channels wrong("redis+unix://:mistaken@" + server.path(), {.timeout = 300ms});
    std::string message;
    wait_until([&] {
        message = unavailable_message([&] { wrong.publish_sync("room", "x"); });
        return message.find("it replied '") != std::string::npos;
    });
    EXPECT_EQ(message.find("mistaken"), std::string::npos);
    channels right("redis+unix://:secret@" + server.path() + "?db=3");
    right.publish_sync("room", "x");
}

TEST(RedisPassword, is_not_quoted_when_the_server_repeats_it) {
    const redis_server server({"--rename-command", "AUTH", ""});
    const std::string longer_than_the_quote(200, 'x');
    channels all("redis+unix://u:hunter2" + longer_than_the_quote + "@" + server.path(), {.timeout = 300ms});
    std::string message;
    wait_until([&] {
        message = unavailable_message([&] { all.publish_sync("room", "x"); });
        return message.find("unknown command") != std::string::npos;
    });
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
}

// A Redis with TLS on a free port.
class secure_redis {
public:
    secure_redis() {
        files_.make("server", "DNS:localhost");
        files_.self_signed("another");
        server_.emplace(std::vector<std::string>{"--tls-port", port_, "--tls-cert-file", files_.file("server.pem"),
                                                 "--tls-key-file", files_.file("server.key"), "--tls-ca-cert-file",
                                                 files_.ca_file(), "--tls-auth-clients", "no"});
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

TEST(RedisTls, publishes_and_stores) {
    secure_redis server;
    channels all(server.url("ca.pem"), {.timeout = 10s});
    event_loop loop;
    subscription mine = all.open();
    loop.run_until(with_timeout(test_timeout, mine.subscribe("room")));
    all.publish_sync("room", std::string(300'000, 'x'));  // more than one TLS record
    EXPECT_EQ(loop.run_until(with_timeout(test_timeout, next_text(mine))), std::string(300'000, 'x'));
    cache kept(server.url("ca.pem"));
    kept.set_sync("key", "value", 60s);
    EXPECT_EQ(kept.get_sync("key"), "value");
    server.restart();
    retry_until_available([&] { kept.set_sync("key", "again", 60s); });
    EXPECT_EQ(kept.get_sync("key"), "again");
}

TEST(RedisTls, errors_explain_bad_certificates) {
    const secure_redis server;
    const auto expect_error = [](const std::string& url, const std::string& expected) {
        channels all(url, {.timeout = 300ms});
        wait_until([&] {
            return unavailable_message([&] { all.publish_sync("room", "x"); }).find(expected) != std::string::npos;
        });
    };
    expect_error(server.url("another.pem"), "TLS handshake failed: certificate verification failed");
    expect_error(server.url("ca.pem", "127.0.0.1"),
                 "TLS handshake failed: certificate verification failed: IP address mismatch");
    expect_error(server.url("nowhere.pem"), "nowhere.pem' cannot be loaded: No such file");
}

// Bytes injected before the handshake must not be taken for the server's.
TEST(RedisTls, rejects_bytes_before_the_handshake) {
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
        channels all("rediss://localhost:" + std::to_string(ntohs(at.sin_port)), {.timeout = 300ms});
        wait_until([&] {
            return unavailable_message([&] { all.publish_sync("room", "x"); }).find("TLS handshake failed") !=
                   std::string::npos;
        });
    }
    ::shutdown(listener.value(), SHUT_RDWR);
    server.join();
}

// Subscriptions survive a restart, with a report that messages may have been lost.
TEST(RestartedRedis, reconnects_and_resubscribes) {
    redis_server server;
    channels all(server.url(), {.timeout = 10s});
    event_loop loop;
    subscription mine = all.open({.report_gaps = true});
    subscription quiet = all.open();
    loop.run_until(with_timeout(test_timeout, mine.subscribe("room")));
    loop.run_until(with_timeout(test_timeout, quiet.subscribe_pattern("r*")));
    all.publish_sync("room", "before");
    EXPECT_EQ(loop.run_until(with_timeout(test_timeout, next_text(mine))), "before");
    EXPECT_EQ(loop.run_until(with_timeout(test_timeout, next_text(quiet))), "before");
    for (unsigned restart = 1; restart < 4; ++restart) {
        server.kill();
        server.start();
        EXPECT_EQ(loop.run_until(with_timeout(test_timeout, next_text(mine))), "");  // the gap
        EXPECT_EQ(all.stats().reconnects, restart);
        all.publish_sync("room", "after");
        EXPECT_EQ(loop.run_until(with_timeout(test_timeout, next_text(mine))), "after");
        struct step {
            static task<bool> receives_gap(subscription& from) {
                const channel_message m = co_await from.next();
                co_return m.gap() && m.bytes() == "after";
            }
        };
        EXPECT_TRUE(loop.run_until(with_timeout(test_timeout, step::receives_gap(quiet))));
    }
}

TEST(PausedRedis, does_not_block_a_publisher_beyond_the_timeout) {
    redis_server server;
    channels all(server.url(), {.timeout = 300ms});
    retry_until_available([&] { all.publish_sync("room", "before"); });
    server.pause();
    const instant start = clock::now();
    EXPECT_THROW(all.publish_sync("room", "during"), channels_unavailable);
    event_loop loop;
    EXPECT_THROW(loop.run_until(all.publish("room", "during")), channels_unavailable);
    EXPECT_LT(clock::now() - start, 10s);
    server.resume();
    retry_until_available([&] { all.publish_sync("room", "after"); });
}

// A sync view whose client disconnected or whose deadline passed stops waiting for Redis.
TEST(PausedRedis, does_not_block_a_cancelled_view) {
    redis_server server;
    channels all(server.url(), {.timeout = 60s});
    cache kept(server.url(), {.timeout = 60s});
    all.publish_sync("room", "before");
    kept.set_sync("key", "value", 60s);
    server.pause();
    const std::vector<std::function<void()>> calls{
        [&] { all.publish_sync("room", "during"); }, [&] { (void)kept.get_sync("key"); },
        [&] { (void)kept.get_or_compute_sync("key", 60s, [] { return "x"; }); }};
    for (const auto& call : calls) {
        task_context late, disconnected;
        late.deadline = from_now(10ms);
        {
            const blocking_scope view(&late);
            EXPECT_THROW(call(), cancelled);
        }
        const blocking_scope view(&disconnected);
        std::thread other([&disconnected] { disconnected.cancel.request(cancel_reason::disconnected); });
        EXPECT_THROW(call(), cancelled);
        other.join();
    }
    server.resume();
    EXPECT_EQ(kept.get_sync("key"), "value");
}

TEST(SilentRedis, is_disconnected_and_reconnected) {
    redis_server server;
    channels all(server.url(), {.timeout = 200ms});
    event_loop loop;
    subscription mine = all.open({.report_gaps = true});
    retry_until_available([&] { loop.run_until(mine.subscribe("room")); });
    server.pause();
    wait_until([&] {
        const std::string message = unavailable_message([&] { loop.run_until(all.open().subscribe("another")); });
        return message.ends_with("cannot be used: it does not respond");
    });
    server.resume();
    std::string text = "no gap yet";
    while (!text.empty()) text = loop.run_until(with_timeout(test_timeout, next_text(mine)));
    EXPECT_GE(all.stats().reconnects, 1u);
}

task<void> random_operation(channels& all, cache& kept, unsigned kind) {
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
            co_await mine.subscribe("room");
            (void)co_await mine.next();
        }
    }
}

task<void> random_cancellations(channels& all, cache& kept, unsigned seed) {
    std::minstd_rand random(seed);
    for (int i = 0; i < 250; ++i) {
        const auto after = std::chrono::microseconds(random() % 3000);
        try {
            co_await with_timeout(after, random_operation(all, kept, static_cast<unsigned>(random())));
        } catch (const timed_out&) {
        }
    }
}

// Nothing leaks (AddressSanitizer), and every reply still goes to its own call.
TEST(Redis, ten_thousand_cancellations_leak_nothing) {
    const redis_server server;
    channels all(server.url());
    cache kept(server.url(), {.compute_limit = 1h});
    event_loop loop;
    std::vector<task<void>> tasks;
    for (unsigned seed = 1; seed <= 40; ++seed) tasks.push_back(random_cancellations(all, kept, seed));
    loop.run_until(when_all(std::move(tasks)));
    kept.set_sync("last", "own", 60s);
    EXPECT_EQ(kept.get_sync("last"), "own");
    EXPECT_EQ(all.stats().subscriptions, 0u);
    EXPECT_EQ(all.stats().reconnects, 0u);
    for (int i = 0; i < 17; ++i)  // no lock has leaked
        EXPECT_EQ(kept.get_or_compute_sync(std::to_string(i) + "!", 60s, [] { return std::string("value"); }), "value");
}

TEST(ForkedProcess, opens_its_own_connection) {
    const redis_server server;
    channels receiving(server.url());
    event_loop loop;
    subscription mine = receiving.open();
    loop.run_until(with_timeout(test_timeout, mine.subscribe("room")));
    channels all(server.url());
    all.publish_sync("room", "in the parent");
    const shared_counter done;
    worker child([&] {
        all.publish_sync("room", "in the child");
        *done = 1;
    });
    wait_until([&] { return *done == 1; });
    all.publish_sync("room", "in the parent again");
    for (const std::string expected : {"in the parent", "in the child", "in the parent again"})
        EXPECT_EQ(loop.run_until(with_timeout(test_timeout, next_text(mine))), expected);
}

}  // namespace
}  // namespace rondo
