// SPDX-License-Identifier: Apache-2.0
// A thin io_uring wrapper with provided buffers, for the benchmark programs.
#pragma once

#include <liburing.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

namespace bench {

/// An io_uring with one group of provided buffers. It lives as long as the process; nothing is ever freed.
class uring {
public:
    static constexpr unsigned group = 7;
    static constexpr unsigned tuned =
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN;

    /// `buffers` is a power of two. `flags`: `tuned`, or 0 for comparison.
    uring(unsigned entries, unsigned completions, unsigned buffers, unsigned buffer_size, unsigned flags = tuned)
        : mask_(io_uring_buf_ring_mask(buffers)), buffer_size_(buffer_size) {
        io_uring_params params{};
        params.flags = IORING_SETUP_CQSIZE | flags;
        params.cq_entries = completions;
        checked(io_uring_queue_init_params(entries, &ring_, &params), "io_uring_setup");
        io_uring_register_ring_fd(&ring_);
        provide_buffers(buffers);
    }
    uring(const uring&) = delete;
    uring& operator=(const uring&) = delete;

    [[nodiscard]] io_uring* raw() noexcept { return &ring_; }

    /// A free submission entry; submits when there is none. The prep functions clear user_data: set it after them.
    [[nodiscard]] io_uring_sqe* get_sqe() noexcept {
        io_uring_sqe* s = io_uring_get_sqe(&ring_);
        while (!s) {
            io_uring_submit(&ring_);
            s = io_uring_get_sqe(&ring_);
        }
        return s;
    }

    /// Makes room for `n` entries, so that a chain of linked ones is not cut by a submission.
    void reserve(unsigned n) noexcept {
        if (io_uring_sq_space_left(&ring_) < n) io_uring_submit(&ring_);
    }

    /// The bytes that a receive put into a provided buffer. Valid until release_buffer().
    [[nodiscard]] std::span<const char> bytes(const io_uring_cqe& done) const noexcept {
        return {buffer_at(done.flags >> IORING_CQE_BUFFER_SHIFT), static_cast<std::size_t>(done.res)};
    }

    /// Returns the completion's buffer to the kernel; does nothing when it has none.
    void release_buffer(const io_uring_cqe& done) noexcept {
        if (!(done.flags & IORING_CQE_F_BUFFER)) return;
        const unsigned id = done.flags >> IORING_CQE_BUFFER_SHIFT;
        io_uring_buf_ring_add(buffers_, buffer_at(id), buffer_size_, static_cast<unsigned short>(id), mask_, 0);
        io_uring_buf_ring_advance(buffers_, 1);
    }

    /// Waits for a completion, at most for `timeout` unless it is null, and calls `f(completion)` for all that are
    /// ready.
    template <class F>
    void run_once(__kernel_timespec* timeout, F&& f) {
        io_uring_cqe* completion = nullptr;
        if (timeout) io_uring_submit_and_wait_timeout(&ring_, &completion, 1, timeout, nullptr);
        else io_uring_submit_and_wait(&ring_, 1);
        unsigned head = 0, count = 0;
        io_uring_for_each_cqe(&ring_, head, completion) {
            ++count;
            f(*completion);
        }
        io_uring_cq_advance(&ring_, count);
    }

    static int checked(int result, const char* operation) {
        if (result < 0) throw std::system_error(-result, std::generic_category(), operation);
        return result;
    }

private:
    static void* map(std::size_t size) {
        void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
        return memory;
    }

    [[nodiscard]] char* buffer_at(unsigned id) const noexcept { return memory_ + std::size_t{id} * buffer_size_; }

    void provide_buffers(unsigned count) {
        buffers_ = static_cast<io_uring_buf_ring*>(map(count * sizeof(io_uring_buf)));
        memory_ = static_cast<char*>(map(std::size_t{count} * buffer_size_));
        io_uring_buf_reg registration{};
        registration.ring_addr = reinterpret_cast<std::uint64_t>(buffers_);
        registration.ring_entries = count;
        registration.bgid = group;
        checked(io_uring_register_buf_ring(&ring_, &registration, 0), "io_uring_register_buf_ring");
        io_uring_buf_ring_init(buffers_);
        for (unsigned i = 0; i < count; ++i)
            io_uring_buf_ring_add(buffers_, buffer_at(i), buffer_size_, static_cast<unsigned short>(i), mask_,
                                  static_cast<int>(i));
        io_uring_buf_ring_advance(buffers_, static_cast<int>(count));
    }

    io_uring ring_{};
    io_uring_buf_ring* buffers_ = nullptr;
    char* memory_ = nullptr;
    int mask_;
    unsigned buffer_size_;
};

}  // namespace bench
