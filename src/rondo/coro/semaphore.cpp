// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/semaphore.hpp>

namespace rondo {

semaphore::~semaphore() {
    while (!waiters_.empty()) waiters_.pop_front();
}

bool semaphore::try_acquire(std::size_t units) noexcept {
    if (!waiters_.empty() || available_ < units) return false;
    available_ -= units;
    return true;
}

void semaphore::release(std::size_t units) noexcept {
    available_ += units;
    grant();
}

void semaphore::grant() noexcept {
    ready_queue::batch batch;
    while (!waiters_.empty() && waiters_.front().units_ <= available_) {
        acquire_awaiter& next = waiters_.front();
        available_ -= next.units_;
        next.granted_ = true;
        next.wake();
    }
}

semaphore::acquire_awaiter::acquire_awaiter(semaphore& s, std::size_t units) noexcept
    : waiter([](waiter& self) noexcept { static_cast<acquire_awaiter&>(self).semaphore_.grant(); }),
      semaphore_(s),
      units_(units) {}

semaphore::acquire_awaiter::~acquire_awaiter() {
    if (granted_) {
        semaphore_.release(units_);
    } else if (is_waiting() && is_linked()) {
        unlink();
        semaphore_.grant();  // the next waiters may need fewer units
    }
}

bool semaphore::acquire_awaiter::enqueue() noexcept {
    if (semaphore_.try_acquire(units_)) {
        granted_ = true;
        stop_waiting();
        return false;
    }
    semaphore_.waiters_.push_back(*this);
    return true;
}

}  // namespace rondo
