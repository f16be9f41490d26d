// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/io_uring_ring.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rondo::io_uring_operations {

namespace {

constexpr unsigned submission_entries = 2048;
constexpr unsigned completion_entries = 16384;
constexpr unsigned buffer_count = 512;  // a power of two
constexpr int buffer_group = 0;
constexpr unsigned setup_flags =
    IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN;

void* map(std::size_t size) {
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED) fail(errno, "mmap");
    return p;
}

}  // namespace

void fail(int error, const char* call) { throw std::system_error(error, std::generic_category(), call); }

ring::ring() : ring_(std::make_unique<io_uring>()) {
    io_uring_params params{};
    params.flags = setup_flags;
    params.cq_entries = completion_entries;
    if (int e = io_uring_queue_init_params(submission_entries, ring_.get(), &params)) fail(-e, "io_uring_queue_init");
    io_uring_ring_dontfork(ring_.get());
    io_uring_register_ring_fd(ring_.get());
    register_buffers();
}

ring::~ring() {
    close();
    munmap(buffers_, buffer_count * sizeof(io_uring_buf));
    munmap(buffer_memory_, std::size_t{buffer_count} * buffer_size);
}

bool ring::is_available() noexcept {
    io_uring probe{};
    io_uring_params params{};
    params.flags = setup_flags;
    params.cq_entries = 16;
    if (io_uring_queue_init_params(8, &probe, &params)) return false;
    io_uring_queue_exit(&probe);
    return true;
}

void ring::close() noexcept {
    if (ring_->ring_fd < 0) return;
    io_uring_submit(ring_.get());  // closes of descriptors may be pending
    io_uring_queue_exit(ring_.get());
    ring_->ring_fd = -1;
}

// The ring's memory is not mapped in the child, and the registered descriptor belongs to the parent's thread.
void ring::abandon_after_fork() noexcept { ::close(std::exchange(ring_->ring_fd, -1)); }

void ring::register_buffers() {
    buffers_ = static_cast<io_uring_buf_ring*>(map(buffer_count * sizeof(io_uring_buf)));
    buffer_memory_ = static_cast<char*>(map(std::size_t{buffer_count} * buffer_size));
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers_);
    registration.ring_entries = buffer_count;
    registration.bgid = buffer_group;
    if (int e = io_uring_register_buf_ring(ring_.get(), &registration, 0)) fail(-e, "io_uring_register_buf_ring");
    io_uring_buf_ring_init(buffers_);
    for (unsigned i = 0; i < buffer_count; ++i) recycle_buffer(i);
    publish_buffers();
}
void ring::recycle_buffer(unsigned id) noexcept {
    io_uring_buf_ring_add(buffers_, buffer_memory_ + std::size_t{id} * buffer_size, buffer_size,
                          static_cast<unsigned short>(id), io_uring_buf_ring_mask(buffer_count),
                          static_cast<int>(recycled_++));
}
void ring::publish_buffers() noexcept {
    if (recycled_) io_uring_buf_ring_advance(buffers_, static_cast<int>(std::exchange(recycled_, 0)));
}

io_uring_sqe* ring::get_sqe() noexcept {
    io_uring_sqe* e = io_uring_get_sqe(ring_.get());
    while (!e) {
        ++submissions_;
        io_uring_submit(ring_.get());
        e = io_uring_get_sqe(ring_.get());
    }
    return e;
}
void ring::arm_accept(operation& o, int fd) noexcept {
    io_uring_sqe* e = get_sqe();
    io_uring_prep_multishot_accept(e, fd, nullptr, nullptr, SOCK_CLOEXEC);
    io_uring_sqe_set_data(e, &o);
}
void ring::arm_receive(operation& o, int fd) noexcept {
    io_uring_sqe* e = get_sqe();
    io_uring_prep_recv_multishot(e, fd, nullptr, 0, 0);
    e->buf_group = buffer_group;
    e->flags |= IOSQE_BUFFER_SELECT;
    io_uring_sqe_set_data(e, &o);
}
void ring::arm_poll(operation& o, int fd, int events) noexcept {
    io_uring_sqe* e = get_sqe();
    io_uring_prep_poll_add(e, fd, static_cast<unsigned>(events));
    io_uring_sqe_set_data(e, &o);
    o.submission = submissions_;
}
void ring::arm_multishot_poll(operation& o, int fd, int events) noexcept {
    io_uring_sqe* e = get_sqe();
    io_uring_prep_poll_multishot(e, fd, static_cast<unsigned>(events));
    io_uring_sqe_set_data(e, &o);
    o.submission = submissions_;
}

void ring::cancel(operation& o) noexcept {
    if (std::exchange(o.cancel_requested, true)) return;
    io_uring_sqe* e = get_sqe();
    io_uring_prep_cancel(e, &o, 0);
    io_uring_sqe_set_data(e, nullptr);
}
void ring::release_file(operation& o) noexcept {
    if (o.cancel_requested || o.submission == submissions_) return;
    io_uring_sync_cancel_reg request{};
    request.addr = reinterpret_cast<std::uintptr_t>(&o);
    request.timeout = {.tv_sec = -1, .tv_nsec = -1};
    if (io_uring_register_sync_cancel(ring_.get(), &request) < 0) return;
    o.cancel_requested = true;
    io_uring_get_events(ring_.get());
}

void ring::submit() noexcept {
    ++submissions_;
    io_uring_submit_and_get_events(ring_.get());
}
void ring::submit_and_wait(std::chrono::nanoseconds wait) {
    int result = 0;
    ++submissions_;
    if (wait.count() == 0) {
        result = io_uring_submit_and_get_events(ring_.get());
    } else if (wait.count() < 0) {
        result = io_uring_submit_and_wait(ring_.get(), 1);
    } else {
        __kernel_timespec limit{};
        limit.tv_sec = wait.count() / 1'000'000'000;
        limit.tv_nsec = wait.count() % 1'000'000'000;
        io_uring_cqe* first = nullptr;
        result = io_uring_submit_and_wait_timeout(ring_.get(), &first, 1, &limit, nullptr);
    }
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN && result != -EBUSY)
        fail(-result, "io_uring_enter");
}

}  // namespace rondo::io_uring_operations
