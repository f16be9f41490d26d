// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL server for tests, started on first use.
#pragma once

#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/source_dir_fixture.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/db/database.hpp>

namespace rondo::db::postgres {

/// A PostgreSQL server for this test program (tests/databases/postgres_server.py). Started on first use, stopped when
/// the program ends or crashes.
class test_server {
public:
    /// `arguments`: the files of a certificate and its key, for TLS.
    explicit test_server(std::vector<std::string> arguments = {}) { start(std::move(arguments)); }
    ~test_server() {
        ::close(child_stdin_);
        ::close(child_stdout_);
        waitpid(pid_, nullptr, 0);
    }
    test_server(const test_server&) = delete;
    test_server& operator=(const test_server&) = delete;
    static test_server& shared() {
        static test_server server;
        return server;
    }
    [[nodiscard]] const std::string& url() const noexcept { return url_; }
    [[nodiscard]] std::string url_for(const std::string& database) const {
        return url_.substr(0, url_.rfind('/') + 1) + database;
    }

    /// Executes restart, stop, start, kill, pause or resume.
    void run_command(const std::string& command) {
        if (send_command(command) != "done")
            throw std::runtime_error("the test PostgreSQL server failed to " + command);
    }
    /// pool_transactions, pool_sessions and pool_without_options return the URL of a pooler.
    std::string send_command(const std::string& command) {
        const std::string line = command + "\n";
        if (::write(child_stdin_, line.data(), line.size()) < 0) return {};
        return read_line();
    }

private:
    void start(std::vector<std::string> arguments) {
        int in[2];
        int out[2];
        if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("cannot create pipes");
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        arguments.insert(arguments.begin(), {"python3", source_dir() + "/tests/databases/postgres_server.py"});
        std::vector<char*> argv;
        for (std::string& a : arguments) argv.push_back(a.data());
        argv.push_back(nullptr);
        const int failed = posix_spawnp(&pid_, "python3", &actions, nullptr, argv.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        ::close(in[0]);
        ::close(out[1]);
        child_stdin_ = in[1];
        child_stdout_ = out[0];
        if (failed) throw std::runtime_error("cannot start python3");
        url_ = read_line();
        if (url_.empty()) throw std::runtime_error("the test PostgreSQL server did not start");
    }
    std::string read_line() const {
        std::string line;
        for (char c = 0; ::read(child_stdout_, &c, 1) == 1 && c != '\n';) line += c;
        return line;
    }

    pid_t pid_ = -1;
    int child_stdin_ = -1;
    int child_stdout_ = -1;
    std::string url_;
};

/// Opens the database, runs `body(database)` and closes the database.
template <class Body>
task<void> open_and_run(database& db, Body body) {
    co_await db.open();
    co_await body(db);
    co_await db.close();
}

inline task<void> sleep_in_database(database& db) { (void)co_await db.query("select pg_sleep(60)"); }

}  // namespace rondo::db::postgres
