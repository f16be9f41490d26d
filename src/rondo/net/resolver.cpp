// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/resolver.hpp>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <exception>
#include <memory>
#include <system_error>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <rondo/coro/event.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::net {

namespace {

std::vector<endpoint> ask_system(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
    // Without any network but loopback AI_ADDRCONFIG hides what /etc/hosts says.
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

// The first family stays first, then they alternate as long as there are both.
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

// Outlives the resolver as long as a lookup runs.
struct resolver::state : std::enable_shared_from_this<resolver::state> {
    struct lookup;

    state(event_loop& l, const resolver_options& o) : loop(l), options(o) {}

    std::shared_ptr<lookup> find(const std::string& host);
    void start(const std::shared_ptr<lookup>& l);
    void ended(lookup& l);
    void forget_old();

    event_loop& loop;
    resolver_options options;
    std::unordered_map<std::string, std::shared_ptr<lookup>> known;
    std::deque<std::shared_ptr<lookup>> waiting;
    std::size_t running = 0;
};

// A question and its answer. Owns itself while a thread works on it.
struct resolver::state::lookup final : thread_pool::job, posted, std::enable_shared_from_this<lookup> {
    lookup(std::shared_ptr<state> o, std::string h) : owner(std::move(o)), host(std::move(h)) {}

    void ask() noexcept {
        try {
            found = alternating(owner->options.lookup ? owner->options.lookup(host) : ask_system(host));
            if (found.empty()) throw resolve_error(fmt::format("the name '{}' has no address", host));
        } catch (...) {
            failure = std::current_exception();
        }
    }
    void run_on_thread() noexcept override {
        ask();
        owner->loop.post(static_cast<posted&>(*this));
    }
    void run_on_loop() noexcept override {
        auto keep = std::exchange(self, nullptr);
        std::exchange(owner, nullptr)->ended(*this);
    }
    void end(clock::duration ttl) noexcept {
        until = from_now(ttl);
        done.set();
    }

    std::shared_ptr<state> owner;
    std::shared_ptr<lookup> self;
    std::string host;
    std::vector<endpoint> found;
    std::exception_ptr failure;
    instant until = instant::max();
    event done;
};

std::shared_ptr<resolver::state::lookup> resolver::state::find(const std::string& host) {
    if (auto at = known.find(host); at != known.end()) {
        if (at->second->until > clock::now()) return at->second;
        known.erase(at);
    }
    forget_old();
    auto l = std::make_shared<lookup>(shared_from_this(), host);
    known.emplace(host, l);
    if (running < options.lookups) start(l);
    else waiting.push_back(l);
    return l;
}

void resolver::state::start(const std::shared_ptr<lookup>& l) {
    thread_pool* pool = loop.blocking();
    if (!pool) {
        l->ask();
        return l->end(l->failure ? options.failure_ttl : options.ttl);
    }
    try {
        l->self = l;
        ++running;
        pool->submit(*l);
    } catch (const pool_full&) {
        --running;
        l->self = nullptr;
        l->failure = std::make_exception_ptr(resolve_error(
            fmt::format("the name '{}' cannot be resolved: the pool for blocking work is full", l->host)));
        l->end(clock::duration(0));
    } catch (...) {
        l->failure = std::current_exception();
        l->end(clock::duration(0));
    }
}

void resolver::state::ended(lookup& l) {
    --running;
    l.end(l.failure ? options.failure_ttl : options.ttl);
    while (running < options.lookups && !waiting.empty()) {
        auto next = std::move(waiting.front());
        waiting.pop_front();
        start(next);
    }
}

void resolver::state::forget_old() {
    if (known.size() < options.entries) return;
    const instant now = clock::now();
    std::erase_if(known, [now](const auto& entry) { return entry.second->until <= now; });
    // Of those that are all of use any one goes; what is being asked stays with those who wait for it.
    if (known.size() >= options.entries) known.erase(known.begin());
}

resolver::resolver(event_loop& loop, const resolver_options& options)
    : state_(std::make_shared<state>(loop, options)) {}

resolver::~resolver() {
    state_->known.clear();
    state_->waiting.clear();
}

task<std::vector<endpoint>> resolver::resolve(std::string host, std::uint16_t port, instant until) {
    if (auto plain = endpoint::numeric(host, port)) co_return std::vector<endpoint>{*plain};
    struct wait {
        static task<void> for_end(std::shared_ptr<state::lookup> l) { co_await l->done.wait(); }
    };
    auto l = state_->find(host);
    if (!l->done.is_set()) co_await with_timeout(until - clock::now(), wait::for_end(l));
    if (l->failure) std::rethrow_exception(l->failure);
    std::vector<endpoint> found = l->found;
    for (endpoint& e : found) e.set_port(port);
    co_return found;
}

}  // namespace rondo::net
