// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/coro/when_all.hpp>
#include <rondo/web/app.hpp>
#include <rondo/web/compute.hpp>
#include <rondo/web/compute_socket.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

struct watched {
    std::atomic<int> made{0};
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
};

auto factory_of(watched& w) {
    return [&w] {
        ++w.made;
        return [&w, state = std::make_unique<std::string>("loaded")](request&, int number) {
            w.most = std::max(w.most.load(), ++w.inside);
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            --w.inside;
            return *state + " " + std::to_string(number);
        };
    };
}

task<void> ask(test_client& client, int number, std::vector<std::string>& answers) {
    const test_response r = co_await client.async_get("/n/" + std::to_string(number));
    answers.push_back(r.body);
}

TEST(isolated, without_processes_it_is_loaded_once_and_serves_one_at_a_time) {
    watched w;
    app a;
    a.get("/n/<int:number>", isolated("model", factory_of(w)));
    test_client client(a);
    EXPECT_EQ(w.made, 0);
    std::vector<std::string> answers;
    client.run(when_all(ask(client, 1, answers), ask(client, 2, answers), ask(client, 3, answers)));
    EXPECT_EQ(answers.size(), 3u);
    EXPECT_EQ(client.get("/n/7").body, "loaded 7");
    EXPECT_EQ(client.get("/n/x").status, 404);
    EXPECT_EQ(w.made, 1);
    EXPECT_EQ(w.most, 1);
}

TEST(isolated, has_a_kind_and_a_name) {
    watched w;
    app inner;
    inner.get("/n/<int:number>", isolated("b", factory_of(w)));
    app a;
    a.get("/n/<int:number>", isolated("c", factory_of(w)));
    a.get("/m/<int:number>", isolated("c", factory_of(w)));
    a.mount("/inner", std::move(inner));
    EXPECT_EQ(to_string(a.routes()[0].kind), "isolated");
    EXPECT_EQ(compute::names_in(a), (std::vector<std::string>{"b", "c"}));
}

TEST(isolated, a_factory_that_fails_is_a_failure_of_the_request) {
    app a;
    a.get("/", isolated("model", [] {
              if (true) throw std::runtime_error("not there");
              return [](request&) { return std::string(); };
          }));
    test_client client(a);
    EXPECT_EQ(client.get("/").status, 500);
}

TEST(isolated, a_process_that_is_not_there_is_a_bad_gateway) {
    watched w;
    app a;
    a.get("/n/<int:number>", isolated("model", factory_of(w)));
    compute::link(a, "model", {.address = "rondo-compute-of-nobody"});
    test_client client(a);
    EXPECT_EQ(client.get("/n/1").status, 502);
    EXPECT_EQ(w.made, 0);
}

TEST(isolated, another_process_that_took_the_name_gets_no_job) {
    const compute::job_socket ours = compute::listen();
    const detail::unix_name taken("rondo-compute-test-" + std::to_string(getpid()));
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t other = fork();
    if (other == 0) {
        const int at = socket(AF_UNIX, SOCK_STREAM, 0);
        if (bind(at, taken.address(), taken.size()) != 0 || listen(at, 5) != 0) _exit(2);
        if (write(ends[1], "x", 1) != 1) _exit(2);
        char byte = 0;
        const int connection = accept(at, nullptr, nullptr);
        _exit(recv(connection, &byte, 1, 0) == 0 ? 0 : 1);
    }
    char listens = 0;
    ASSERT_EQ(read(ends[0], &listens, 1), 1);
    close(ends[0]);
    close(ends[1]);
    watched w;
    app a;
    a.get("/n/<int:number>", isolated("model", factory_of(w)));
    compute::link(a, "model", {.address = "rondo-compute-test-" + std::to_string(getpid()), .socket = ours.fd.value()});
    test_client client(a);
    EXPECT_EQ(client.get("/n/1").status, 502);
    int status = -1;
    ASSERT_EQ(waitpid(other, &status, 0), other);
    EXPECT_EQ(status, 0) << "the other process was sent something";
}

TEST(isolated, more_than_may_wait_are_refused) {
    watched w;
    app a;
    a.get("/n/<int:number>", isolated("model", factory_of(w)));
    const compute::job_socket nobody_accepts = compute::listen();
    compute::link(a, "model", {.address = nobody_accepts.address, .places = 0});
    test_client client(a);
    const test_response r = client.get("/n/1");
    EXPECT_EQ(r.status, 503);
    EXPECT_EQ(r.field("Retry-After"), "1");
}

}  // namespace
}  // namespace rondo
