// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/signals.hpp>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <rondo/base/log.hpp>

namespace rondo {

signal_watcher::signal_watcher(event_loop& loop, std::initializer_list<int> signals, function f)
    : loop_(loop), function_(std::move(f)) {
    sigset_t mask;
    sigset_t before;
    sigemptyset(&mask);
    sigemptyset(&unblocked_);
    pthread_sigmask(SIG_BLOCK, nullptr, &before);
    for (int s : signals) {
        sigaddset(&mask, s);
        if (!sigismember(&before, s)) sigaddset(&unblocked_, s);
    }
    fd_.reset(signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!fd_) throw std::system_error(errno, std::generic_category(), "signalfd");
    arm();
    pthread_sigmask(SIG_BLOCK, &mask, nullptr);
}

signal_watcher::~signal_watcher() {
    loop_.io().cancel(*this);
    while (next()) {
    }
    pthread_sigmask(SIG_UNBLOCK, &unblocked_, nullptr);
}

void signal_watcher::arm() { loop_.io().poll(*this, fd_.value(), POLLIN); }

int signal_watcher::next() noexcept {
    signalfd_siginfo info{};
    ssize_t n = ::read(fd_.value(), &info, sizeof info);
    return n == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

void signal_watcher::polled(int) noexcept {
    try {
        arm();
        while (int signal = next()) function_(signal);
    } catch (const std::exception& e) {
        log::error(std::string("signal handler failed: ") + e.what());
    }
}

}  // namespace rondo
