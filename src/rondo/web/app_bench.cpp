// SPDX-License-Identifier: Apache-2.0
// The overhead of the framework (routing, view, response), and that it does not allocate in the steady state.
#include <rondo/web/app.hpp>

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include <rondo/loop/loop.hpp>

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

// Out of line: GCC would warn about an inlined malloc that does not match the delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace rondo {
namespace {

class null_responder final : public handler::responder {
public:
    void respond(const handler::response_head& head, std::string_view body) override {
        benchmark::DoNotOptimize(head.code);
        benchmark::DoNotOptimize(body.data());
        size_ = body.size();
        started_ = true;
    }
    void inform(http::status, const http::fields&) override {}
    void start(const handler::response_head&, std::optional<std::uint64_t>) override { started_ = true; }
    task<void> write(std::string_view) override { co_return; }
    bool try_write(std::string_view) override { return true; }
    task<void> wait_for_room() override { co_return; }
    task<void> write_file(int, std::uint64_t, std::uint64_t) override { co_return; }
    void finish() override {}
    void finish_with(const http::fields&) override {}
    void abort() noexcept override {}
    bool has_started() const noexcept override { return started_; }
    bool needs_body() const noexcept override { return true; }
    http::status code() const noexcept override { return http::status::ok; }
    std::uint64_t body_bytes() const noexcept override { return size_; }

private:
    std::uint64_t size_ = 0;
    bool started_ = false;
};

class no_body final : public handler::body {
public:
    task<std::string_view> read() override { co_return std::string_view(); }
    std::optional<std::string_view> try_read() override { return std::string_view(); }
    std::optional<std::uint64_t> length() const noexcept override { return 0; }
    bool is_at_end() const noexcept override { return true; }
    void limit(std::uint64_t) noexcept override {}
    std::uint64_t limit() const noexcept override { return 0; }
    const http::fields* trailers() const noexcept override { return nullptr; }
};

task<response> hello(request&) { co_return text("Hello, World!"); }
task<response> article(request&, int year, std::string_view) {
    benchmark::DoNotOptimize(year);
    co_return text("Hello, World!");
}
task<response> pass(request& req, next next) { co_return co_await next(req); }

task<void> serve_many(benchmark::State& state, app& a, std::string_view path) {
    task_context in;
    no_body body;
    std::uint64_t before = 0;
    std::uint64_t rounds = 0;
    for (auto _ : state) {
        if (++rounds == 100) before = allocations.load(std::memory_order_relaxed);
        alignas(16) char first[512];
        arena memory(first, sizeof first);
        null_responder to;
        handler::request from;
        from.method_text = "GET";
        from.target = from.path = path;
        from.body = &body;
        from.context = &in;
        from.memory = &memory;
        co_await a.serve(from, to);
    }
    state.counters["allocations"] =
        static_cast<double>(allocations.load(std::memory_order_relaxed) - before) / static_cast<double>(rounds);
}

void serve(benchmark::State& state, app& a, std::string_view path) {
    event_loop loop;
    loop.run_until(a.startup());
    loop.run_until(serve_many(state, a, path));
}

void add_routes(app& a) {
    a.get("/", hello);
    a.get("/articles/<int:year>/<slug:name>", article);
    a.get("/articles/latest", hello);
    a.get("/about", hello);
    a.post("/articles/<int:year>", [](request&, int) { return text("x"); });
}

void hello_world(benchmark::State& state) {
    app a;
    add_routes(a);
    serve(state, a, "/");
}
BENCHMARK(hello_world);

void two_parameters(benchmark::State& state) {
    app a;
    add_routes(a);
    serve(state, a, "/articles/2024/c-plus-plus");
}
BENCHMARK(two_parameters);

void one_middleware(benchmark::State& state) {
    app a;
    add_routes(a);
    a.use(pass);
    serve(state, a, "/");
}
BENCHMARK(one_middleware);

void throw_not_found(benchmark::State& state) {
    app a;
    add_routes(a);
    serve(state, a, "/none");
}
BENCHMARK(throw_not_found);

}  // namespace
}  // namespace rondo
