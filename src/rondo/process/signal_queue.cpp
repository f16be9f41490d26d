// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/signal_queue.hpp>

#include <cerrno>
#include <system_error>

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace rondo::process {

signal_queue::signal_queue(std::initializer_list<int> signals) {
    sigemptyset(&signals_);
    for (int s : signals) sigaddset(&signals_, s);
    fd_.reset(signalfd(-1, &signals_, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!fd_) throw std::system_error(errno, std::generic_category(), "signalfd");
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

signal_queue::~signal_queue() {
    if (!fd_) return;
    while (next()) {
    }
    release();
}

int signal_queue::next() noexcept {
    signalfd_siginfo info{};
    return ::read(fd_.value(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

void signal_queue::release() noexcept {
    fd_.reset();
    pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
}

void discard_signals(std::initializer_list<int> signals) noexcept {
    // A handler, because SIG_IGN would be inherited across exec.
    struct sigaction discard{};
    discard.sa_handler = [](int) {};
    discard.sa_flags = SA_RESTART;
    for (int s : signals) sigaction(s, &discard, nullptr);
}

}  // namespace rondo::process
