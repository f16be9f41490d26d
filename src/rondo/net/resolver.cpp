// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/resolver.hpp>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <rondo/base/thread.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::net {

namespace {

std::vector<endpoint> system_lookup(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
    // With only a loopback network, AI_ADDRCONFIG hides the entries of /etc/hosts.
    if (error == EAI_NONAME || error == EAI_ADDRFAMILY) {
        hints.ai_flags = 0;
        error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
    }
    if (error) {
        throw resolve_error(fmt::format(
            "the name '{}' cannot be resolved: {}", host,
            error == EAI_SYSTEM ? std::generic_category().message(errno) : std::string(gai_strerror(error))));
    }
    std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, freeaddrinfo);
    std::vector<endpoint> endpoints;
    for (const addrinfo* a = found; a; a = a->ai_next) {
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6) endpoints.emplace_back(a->ai_addr, a->ai_addrlen);
    }
    return endpoints;
}

// Starts with the family of the first address and alternates while there are both.
std::vector<endpoint> interleave_families(const std::vector<endpoint>& endpoints) {
    std::deque<endpoint> first;
    std::deque<endpoint> second;
    for (const endpoint& e : endpoints) (e.family() == endpoints.front().family() ? first : second).push_back(e);
    std::vector<endpoint> out;
    while (!first.empty() || !second.empty()) {
        for (auto* queue : {&first, &second}) {
            if (queue->empty()) continue;
            out.push_back(queue->front());
            queue->pop_front();
        }
    }
    return out;
}

}  // namespace

namespace {

using lookup_function = std::vector<endpoint> (*)(const std::string& host);

// The state that the thread of a lookup shares with the loop, and all that the thread accesses. The thread is detached:
// getaddrinfo() cannot be interrupted and may outlast the resolver, its loop and the pools by half a minute.
class lookup_job final : posted_task, public std::enable_shared_from_this<lookup_job> {
public:
    lookup_job(lookup_function function, std::string host, std::move_only_function<void()> on_done)
        : function_(function), host_(std::move(host)), on_done_(std::move(on_done)) {}

    void run_lookup() noexcept {
        try {
            addresses = interleave_families(function_ ? function_(host_) : system_lookup(host_));
            if (addresses.empty()) throw resolve_error(fmt::format("the name '{}' has no address", host_));
        } catch (...) {
            failure = std::current_exception();
        }
    }
    // Throws std::system_error when no thread can be created.
    void start_thread(event_loop& loop) {
        loop_ = &loop;
        named_thread("resolver", [self = shared_from_this()] {
            self->run_lookup();
            self->post_result();
        }).detach();
    }
    // Drops the result; the callback is not called.
    void detach() noexcept {
        const std::scoped_lock lock(mutex_);
        loop_ = nullptr;
        on_done_ = nullptr;
    }

    std::vector<endpoint> addresses;
    std::exception_ptr failure;

private:
    void post_result() noexcept {
        const std::scoped_lock lock(mutex_);
        if (!loop_) return;
        posted_ = shared_from_this();
        loop_->post(static_cast<posted_task&>(*this));
    }
    void run_on_loop() noexcept override {
        const auto keep = std::exchange(posted_, nullptr);
        if (auto on_done = std::exchange(on_done_, nullptr)) on_done();
    }

    lookup_function function_;
    std::string host_;
    std::move_only_function<void()> on_done_;  // called on the loop thread
    std::shared_ptr<lookup_job> posted_;
    std::mutex mutex_;
    event_loop* loop_ = nullptr;  // guarded by mutex_
};

}  // namespace

// An entry of the cache: queued for a thread, running, or answered until it expires.
struct resolver::lookup {
    lookup(resolver* o, std::string h) : owner(o), host(std::move(h)) {}

    void finish(std::exception_ptr error, clock::duration ttl) noexcept {
        failure = std::move(error);
        expires_at = from_now(ttl);
        done.set();
    }

    resolver* owner;  // null after its destruction
    std::string host;
    std::vector<endpoint> addresses;
    std::exception_ptr failure;
    instant expires_at = instant::max();
    std::shared_ptr<lookup_job> job;          // while it runs on a thread
    instant queue_deadline = instant::max();  // when it is still queued then
    std::size_t waiters = 0;
    event done;
};

// Counts a waiting coroutine, also when its frame is destroyed early.
class resolver::waiter {
public:
    explicit waiter(std::shared_ptr<lookup> l) noexcept : lookup_(std::move(l)) { ++lookup_->waiters; }
    ~waiter() {
        if (--lookup_->waiters == 0 && lookup_->owner) lookup_->owner->on_abandoned(*lookup_);
    }
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

private:
    std::shared_ptr<lookup> lookup_;
};

std::shared_ptr<resolver::lookup> resolver::find_or_start(const std::string& host) {
    if (auto at = cache_.find(host); at != cache_.end()) {
        if (at->second->expires_at > clock::now()) return at->second;
        cache_.erase(at);
    }
    evict();
    auto l = std::make_shared<lookup>(this, host);
    cache_.emplace(host, l);
    if (running_ < options_.max_concurrent_lookups) start(l);
    else enqueue(l);
    return l;
}

void resolver::start(const std::shared_ptr<lookup>& l) {
    const auto on_done = [this, l] {
        --running_;
        const auto answer = std::exchange(l->job, nullptr);
        l->addresses = std::move(answer->addresses);
        const auto ttl = answer->failure ? options_.failure_ttl : options_.ttl;
        l->finish(std::move(answer->failure), ttl);
        start_queued();
    };
    l->job = std::make_shared<lookup_job>(options_.lookup, l->host, on_done);
    ++running_;
    if (!loop_.blocking()) {
        l->job->run_lookup();
        return on_done();
    }
    try {
        l->job->start_thread(loop_);
    } catch (const std::system_error& e) {
        --running_;
        l->job = nullptr;
        l->finish(std::make_exception_ptr(resolve_error(fmt::format(
                      "the name '{}' cannot be resolved: cannot create a thread: {}", l->host, e.code().message()))),
                  clock::duration(0));
    }
}

void resolver::start_queued() {
    while (running_ < options_.max_concurrent_lookups && !queue_.empty()) {
        const auto next = std::move(queue_.front());
        queue_.pop_front();
        start(next);
    }
}

resolver::queue_timer::queue_timer(resolver& owner) noexcept
    : timer([](timer& self) noexcept { static_cast<queue_timer&>(self).owner_.fail_overdue(); }), owner_(owner) {}

void resolver::enqueue(const std::shared_ptr<lookup>& l) {
    l->queue_deadline = from_now(options_.queue_timeout);
    queue_.push_back(l);
    if (!queue_timer_.is_armed()) loop_.timers().arm(queue_timer_, l->queue_deadline);
}

// Unresponsive name servers occupy threads for half a minute; callers get an error instead of waiting and may retry.
void resolver::fail_overdue() noexcept {
    while (!queue_.empty() && queue_.front()->queue_deadline <= clock::now()) {
        const auto overdue = std::move(queue_.front());
        queue_.pop_front();
        overdue->finish(std::make_exception_ptr(resolve_error(
                            fmt::format("the name '{}' cannot be resolved: {} other lookups have not completed "
                                        "yet; try again later",
                                        overdue->host, running_))),
                        clock::duration(0));
    }
    if (!queue_.empty()) loop_.timers().arm(queue_timer_, queue_.front()->queue_deadline);
}

// A running lookup continues: its answer is cached for the next request.
void resolver::on_abandoned(lookup& l) {
    if (l.done.is_set() || l.job) return;
    std::erase_if(queue_, [&l](const auto& w) { return w.get() == &l; });
    cache_.erase(l.host);
}

void resolver::evict() {
    if (cache_.size() < options_.max_entries) return;
    const instant now = clock::now();
    std::erase_if(cache_, [now](const auto& entry) { return entry.second->expires_at <= now; });
    if (cache_.size() < options_.max_entries) return;
    // When none has expired, evicts any answered one: evicting a running lookup would repeat it.
    const auto answered = std::ranges::find_if(cache_, [](const auto& entry) { return entry.second->done.is_set(); });
    if (answered != cache_.end()) cache_.erase(answered);
}

resolver::resolver(event_loop& loop, const resolver_options& options) : loop_(loop), options_(options) {}

resolver::~resolver() {
    for (const auto& [host, l] : cache_) {
        l->owner = nullptr;
        if (l->done.is_set()) continue;
        if (l->job) l->job->detach();
        l->finish(std::make_exception_ptr(
                      resolve_error(fmt::format("the name '{}' cannot be resolved: the resolver was destroyed", host))),
                  clock::duration(0));
    }
}

task<std::vector<endpoint>> resolver::resolve(std::string host, std::uint16_t port, instant deadline) {
    if (auto numeric = endpoint::numeric(host, port)) co_return std::vector<endpoint>{*numeric};
    struct wait {
        static task<void> for_end(std::shared_ptr<lookup> l) { co_await l->done.wait(); }
    };
    const auto l = find_or_start(host);
    if (!l->done.is_set()) {
        const waiter waiting(l);
        co_await with_timeout(deadline - clock::now(), wait::for_end(l));
    }
    if (l->failure) std::rethrow_exception(l->failure);
    std::vector<endpoint> found = l->addresses;
    for (endpoint& e : found) e.set_port(port);
    co_return found;
}

}  // namespace rondo::net
