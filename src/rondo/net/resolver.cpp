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

std::vector<endpoint> ask_system(const std::string& host) {
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
    std::vector<endpoint> all;
    for (const addrinfo* a = found; a; a = a->ai_next) {
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6) all.emplace_back(a->ai_addr, a->ai_addrlen);
    }
    return all;
}

// Starts with the family of the first address and alternates while there are both.
std::vector<endpoint> alternating(const std::vector<endpoint>& all) {
    std::deque<endpoint> first;
    std::deque<endpoint> second;
    for (const endpoint& e : all) (e.family() == all.front().family() ? first : second).push_back(e);
    std::vector<endpoint> out;
    while (!first.empty() || !second.empty()) {
        for (auto* some : {&first, &second}) {
            if (some->empty()) continue;
            out.push_back(some->front());
            some->pop_front();
        }
    }
    return out;
}

}  // namespace

namespace {

using lookup_function = std::vector<endpoint> (*)(const std::string& host);

// The state that the thread of a lookup shares with the loop, and all that the thread accesses. The thread is detached:
// getaddrinfo() cannot be interrupted and may outlast the resolver, its loop and the pools by half a minute.
class question final : posted, public std::enable_shared_from_this<question> {
public:
    question(lookup_function function, std::string host, std::move_only_function<void()> on_done)
        : by_(function), host_(std::move(host)), ended_(std::move(on_done)) {}

    void ask() noexcept {
        try {
            found = alternating(by_ ? by_(host_) : ask_system(host_));
            if (found.empty()) throw resolve_error(fmt::format("the name '{}' has no address", host_));
        } catch (...) {
            failure = std::current_exception();
        }
    }
    // Throws std::system_error when no thread can be created.
    void ask_on_thread(event_loop& loop) {
        loop_ = &loop;
        named_thread("resolver", [self = shared_from_this()] {
            self->ask();
            self->answer();
        }).detach();
    }
    // Drops the result; the callback is not called.
    void forget() noexcept {
        const std::scoped_lock lock(mutex_);
        loop_ = nullptr;
        ended_ = nullptr;
    }

    std::vector<endpoint> found;
    std::exception_ptr failure;

private:
    void answer() noexcept {
        const std::scoped_lock lock(mutex_);
        if (!loop_) return;
        posted_ = shared_from_this();
        loop_->post(static_cast<posted&>(*this));
    }
    void run_on_loop() noexcept override {
        const auto keep = std::exchange(posted_, nullptr);
        if (auto on_done = std::exchange(ended_, nullptr)) on_done();
    }

    lookup_function by_;
    std::string host_;
    std::move_only_function<void()> ended_;  // called on the loop thread
    std::shared_ptr<question> posted_;
    std::mutex mutex_;
    event_loop* loop_ = nullptr;  // guarded by mutex_
};

}  // namespace

// An entry of the cache: queued for a thread, running, or answered until it expires.
struct resolver::lookup {
    lookup(resolver* o, std::string h) : owner(o), host(std::move(h)) {}

    void end(std::exception_ptr error, clock::duration ttl) noexcept {
        failure = std::move(error);
        until = from_now(ttl);
        done.set();
    }

    resolver* owner;  // null after its destruction
    std::string host;
    std::vector<endpoint> found;
    std::exception_ptr failure;
    instant until = instant::max();
    std::shared_ptr<question> asked;      // while it runs on a thread
    instant refused_at = instant::max();  // when it is still queued then
    std::size_t waiters = 0;
    event done;
};

// Counts a waiting coroutine, also when its frame is destroyed early.
class resolver::waiter {
public:
    explicit waiter(std::shared_ptr<lookup> l) noexcept : lookup_(std::move(l)) { ++lookup_->waiters; }
    ~waiter() {
        if (--lookup_->waiters == 0 && lookup_->owner) lookup_->owner->left_alone(*lookup_);
    }
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

private:
    std::shared_ptr<lookup> lookup_;
};

std::shared_ptr<resolver::lookup> resolver::find(const std::string& host) {
    if (auto at = known_.find(host); at != known_.end()) {
        if (at->second->until > clock::now()) return at->second;
        known_.erase(at);
    }
    forget_old();
    auto l = std::make_shared<lookup>(this, host);
    known_.emplace(host, l);
    if (running_ < options_.lookups) start(l);
    else wait_for_thread(l);
    return l;
}

void resolver::start(const std::shared_ptr<lookup>& l) {
    const auto on_done = [this, l] {
        --running_;
        const auto answer = std::exchange(l->asked, nullptr);
        l->found = std::move(answer->found);
        const auto ttl = answer->failure ? options_.failure_ttl : options_.ttl;
        l->end(std::move(answer->failure), ttl);
        start_waiting();
    };
    l->asked = std::make_shared<question>(options_.lookup, l->host, on_done);
    ++running_;
    if (!loop_.blocking()) {
        l->asked->ask();
        return on_done();
    }
    try {
        l->asked->ask_on_thread(loop_);
    } catch (const std::system_error& e) {
        --running_;
        l->asked = nullptr;
        l->end(std::make_exception_ptr(resolve_error(fmt::format(
                   "the name '{}' cannot be resolved: cannot create a thread: {}", l->host, e.code().message()))),
               clock::duration(0));
    }
}

void resolver::start_waiting() {
    while (running_ < options_.lookups && !waiting_.empty()) {
        const auto next = std::move(waiting_.front());
        waiting_.pop_front();
        start(next);
    }
}

resolver::end_of_patience::end_of_patience(resolver& owner) noexcept
    : timer([](timer& self) noexcept { static_cast<end_of_patience&>(self).owner_.refuse_late(); }), owner_(owner) {}

void resolver::wait_for_thread(const std::shared_ptr<lookup>& l) {
    l->refused_at = from_now(options_.patience);
    waiting_.push_back(l);
    if (!end_of_patience_.armed()) loop_.timers().arm(end_of_patience_, l->refused_at);
}

// Unresponsive name servers occupy threads for half a minute; callers get an error instead of waiting and may retry.
void resolver::refuse_late() noexcept {
    while (!waiting_.empty() && waiting_.front()->refused_at <= clock::now()) {
        const auto late = std::move(waiting_.front());
        waiting_.pop_front();
        late->end(std::make_exception_ptr(
                      resolve_error(fmt::format("the name '{}' cannot be resolved: {} other lookups have not completed "
                                                "yet; try again later",
                                                late->host, running_))),
                  clock::duration(0));
    }
    if (!waiting_.empty()) loop_.timers().arm(end_of_patience_, waiting_.front()->refused_at);
}

// A running lookup continues: its answer is cached for the next request.
void resolver::left_alone(lookup& l) {
    if (l.done.is_set() || l.asked) return;
    std::erase_if(waiting_, [&l](const auto& w) { return w.get() == &l; });
    known_.erase(l.host);
}

void resolver::forget_old() {
    if (known_.size() < options_.entries) return;
    const instant now = clock::now();
    std::erase_if(known_, [now](const auto& entry) { return entry.second->until <= now; });
    if (known_.size() < options_.entries) return;
    // When none has expired, evicts any answered one: evicting a running lookup would repeat it.
    const auto answered = std::ranges::find_if(known_, [](const auto& entry) { return entry.second->done.is_set(); });
    if (answered != known_.end()) known_.erase(answered);
}

resolver::resolver(event_loop& loop, const resolver_options& options) : loop_(loop), options_(options) {}

resolver::~resolver() {
    for (const auto& [host, l] : known_) {
        l->owner = nullptr;
        if (l->done.is_set()) continue;
        if (l->asked) l->asked->forget();
        l->end(std::make_exception_ptr(
                   resolve_error(fmt::format("the name '{}' cannot be resolved: the resolver was destroyed", host))),
               clock::duration(0));
    }
}

task<std::vector<endpoint>> resolver::resolve(std::string host, std::uint16_t port, instant deadline) {
    if (auto numeric = endpoint::numeric(host, port)) co_return std::vector<endpoint>{*numeric};
    struct wait {
        static task<void> for_end(std::shared_ptr<lookup> l) { co_await l->done.wait(); }
    };
    const auto l = find(host);
    if (!l->done.is_set()) {
        const waiter waiting(l);
        co_await with_timeout(deadline - clock::now(), wait::for_end(l));
    }
    if (l->failure) std::rethrow_exception(l->failure);
    std::vector<endpoint> found = l->found;
    for (endpoint& e : found) e.set_port(port);
    co_return found;
}

}  // namespace rondo::net
