// SPDX-License-Identifier: Apache-2.0
// The ring of the io_uring backend: submission of operations, and the buffers for input.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <rondo/loop/io_uring_operations.hpp>

struct io_uring;
struct io_uring_buf_ring;
struct io_uring_sqe;

namespace rondo::io_uring_operations {

[[noreturn]] void fail(int error, const char* call);

/// A ring and the buffers that its receives use. What the arm_ functions prepare goes to the kernel with the next
/// submission: by submit(), by submit_and_wait(), or when the submission queue is full.
class ring {
public:
    /// Throws std::system_error.
    ring();
    ~ring();
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;

    [[nodiscard]] static bool is_available() noexcept;

    /// Ends all operations.
    void close() noexcept;
    void abandon_after_fork() noexcept;

    [[nodiscard]] io_uring& native() noexcept { return *ring_; }
    [[nodiscard]] const io_uring& native() const noexcept { return *ring_; }

    [[nodiscard]] io_uring_sqe* get_sqe() noexcept;
    void arm_accept(operation& o, int fd) noexcept;
    void arm_receive(operation& o, int fd) noexcept;
    void arm_poll(operation& o, int fd, int events) noexcept;
    /// Reports the state at once, and again with each change.
    void arm_multishot_poll(operation& o, int fd, int events) noexcept;

    /// The operation may still complete with a result.
    void cancel(operation& o) noexcept;
    /// Cancels a poll at once, so that the kernel releases its file, unless it was not submitted yet. Submits nothing:
    /// a poll armed in this turn would report input that its owner is about to read.
    void release_file(operation& o) noexcept;

    void submit() noexcept;
    /// Throws std::system_error.
    void submit_and_wait(std::chrono::nanoseconds wait);

    /// The input in a buffer, which the caller must recycle.
    [[nodiscard]] std::string_view input(unsigned buffer, std::size_t size) const noexcept {
        return {buffer_memory_ + std::size_t{buffer} * buffer_size, size};
    }
    void recycle_buffer(unsigned id) noexcept;
    /// Gives the recycled buffers to the kernel.
    void publish_buffers() noexcept;

private:
    static constexpr unsigned buffer_size = 4096;

    void register_buffers();

    std::unique_ptr<io_uring> ring_;
    io_uring_buf_ring* buffers_ = nullptr;
    char* buffer_memory_ = nullptr;
    unsigned recycled_ = 0;
    std::uint32_t submissions_ = 0;
};

}  // namespace rondo::io_uring_operations
