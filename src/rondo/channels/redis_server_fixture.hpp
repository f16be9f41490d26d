// SPDX-License-Identifier: Apache-2.0
// Test fixture: a real redis-server, and helpers for tests that use one.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/channels/error.hpp>

namespace rondo {

/// A real redis-server for a test, on a unix socket in its own directory.
class redis_server {
public:
    explicit redis_server(std::vector<std::string> options = {}) : options_(std::move(options)) {
        char name[] = "/tmp/rondo-redis-XXXXXX";
        if (!::mkdtemp(name)) throw std::runtime_error("cannot create a temporary directory");
        folder_ = name;
        start();
    }
    ~redis_server() {
        kill();
        std::filesystem::remove_all(folder_);
    }
    redis_server(const redis_server&) = delete;
    redis_server& operator=(const redis_server&) = delete;

    [[nodiscard]] std::string path() const { return folder_ + "/socket"; }
    [[nodiscard]] std::string url(const std::string& query = {}) const { return "redis+unix://" + path() + query; }

    void start() {
        std::vector<std::string> command{
            "redis-server", "--port", "0",         "--unixsocket",   path(),         "--save", "",
            "--dir",        folder_,  "--logfile", folder_ + "/log", "--appendonly", "no"};
        command.insert(command.end(), options_.begin(), options_.end());
        std::vector<char*> arguments;
        for (std::string& w : command) arguments.push_back(w.data());
        arguments.push_back(nullptr);
        if (::posix_spawnp(&pid_, "redis-server", nullptr, nullptr, arguments.data(), environ) != 0)
            throw std::runtime_error("redis-server is not installed: ./dev packages test");
        for (int i = 0; i < 3000 && !is_reachable(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        if (!is_reachable()) throw std::runtime_error("redis-server did not start");
    }
    void kill() {
        if (pid_ == 0) return;
        ::kill(pid_, SIGKILL);
        ::kill(pid_, SIGCONT);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
        ::unlink(path().c_str());
    }
    void pause() const { ::kill(pid_, SIGSTOP); }
    void resume() const { ::kill(pid_, SIGCONT); }

    /// Returns the first line of the reply to a command, sent on a separate connection.
    [[nodiscard]] std::string execute(std::string command) const {
        const unique_fd s = open_connection();
        if (!s) throw std::runtime_error("cannot connect to redis-server");
        command += "\r\n";
        (void)::send(s.value(), command.data(), command.size(), MSG_NOSIGNAL);
        std::string line;
        for (char c = 0; ::recv(s.value(), &c, 1, 0) == 1 && c != '\r';) line += c;
        return line;
    }

private:
    /// Null when the server is not reachable.
    [[nodiscard]] unique_fd open_connection() const {
        unique_fd s(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        path().copy(at.sun_path, sizeof at.sun_path - 1);
        if (::connect(s.value(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return {};
        return s;
    }
    [[nodiscard]] bool is_reachable() const { return static_cast<bool>(open_connection()); }

    std::vector<std::string> options_;
    std::string folder_;
    pid_t pid_ = 0;
};

/// One server for all tests of the program.
inline redis_server& shared_redis() {
    static redis_server server;
    return server;
}

inline constexpr std::chrono::seconds test_timeout{30};

/// Polls until the condition is true, and not again: it may have side effects.
inline void wait_until(const std::function<bool()>& condition) {
    bool done = condition();
    for (int i = 0; i < 3000 && !done; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        done = condition();
    }
    ASSERT_TRUE(done);
}

/// The message of channels_unavailable that `f` throws; empty when it succeeds.
inline std::string unavailable_message(const std::function<void()>& f) {
    try {
        f();
    } catch (const channels_unavailable& e) {
        return e.what();
    }
    return {};
}

}  // namespace rondo
