// SPDX-License-Identifier: Apache-2.0
#include <mutex>
#include <string>
#include <utility>

#include <rondo/handler/error.hpp>
#include <rondo/web/app_state.hpp>
#include <rondo/web/isolated/client.hpp>
#include <rondo/web/run_on_pool.hpp>

namespace rondo::detail {

namespace {

constexpr std::string_view out_of_place = "unexpected frame";

/// The body of a reply that is too large to be read into memory first.
class answer_of_process final : public body_source {
public:
    answer_of_process(std::unique_ptr<compute_job> job, std::optional<std::uint64_t> length) noexcept
        : job_(std::move(job)), length_(length) {}

    task<void> send(handler::responder& to, const handler::response_head& head, request&) override {
        to.begin(head, length_);
        // Let the loop send the head, so that a process that dies afterwards aborts a response that has started.
        co_await sleep(clock::duration::zero());
        for (;;) {
            const frame f = co_await job_->next();
            if (f.kind == frame_kind::end) break;
            if (f.kind == frame_kind::bytes) {
                co_await to.write(f.payload);
            } else if (f.kind == frame_kind::file) {
                const file_part part = parse_file_payload(f.payload);
                const unique_fd file = job_->take_file(part);
                co_await to.write_file(file.value(), part.offset, part.length);
            } else {
                throw job_->invalid(out_of_place);
            }
        }
        to.finish();
    }

private:
    std::unique_ptr<compute_job> job_;
    std::optional<std::uint64_t> length_;
};

task<std::string> whole_body(compute_job& job) {
    std::string body;
    for (;;) {
        const frame f = co_await job.next();
        if (f.kind == frame_kind::end) break;
        if (f.kind != frame_kind::bytes) throw job.invalid(out_of_place);
        body.append(f.payload);
    }
    co_return body;
}

answer_head head_of(compute_job& job, const frame& first) {
    if (first.kind != frame_kind::head) throw job.invalid(out_of_place);
    try {
        return parse_head_payload(first.payload);
    } catch (const invalid_answer& e) {
        throw job.invalid(e.what());
    }
}

task<response> call_in_process(std::shared_ptr<compute_link> client, request& req, std::string_view body) {
    auto job = std::make_unique<compute_job>(std::move(client));
    req.received().goes(stats::place::compute_queue);
    co_await job->begin(req, body);
    req.received().goes(stats::place::compute_process);
    const frame first = co_await job->next();
    if (first.kind == frame_kind::failed) {
        const answer_failure_text failed = parse_failure_payload(first.payload);
        if (failed.retry_after) throw busy_elsewhere(failed.code, failed.text, *failed.retry_after);
        throw failed_elsewhere(failed.code, failed.text);
    }
    answer_head head = head_of(*job, first);
    response r;
    r.status(head.code);
    r.fields() = std::move(head.fields);
    if (!head.content_type.empty()) r.type(head.content_type);
    if (head.close) r.close();
    const bool head_only = req.method() == http::method::head;
    if (head.length) job->expect(*head.length, head_only || http::sent_without_content(head.code));
    if (head.length && *head.length <= handler::responder::small_body && !head_only) {
        r.body() = co_await whole_body(*job);
    } else {
        r.body() = std::unique_ptr<body_source>(std::make_unique<answer_of_process>(std::move(job), head.length));
    }
    co_return r;
}

// Serves one request at a time, as a compute process does.
response call_here(const route_entry& route, request& req) {
    isolated_part& part = *route.view.isolated;
    const std::lock_guard lock(part.mutex);
    if (part.state == nullptr) part.state = part.make(route.view.view.get());
    return route.view.sync(part.state.get(), req, req.arguments());
}

task<response> call_on_compute_thread(const route_entry& route, request& req) {
    return run_on_pool(req, pool_kind::compute, [&route, &req] { return call_here(route, req); });
}

}  // namespace

void count_isolated(isolated_part& part, stats::statistics& server_stats) {
    if (part.link != nullptr) part.link->count_in(server_stats.demand_of(part.link->name()));
}

task<response> call_isolated(const route_entry& route, request& req) {
    const std::string_view body = co_await req.read_all();
    const std::shared_ptr<compute_link> client = route.view.isolated->link;
    if (client == nullptr) co_return co_await call_on_compute_thread(route, req);
    try {
        response r = co_await call_in_process(client, req, body);
        req.received().goes(stats::place::loop);
        co_return r;
    } catch (const cancelled& c) {
        if (c.reason != cancel_reason::deadline) throw;
    }
    throw http_error(http::status::gateway_timeout, took_too_long);
}

}  // namespace rondo::detail
