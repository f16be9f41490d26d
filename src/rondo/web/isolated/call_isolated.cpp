// SPDX-License-Identifier: Apache-2.0
// Calls isolated views from a worker: in a compute process, or on a compute thread if there are none.
#include <mutex>
#include <string>
#include <utility>

#include <rondo/handler/error.hpp>
#include <rondo/web/app_state.hpp>
#include <rondo/web/isolated/client.hpp>
#include <rondo/web/run_on_pool.hpp>

namespace rondo::detail {

namespace {

constexpr std::string_view unexpected_frame = "unexpected frame";

/// The body of a reply that is too large to be read into memory first.
class process_reply_body final : public body_source {
public:
    process_reply_body(std::unique_ptr<compute_job> job, std::optional<std::uint64_t> length) noexcept
        : job_(std::move(job)), length_(length) {}

    task<void> send(handler::responder& to, const handler::response_head& head, request&) override {
        to.start(head, length_);
        // Let the loop send the head, so that a process that dies afterwards aborts a response that has started.
        co_await sleep(clock::duration::zero());
        for (;;) {
            const frame f = co_await job_->next_frame();
            if (f.kind == frame_kind::end) break;
            if (f.kind == frame_kind::bytes) {
                co_await to.write(f.payload);
            } else if (f.kind == frame_kind::file) {
                const file_part part = parse_file_payload(f.payload);
                const unique_fd file = job_->take_file(part);
                co_await to.write_file(file.value(), part.offset, part.length);
            } else {
                throw job_->reject_reply(unexpected_frame);
            }
        }
        to.finish();
    }

private:
    std::unique_ptr<compute_job> job_;
    std::optional<std::uint64_t> length_;
};

task<std::string> receive_reply_body(compute_job& job) {
    std::string body;
    for (;;) {
        const frame f = co_await job.next_frame();
        if (f.kind == frame_kind::end) break;
        if (f.kind != frame_kind::bytes) throw job.reject_reply(unexpected_frame);
        body.append(f.payload);
    }
    co_return body;
}

reply_head parse_reply_head(compute_job& job, const frame& first) {
    if (first.kind != frame_kind::head) throw job.reject_reply(unexpected_frame);
    try {
        return parse_head_payload(first.payload);
    } catch (const malformed_reply& e) {
        throw job.reject_reply(e.what());
    }
}

task<response> call_in_compute_process(std::shared_ptr<compute_client> client, request& req, std::string_view body) {
    auto job = std::make_unique<compute_job>(std::move(client));
    req.server_request().enter(stats::request_state::compute_queue);
    co_await job->start(req, body);
    req.server_request().enter(stats::request_state::compute_process);
    const frame first = co_await job->next_frame();
    if (first.kind == frame_kind::failed) {
        const reply_failure failed = parse_failure_payload(first.payload);
        if (failed.retry_after) throw remote_busy(failed.code, failed.text, *failed.retry_after);
        throw remote_error(failed.code, failed.text);
    }
    reply_head head = parse_reply_head(*job, first);
    response r;
    r.status(head.code);
    r.fields() = std::move(head.fields);
    if (!head.content_type.empty()) r.type(head.content_type);
    if (head.close) r.close();
    const bool head_only = req.method() == http::method::head;
    if (head.length) job->expect_body(*head.length, head_only || http::sent_without_content(head.code));
    if (head.length && *head.length <= handler::responder::small_body_limit && !head_only) {
        r.body() = co_await receive_reply_body(*job);
    } else {
        r.body() = std::unique_ptr<body_source>(std::make_unique<process_reply_body>(std::move(job), head.length));
    }
    co_return r;
}

// Serves one request at a time, as a compute process does.
response call_in_this_process(const route_entry& route, request& req) {
    isolated_state& part = *route.view.isolated;
    const std::lock_guard lock(part.mutex);
    if (part.instance == nullptr) part.instance = part.make_instance(route.view.view.get());
    return route.view.sync(part.instance.get(), req, req.arguments());
}

task<response> call_on_compute_thread(const route_entry& route, request& req) {
    return run_on_pool(req, pool_kind::compute, [&route, &req] { return call_in_this_process(route, req); });
}

}  // namespace

void register_isolated_stats(isolated_state& part, stats::worker_stats& server_stats) {
    if (part.client != nullptr) part.client->set_queue_stats(server_stats.compute_queue(part.client->name()));
}

task<response> call_isolated(const route_entry& route, request& req) {
    const std::string_view body = co_await req.read_all();
    const std::shared_ptr<compute_client> client = route.view.isolated->client;
    if (client == nullptr) co_return co_await call_on_compute_thread(route, req);
    try {
        response r = co_await call_in_compute_process(client, req, body);
        req.server_request().enter(stats::request_state::loop);
        co_return r;
    } catch (const cancelled& c) {
        if (c.reason != cancel_reason::deadline) throw;
    }
    throw http_error(http::status::gateway_timeout, compute_timeout_text);
}

}  // namespace rondo::detail
